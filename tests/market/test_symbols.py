from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickerlake.errors import BadSymbolError, UsageError
from tickerlake.lake import layout
from tickerlake.market import symbols
from tickerlake.universe import read_universe

REAL = ["AAPL", "^GSPC", "BRK-B", "EURUSD=X", "0700.HK", "BTC-USD", "GC=F", "M&M.NS", "SAP.DE"]


def test_real_symbols_pass_in_order_without_repetitions():
    assert symbols.parse([*REAL, " aapl "]) == REAL


@pytest.mark.parametrize(
    "bad", ["", "../etc", "A/B", "A B", "A\\B", ".", "-A", "A" * 25, "US0378331005", "X.NOPE", "ä"]
)
def test_every_bad_symbol_is_named_in_one_error(bad):
    with pytest.raises(BadSymbolError) as error:
        symbols.parse(["AAPL", bad, "A/C"])
    assert repr(bad) in str(error.value)
    assert "'A/C'" in str(error.value)
    assert "'AAPL'" not in str(error.value)


@given(st.text(max_size=30))
def test_no_symbol_escapes_its_prefix(text):
    try:
        [symbol] = symbols.parse([text])
    except BadSymbolError:
        return
    key = layout.history(symbol)
    assert key.count("/") == 2
    assert ".." not in key.split("/")
    assert layout.values(key) == {"ticker": symbol}


@given(st.text(min_size=1, max_size=30))
def test_encoding_comes_back_and_holds_no_separator(text):
    encoded = symbols.encode(text)
    assert symbols.decode(encoded) == text
    assert not set(encoded) & set("/=\\^ :#?*\"'{[")


def test_hives_encoding():
    assert symbols.encode("^GSPC") == "%5EGSPC"
    assert symbols.encode("EURUSD=X") == "EURUSD%3DX"
    assert symbols.encode("M&M.NS") == "M&M.NS"


@pytest.mark.parametrize("symbol", ["\u00df", "stra\u00dfe", "\ufb01ve", "\u0131bm", "\uff21"])
def test_letters_that_become_ascii_in_upper_case_are_no_symbols(symbol):
    with pytest.raises(BadSymbolError, match=symbol):
        symbols.parse([symbol])


def test_universe_file(tmp_path: Path):
    file = tmp_path / "universe.txt"
    file.write_text("# the big ones\nAAPL\n\nmsft # Microsoft\nAAPL\n")
    assert read_universe(str(file)) == ["AAPL", "MSFT"]


@pytest.mark.parametrize("content", ["", "# nothing\n", None])
def test_universe_file_without_tickers(tmp_path: Path, content):
    file = tmp_path / "universe.txt"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UsageError, match=r"universe\.txt"):
        read_universe(str(file))


@pytest.mark.parametrize(
    ("number", "more"), [(4, ""), (5, ""), (6, "; and 1 more."), (1005, "; and 1,000 more.")]
)
def test_of_many_bad_symbols_five_are_named(number, more):
    bad = [f"A/{n}" for n in range(number)]
    with pytest.raises(BadSymbolError) as error:
        symbols.parse([*bad, *bad])
    text = str(error.value)
    assert text.count("'A/") == min(number, 5)
    assert (more in text) if more else " more" not in text


@pytest.mark.parametrize(("length", "shown"), [(40, 40), (41, 40)])
def test_a_long_text_that_is_no_symbol_is_cut(length, shown):
    with pytest.raises(BadSymbolError) as error:
        symbols.parse(["/" * length])
    assert f"'{'/' * shown}{'' if length == shown else '...'}' " in str(error.value)
