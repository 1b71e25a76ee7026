"""The real pyinfra program, with a terminal and without one: however a release fails, what was switched goes back."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lab.client import PYINFRA, ROOT

# It starts the whole program, once for each case.
pytestmark = pytest.mark.slow

SECONDS = 60


class Released:
    """One run, with what it left: the exit code, all that was printed, each host's version, and the record."""

    def __init__(self, folder: Path, fault: str = "", *words: str, answers: Sequence[bytes] = (), terminal: bool = False) -> None:
        self.folder, self.fault, self.words = folder, fault, words
        self.environment = {
            **os.environ,
            "ENGINE_FOLDER": str(folder),
            "ENGINE_FAULT": fault,
            "XDG_STATE_HOME": str(folder / "state"),
            "PYTHONPATH": str(ROOT),
            "PYINFRA_PROGRESS": "off",
        }
        here = "tests/deploy/engine"
        self.command = [sys.executable, "-m", "tests.deploy.engine.program", "--config", f"{here}/config.py"]
        self.command += [f"{here}/inventory.py", f"{here}/release.py", *words]
        self.code, self.said = self._on_a_terminal(answers) if terminal else self._without()

    def _without(self) -> tuple[int, str]:
        done = subprocess.run(
            self.command, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    def _on_a_terminal(self, answers: Sequence[bytes]) -> tuple[int, str]:
        """Answers are typed one after another, each when the program asks; nobody types anything after the last."""
        master, slave = pty.openpty()
        process = subprocess.Popen(
            self.command, cwd=ROOT, env=self.environment, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)
        said, left, asked = b"", list(answers), 0
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            if select.select([master], [], [], 0.2)[0]:
                try:
                    said += os.read(master, 65536)
                except OSError:
                    break
            if left and said.count(b"Press enter to execute") > asked:
                asked += 1
                os.write(master, left.pop(0))
        else:
            process.kill()
        os.close(master)
        return process.wait(SECONDS), said.decode(errors="replace")

    def version(self, host: str) -> str:
        path = self.folder / f"{host}.version"
        return path.read_text().strip() if path.exists() else "1.0"

    @property
    def record(self) -> dict[str, Any]:
        (line,) = (self.folder / "record.jsonl").read_text().splitlines()
        found: dict[str, Any] = json.loads(line)
        return found


def test_a21_without_the_repositorys_config_nothing_runs(tmp_path: Path) -> None:
    """Another --config, or another folder: pyinfra would go on with its own prompts and its own idea of a failure."""
    (tmp_path / "other.py").write_text("")
    released = Released(tmp_path, "", "-y", "--config", str(tmp_path / "other.py"))
    assert released.code != 0
    assert "config.py was not read" in released.said
    assert not (tmp_path / "web1.version").exists()


def went_back(released: Released) -> None:
    assert [released.version(host) for host in ("web1", "web2", "web3")] == ["1.0", "1.0", "1.0"], released.said
    assert released.code == 1, released.said
    assert released.record["outcome"] == "failed"
    assert "web2" in released.record["failure_reason"]
    assert not (released.folder / "web3.version").exists(), "a host after the one that failed was touched"
    assert "Traceback" not in released.said


@pytest.mark.parametrize("fault", ["fails", "generator", "facts", "lost"])
def test_a3_a4_whatever_fails_on_the_second_host_the_first_goes_back(tmp_path: Path, fault: str) -> None:
    went_back(Released(tmp_path, fault, "-y"))


@pytest.mark.parametrize("fault", ["fails", "generator", "facts", "lost"])
def test_a2_without_y_on_a_terminal_nobody_types_anything_after_the_first_yes(tmp_path: Path, fault: str) -> None:
    went_back(Released(tmp_path, fault, answers=[b"\n"], terminal=True))


def test_a3_what_no_operation_comes_to_any_more_goes_back_at_the_end(tmp_path: Path) -> None:
    """The first host's own operation of rolling back is not there: the end of the run does it."""
    released = Released(tmp_path, "ended", "-y")
    assert [released.version(host) for host in ("web1", "web2", "web3")] == ["1.0", "1.0", "1.0"], released.said
    assert released.record["rolled_back"] == ["web1"]


def test_a4_a_fact_that_fails_once_is_read_again_and_its_default_is_never_believed(tmp_path: Path) -> None:
    released = Released(tmp_path, "fact", "-y")
    assert released.code == 0, released.said
    assert [released.version(host) for host in ("web1", "web2", "web3")] == ["2.0", "2.0", "2.0"]
    assert (tmp_path / "once").exists()


def test_a33_without_a_terminal_and_without_y_it_ends_before_anything(tmp_path: Path) -> None:
    released = Released(tmp_path, "")
    assert released.code == 1
    assert "Nothing was changed." in released.said
    assert "Traceback" not in released.said
    assert "bug report" not in released.said


def test_a33_no_at_the_question_changes_nothing(tmp_path: Path) -> None:
    released = Released(tmp_path, "", answers=[b"\x04"], terminal=True)
    assert released.code == 1
    assert not (tmp_path / "web1.version").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a29_an_interrupted_release_is_recorded_with_what_each_host_serves(tmp_path: Path, number: int) -> None:
    """Told by a signal while the second host is being switched."""
    watcher = subprocess.Popen(
        ["sh", "-c", f"for try in $(seq 600); do test -e {tmp_path}/waiting && break; sleep 0.1; done; "
         f"kill -{int(number)} $(cat {tmp_path}/pid)"]
    )  # fmt: skip
    released = Released(tmp_path, "waits", "-y")
    watcher.wait(SECONDS)
    assert released.code == 128 + number, released.said
    assert released.record["outcome"] == "interrupted"
    assert released.record["serves"] == {"web1": "2.0", "web2": "2.0"}
    assert "Traceback" not in released.said
    assert "finish: `signupflow deploy`; undo: `signupflow abort`" in released.said.splitlines()[-1].replace("Finish", "finish")


@pytest.mark.parametrize(
    "flag", [["--retry", "2"], ["--no-wait"], ["--serial"], ["--fail-percent", "10"]], ids=lambda flag: flag[0]
)
def test_a21_flags_that_would_change_what_a_failure_does_are_refused(flag: list[str]) -> None:
    done = subprocess.run(
        [PYINFRA, "inventory.py", "deploys/production.py", "-y", *flag], cwd=ROOT, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith(f"Error: {flag[0]} ")
