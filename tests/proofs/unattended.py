"""A release that fails while nobody is there to answer: started on a terminal without -y, one Enter, and never another key."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from lab.client import PYINFRA, ROOT, Lab
from tests import releases
from tests.proofs.backups.host import newest_message, told
from tests.proofs.failing_releases import squatted
from tests.proofs.interrupted_releases import no_ssh
from tests.proofs.releasing import (
    QUICK,
    RELEASE,
    STEP,
    Evidence,
    app_hosts,
    baseline,
    fqdn,
    one_generation,
    options,
    records,
    running,
    versions,
)

SECONDS = 900
QUESTION = "Press enter to execute"
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class OnATerminal:
    """One run on a pseudo terminal of its own. Enter is typed once, at the one question; `watch` sees the text as it comes."""

    def __init__(self, lab: Lab, *words: str, watch: Callable[[str], None] = lambda text: None) -> None:
        master, slave = pty.openpty()
        command = [PYINFRA, lab["inventory"], RELEASE, *words]
        process = subprocess.Popen(command, cwd=ROOT, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        said, self.keys = b"", 0
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            if not select.select([master], [], [], 0.2)[0]:
                continue
            try:
                said += os.read(master, 65536)
            except OSError:  # the other side is closed: the run has ended
                break
            text = ANSI.sub("", said.decode(errors="replace"))
            if QUESTION in text and not self.keys:
                os.write(master, b"\n")
                self.keys += 1
            watch(text)
        else:
            process.kill()
        os.close(master)
        self.code = process.wait(30)
        self.said = ANSI.sub("", said.decode(errors="replace")).replace("\r", "")
        self.questions = self.said.count("Press enter")

    @property
    def why(self) -> str:
        return next((line for line in self.said.splitlines() if line.startswith("Error: ")), "")


# Host to what runs there.
Containers = dict[str, set[tuple[int, str]]]


def the_second_fails(lab: Lab) -> Evidence:
    """The second host cannot start the release: the first goes back, the third is untouched."""
    first, second, *later = app_hosts(lab)
    version = baseline(lab, releases.image("good", 1))
    before = {host: running(lab, host) for host in later}
    with squatted(lab, second):
        run = OnATerminal(lab, *options(app_image=releases.image("good", 2), **QUICK))
    return _judged(lab, run, version, before, first, second)


def the_second_is_lost_for_good(lab: Lab, folder: Path) -> Evidence:
    """Its SSH is cut while the first is being rolled out, and stays cut; what is to follow a failure follows."""
    first, second, *later = app_hosts(lab)
    version = baseline(lab, releases.image("good", 1))
    before = {host: running(lab, host) for host in later}
    hooked = folder / "hook.env"
    since = newest_message(lab)
    with ExitStack() as stack:

        def watch(text: str) -> None:
            steps = [(match["host"], match["step"]) for match in STEP.finditer(text)]
            if (fqdn(lab, first), "shift") in steps and not cut:
                cut.append(second)
                stack.enter_context(no_ssh(lab, [second]))

        cut: list[str] = []
        settings = {**QUICK, "hook_after": f"env | grep ^SIGNUPFLOW_ > {hooked}"}
        run = OnATerminal(lab, *options(app_image=releases.image("good", 2), **settings), watch=watch)
    evidence = _judged(lab, run, version, before, first, second)
    record = records(lab)[-1]
    page = re.search(r"^--> Report: (\S+\.html)$", run.said, re.MULTILINE)
    evidence |= {
        "record": {
            "outcome": record.outcome,
            "why": record.failure_reason,
            "hosts": record.hosts,
            "rolled_back": record.rolled_back,
        },
        "report": bool(page) and (ROOT / page[1]).is_file() if page else False,
        "hook": dict(line.split("=", 1) for line in hooked.read_text().splitlines()).get("SIGNUPFLOW_OUTCOME"),
    }
    evidence["notified"] = told(lab, since, "failed")
    assert evidence["notified"]["mail"], evidence
    assert evidence["notified"]["webhook"], evidence
    assert (record.outcome, list(record.rolled_back)) == ("failed", [fqdn(lab, first)]), json.dumps(evidence, default=str)
    assert evidence["report"], evidence
    assert evidence["hook"] == "failed", evidence
    return evidence


def _judged(lab: Lab, run: OnATerminal, version: str, before: Containers, first: str, second: str) -> Evidence:
    evidence: Evidence = {
        "order": app_hosts(lab),
        "exit": run.code,
        "why": run.why,
        "questions": run.questions,
        "keys_typed": run.keys,
        "versions": versions(lab),
        "later_hosts_unchanged": before == {host: running(lab, host) for host in before},
    }
    assert run.code == 1, run.said[-3000:]
    assert evidence["questions"] == evidence["keys_typed"] == 1, evidence
    assert fqdn(lab, second) in run.why, evidence
    assert evidence["later_hosts_unchanged"], evidence
    assert set(map(tuple, evidence["versions"].values())) == {(version,)}, evidence
    assert "Traceback" not in run.said, run.said[-3000:]
    one_generation(lab)
    return evidence
