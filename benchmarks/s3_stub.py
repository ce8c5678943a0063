"""A small S3 that answers after a while, and counts what it is asked: `python s3_stub.py PORT MS`.

It knows what a lake needs: objects with their tags, conditional puts, listings, and deletions. `GET
/__counts` returns the requests since the last time, by method and part of the lake. It keeps
everything in memory and checks no signature.
"""

import asyncio
import hashlib
import json
import sys
from collections import Counter
from typing import Final
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

COUNTS: Final = "__counts"
PAGE: Final = 1000
PARTS: Final = ("raw/_runs/", "refined/_runs/", "raw/", "refined/daily/", "history/", "tickers/")
DATE: Final = "Thu, 01 Jan 2026 00:00:00 GMT"

Answer = tuple[int, dict[str, str], bytes]

objects: dict[str, bytes] = {}
counts: Counter[str] = Counter()


def part(key: str) -> str:
    """Return which part of the lake a key belongs to."""
    return next((each for each in PARTS if each in key), "other")


def tag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'  # noqa: S324 - as S3 does


def answer(
    method: str, key: str, query: dict[str, str], head: dict[str, str], body: bytes
) -> Answer:
    """Do what a request asks for."""
    if method == "GET" and "list-type" in query:
        return listing(key.partition("/")[0], query)
    counts[f"{method} {part(key)}"] += 1
    held = objects.get(key)
    if method == "PUT":
        wants_none, wanted = "if-none-match" in head, head.get("if-match")
        if (wants_none and held is not None) or (wanted and (held is None or tag(held) != wanted)):
            return 412, {}, b"<Error><Code>PreconditionFailed</Code></Error>"
        objects[key] = body
        return 200, {"etag": tag(body)}, b""
    if method in ("POST", "DELETE"):  # a POST deletes many; what a day deletes is not looked at
        objects.pop(key, None)
        return 200, {}, b"<DeleteResult></DeleteResult>"
    if held is None:
        return 404, {}, b"<Error><Code>NoSuchKey</Code></Error>"
    return 200, {"etag": tag(held), "last-modified": DATE}, held


def listing(bucket: str, query: dict[str, str]) -> Answer:
    """Return a page of the keys below a prefix."""
    prefix = query.get("prefix", "")
    counts[f"LIST {part(prefix)}"] += 1
    keys = sorted(key for key in objects if key.startswith(f"{bucket}/{prefix}"))
    start = int(query.get("continuation-token", 0))
    page = keys[start : start + PAGE]
    more = start + PAGE < len(keys)
    items = "".join(
        f"<Contents><Key>{escape(key[len(bucket) + 1 :])}</Key>"
        f"<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>{tag(objects[key])}</ETag>"
        f"<Size>{len(objects[key])}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        for key in page
    )
    token = f"<NextContinuationToken>{start + PAGE}</NextContinuationToken>" if more else ""
    text = (
        f"<ListBucketResult><Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix>"
        f"<KeyCount>{len(page)}</KeyCount><IsTruncated>{str(more).lower()}</IsTruncated>"
        f"{token}{items}</ListBucketResult>"
    )
    return 200, {}, text.encode()


async def serve(latency: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of a connection, one after the other."""
    try:
        while True:
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin1").split("\r\n")
            method, target, _ = first.split(" ")
            head = {
                name.lower(): value.strip()
                for name, colon, value in (line.partition(":") for line in lines)
                if colon
            }
            body = await reader.readexactly(int(head.get("content-length", 0)))
            path, _, text = target.partition("?")
            key, query = unquote(path.lstrip("/")), dict(parse_qsl(text, keep_blank_values=True))
            if key == COUNTS:
                status, headers, data = 200, {}, json.dumps(counts).encode()
                counts.clear()
            else:
                await asyncio.sleep(latency)
                status, headers, data = answer(method, key, query, head, body)
            headers["content-length"] = str(len(data))
            said = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            writer.write(f"HTTP/1.1 {status} X\r\n{said}\r\n".encode())
            writer.write(b"" if method == "HEAD" else data)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    port, latency = int(sys.argv[1]), float(sys.argv[2]) / 1000
    server = await asyncio.start_server(
        lambda reader, writer: serve(latency, reader, writer), "127.0.0.1", port, limit=1 << 22
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
