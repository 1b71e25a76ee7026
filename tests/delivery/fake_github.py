"""A GitHub on this machine that knows runs, issues and tags of one repository; for tests, and to play workflows without it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

REPOSITORY = "acme/signupflow"
TOKEN = "a-token"
BOT = {"login": "github-actions[bot]"}


@dataclass
class FakeGitHub:
    """`runs` are newest first. Requests that change something are in `changes`."""

    address: str = ""
    runs: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    refs: dict[str, str] = field(default_factory=dict)
    changes: list[tuple[str, str, Any]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What a step on a runner sees of it."""
        return {"GITHUB_API_URL": self.address, "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_TOKEN": TOKEN}

    def run(self, number: int, **other: Any) -> None:
        """A run of the staging workflow that ended well, unless told otherwise."""
        path = ".github/workflows/deploy-staging.yml"
        self.runs.insert(
            0, {"id": number, "path": path, "head_branch": "main", "conclusion": "success", "event": "push", **other}
        )

    def issue(self, title: str, body: str, user: dict[str, str] = BOT, **other: Any) -> None:
        self.issues.append({"number": len(self.issues) + 1, "title": title, "body": body, "user": user, "state": "open", **other})

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        if method != "GET":
            self.changes.append((method, path, body))
        if match := re.fullmatch(r"actions/workflows/([\w.-]+)/runs", path):
            wanted = {"head_branch": query["branch"][0], "conclusion": query["status"][0], "event": query["event"][0]}
            found = [run for run in self.runs if run["path"].endswith(match[1]) and wanted.items() <= run.items()]
            return 200, {"workflow_runs": found[: int(query["per_page"][0])]}
        if match := re.fullmatch(r"actions/runs/(\d+)", path):
            found = [run for run in self.runs if run["id"] == int(match[1])]
            return (200, found[0]) if found else (404, {})
        if (method, path) == ("GET", "issues"):
            return 200, [issue for issue in self.issues if issue["state"] == "open"]
        if (method, path) == ("POST", "issues"):
            self.issue(**body)
            return 201, self.issues[-1]
        if match := re.fullmatch(r"issues/(\d+)(/comments)?", path):
            issue = self.issues[int(match[1]) - 1]
            if not match[2]:
                issue.update(body)
            return 200, issue
        if match := re.fullmatch(r"git/matching-refs/(.+)", path):
            return 200, [
                {"ref": ref, "object": {"sha": sha}} for ref, sha in self.refs.items() if ref.startswith(f"refs/{match[1]}")
            ]
        if (method, path) == ("POST", "git/refs"):
            self.refs[body["ref"]] = body["sha"]
            return 201, {}
        return 404, {"message": "Not Found"}


@contextmanager
def serving() -> Iterator[FakeGitHub]:
    fake = FakeGitHub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or b"null")
            path = address.path.removeprefix(f"/repos/{REPOSITORY}/")
            status: int = 401
            found: Any = {}
            if self.headers["Authorization"] == f"Bearer {TOKEN}":
                status, found = fake.answer(self.command, path, parse_qs(address.query), body)
            data = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_PATCH = do_GET

        def log_message(self, *_: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
