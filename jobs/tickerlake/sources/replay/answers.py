"""The HTTP answers of a replay, besides charts."""

import json
import time
from dataclasses import dataclass
from http import HTTPStatus

from tickerlake.sources.replay.faults import Fault


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: HTTPStatus
    body: bytes
    media_type: str = "application/json"
    retry_after: str | None = None


def to_json(value: object) -> bytes:
    """Return a value as compact JSON."""
    return json.dumps(value, separators=(",", ":")).encode()


def refuse(status: HTTPStatus, code: str, description: str, *, envelope: str = "chart") -> Answer:
    """Return an error as Yahoo words it."""
    error = {"code": code, "description": description}
    return Answer(status, to_json({envelope: {"result": None, "error": error}}))


def refuse_too_many(retry_after: str | None = None) -> Answer:
    """Return Yahoo's answer to too many requests."""
    text = b"Edge: Too Many Requests"
    return Answer(HTTPStatus.TOO_MANY_REQUESTS, text, "text/html", retry_after)


def spoil(faults: list[Fault]) -> Answer | None:
    """Wait as long as the faults want; return the answer that they give instead of a chart."""
    time.sleep(sum(fault.seconds for fault in faults if fault.kind == "slow"))
    return next((answer for fault in faults if (answer := _answer_instead(fault))), None)


def _answer_instead(fault: Fault) -> Answer | None:
    match fault.kind:
        case "rate_limited":
            return refuse_too_many(fault.retry_after)
        case "unauthorized":
            return refuse(
                HTTPStatus.UNAUTHORIZED, "Unauthorized", "Invalid Crumb", envelope="finance"
            )
        case "server_error":
            page = b"<html><body>Internal Server Error</body></html>"
            return Answer(HTTPStatus.INTERNAL_SERVER_ERROR, page, "text/html")
        case "html":
            page = b"<html><body>Will be right back...</body></html>"
            return Answer(HTTPStatus.OK, page, "text/html")
        case "empty":
            return Answer(HTTPStatus.OK, to_json({"chart": {"result": [], "error": None}}))
        case _:
            return None
