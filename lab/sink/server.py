"""Keeps every mail (SMTP, port 25), webhook and Sentry envelope (HTTP, port 8080), and answers when asked for them.

GET /messages      JSON list, oldest first; ?kind=mail|webhook|sentry&since=ID narrow it
DELETE /messages   forget everything
GET /health        {"status": "ok", "messages": N}
POST /api/PROJECT/envelope/ or store/: kept as what a Sentry SDK sent, answered 200
POST or PUT, any other path: kept as a webhook, answered 200; /status/NNN/... is kept and answered NNN

A mail is {"id", "kind": "mail", "received", "sender", "recipients", "headers", "subject", "body", "raw"}; a webhook is
{"id", "kind": "webhook", "received", "method", "path", "headers", "body", "json"} ("json" is null when it is none);
what an SDK sent is {"id", "kind": "sentry", "received", "path", "headers", "project", "header", "items", "body"}.
Standard library only: the container has nothing else. Messages survive a restart in /data/messages.jsonl.
"""

from __future__ import annotations

import asyncio
import datetime
import email
import email.policy
import json
import os
import re
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from . import sentry

MAX_BYTES = 32 << 20
LINE_LIMIT = 1 << 20
# An app that reports each request would fill the disk: beyond this the oldest go. Mails and webhooks are all kept.
SENTRY_KEPT, SENTRY_SLACK = 1000, 200


class Messages:
    def __init__(self, file: Path) -> None:
        self.file = file
        self.items: list[dict[str, Any]] = []
        if file.is_file():
            for line in file.read_text().splitlines():
                # A crash may have cut the last line.
                try:
                    self.items.append(json.loads(line))
                except ValueError:
                    continue

    def keep(self, kind: str, **what: Any) -> None:
        number = self.items[-1]["id"] + 1 if self.items else 1
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        message = {"id": number, "kind": kind, "received": now, **what}
        self.items.append(message)
        with self.file.open("a") as out:
            out.write(json.dumps(message) + "\n")
        if kind == "sentry":
            self.trim()

    def trim(self) -> None:
        """Forget the oldest of what SDKs sent, a few hundred at once because the file is then written anew."""
        numbers = [item["id"] for item in self.items if item["kind"] == "sentry"]
        if len(numbers) <= SENTRY_KEPT + SENTRY_SLACK:
            return
        oldest = set(numbers[:-SENTRY_KEPT])
        self.items = [item for item in self.items if item["id"] not in oldest]
        beside = self.file.with_suffix(".new")
        beside.write_text("".join(json.dumps(item) + "\n" for item in self.items))
        beside.replace(self.file)

    def select(self, kind: str | None, since: int) -> list[dict[str, Any]]:
        return [item for item in self.items if item["id"] > since and kind in (None, item["kind"])]

    def forget(self) -> None:
        self.items.clear()
        self.file.unlink(missing_ok=True)


def parse_mail(sender: str, recipients: list[str], raw: bytes) -> dict[str, Any]:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    part = message.get_body(preferencelist=("plain", "html"))
    try:
        body = part.get_content() if part is not None else ""
    except (LookupError, UnicodeError):
        body = ""
    return {
        "sender": sender,
        "recipients": recipients,
        "subject": str(message.get("Subject", "")),
        "headers": [[name, str(value)] for name, value in message.items()],
        "body": body,
        "raw": raw.decode("utf-8", "backslashreplace"),
    }


class Smtp:
    """As much of RFC 5321 as a client needs to hand over mail: one connection, any sender, any recipient."""

    def __init__(self, messages: Messages) -> None:
        self.messages = messages

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            writer.close()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(line: str) -> None:
            writer.write(line.encode() + b"\r\n")
            await writer.drain()

        sender: str | None = None
        recipients: list[str] = []
        await say("220 sink ESMTP")
        while line := await reader.readline():
            command = line.decode("utf-8", "replace").strip()
            verb = command[:4].upper()
            if verb == "EHLO":
                await say(f"250-sink\r\n250-SIZE {MAX_BYTES}\r\n250-SMTPUTF8\r\n250 8BITMIME")
            elif verb in ("HELO", "NOOP"):
                await say("250 sink")
            elif verb == "MAIL" and (address := envelope_address(command)) is not None:
                sender, recipients = address, []
                await say("250 OK")
            elif verb == "RCPT" and sender is not None and (address := envelope_address(command)) is not None:
                recipients.append(address)
                await say("250 OK")
            elif verb == "DATA" and recipients and sender is not None:
                await say("354 end with a line of one dot")
                raw = await read_data(reader)
                self.messages.keep("mail", **parse_mail(sender, recipients, raw))
                sender, recipients = None, []
                await say("250 kept")
            elif verb == "RSET":
                sender, recipients = None, []
                await say("250 OK")
            elif verb == "QUIT":
                await say("221 bye")
                return
            elif verb in ("MAIL", "RCPT", "DATA"):
                await say("503 bad sequence of commands")
            else:
                await say("502 not implemented")


