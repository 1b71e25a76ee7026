"""What a person reads of a run: silent where nothing changes; the last line says how it ended. pyinfra itself, no hosts."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.client import PYINFRA, ROOT

CONFIG = """
from pyinfra.connectors.fake import FakeConnector
from pyinfra.connectors.local import LocalConnector
from operations import output
FakeConnector.run_shell_command = LocalConnector.run_shell_command
output.shape()
"""
INVENTORY = "app = ['@fake/web1', '@fake/web2']\n"
QUIET = "".join(f"server.shell(name='Keep {number}', commands=[])\n" for number in range(30))


class Project:
    """A deploy of operations that change nothing, and what a test puts among them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "config.py").write_text(CONFIG)
        (path / "inventory.py").write_text(INVENTORY)

    def write(self, *operations: str, before: str = "") -> None:
        lines = ["from pyinfra import host, state", "from pyinfra.operations import server", before]
        (self.path / "deploy.py").write_text("\n".join([*lines, QUIET, *operations]))

    @property
    def command(self) -> list[str]:
        return [PYINFRA, "inventory.py", "deploy.py"]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT)}

    def run(self, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        command = [*self.command, *words]
        return subprocess.run(
            command, cwd=self.path, env=self.environment, input=typed, capture_output=True, text=True, check=False
        )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def last(done: subprocess.CompletedProcess[str]) -> str:
    return done.stderr.rstrip().splitlines()[-1]


CHANGE = "server.shell(name='Install packages', commands=['true'])"
FAILURE = CHANGE.replace("'true'", "'echo no room left >&2; exit 1'").replace("])", "], _if=lambda: host.name == '@fake/web2')")


def test_a28_what_changed_is_the_last_line_and_the_rest_is_silent_unless_asked_for(project: Project) -> None:
    project.write(CHANGE)
    done = project.run("-y")
    assert done.returncode == 0, done.stderr
    assert last(done) == "Changed: @fake/web1 (1 operation), @fake/web2 (1 operation)."
    assert "Keep 7" not in done.stderr
    assert "No changes" not in done.stderr
    assert done.stderr.count("Install packages") == 1, "as it starts"
    assert len(done.stderr.splitlines()) < 30, done.stderr
    asked = project.run("-y", "-v")
    assert asked.stderr.count("Keep 7") >= 2
    assert last(asked) == last(done)


def test_a28_an_operation_that_takes_long_is_named_while_it_runs(project: Project) -> None:
    here = project.path / "gone-on"
    project.write(f"server.shell(name='Long', commands=['while ! test -e {here}; do sleep 0.1; done'])")
    run = subprocess.Popen([*project.command, "-y"], cwd=project.path, env=project.environment, stderr=subprocess.PIPE, text=True)
    assert run.stderr
    said = ""
    while "Starting operation: Long" not in said:
        said = run.stderr.readline()
        assert said, "the run ended without naming it"
    here.touch()
    run.communicate(timeout=20)
    assert run.returncode == 0


def test_a28_nothing_changed(project: Project) -> None:
    project.write()
    assert last(project.run("-y")) == "Nothing changed."
    assert last(project.run("--dry")) == "Nothing would change."


def test_a28_the_last_line_of_a_dry_run_counts(project: Project) -> None:
    project.write(CHANGE, "server.shell(name='Two', commands=['true']) if host.name.endswith('1') else None")
    done = project.run("--dry")
    assert last(done) == "2 hosts would change: @fake/web1 (2 operations), @fake/web2 (1 operation)"
    assert "Keep 7" not in done.stderr
    assert "Install packages" in done.stderr


def test_a28_the_last_line_of_a_failure_names_host_and_operation(project: Project) -> None:
    project.write(CHANGE.replace("Install packages", "Before"), FAILURE)
    done = project.run("-y")
    assert done.returncode == 1
    assert last(done) == (
        "Error: @fake/web2: Install packages failed. The reason is printed above, where it failed. "
        "Changed: @fake/web1 (1 operation), @fake/web2 (1 operation)."
    )
    assert "no room left" in done.stderr


def test_a28_a_failure_of_all_hosts_ends_with_the_reason_and_not_with_pyinfra_s(project: Project) -> None:
    project.write("server.shell(name='Install packages', commands=['exit 1'])")
    done = project.run("-y")
    assert done.returncode == 1
    assert last(done).startswith("Error: @fake/web1: Install packages failed; @fake/web2: Install packages failed. ")
    assert "executed 0 commands" not in done.stderr
    assert "No hosts remaining" not in done.stderr


def test_a28_a_refusal_is_the_last_line(project: Project) -> None:
    project.write(CHANGE, before="import sys\nfrom operations import output\noutput.error('web1 is full'); sys.exit(2)")
    for words in (["-y"], ["--dry"]):
        done = project.run(*words)
        assert done.returncode == 2
        assert last(done) == "Error: web1 is full"
        assert done.stderr.count("web1 is full") == 1


def test_a28_an_exception_on_the_way_does_not_end_as_a_dry_run_that_found_nothing(project: Project) -> None:
    project.write("raise RuntimeError('an unforeseen thing')")
    done = project.run("--dry")
    assert done.returncode == 1
    assert last(done).startswith("Error: ")
    assert "Nothing would change" not in done.stderr


def test_a28_somebody_who_says_no_reads_that_nothing_changed(project: Project) -> None:
    project.write(CHANGE)
    done = project.run(typed="n\n")
    assert last(done) == "Not confirmed. Nothing changed."


def test_a28_a_deploy_that_only_looks_prints_nothing_more(project: Project) -> None:
    (project.path / "deploy.py").write_text("print('looked')\n")
    done = project.run("-y")
    assert done.stdout.splitlines()[0] == "looked"
    assert "hanged" not in done.stderr


def test_a28_ctrl_c_is_no_success(project: Project) -> None:
    """pyinfra's own handler ends with exit code 0."""
    here = project.path / "begun"
    project.write(f"server.shell(name='Long', commands=['touch {here}; sleep 30'])")
    run = subprocess.Popen(
        [*project.command, "-y"],
        cwd=project.path,
        env=project.environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until(here.exists)
    # A terminal sends it to the whole group.
    os.killpg(run.pid, signal.SIGINT)
    _, said = run.communicate(timeout=20)
    assert run.returncode == 130
    assert said.rstrip().splitlines()[-1] == "Error: Interrupted. Nothing changed."
    assert "Starting operation: Long" in said, "what was under way is named"


def test_a28_ctrl_c_on_signupflow_lets_pyinfra_come_to_its_end(tmp_path: Path) -> None:
    """`subprocess.run` kills its child a quarter of a second after Ctrl-C: before traffic is led back or a lock is released."""
    child = tmp_path / "child.py"
    child.write_text(
        "import signal, sys, time\n"
        "def handler(*_):\n"
        "    time.sleep(1.5)\n"
        "    print('led back', flush=True)\n"
        "    sys.exit(130)\n"
        "signal.signal(signal.SIGINT, handler)\n"
        "print('begun', flush=True)\n"
        "time.sleep(30)\n"
    )
    parent = f"from signupflow.cli.running import execute; execute([{sys.executable!r}, {str(child)!r}])"
    read, write = pty.openpty()
    run = subprocess.Popen(
        [sys.executable, "-c", f"import os, fcntl, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n{parent}"],
        cwd=ROOT, stdin=write, stdout=write, stderr=write,
    )  # fmt: skip
    os.close(write)
    said = b""
    while b"begun" not in said:
        said += os.read(read, 1024)
    os.write(read, b"\x03")
    try:
        while chunk := os.read(read, 1024):
            said += chunk
    except OSError:
        pass
    assert run.wait(20) == 130
    assert b"led back" in said


def until(condition: object) -> None:
    end = time.monotonic() + 20
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.05)
