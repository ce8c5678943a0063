"""What HTTP answers mean."""

import pytest

from tickerlake.errors import SourceFailedError
from tickerlake.sources.yahoo.answers import read_chart


@pytest.mark.parametrize("result", [b"null", b"[]", b"[{}]"])
def test_no_result_and_no_error_is_no_bars(result: bytes) -> None:
    assert read_chart("X", 200, b'{"chart":{"result":%s,"error":null}}' % result) == {}


def test_a_refused_request_is_final() -> None:
    body = (
        b'{"chart":{"result":null,"error":{"code":"Unprocessable","description":"no such range"}}}'
    )
    with pytest.raises(SourceFailedError, match="no such range"):
        read_chart("X", 422, body)
