"""The operator's verbs: each is a deploy that one can run without them, and says which."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from lab.client import ROOT
from signupflow.cli import SECTIONS, hosts, main, running
from signupflow.cli.hosts import hosts_of, ssh
from signupflow.cli.running import Target
from signupflow.errors import OperatorError
from tests.deploy import told

VERBS = {
    ("deploy", "1.4.0", "-y"): "pyinfra nowhere.py deploys/production.py -y --data app_version=1.4.0",
    ("deploy", "--dry"): "pyinfra nowhere.py deploys/production.py --dry --diff",
    ("deploy", "--dry", "--diff"): "pyinfra nowhere.py deploys/production.py --dry --diff",
    ("deploy", "--diff", "-y"): "pyinfra nowhere.py deploys/production.py -y --diff",
    ("deploy", "-y", "--limit", "web1,web2", "--limit", "db1"): (
        "pyinfra nowhere.py deploys/production.py -y --limit web1 --limit web2 --limit db1"
    ),
    ("rollback", "1.3.0", "--dry"): "pyinfra nowhere.py deploys/rollback.py --dry --diff --data rollback_to=1.3.0",
    ("restart", "-y", "--limit", "web1"): "pyinfra nowhere.py deploys/restart.py -y --limit web1",
    ("scale", "4", "-y"): "pyinfra nowhere.py deploys/scale.py -y --data app_replicas=4",
    ("maintenance", "on", "-y", "--reason", "a move"): (
        "pyinfra nowhere.py deploys/maintenance.py -y --data maintenance=on --data 'reason=a move'"
    ),
    ("upgrade", "docker", "-y"): "pyinfra nowhere.py deploys/upgrade.py -y --data upgrade=docker",
    ("restart", "-y", "-v"): "pyinfra nowhere.py deploys/restart.py -y -v",
    ("bootstrap", "-y"): "pyinfra nowhere.py deploys/bootstrap.py -y --user root",
    ("resume", "-y"): "pyinfra nowhere.py deploys/resume.py -y",
    ("remove-host", "web3", "-y"): "pyinfra nowhere.py deploys/remove_host.py -y --limit web3",
    ("migrate-sqlite", "--dry"): "pyinfra nowhere.py deploys/migrate_sqlite.py --dry --diff",
    ("recover", "--to", "2026-11-27T02:15:00Z", "--dry"): (
        "pyinfra nowhere.py deploys/disaster_recovery.py --dry --diff --data recover_to=2026-11-27T02:15:00Z"
    ),
    ("abort", "-y"): "pyinfra nowhere.py deploys/abort.py -y",
    ("lock", "release", "-y"): "pyinfra nowhere.py deploys/lock_release.py -y",
    ("status",): "pyinfra nowhere.py deploys/status.py -y",
    ("history", "--data", "a=b"): "pyinfra nowhere.py deploys/history.py -y --data a=b",
    ("doctor",): "pyinfra nowhere.py deploys/doctor.py -y",
    ("plan", "2.0"): "pyinfra nowhere.py deploys/production.py --data app_version=2.0 --dry --diff",
}


def signupflow(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "signupflow", *words], cwd=ROOT, capture_output=True, text=True, check=False)


@dataclass
class Typed:
    """How a verb ended in this process, with a pyinfra in the real one's place that refuses as it does, and what it was given."""

    code: int
    said: str
    ran: list[str]


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Typed]:
    program, given = tmp_path / "pyinfra", tmp_path / "given"
    program.write_text(f"""#!/bin/sh\nprintf '%s\\n' "$@" > {given}\necho "Error: no inventory file" >&2\nexit 2\n""")
    program.chmod(0o755)
    monkeypatch.setattr(running, "PYINFRA", str(program))
    monkeypatch.chdir(ROOT)

    def run(*words: str) -> Typed:
        given.unlink(missing_ok=True)
        done = CliRunner().invoke(main, words)
        refused = isinstance(done.exception, OperatorError)
        said = f"{done.stderr}Error: {done.exception}" if refused else done.stderr
        return Typed(2 if refused else done.exit_code, said, given.read_text().splitlines() if given.exists() else [])

    return run


@pytest.mark.parametrize(("words", "command"), VERBS.items(), ids=lambda value: value[0] if isinstance(value, tuple) else "")
def test_fr009_a_verb_prints_the_command_it_runs_and_ends_with_its_code(
    words: tuple[str, ...], command: str, typed: Callable[..., Typed]
) -> None:
    done = typed(*words, "--inventory", "nowhere.py")
    assert f"$ {command}" in done.said.splitlines()
    assert ["pyinfra", *done.ran] == shlex.split(command)
    assert done.code == 2, done.said


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["status", "plan"])
def test_fr009_what_pyinfra_itself_refuses_is_shown_and_its_code_passed_on(verb: str) -> None:
    done = signupflow(verb, "--inventory", "nowhere.py")
    assert (done.returncode, "Error: no inventory file nowhere.py" in done.stdout + done.stderr) == (2, True), done


# What is typed, and what it is the same as.
ANY_ORDER = {
    ("-i", "nowhere.py", "status"): ("status", "-i", "nowhere.py"),
    ("--inventory=nowhere.py", "status"): ("status", "-i", "nowhere.py"),
    ("-inowhere.py", "status"): ("status", "-i", "nowhere.py"),
    ("--limit", "a,b", "-i", "nowhere.py", "deploy", "1.10", "-y"): (
        "deploy",
        "1.10",
        "-y",
        "--limit",
        "a,b",
        "-i",
        "nowhere.py",
    ),
    ("-y", "deploy", "-i", "nowhere.py"): ("deploy", "-y", "-i", "nowhere.py"),
    ("--dry", "--diff", "deploy", "-i", "nowhere.py"): ("deploy", "--dry", "-i", "nowhere.py"),
    # A value that is called like a verb is a value.
    ("--data", "reason=a", "-i", "status", "status"): ("status", "--data", "reason=a", "-i", "status"),
    ("-i", "nowhere.py", "rotate", "--dry", "jwt"): ("rotate", "jwt", "--dry", "-i", "nowhere.py"),
    ("-i", "nowhere.py", "backup", "list", "--json"): ("backup", "-i", "nowhere.py", "list", "--json"),
}


