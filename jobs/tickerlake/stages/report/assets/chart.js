// The chart of a ticker's page: draws what fits into the pixels that there are.
"use strict";
(() => {
  const LINES = ["sma_50", "sma_200", "bb_upper_20", "bb_lower_20", "rsi_14", "macd", "macd_signal", "drawdown"];
  const LETTERS = { split: "S", dividend: "D", revision: "R", flag: "F" };
  const MEANINGS = { D: "dividend", S: "split", R: "revised by the source", F: "flagged" };
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const PIXELS_A_BAR = 3;
  const FEWEST = 20; // bars: a single one is not as wide as the chart

  const decode = (text, Kind) => new Kind(Uint8Array.from(atob(text), (each) => each.charCodeAt(0)).buffer);
  const day = (number) => new Date(number * 864e5);
  const iso = (number) => day(number).toISOString().slice(0, 10);
  const known = (value) => Number.isFinite(value);

  const six = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 6 });
  const three = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3, notation: "compact" });
  const price = (value) => {
    if (!known(value)) return "-";
    const [whole, digits = ""] = six.format(value).split(".");
    if (Math.abs(value) < 1e4) return `${whole}.${digits.padEnd(2, "0")}`;
    return digits ? `${whole}.${digits}` : whole;
  };
  const percent = (ratio) => (known(ratio) ? `${ratio > 0 ? "+" : ""}${(ratio * 100).toFixed(2)} %` : "-");

  // ---- data

  const expand = (steps, count) => {
    if (!steps) return null;
    const factors = new Float64Array(count).fill(1);
    steps.forEach(([first, factor], number) => factors.fill(factor, first, steps[number + 1]?.[0] ?? count));
    return factors;
  };

  const read = (text) => {
    const raw = JSON.parse(text);
    const days = decode(raw.days, Int32Array);
    const data = { days, count: days.length, events: new Map() };
    for (const name of ["open", "high", "low", "close", "volume", ...LINES]) data[name] = decode(raw[name], Float32Array);
    data.factors = { split: expand([[0, 1]], days.length), traded: expand(raw.traded, days.length), total: expand(raw.total, days.length) };
    for (const [when, kind, what] of raw.marks) {
      const at = days.findIndex((each) => each >= when);
      if (at < 0) continue;
      if (!data.events.has(at)) data.events.set(at, []);
      data.events.get(at).push({ kind, what });
    }
    return data;
  };

  // The buckets of a window: single bars, weeks or months, whatever leaves room for each.
  const group = (data, first, last, most) => {
    const keys = [
      (number) => number,
      (number) => Math.floor((data.days[number] + 3) / 7),
      (number) => { const when = day(data.days[number]); return when.getUTCFullYear() * 12 + when.getUTCMonth(); },
    ];
    let found = [];
    for (const [size, key] of keys.entries()) {
      found = [];
      let current = null;
      for (let number = first; number <= last; number += 1) {
        const here = key(number);
        if (here === current) found[found.length - 1].last = number;
        else { found.push({ first: number, last: number }); current = here; }
      }
      if (found.length <= most || size === keys.length - 1) return { buckets: found, size };
    }
    return { buckets: found, size: 2 };
  };

  const bar = (data, { first, last }, factors) => {
    const one = { first, last, day: data.days[last], high: -Infinity, low: Infinity, volume: 0, events: [] };
    for (let number = first; number <= last; number += 1) {
      one.high = Math.max(one.high, data.high[number] * factors[number]);
      one.low = Math.min(one.low, data.low[number] * factors[number]);
      one.volume += data.volume[number];
      if (data.events.has(number)) one.events.push(...data.events.get(number));
    }
    one.open = data.open[first] * factors[first];
    one.close = data.close[last] * factors[last];
    one.before = first ? data.close[first - 1] * factors[first - 1] : NaN;
    for (const name of LINES) one[name] = data[name][last];
    return one;
  };

  // ---- axes

  const ticks = (bars, room) => {
    if (bars.length < 3) return bars.map((each, at) => [at, iso(each.day)]);
    const span = bars[bars.length - 1].day - bars[0].day;
    if (span < 100) {
      const step = Math.ceil(bars.length / room);
      return bars.map((each, at) => [at, each]).filter(([at]) => at % step === 0)
        .map(([at, each]) => [at, `${day(each.day).getUTCDate()} ${MONTHS[day(each.day).getUTCMonth()]}`]);
    }
    const months = bars.map((each) => day(each.day).getUTCFullYear() * 12 + day(each.day).getUTCMonth());
    const step = [1, 2, 3, 6, 12, 24, 60, 120, 240].find((each) => (months[months.length - 1] - months[0]) / each <= room) || 240;
    const found = [];
    for (let at = 1; at < bars.length; at += 1) {
      if (Math.floor(months[at] / step) === Math.floor(months[at - 1] / step)) continue;
      const month = months[at] % 12;
      const year = Math.floor(months[at] / 12);
      found.push([at, month === 0 || step >= 12 ? `<b>${year}</b>` : MONTHS[month]]);
    }
    return found;
  };

  const style = () => {
    const css = getComputedStyle(document.documentElement);
    return (name) => css.getPropertyValue(`--${name}`).trim();
  };

  const DOMAINS = { price: [0.55, 1], events: [0.505, 0.535], volume: [0.41, 0.5], rsi: [0.28, 0.37], macd: [0.14, 0.25], drawdown: [0, 0.11] };
  const TITLES = { volume: "Volume", rsi: "RSI 14", macd: "MACD 12, 26, 9", drawdown: "Drawdown" };

  const layout = (bars, size, colour, isTouch) => {
    const isNarrow = size.width < 560;
    const marks = ticks(bars, Math.max(2, Math.floor(size.width / (isNarrow ? 80 : 110))));
    const axis = (name, extra) => ({
      domain: DOMAINS[name], side: "right", fixedrange: true, zeroline: false, gridcolor: colour("faint"), linecolor: colour("line"),
      tickfont: { size: 11, color: colour("soft") }, exponentformat: "none", nticks: name === "price" ? 9 : 4, automargin: false, ...extra,
    });
    const line = (y, yref) => ({ type: "line", xref: "paper", x0: 0, x1: 1, y0: y, y1: y, yref, line: { color: colour("line"), width: 1, dash: "dot" } });
    const least = (name) => Math.min(0, ...bars.map((each) => (known(each[name]) ? each[name] : 0)));
    const hasMacd = bars.some((each) => known(each.macd));
    const spare = Math.max(0, (FEWEST - bars.length) / 2);
    const longest = Math.max(...bars.map((each) => Math.max(price(each.high).length, price(each.low).length)));
    return {
      width: size.width, height: size.height,
      margin: { l: 4, r: Math.min(100, 18 + longest * 6.2), t: 8, b: 26 },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "x", bargap: 0.25,
      dragmode: isTouch ? false : "zoom",
      font: { family: "inherit", size: 11, color: colour("soft") },
      xaxis: {
        anchor: "y6", range: [-0.7 - spare, bars.length - 0.3 + spare], tickvals: marks.map(([at]) => at), ticktext: marks.map(([, text]) => text),
        fixedrange: isTouch, gridcolor: colour("faint"), linecolor: colour("line"), zeroline: false, rangeslider: { visible: false },
        tickfont: { size: 11, color: colour("soft") }, tickangle: 0,
        showspikes: true, spikemode: "across", spikethickness: 1, spikecolor: colour("soft"), spikedash: "solid", spikesnap: "data",
      },
      yaxis: axis("price", { separatethousands: true }),
      yaxis2: axis("events", { range: [0, 1], showgrid: false, showticklabels: false }),
      yaxis3: axis("volume", { rangemode: "tozero", nticks: 3 , tickformat: "~s" }),
      yaxis4: axis("rsi", { range: [0, 100], tickvals: [30, 70] }),
      yaxis5: axis("macd", { nticks: 3, showticklabels: hasMacd }),
      yaxis6: axis("drawdown", { tickformat: ".0%", range: [Math.min(least("drawdown") * 1.06, -0.01), 0.001], nticks: 3 }),
      shapes: [
        { type: "line", x0: 0, x1: 0, yref: "paper", y0: 0, y1: 1, line: { color: colour("accent"), width: 1 }, visible: false },
        line(30, "y4"), line(70, "y4"),
      ],
      annotations: Object.entries(TITLES).map(([name, text]) => ({
        text, xref: "paper", yref: "paper", x: 0, y: DOMAINS[name][1], xanchor: "left", yanchor: "bottom", showarrow: false,
        font: { size: 11, color: colour("soft") },
      })),
    };
  };

  const traces = (bars, basis, lines, colour) => {
    const x = bars.map((_, at) => at);
    const take = (name) => bars.map((each) => (known(each[name]) ? each[name] : null));
    const scatter = (name, yaxis, look, extra) => ({
      type: "scatter", mode: "lines", x, y: take(name), yaxis, hoverinfo: "none", line: { width: 1.3, ...look }, ...extra,
    });
    const rising = (each) => (known(each.open) && each.open !== each.close ? each.close > each.open : each.close >= each.before);
    const shades = bars.map((each) => colour(rising(each) ? "up" : "down"));
    const marks = bars.map((each, at) => [at, each.events]).filter(([, events]) => events.length);
    const letter = (events) => Object.keys(LETTERS).find((kind) => events.some((each) => each.kind === kind));
    const tints = { split: "accent", dividend: "soft", revision: "quarantine", flag: "gaps" };
    const found = [{
      type: "candlestick", x, yaxis: "y", hoverinfo: "none",
      open: bars.map((each) => (known(each.open) ? each.open : each.close)), high: take("high"), low: take("low"), close: take("close"),
      increasing: { line: { color: colour("up"), width: 1 }, fillcolor: colour("panel") },
      decreasing: { line: { color: colour("down"), width: 1 }, fillcolor: colour("down") },
      whiskerwidth: 0,
    }];
    if (basis === "split") {
      if (lines.has("bands")) {
        found.unshift(
          scatter("bb_upper_20", "y", { color: colour("soft"), width: 0.8, dash: "dot" }),
          scatter("bb_lower_20", "y", { color: colour("soft"), width: 0.8, dash: "dot" }, { fill: "tonexty", fillcolor: "rgba(128,140,155,.10)" }),
        );
      }
      if (lines.has("sma_50")) found.push(scatter("sma_50", "y", { color: colour("flags"), width: 1.7 }));
      if (lines.has("sma_200")) found.push(scatter("sma_200", "y", { color: colour("quarantine"), width: 1.7, dash: "dash" }));
    }
    return [
      ...found,
      { type: "scatter", mode: "text", x: marks.map(([at]) => at), y: marks.map(() => 0.5), yaxis: "y2", hoverinfo: "none", cliponaxis: false,
        text: marks.map(([, events]) => `<b>${LETTERS[letter(events)]}</b>`), textfont: { size: 11, color: marks.map(([, events]) => colour(tints[letter(events)])) } },
      { type: "bar", x, y: take("volume"), yaxis: "y3", hoverinfo: "none", marker: { color: shades, opacity: 0.55, line: { width: 0 } } },
      scatter("rsi_14", "y4", { color: colour("accent") }),
      { type: "bar", x, y: bars.map((each) => (known(each.macd_signal) ? each.macd - each.macd_signal : null)), yaxis: "y5", hoverinfo: "none", marker: { color: colour("soft"), opacity: 0.45, line: { width: 0 } } },
      scatter("macd", "y5", { color: colour("accent") }),
      scatter("macd_signal", "y5", { color: colour("down"), dash: "dot" }),
      scatter("drawdown", "y6", { color: colour("down"), width: 1 }, { fill: "tozeroy", fillcolor: "rgba(200,100,30,.16)" }),
    ];
  };

  // ---- a chart

  const RANGES = {
    "1M": (last) => last.setUTCMonth(last.getUTCMonth() - 1),
    "3M": (last) => last.setUTCMonth(last.getUTCMonth() - 3),
    "6M": (last) => last.setUTCMonth(last.getUTCMonth() - 6),
    YTD: (last) => last.setUTCFullYear(last.getUTCFullYear() - 1, 11, 31),
    "1Y": (last) => last.setUTCFullYear(last.getUTCFullYear() - 1),
    "5Y": (last) => last.setUTCFullYear(last.getUTCFullYear() - 5),
    All: () => -Infinity,
  };

  const mount = (section) => {
    const plot = section.querySelector(".plot");
    const readout = section.querySelector(".readout");
    const caption = section.querySelector(".caption");
    const data = read(section.querySelector(".data").textContent);
    const state = { first: 0, last: data.count - 1, basis: "split", lines: new Set(["sma_50", "sma_200", "bands"]), bars: [], size: 0, cursor: null };

    const choose = (range) => {
      const begin = RANGES[range](day(data.days[data.count - 1])) / 864e5;
      const found = data.days.findIndex((each) => each > begin);
      state.first = Math.max(found, 0);
      state.last = data.count - 1;
    };

    const tell = (at) => {
      const one = state.bars[at];
      if (!one) return;
      const rows = [["", one.first === one.last ? iso(one.day) : `${iso(data.days[one.first])} to ${iso(one.day)}`],
        ["O", price(one.open)], ["H", price(one.high)], ["L", price(one.low)], ["C", price(one.close)],
        ["", percent(one.before > 0 && one.close > 0 ? one.close / one.before - 1 : NaN)], ["Vol", three.format(one.volume)]];
      if (state.basis === "split") {
        if (state.lines.has("sma_50")) rows.push(["SMA 50", price(one.sma_50)]);
        if (state.lines.has("sma_200")) rows.push(["SMA 200", price(one.sma_200)]);
      }
      rows.push(["RSI", known(one.rsi_14) ? one.rsi_14.toFixed(1) : "-"], ["MACD", price(one.macd)], ["Drawdown", percent(one.drawdown)]);
      readout.replaceChildren(...rows.map(([name, text]) => {
        const item = document.createElement("span");
        const strong = document.createElement("b");
        strong.textContent = text;
        item.append(name ? `${name} ` : "", strong);
        return item;
      }));
      for (const { what } of one.events) {
        const item = document.createElement("span");
        item.textContent = what;
        readout.append(item);
      }
    };

    const describe = () => {
      const size = ["Daily bars", "Weekly bars: zoom in for days", "Monthly bars: zoom in for days"][state.size];
      const letters = [...new Set(state.bars.flatMap((each) => each.events.map(({ kind }) => LETTERS[kind])))].map((each) => `${each} ${MEANINGS[each]}`);
      const lines = state.basis === "split" ? [] : ["averages and bands are those of split-adjusted prices, so they are not drawn"];
      caption.textContent = `${[size, ...letters, ...lines].join(" · ")}.`;
    };

    const draw = () => {
      if (!plot.offsetParent) return;
      const size = { width: plot.clientWidth, height: plot.clientHeight };
      const colour = style();
      const { buckets, size: kind } = group(data, state.first, state.last, Math.max(60, size.width / PIXELS_A_BAR));
      state.bars = buckets.map((each) => bar(data, each, data.factors[state.basis]));
      state.size = kind;
      state.cursor = null;
      const isTouch = matchMedia("(pointer: coarse)").matches;
      window.Plotly.react(plot, traces(state.bars, state.basis, state.lines, colour), layout(state.bars, size, colour, isTouch), { displayModeBar: false, doubleClick: false });
      if (!plot.dataset.ready) listen();
      plot.dataset.ready = String(Number(plot.dataset.ready || 0) + 1);
      tell(state.bars.length - 1);
      describe();
    };

    const press = (selector, pressed) => {
      for (const each of section.querySelectorAll(selector)) each.setAttribute("aria-pressed", String(each === pressed));
    };

    const listen = () => {
      plot.on("plotly_hover", (event) => tell(Math.round(event.points[0].x)));
      plot.on("plotly_unhover", () => tell(state.cursor ?? state.bars.length - 1));
      plot.on("plotly_relayout", (change) => {
        if (!("xaxis.range[0]" in change)) return;
        const inside = (at) => state.bars[Math.min(Math.max(Math.round(at), 0), state.bars.length - 1)];
        state.first = inside(change["xaxis.range[0]"] + 0.5).first;
        state.last = inside(change["xaxis.range[1]"] - 0.5).last;
        press("[data-range]", null);
        draw();
      });
      plot.on("plotly_doubleclick", () => section.querySelector('[data-range="1Y"]').click());
    };

    section.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      const { range, basis, line } = button.dataset;
      if (range) { choose(range); press("[data-range]", button); }
      if (basis) { state.basis = basis; press("[data-basis]", button); }
      if (line) {
        if (!state.lines.delete(line)) state.lines.add(line);
        button.setAttribute("aria-pressed", String(state.lines.has(line)));
      }
      for (const each of section.querySelectorAll("[data-line]")) each.disabled = state.basis !== "split";
      draw();
    });

    plot.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      const last = state.bars.length - 1;
      state.cursor = Math.min(Math.max((state.cursor ?? last + (step < 0 ? 1 : 0)) + step, 0), last);
      window.Plotly.relayout(plot, { "shapes[0].x0": state.cursor, "shapes[0].x1": state.cursor, "shapes[0].visible": true });
      tell(state.cursor);
    });

    let width = 0;
    new ResizeObserver(() => {
      if (plot.clientWidth === width) return;
      width = plot.clientWidth;
      draw();
    }).observe(plot);
    document.addEventListener("themechange", draw);
    choose("1Y");
  };

  const mountVisible = () => {
    for (const section of document.querySelectorAll(".chart:not([data-mounted])")) {
      if (!section.offsetParent) continue;
      section.dataset.mounted = "";
      mount(section);
    }
  };
  document.addEventListener("pageshown", mountVisible);
  mountVisible();
})();
