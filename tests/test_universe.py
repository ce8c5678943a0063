"""Which tickers a run is for: from a file on disk and from an object on S3."""

import boto3
import pytest

from tickerlake.errors import UsageError
from tickerlake.universe import read_universe

CONTENTS = {
    b"AAPL\nMSFT\n": ["AAPL", "MSFT"],
    b"\xef\xbb\xbfaapl # the first\r\n\r\n# nothing\r\n^GSPC\r\n": ["AAPL", "^GSPC"],
    b"EURUSD=X": ["EURUSD=X"],
}
BUCKET = "universes"


@pytest.fixture(params=["a file", "an object"])
def place(request, tmp_path):
    """Where a universe is, and what puts it there."""
    if request.param == "a file":
        path = tmp_path / "universe.txt"
        return str(path), path.write_bytes
    request.getfixturevalue("aws")
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.delete_object(Bucket=BUCKET, Key="a/universe.txt")

    def put(data: bytes) -> None:
        s3.put_object(Bucket=BUCKET, Key="a/universe.txt", Body=data)

    return f"s3://{BUCKET}/a/universe.txt", put


@pytest.mark.parametrize("data", CONTENTS)
def test_a_universe_has_one_symbol_on_each_line(place, data):
    location, put = place
    put(data)
    assert read_universe(location) == CONTENTS[data]


@pytest.mark.parametrize("data", [b"", b"\n", b"# AAPL\n"])
def test_a_universe_without_a_symbol_is_refused(place, data):
    location, put = place
    put(data)
    with pytest.raises(UsageError, match="names no ticker") as raised:
        read_universe(location)
    assert location in str(raised.value)


@pytest.mark.parametrize("data", [None, b"\xff\xfe\x00"], ids=["missing", "not UTF-8"])
def test_a_universe_that_cannot_be_read_is_named(place, data):
    location, put = place
    if data:
        put(data)
    with pytest.raises(UsageError, match="can't read the universe file") as raised:
        read_universe(location)
    assert location in str(raised.value)


@pytest.mark.parametrize("location", ["gs://b/k", "s3://", "s3://b/", "https://x/y.txt"])
def test_what_is_no_place_for_a_universe(location):
    with pytest.raises(UsageError, match="give a file or s3://bucket/key"):
        read_universe(location)
