"""What a Sentry SDK sends (its "envelopes"), decoded and taken apart, nothing more."""

from __future__ import annotations

import json
import re
import zlib
from typing import Any

# Sentry itself takes no event above 1 MB; a small body that unpacks to more than this is refused.
MAX_DECODED = 4 << 20
ENDPOINT = re.compile(r"/api/([^/]+)/(envelope|store)/?")
# zlib's window sizes: 31 is gzip, 15 is "deflate" as HTTP means it.
WINDOWS = {"gzip": 31, "deflate": 15}


class Refused(Exception):
    """An HTTP status and what is wrong."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


def decode(body: bytes, encoding: str) -> str:
    """The text of a request's body, by its Content-Encoding."""
    if encoding not in ("", "identity"):
        if encoding not in WINDOWS:
            raise Refused(415, f"content-encoding {encoding} is not supported")
        unpacker = zlib.decompressobj(WINDOWS[encoding])
        try:
            body = unpacker.decompress(body, MAX_DECODED + 1)
        except zlib.error as error:
            raise Refused(400, f"not {encoding}: {error}") from error
        if not unpacker.eof and len(body) <= MAX_DECODED:
            raise Refused(400, f"{encoding} is cut off")
    if len(body) > MAX_DECODED:
        raise Refused(413, f"more than {MAX_DECODED} bytes")
    return body.decode("utf-8", "backslashreplace")


def _object(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Refused(400, "a header of the envelope is no JSON object")
    return found


def _payload(text: str) -> Any:
    """Parsed when it is JSON; attachments and the like stay text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def take_apart(envelope: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """An envelope's header and its items: {"type", "header", "payload"}. Lengths count bytes, so it is cut as bytes."""
    first, _, rest = envelope.encode().partition(b"\n")
    header, items = _object(first.decode()), []
    while rest.strip():
        line, _, rest = rest.lstrip(b"\n").partition(b"\n")
        described = _object(line.decode())
        length = described.get("length")
        if length is None:
            payload, _, rest = rest.partition(b"\n")
        elif isinstance(length, int) and 0 <= length <= len(rest):
            payload, rest = rest[:length], rest[length:]
        else:
            raise Refused(400, "an item of the envelope is cut off")
        text = payload.decode("utf-8", "backslashreplace")
        items.append({"type": described.get("type"), "header": described, "payload": _payload(text)})
    return header, items


def received(project: str, kind: str, encoding: str, body: bytes) -> dict[str, Any]:
    """What is kept of a request to /api/PROJECT/envelope/ or the older /api/PROJECT/store/, which takes one bare event."""
    text = decode(body, encoding)
    if kind == "store":
        event = _object(text)
        header, items = {"event_id": event.get("event_id")}, [{"type": "event", "header": {}, "payload": event}]
    else:
        header, items = take_apart(text)
    return {"project": project, "header": header, "items": items, "body": text}
