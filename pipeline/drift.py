"""Whether hosts still are what was deployed: a dry run of the same commit and the same image announces nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.markdown import block, shortened
from signupflow.dryrun import EVERYBODY, announced
from signupflow.errors import OperatorError
from signupflow.release.ledger import RELEASED, Record

# GitHub takes 65,536 characters in an issue.
MOST = 50_000
# Deployments that bring hosts to what a commit of this repository says though they have no image.
HOST_KINDS = ("hosts",)
# As the record has it: shortened, with -dirty behind it when files were in no commit.
COMMITTED = re.compile(r"[0-9a-f]{7,40}")


@dataclass(frozen=True)
class Drift:
    """`changes` is operation to the hosts on which it would do something; `lines` what the dry run said of each host."""

    environment: str
    image: str
    commit: str
    changes: Mapping[str, Sequence[str]]
    lines: Mapping[str, Sequence[str]]

    @property
    def drifted(self) -> bool:
        return bool(self.changes)

    def as_json(self) -> str:
        return json.dumps({"drifted": self.drifted, "title": self.title, "body": self.as_markdown()}, indent=2) + "\n"

    @property
    def title(self) -> str:
        return f"Drift: {self.environment} is not what was deployed"

    def as_markdown(self) -> str:
        """The same for the same drift, so that an issue changes only when the drift does."""
        if not self.drifted:
            return f"{self.environment} is what was deployed.\n"
        hosts = sorted({host for names in self.changes.values() for host in names})
        table = "\n".join(f"{operation}: {', '.join(names)}" for operation, names in sorted(self.changes.items()))
        said = "\n\n".join("\n".join(f"[{host}] {line}" for line in self.lines.get(host, ())) for host in hosts)
        return (
            f"A dry run of what was deployed last would change {len(hosts)} {'host' if len(hosts) == 1 else 'hosts'}.\n\n"
            f"Image `{self.image}`, commit `{self.commit}`.\n\n{block(table)}\n\n"
            f"<details><summary>What the dry run says</summary>\n\n{block(shortened(said, MOST))}\n\n</details>\n\n"
            "A host was changed by hand, or something broke. To bring it back, deploy the same version again; to "
            "keep the change, put it in this repository. The next look closes this issue when nothing differs.\n"
        )


@dataclass(frozen=True)
class Served:
    """What reality is compared with: the image that serves by the history, the commit that hosts were last brought to.

    `uncommitted` are deployments after that which were made from no commit: what they changed is drift, and shows as such.
    """

    image: str
    commit: str
    uncommitted: tuple[str, ...] = ()


def served(records: Sequence[Record]) -> Served:
    """From the history. OperatorError when nothing was released, or nothing from a commit.

    Whatever ended well with an image brought the app's settings of its commit: a release, a cutover, a rollback, a restart.
    """
    done = [record for record in records if record.outcome == RELEASED and record.deploys]
    images = [record.image for record in records if record.outcome == RELEASED and record.image]
    commits = [record.deploys for record in done if record.image or record.kind in HOST_KINDS]
    if not images or not commits:
        raise OperatorError("nothing was released yet; deploy first")
    committed = [number for number, commit in enumerate(commits) if COMMITTED.fullmatch(commit)]
    if not committed:
        raise OperatorError(
            f"what runs was deployed from {commits[-1]}, which is no commit; deploy from one, or there is nothing to compare with"
        )
    return Served(images[-1], commits[committed[-1]], tuple(commits[committed[-1] + 1 :]))


def compared(environment: str, what: Served, plan: str, lines: Mapping[str, Sequence[str]]) -> Drift:
    """From `pyinfra --dry --diff --json`: its JSON, and its text by host."""
    changes: dict[str, list[str]] = {}
    try:
        for operation, host in announced(json.loads(plan)):
            changes.setdefault(operation, []).append(host)
    except (ValueError, TypeError, KeyError):
        raise OperatorError("what pyinfra printed is no plan in JSON; look at its own message above") from None
    hosts = {host: said for host, said in lines.items() if host != EVERYBODY}
    return Drift(environment, what.image, what.commit, {name: sorted(found) for name, found in changes.items()}, hosts)
