// Search, keyboard, theme and sorting: what all pages share.
"use strict";
(() => {
  const root = document.body.dataset.root || "";
  const isSingle = "single" in document.body.dataset;
  const tickers = window.TICKERS || [];

  // ---- theme

  const remembered = {
    get() { try { return localStorage.getItem("tickerlake-theme"); } catch { return null; } },
    set(value) { try { localStorage.setItem("tickerlake-theme", value); } catch { /* a file may have no storage */ } },
  };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const theme = () => document.documentElement.dataset.theme || (dark.matches ? "dark" : "light");
  const redraw = () => document.dispatchEvent(new Event("themechange"));
  if (remembered.get()) document.documentElement.dataset.theme = remembered.get();
  document.getElementById("theme").addEventListener("click", () => {
    document.documentElement.dataset.theme = theme() === "dark" ? "light" : "dark";
    remembered.set(document.documentElement.dataset.theme);
    redraw();
  });
  dark.addEventListener("change", redraw);
  let before = null;
  addEventListener("beforeprint", () => {
    before = document.documentElement.dataset.theme || "";
    document.documentElement.dataset.theme = "light";
    redraw();
  });
  addEventListener("afterprint", () => {
    if (before) document.documentElement.dataset.theme = before;
    else delete document.documentElement.dataset.theme;
    redraw();
  });

  // ---- search

  const input = document.getElementById("search");
  const list = document.getElementById("found");
  const most = 12;
  let chosen = 0;

  const rank = (row, text) => {
    const [ticker, name] = row.map((each) => each.toLowerCase());
    if (ticker === text) return 0;
    if (ticker.startsWith(text)) return 1;
    if (name.split(/\s+/).some((word) => word.startsWith(text))) return 2;
    return ticker.includes(text) || name.includes(text) ? 3 : 9;
  };
  const matches = () => {
    const text = input.value.trim().toLowerCase();
    return tickers
      .map((row) => [text ? rank(row, text) : 1, row])
      .filter(([place]) => place < 9)
      .sort((one, other) => one[0] - other[0])
      .slice(0, most)
      .map(([, row]) => row);
  };
  const close = () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const show = () => {
    const rows = matches();
    chosen = Math.min(Math.max(chosen, 0), Math.max(rows.length - 1, 0));
    list.replaceChildren(...rows.map(([ticker, name, page], number) => {
      const item = document.createElement("li");
      item.id = `found-${number}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", String(number === chosen));
      item.dataset.page = page;
      const symbol = document.createElement("b");
      symbol.textContent = ticker;
      const words = document.createElement("span");
      words.dir = "auto";
      words.textContent = name === ticker ? "" : name;
      item.append(symbol, words);
      return item;
    }));
    if (!rows.length) {
      const item = document.createElement("li");
      item.className = "none";
      item.setAttribute("role", "option");
      item.setAttribute("aria-disabled", "true");
      item.textContent = "No ticker has this in its symbol or name";
      list.append(item);
    }
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    if (rows.length) input.setAttribute("aria-activedescendant", `found-${chosen}`);
    list.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  };
  const open = (page) => {
    close();
    input.value = "";
    input.blur();
    location.href = isSingle ? page : root + page;
  };
  input.addEventListener("input", () => { chosen = 0; show(); });
  input.addEventListener("focus", show);
  input.addEventListener("blur", () => setTimeout(close, 150));
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") chosen += 1;
    else if (event.key === "ArrowUp") chosen -= 1;
    else if (event.key === "Enter") {
      const row = matches()[chosen];
      if (row) open(row[2]);
      return;
    } else if (event.key === "Escape") {
      input.value = "";
      input.blur();
      return;
    } else return;
    event.preventDefault();
    show();
  });
  list.addEventListener("mousedown", (event) => {
    const item = event.target.closest("li[data-page]");
    if (item) { event.preventDefault(); open(item.dataset.page); }
  });

  // ---- keyboard

  const visible = (selector) => [...document.querySelectorAll(selector)].find((each) => each.offsetParent);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select")) return;
    if (event.key === "/") { event.preventDefault(); input.focus(); }
    if (event.key === "[") visible('a[rel="prev"]')?.click();
    if (event.key === "]") visible('a[rel="next"]')?.click();
  });

  // ---- sorting

  const value = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.v ?? cell.textContent.trim();
    const number = text === "" ? -Infinity : Number(text);
    return Number.isNaN(number) ? text : number;
  };
  const compare = (one, other) => (typeof one === "number" && typeof other === "number"
    ? one - other
    : String(one).localeCompare(String(other), "en"));
  for (const table of document.querySelectorAll("table.sortable")) {
    table.tHead.addEventListener("click", (event) => {
      const head = event.target.closest("button")?.parentElement;
      if (!head) return;
      const column = head.cellIndex;
      const turn = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", turn > 0 ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows];
      rows.sort((one, other) => turn * compare(value(one, column), value(other, column)));
      table.tBodies[0].append(...rows);
    });
  }

  // ---- the pages of a single file

  const route = () => {
    const name = decodeURIComponent(location.hash.slice(1));
    const sections = [...document.querySelectorAll("[data-route]")];
    const found = sections.find((each) => each.dataset.route === name);
    if (!found && name) return; // a fragment inside a page
    const shown = found || sections[0];
    for (const each of sections) each.hidden = each !== shown;
    for (const each of document.querySelectorAll("header nav a")) {
      if ((each.dataset.page === "quality") === (name === "quality") && (name === "" || name === "quality")) each.setAttribute("aria-current", "page");
      else each.removeAttribute("aria-current");
    }
    document.title = name && name !== "quality" ? `${name} · tickerlake` : "tickerlake";
    scrollTo(0, 0);
    document.dispatchEvent(new Event("pageshown"));
  };
  if (isSingle) {
    addEventListener("hashchange", route);
    route();
  }
})();
