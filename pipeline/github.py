"""The few things that GitHub is asked for or told, by its REST API. Its answers are data of strangers: each field is checked."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.issues import Issue
from signupflow.errors import OperatorError

TIMEOUT_SECONDS = 30.0
BOT = "github-actions[bot]"


@dataclass(frozen=True)
class GitHub:
    """One repository (`owner/name`); `api` is GITHUB_API_URL. The token is in no message."""

    api: str
    repository: str
    token: str = field(repr=False)

    def newest_success(self, workflow: str, branch: str) -> int:
        """The newest run of a workflow on a branch that ended well."""
        query = {"branch": branch, "status": "success", "event": "push", "per_page": 1}
        runs = self._ask("GET", f"actions/workflows/{workflow}/runs", query)["workflow_runs"]
        if not runs:
            raise OperatorError(f"{workflow} never succeeded on {branch}; there is nothing to promote")
        return int(runs[0]["id"])

    def succeeded(self, run: int, workflow: str, branch: str) -> None:
        """OperatorError unless this run is of that workflow, on that branch, and ended well."""
        found = self._ask("GET", f"actions/runs/{run}")
        expected = {"path": f".github/workflows/{workflow}", "head_branch": branch, "conclusion": "success", "event": "push"}
        for name, value in expected.items():
            # A path can have the ref behind it.
            if str(found.get(name)).partition("@")[0] != value:
                raise OperatorError(
                    f"run {run} has {name} {found.get(name)!s:.60}, not {value}; name a run of {workflow} that succeeded"
                )

    def open_issue(self, title: str) -> Issue | None:
        """The open issue of that title that the pipeline itself has opened; the oldest when there are several."""
        found = self._ask("GET", "issues", {"state": "open", "creator": BOT, "per_page": 100, "direction": "asc"})
        for item in found:
            if item["title"] == title and item["user"]["login"] == BOT and "pull_request" not in item:
                return Issue(int(item["number"]), str(item["body"] or ""))
        return None

    def open(self, title: str, body: str) -> int:
        return int(self._ask("POST", "issues", body={"title": title, "body": body})["number"])

    def update(self, issue: int, body: str) -> None:
        self._ask("PATCH", f"issues/{issue}", body={"body": body})

    def close(self, issue: int, comment: str) -> None:
        self._ask("POST", f"issues/{issue}/comments", body={"body": comment})
        self._ask("PATCH", f"issues/{issue}", body={"state": "closed", "state_reason": "completed"})

    def tag(self, name: str, commit: str) -> None:
        """A tag on a commit; one that is there already must be the same."""
        found = {item["ref"]: item["object"]["sha"] for item in self._ask("GET", f"git/matching-refs/tags/{name}")}
        there = found.get(f"refs/tags/{name}")
        if there is None:
            self._ask("POST", "git/refs", body={"ref": f"refs/tags/{name}", "sha": commit})
        elif there != commit:
            raise OperatorError(f"the tag {name} is on {there[:12]} already, not on {commit[:12]}; a released tag is never moved")

    def _ask(self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None) -> Any:
        where = f"repos/{self.repository}/{path}"
        address = f"{self.api.rstrip('/')}/{where}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        headers = {"Accept": "application/vnd.github+json", "Authorization": f"Bearer {self.token}"}
        data = None if body is None else json.dumps(body).encode()
        try:
            request = urllib.request.Request(address, data, headers, method=method)  # noqa: S310 - the runner's own API
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            error.close()
            raise OperatorError(f"GitHub answered {error.code} to {method} {where}; has the job the permission for it?") from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            why = type(getattr(error, "reason", error)).__name__
            raise OperatorError(f"GitHub did not answer ({method} {where}): {why}; run the job again") from None