def envelope_address(command: str) -> str | None:
    """The address in `MAIL FROM:<...>` or `RCPT TO:<...>`; None when there is none."""
    found = re.match(r"(?i)(?:MAIL FROM|RCPT TO):\s*<([^>]*)>", command)
    return found.group(1) if found else None


async def read_data(reader: asyncio.StreamReader) -> bytes:
    lines: list[bytes] = []
    while True:
        line = await reader.readline()
        if not line:
            raise ConnectionError("cut off inside DATA")
        if line.rstrip(b"\r\n") == b".":
            return b"".join(lines)
        lines.append(line[1:] if line.startswith(b".") else line)


class Http:
    def __init__(self, messages: Messages) -> None:
        self.messages = messages

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            status, answer = await self.respond(reader, writer)
            body = json.dumps(answer).encode()
            head = f"HTTP/1.1 {status} sink\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            writer.close()

    async def respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[int, Any]:
        method, target, _ = (await reader.readline()).decode("latin-1").split(None, 2)
        headers: dict[str, str] = {}
        while line := (await reader.readline()).decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await writer.drain()
        body = await read_body(reader, headers)
        url = urlsplit(target)
        if method == "GET":
            return self.ask(url.path, parse_qs(url.query))
        if method == "DELETE" and url.path == "/messages":
            self.messages.forget()
            return 200, {"status": "ok"}
        if method not in ("POST", "PUT"):
            return 405, {"error": "method not allowed"}
        reported = sentry.ENDPOINT.fullmatch(url.path)
        if reported and method == "POST":
            return self.report(target, headers, body, *reported.groups())
        text = body.decode("utf-8", "backslashreplace")
        try:
            parsed = json.loads(text)
        except ValueError:
            parsed = None
        self.messages.keep("webhook", method=method, path=target, headers=headers, body=text, json=parsed)
        wanted = re.match(r"/status/([2-5]\d\d)(?:/|$)", url.path)
        return int(wanted.group(1)) if wanted else 200, {"status": "kept"}

    def report(self, path: str, headers: dict[str, str], body: bytes, project: str, kind: str) -> tuple[int, Any]:
        try:
            what = sentry.received(project, kind, headers.get("content-encoding", "").lower(), body)
        except sentry.Refused as error:
            return error.status, {"detail": error.why}
        self.messages.keep("sentry", path=path, headers=headers, **what)
        return 200, {"id": what["header"].get("event_id")}

    def ask(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        if path == "/health":
            return 200, {"status": "ok", "messages": len(self.messages.items)}
        if path != "/messages":
            return 404, {"error": "not found"}
        kind = query["kind"][0] if "kind" in query else None
        since = query.get("since", ["0"])[0]
        return 200, self.messages.select(kind, int(since) if since.isdigit() else 0)


async def read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if "content-length" in headers:
        return await reader.readexactly(min(int(headers["content-length"]), MAX_BYTES))
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return b""
    chunks: list[bytes] = []
    while size := int((await reader.readline()).split(b";")[0], 16):
        if sum(map(len, chunks)) + size > MAX_BYTES:
            raise ValueError("too large")
        chunks.append(await reader.readexactly(size))
        await reader.readline()
    return b"".join(chunks)


async def main() -> None:
    messages = Messages(Path(os.environ.get("SINK_DATA", "/data")) / "messages.jsonl")
    smtp_port, http_port = int(os.environ.get("SINK_SMTP_PORT", "25")), int(os.environ.get("SINK_HTTP_PORT", "8080"))
    host = os.environ.get("SINK_HOST", "0.0.0.0")  # noqa: S104 - inside its own container
    smtp = await asyncio.start_server(Smtp(messages).serve, host, smtp_port, limit=LINE_LIMIT)
    http = await asyncio.start_server(Http(messages).serve, host, http_port, limit=LINE_LIMIT)
    print(f"sink: SMTP on {smtp_port}, HTTP on {http_port}", flush=True)
    await asyncio.gather(smtp.serve_forever(), http.serve_forever())


if __name__ == "__main__":
    asyncio.run(main())