@pytest.mark.parametrize(("before", "after"), ANY_ORDER.items(), ids=" ".join)
def test_a30_options_work_before_and_after_the_verb(
    before: tuple[str, ...], after: tuple[str, ...], typed: Callable[..., Typed]
) -> None:
    """And `rotate` is a group of verbs of its own."""
    first, second = typed(*before), typed(*after)
    assert first == second
    assert first.code == 2
    assert "Usage" not in first.said
    assert "nowhere.py" in first.said or "status" in first.said


@pytest.mark.slow
def test_a30_the_program_itself_takes_options_before_the_verb() -> None:
    done = signupflow("-i", "nowhere.py", "lock", "status")
    assert (done.returncode, "nowhere.py" in done.stderr, "Usage" in done.stderr) == (2, True, False), done


def test_a30_what_no_verb_takes_is_said_by_the_verb_and_a_missing_verb_by_us() -> None:
    done = signupflow("--frobnicate", "status")
    assert done.returncode == 2
    assert "No such option" in done.stderr
    done = signupflow("-i", "nowhere.py")
    assert done.returncode == 2
    assert "no verb in: -i nowhere.py; the verbs are " in done.stderr
    assert "Usage: signupflow [OPTIONS] COMMAND" in signupflow("-i", "nowhere.py", "--help").stdout
    assert signupflow("--dry", "deploy", "--yes").stderr.startswith("Error: --dry touches nothing")


def test_a1_verbs_that_go_by_ssh_read_the_inventory_as_a_deploy_does(tmp_path: Path) -> None:
    """`--data` counts, as text, and the variables of all levels are one mapping."""
    path = told.inventory(tmp_path, group_data={"sample": {"app_environment": {"JWT_TTL": "60"}, "ssh_user": "deploy"}})
    ((name, found),) = hosts_of(Target(str(path), data=("app_version=1.10", "ssh_port=2222")), "app")
    assert (name, found["app_version"], found["ssh_port"], found["ssh_user"]) == ("@local", "1.10", 2222, "deploy")
    assert found["app_environment"]["JWT_TTL"] == "60"
    assert found["app_environment"]["LOG_LEVEL"] == "info"


def test_a30_verbs_that_go_by_ssh_refuse_an_unknown_host(tmp_path: Path) -> None:
    path = str(told.inventory(tmp_path))
    with pytest.raises(OperatorError, match="--limit web9 is no host and no group of"):
        hosts_of(Target(path, limit=("web9",)), "app")
    assert [name for name, _ in hosts_of(Target(path, limit=("app",)), "db")] == ["@local"]


def test_fr009_every_verb_explains_itself_and_has_its_deploy() -> None:
    for name, command in main.commands.items():
        shown = CliRunner().invoke(main, [name, "--help"])
        assert shown.exit_code == 0, name
        assert command.help, name
    for typed in VERBS.values():
        assert (ROOT / shlex.split(typed)[2]).is_file(), typed


def test_fr009_help_lists_every_verb_once() -> None:
    assert sorted(name for names in SECTIONS.values() for name in names) == sorted(main.commands)
    shown = CliRunner().invoke(main, ["--help"]).output
    for name in main.commands:
        assert f"  {name} " in shown, name


def test_fr009_a_plan_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("{}")
    done = signupflow("apply", str(path))
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: {path} is no plan")


def test_fr009_what_stands_after_the_command_of_a_console_is_the_command_s(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(hosts, "become", ran.append)
    words = ["console", "-i", str(told.inventory(tmp_path)), "python", "-c", "import os; print(1)", "-i"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert "python -c '" in ran[0][-1]
    assert "print(1)" in ran[0][-1]
    assert ran[0][-1].rstrip("'").endswith(" -i")


def test_fr009_ssh_goes_by_the_inventory_s_address_login_and_pinned_key() -> None:
    data = {"ssh_hostname": "192.0.2.7", "ssh_user": "deploy", "ssh_port": 2222, "ssh_key": "k", "ssh_known_hosts_file": "pinned"}
    assert ssh("web1", data, "docker ps; id", terminal=True) == [
        "ssh", "-t", "-p", "2222", "-i", "k", "-o", "UserKnownHostsFile=pinned", "-o", "StrictHostKeyChecking=yes",
        "deploy@192.0.2.7", "sudo sh -c 'umask 022; docker ps; id'",
    ]  # fmt: skip
    assert ssh("web1", {}, "id")[-2:] == ["web1", "sudo sh -c 'umask 022; id'"]


def test_fr009_settings_without_a_value_are_left_out() -> None:
    assert Target("i.py").command("scale", app_replicas=3, reason="", none=None) == [
        "pyinfra", "i.py", "deploys/scale.py", "--data", "app_replicas=3",
    ]  # fmt: skip


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_fr009_shells_complete_the_verbs(shell: str) -> None:
    done = signupflow("completion", shell)
    assert done.returncode == 0
    assert f"_SIGNUPFLOW_COMPLETE={shell}_source signupflow" in done.stdout
