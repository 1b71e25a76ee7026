"""One session on a lab in which every verb is typed, and what the terminal showed is put into docs/verbs and docs/pictures.

    python -m tests.docs.session [--name NAME] [--keep FILE]

Nothing is edited but what a lab has of its own: its hosts' names and addresses stand as an example's, and options that only a
lab needs (where its secrets file is) are left out. The lab's zone is as long as the example's, so that columns stay in line.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import shlex
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click

from lab.client import ROOT, Lab
from tests import releases
from tests.docs import pictures, verbs

COLUMNS, ROWS = 120, 50
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]")
NOT_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-ln-z]|\x1b[=>]")
# Versions that are released: two good ones, and one that never says that it is ready.
VERSIONS = {"1.4.0": "good", "1.5.0": "good", "1.6.0": "unready"}
# What all that is typed later stands on.
NEEDED = ("bootstrap", "deploy-first")
EXAMPLE = "example.org"
OPERATOR, MACHINE = "ada", "laptop"


@dataclass
class Session:
    """A lab, and what was typed in it: name to all that the terminal showed, colours included."""

    lab: Lab
    folder: Path
    shown: dict[str, str] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)

    def type(self, name: str, *words: str, exits: int = 0, hidden: tuple[str, ...] = (), answer: str = "") -> None:
        """Run `signupflow WORDS` to its end and keep it as NAME; `hidden` words are a lab's and are not shown."""
        if name in self.shown:
            return
        code, text = self._on_terminal([sys.executable, "-m", "signupflow", *map(self._in_lab, words), *hidden], answer)
        self._keep(name, words, text)
        if code != exits:
            self.unexpected.append(f"`signupflow {shlex.join(words)}` ended with {code}, not {exits}")
            if name in NEEDED:
                raise SystemExit(self.unexpected[-1])

    def interrupt(self, name: str, *words: str, at: str, by: signal.Signals) -> None:
        """The same, cut off by a signal once `at` stands on the terminal: SIGINT as a person would, SIGKILL as a power cut."""
        if name in self.shown:
            return
        _, text = self._on_terminal([sys.executable, "-m", "signupflow", *words], "", at, by)
        self._keep(name, words, text)

    def _keep(self, name: str, words: tuple[str, ...], text: str) -> None:
        command = f"$ signupflow {shlex.join(words)}\n"
        self.shown[name] = self._in_example(command + text.replace("\r\n", "\n").replace("\r", ""))
        click.echo(ESCAPES.sub("", self.shown[name]) + "\n")

    def _in_lab(self, word: str) -> str:
        """An example's host as the lab's."""
        return str(self.lab["hosts"][0]["fqdn"]) if word == f"h1.{EXAMPLE}" else word

    def _in_example(self, text: str) -> str:
        """The lab's names and addresses as an example's."""
        zone = self.lab["hosts"][0]["fqdn"].partition(".")[2]
        for theirs, ours in (
            (self.lab["inventory"], "inventory.py"),
            (zone, EXAMPLE),
            *((item["address"], f"203.0.113.{9 + number}") for number, item in enumerate(self.lab["hosts"], 1)),
            (self.lab["ssh_key"], "~/.ssh/id_ed25519"),
            (self.lab["known_hosts"], "known_hosts"),
            (self.lab["secrets_file"], "secrets/production.age"),
            (os.path.relpath(self.lab["secrets_file"], ROOT), "secrets/production.age"),
            (self.lab["age_key_file"], "~/.config/signupflow/production.key"),
            (f"{self.folder}/", ""),
            (f"{ROOT}/", ""),
            (socket.gethostname(), MACHINE),
        ):
            text = text.replace(theirs, ours)
        # An example's inventory is the default, which nobody names.
        return text.replace("signupflow -i inventory.py ", "signupflow ")

    @property
    def _environment(self) -> Mapping[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SIGNUPFLOW_INVENTORY": self.lab["inventory"],
            "PYINFRA_PROGRESS": "off",
            "SUDO_USER": OPERATOR,
            "TERM": "xterm-256color",
            "COLUMNS": str(COLUMNS),
        }

    def _on_terminal(self, command: list[str], answer: str, at: str = "", by: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        process = subprocess.Popen(
            command, cwd=self.folder, env=self._environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        shown, waits = "", at
        while True:
            if not select.select([ours], [], [], 600)[0]:
                os.killpg(process.pid, signal.SIGKILL)
                raise SystemExit(f"{shlex.join(command)} waits:\n{shown[-2000:]}")
            try:
                data = os.read(ours, 65536)
            except OSError:  # EIO: the last process of the terminal ended
                break
            if not data:
                break
            shown += data.decode(errors="replace")
            if answer and "Press enter to execute" in shown:
                os.write(ours, answer.encode())
                answer = ""
            if waits and waits in ESCAPES.sub("", shown):
                os.killpg(process.pid, by)
                waits = ""
        os.close(ours)
        return process.wait(), NOT_COLOURS.sub("", shown)


def everything(session: Session) -> None:
    """Every verb, in an order in which each has something to do."""
    lab, type_ = session.lab, session.type
    file = ("--file", lab["secrets_file"], "--key", lab["age_key_file"])
    type_("bootstrap", "bootstrap", "-y")
    type_("deploy-first", "deploy", "1.4.0", "-y")
    type_("deploy-again", "deploy", "1.4.0", "-y")
    type_("doctor", "doctor")
    type_("deploy-dry", "deploy", "1.5.0", "--dry")
    type_("plan", "plan", "1.5.0")
    type_("apply", "apply", "plan.json")
    type_("status", "status")
    type_("deploy-failing", "deploy", "1.6.0", "-y", "--data", "app_start_seconds=15", exits=1)
    type_("rollback-dry", "rollback", "--dry")
    type_("rollback", "rollback", "-y")
    type_("deploy-asks", "deploy", "1.5.0", answer="\n")
    type_("restart", "restart", "-y")
    type_("scale", "scale", "2", "-y")
    type_("maintenance-on", "maintenance", "on", "-y", "--reason", "moving house")
    type_("maintenance-off", "maintenance", "off", "-y")
    type_("upgrade", "upgrade", "docker", "-y")
    type_("logs", "logs", "-n", "4")
    type_("psql", "psql", "-c", "select count(*) from people")
    type_("console", "console", "python", "-c", "import os; print(os.environ['APP_VERSION'])")
    type_("backup-list", "backup", "list")
    type_("backup", "backup", "run")
    type_("restore-dry", "restore", "--target", "production", "--dry-run")
    type_("secrets-show", "secrets", "show", "production", hidden=file)
    type_("rotate-dry", "rotate", "database", "--dry")
    type_("rotate", "rotate", "database", "-y")
    session.interrupt("deploy-interrupted", "deploy", "1.4.0", "-y", at="s  shift", by=signal.SIGINT)
    type_("abort", "abort", "-y")
    session.interrupt("deploy-killed", "deploy", "1.4.0", "-y", at="s  shift", by=signal.SIGKILL)
    type_("status-killed", "status")
    type_("lock-status", "lock", "status")
    type_("lock-release", "lock", "release", "-y")
    type_("resume", "resume", "-y", "--data", "app_version=1.4.0")
    type_("remove-host", "remove-host", f"h1.{EXAMPLE}", "-y", exits=2)
    type_("migrate-sqlite", "migrate-sqlite", "--dry", exits=2)
    type_("recover", "recover", "--dry")
    type_("history", "history")
    type_("completion", "completion", "bash")


PICTURES: dict[str, tuple[str, Callable[[str], str]]] = {
    "release": ("apply", lambda text: text),
    "status": ("status", lambda text: text),
}


def prepared(name: str) -> Lab:
    """A lab of one bare host, and the images of the versions."""
    run = [sys.executable, "-m", "lab", "up", "--name", name, "--topology", "single"]
    subprocess.run(run, cwd=ROOT, check=True)
    subprocess.run([sys.executable, "scripts/images.py", "build"], cwd=ROOT, check=True)
    for version, kind in VERSIONS.items():
        releases.image(kind, named=version)
    lab = Lab.running(name)
    lab.make_secrets()
    return _patient(lab)


def _patient(lab: Lab) -> Lab:
    """The lab with an inventory that waits longer for containers: a machine that is busy with other things shows no faults."""
    inventory = Path(lab["inventory"])
    patient = inventory.with_name("verbs.py")
    patient.write_text(
        inventory.read_text().replace("'app_soak_seconds': 0,", "'app_soak_seconds': 0, 'app_start_seconds': 300,")
    )
    return Lab({**lab, "inventory": str(patient)})


@click.command()
@click.option("--name", default="sample", show_default=True, help="Which lab, of six letters; it must be a new one.")
@click.option("--keep", type=click.Path(path_type=Path), help="JSON of the session: one that was cut off goes on from it.")
@click.option("--write-only", is_flag=True, help="Type nothing: write the pages from what --keep holds.")
def main(name: str, keep: Path | None, write_only: bool) -> None:
    """Type every verb on a lab, and put what the terminal showed into docs/verbs and docs/pictures."""
    if not write_only and len(f"{name}.test") != len(EXAMPLE):
        raise click.BadParameter(f"{name}.test is not as long as {EXAMPLE}: columns would not be in line", param_hint="--name")
    shown: dict[str, str] = json.loads(keep.read_text()) if keep and keep.exists() else {}
    unexpected: list[str] = []
    if not write_only:
        with tempfile.TemporaryDirectory() as folder:
            session = Session(prepared(name), Path(folder), shown, unexpected)
            try:
                everything(session)
            finally:
                if keep:
                    keep.write_text(json.dumps(shown, indent=1))
    verbs.write_outputs({key: _plain(text) for key, text in shown.items()})
    verbs.write_tables()
    for picture, (key, chosen) in PICTURES.items():
        with contextlib.suppress(KeyError):
            title = shown[key].partition("\n")[0].removeprefix("$ ")
            pictures.write(ROOT / "docs" / "pictures" / f"{picture}.svg", chosen(shown[key]).strip("\n"), title, COLUMNS)

    if unexpected:
        raise click.ClickException("look at the pages before they are committed: " + "; ".join(unexpected))


def _plain(text: str) -> str:
    lines = [line.rstrip() for line in ESCAPES.sub("", text).splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


if __name__ == "__main__":
    main()
