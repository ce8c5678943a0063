"""What HTTP answers mean."""

import json

import pytest

from tickerlake.errors import SourceFailedError, UnknownSymbolError
from tickerlake.sources.yahoo.answers import TransientError, read_chart


@pytest.mark.parametrize("result", [b"null", b"[]", b"[{}]"])
def test_no_result_and_no_error_is_no_bars(result: bytes) -> None:
    assert read_chart("X", 200, b'{"chart":{"result":%s,"error":null}}' % result) == {}


def test_a_refused_request_is_final() -> None:
    body = (
        b'{"chart":{"result":null,"error":{"code":"Unprocessable","description":"no such range"}}}'
    )
    with pytest.raises(SourceFailedError, match="no such range"):
        read_chart("X", 422, body)


@pytest.mark.parametrize("description", ["No data found, symbol may be delisted", "Nothing here"])
@pytest.mark.parametrize("status", [200, 404, 410])
def test_a_symbol_is_unknown_by_the_status_or_by_the_words(description: str, status: int) -> None:
    body = b'{"chart":{"result":null,"error":{"code":"Not Found","description":"%s"}}}'
    unknown = status == 404 or description.startswith("No data")
    expected = UnknownSymbolError if unknown else SourceFailedError if status > 399 else None
    with pytest.raises(expected or TransientError, match=description):
        read_chart("X", status, body % description.encode())


@pytest.mark.parametrize("status", [500, 502, 503, 599])
@pytest.mark.parametrize("description", ["No data found", "Data doesn't exist", "oops"])
def test_a_broken_server_is_asked_again_whatever_it_says(status: int, description: str) -> None:
    body = b'{"chart":{"result":null,"error":{"code":"x","description":"%s"}}}'
    with pytest.raises(TransientError, match=f"HTTP {status}"):
        read_chart("X", status, body % description.encode())
    with pytest.raises(TransientError):
        read_chart("X", status, b'{"chart":{"result":[{"meta":{"symbol":"X"}}],"error":null}}')


@pytest.mark.parametrize("meta", [{"symbol": "Y"}, {"symbol": "X", "dataGranularity": "1wk"}])
def test_a_chart_that_was_not_asked_for_is_refused(meta: dict[str, str]) -> None:
    body = json.dumps({"chart": {"result": [{"meta": meta}], "error": None}}).encode()
    with pytest.raises(SourceFailedError, match="X: Yahoo answers with"):
        read_chart("X", 200, body)
    with pytest.raises(SourceFailedError):
        read_chart("x", 200, body)


def test_a_symbol_in_small_letters_is_the_same() -> None:
    body = b'{"chart":{"result":[{"meta":{"symbol":"brk-b"}}],"error":null}}'
    assert read_chart("BRK-B", 200, body)["meta"] == {"symbol": "brk-b"}


@pytest.mark.parametrize("status", [200, 400, 422])
def test_a_window_without_data_has_no_bars(status: int) -> None:
    words = "Data doesn't exist for startDate = 1, endDate = 2"
    body = b'{"chart":{"result":null,"error":{"code":"Bad Request","description":"%s"}}}'
    assert read_chart("X", status, body % words.encode()) == {}
