"""The few answers of GitHub's REST API that the workflows' steps ask for, on loopback: runs, tags, issues."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

BOT = "github-actions[bot]"


@dataclass
class GitHubApi:
    """`with GitHubApi("owner/name", token) as github:`; what was told stands in `runs`, `tags` and `issues`."""

    repository: str
    token: str
    runs: list[dict[str, Any]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    issues: list[dict[str, Any]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def ran(self, workflow: str, branch: str, conclusion: str) -> int:
        """Note that a workflow ran; its number."""
        number = len(self.runs) + 1
        run = {"id": number, "path": f".github/workflows/{workflow}", "head_branch": branch, "event": "push"}
        self.runs.append(run | {"conclusion": conclusion})
        return number

    def __enter__(self) -> GitHubApi:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer("GET")

            def do_POST(self) -> None:
                self._answer("POST")

            def do_PATCH(self) -> None:
                self._answer("PATCH")

            def _answer(self, method: str) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else {}
                known = self.headers.get("Authorization") == f"Bearer {api.token}"
                status, answer = api.answered(method, self.path, body) if known else (401, {"message": "Bad credentials"})
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args: Any) -> None:
                """Nothing: the steps say what they asked."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answered(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Status and answer of one request."""
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        answer: tuple[int, Any] = (404, {"message": "Not Found"})
        match method, parts.path.removeprefix(f"/repos/{self.repository}/").split("/"):
            case "GET", ["actions", "workflows", workflow, "runs"]:
                wanted = (f".github/workflows/{workflow}", query.get("branch"), query.get("status"))
                found = [run for run in self.runs if (run["path"], run["head_branch"], run["conclusion"]) == wanted]
                answer = 200, {"workflow_runs": found[::-1][: int(query.get("per_page", 30))]}
            case "GET", ["actions", "runs", number] if 0 < int(number) <= len(self.runs):
                answer = 200, self.runs[int(number) - 1]
            case "GET", ["git", "matching-refs", "tags", name]:
                refs = [f"refs/tags/{tag}" for tag in self.tags if tag.startswith(name)]
                answer = 200, [{"ref": ref, "object": {"sha": self.tags[ref.removeprefix("refs/tags/")]}} for ref in refs]
            case "POST", ["git", "refs"]:
                self.tags[body["ref"].removeprefix("refs/tags/")] = body["sha"]
                answer = 201, {"ref": body["ref"]}
            case "GET", ["issues"]:
                answer = 200, [issue for issue in self.issues if issue["state"] == query.get("state", "open")]
            case "POST", ["issues"]:
                issue = {**body, "number": len(self.issues) + 1, "state": "open", "user": {"login": BOT}, "comments": []}
                self.issues.append(issue)
                answer = 201, issue
            case "PATCH", ["issues", number]:
                self.issues[int(number) - 1].update(body)
                answer = 200, self.issues[int(number) - 1]
            case "POST", ["issues", number, "comments"]:
                self.issues[int(number) - 1]["comments"].append(body["body"])
                answer = 201, body
        return answer
