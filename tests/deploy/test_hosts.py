"""Hosts as people have them: what is there decides, what is somebody's stays, and nobody is locked out."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.api import StringCommand
from pyinfra.connectors.util import CommandOutput, OutputLine, make_unix_command

from facts.system import Login
from operations import apt, lockout, patches
from operations.system import login_problem, sudo_rule
from signupflow import images, ssh_route
from signupflow.hosts import access, docker, locks, packages, readiness, sshd, system
from signupflow.hosts.docker import choose, daemon_keys, merged
from signupflow.hosts.system import System
from signupflow.release.prune import pulled_script, unused_script
from signupflow.ssh_route import Route

KEYS = daemon_keys(())
# What Debian 13 says before and after a deploy.
BARE = System(("debian", "13"), "x86_64", systemd=True, nft=True)
TRIXIE = {
    "docker.io": "26.1.5+dfsg1-9+b9",
    "docker-cli": "26.1.5+dfsg1-9+b9",
    "docker-compose": "2.26.1-4",
    "nftables": "1.1.3-1",
}
JAMMY = {"docker.io": "28.2.2-0ubuntu1~22.04.1", "docker-compose-v2": "2.37.1+ds1-0ubuntu2~22.04.1", "docker-compose": "1.29.2-1"}
BOOKWORM = {"docker.io": "20.10.24+dfsg1-1+deb12u1", "docker-compose": "1.29.2-3", "nftables": "1.0.6-2"}
DOCKER_COM = {"docker-ce": "5:28.5.1-1~debian.12~bookworm", "docker-compose-plugin": "2.40.0-1~debian.12~bookworm"}


def host(os: tuple[str, str] = ("debian", "13"), **shown: Any) -> System:
    return System(os, "x86_64", **{"systemd": True, "nft": True, "lists": True, **shown})


# Which Docker


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (host(candidates=TRIXIE), ("docker.io", "docker-cli", "docker-compose")),
        (host(("ubuntu", "22.04"), candidates=JAMMY), ("docker.io", "docker-compose-v2")),
        (host(("ubuntu", "22.04"), lists=False), ("docker.io", "docker-compose-v2")),
        (host(lists=False), ("docker.io", "docker-compose")),
        (
            host(("debian", "12"), candidates=BOOKWORM | DOCKER_COM),
            ("docker-ce", "docker-ce-cli", "containerd.io", "docker-compose-plugin"),
        ),
        (host(candidates=TRIXIE, half=frozenset({"docker.io"}), dockerd="/usr/sbin/dockerd"), tuple(TRIXIE)[:3]),
        # docker.com's is accepted as it is.
        (host(("debian", "12"), installed=DOCKER_COM, dockerd="/usr/bin/dockerd", engine="28.5.1", compose="2.40.0"), ()),
        # An engine of the distribution's lacks Compose: its own archive's is added, and nothing else.
        (
            host(installed={"docker.io": "26.1.5", "docker-cli": "26.1.5"}, candidates=TRIXIE, dockerd="/x", engine="26.1.5"),
            ("docker-compose",),
        ),
    ],
)
def test_b2_what_is_there_decides_and_not_the_distribution_s_number(found: System, wanted: tuple[str, ...]) -> None:
    assert (choose(found).packages, choose(found).problem) == (wanted, "")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (host(("debian", "12"), candidates=BOOKWORM), "docker-ce and docker-compose-plugin"),
        (host(("debian", "12"), lists=False), "`apt-get update` there first"),
        (
            host(("debian", "12"), installed={"docker.io": "20.10.24"}, candidates=BOOKWORM, dockerd="/x", engine="20.10.24"),
            "docker-ce",
        ),
        (
            host(("ubuntu", "22.04"), installed={"docker.io": "24.0.7"}, candidates=JAMMY, dockerd="/x", engine="24.0.7"),
            "`apt-get install docker.io` (its archive has 28.2.2",
        ),
        (
            host(installed={"docker-ce": "5:27.3.1"}, dockerd="/usr/bin/dockerd", engine="27.3.1"),
            "`apt-get install docker-compose-plugin`",
        ),
        (host(installed={"docker-ce": "5:27"}, dockerd="/x", engine="27.3.1", compose="1.29.2"), "docker-compose-plugin"),
        (host(snap=True), "snap remove docker"),
        (host(installed={"podman-docker": "5.4"}, candidates=TRIXIE), "apt-get remove podman-docker"),
    ],
)
def test_b2_a_docker_too_old_or_without_compose_is_refused_with_the_package_to_install(found: System, said: str) -> None:
    assert said in choose(found).problem
    assert choose(found).packages == ()
    (line,) = [line for line in readiness.problems(found, readiness.Wants(daemon=KEYS)) if line.startswith("docker: ")]
    assert said in line


# daemon.json


def test_b2_a_daemon_json_is_merged_key_by_key() -> None:
    own = {"data-root": "/srv/docker", "default-address-pools": [{"base": "10.200.0.0/16", "size": 24}]}
    made = merged(json.dumps(own), "", KEYS)
    assert json.loads(made.text) == {**own, **KEYS}
    again = merged(made.text, made.own, KEYS)
    assert again.text == made.text, "a second run changes nothing"
    mirrored = merged(made.text, made.own, daemon_keys(("http://mirror:5000",)))
    assert json.loads(mirrored.text)["registry-mirrors"] == ["http://mirror:5000"]
    back = merged(mirrored.text, mirrored.own, KEYS)
    assert json.loads(back.text) == {**own, **KEYS}, "what was added here goes, what is somebody's stays"


def test_b2_somebody_s_layout_is_left_alone_when_nothing_is_to_be_changed() -> None:
    text = json.dumps({"debug": True, **KEYS})
    assert merged(text, "", KEYS).text == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"log-driver": "json-file"}', 'log-driver is "json-file", and "journald" is needed'),
        ('{"iptables": false}', "iptables is false"),
        ('{"bridge": "none"}', "bridge is"),
        ('{"userns-remap": "default"}', "userns-remap"),
        ("[]", "no JSON object"),
        ("{", "no JSON object"),
    ],
)
def test_b2_a_daemon_json_that_says_otherwise_is_refused_and_shown(text: str, said: str) -> None:
    assert said in merged(text, "", KEYS).problem
    assert not merged(text, "", KEYS).text


def test_b2_a_flag_of_the_unit_that_collides_with_the_file_is_found() -> None:
    assert "--log-driver" in docker.flags("/usr/bin/dockerd -H fd:// --log-driver=syslog ", KEYS)
    assert "--registry-mirrors" in docker.flags("/usr/bin/dockerd --registry-mirror http://m", daemon_keys(("http://n",)))
    assert docker.flags("/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock", KEYS) == ""


def test_b2_an_engine_is_not_restarted_under_somebody_s_containers_unasked() -> None:
    found = host(installed={"docker-ce": "5:27"}, dockerd="/x", engine="27.3.1", compose="2.29.0", others=("wiki", "shop"))
    (line,) = readiness.problems(found, readiness.Wants(daemon=KEYS))
    assert "restarts it under shop, wiki: allow that with --data allow_interrupts=docker" in line
    assert not list(readiness.problems(found, readiness.Wants(daemon=KEYS, interrupts=("docker",))))


# Packages


def test_b2_the_clock_that_somebody_chose_is_kept() -> None:
    found = host(installed={"chrony": "4.6.1"})
    assert "systemd-timesyncd" not in packages.base(found)
    assert "chrony" in packages.base(found), "and it is not taken for missing"
    assert packages.services(found)[0] == "chrony.service"
    assert packages.services(BARE)[0] == "systemd-timesyncd.service"
    assert "chrony keeps the clock, and stays" in list(readiness.notes(found, readiness.Wants()))


def test_b2_what_apt_would_remove_is_named() -> None:
    said = ["Inst docker.io", "Remv docker-ce [5:27.3.1]", "Remv containerd.io [1.7.22-1]", "Conf docker.io"]
    gone = packages.removed(said)
    assert gone == ("docker-ce", "containerd.io")
    assert "would remove docker-ce, containerd.io" in packages.removal_problem(["docker.io"], gone)


def test_b2_apt_is_told_to_remove_nothing() -> None:
    for command in apt.install(["docker.io"]):
        assert "install" not in command.script or "--no-remove" in command.script


APT_GET = """#!/bin/sh
case " $* " in
  *" -s "*) cat "$SIMULATION";;
  *) echo "$*" >>"$CALLED";;
esac
"""


@pytest.mark.parametrize(
    ("simulation", "installs"), [("Inst docker.io\nConf docker.io\n", True), ("Remv containerd.io [1.7]\n", False)]
)
def test_b2_what_would_push_another_package_out_is_refused_and_nothing_is_installed(
    tmp_path: Path, simulation: str, installs: bool
) -> None:
    """The very script that a host gets, with an apt-get that says what it would do."""
    program = tmp_path / "apt-get"
    program.write_text(APT_GET)
    program.chmod(0o755)
    (tmp_path / "simulation").write_text(simulation)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SIMULATION": f"{tmp_path}/simulation",
        "CALLED": f"{tmp_path}/called",
    }
    *_, command = apt.install(["docker.io"])

    def answer(script: StringCommand, **_: Any) -> tuple[bool, CommandOutput]:
        done = subprocess.run(["sh", "-c", script.get_raw_value()], env=environment, capture_output=True, text=True, check=False)
        return not done.returncode, CommandOutput([OutputLine("stdout", line) for line in done.stdout.splitlines()])

    found = SimpleNamespace(print_prefix="", run_shell_command=answer)
    assert command.execute(SimpleNamespace(), found, {}) == installs  # type: ignore[arg-type]
    assert (tmp_path / "called").exists() == installs
    assert installs or "installing docker.io would remove containerd.io" in command.reason


# Locks


class Told:
    """A host that answers each command with the next of its answers."""

    print_prefix = "[h1] "

    def __init__(self, *answers: tuple[bool, str]) -> None:
        self.answers, self.commands = list(answers), []  # type: ignore[var-annotated]

    def run_shell_command(self, command: Any, **_: Any) -> tuple[bool, CommandOutput]:
        self.commands.append(str(command))
        ok, text = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return ok, CommandOutput([OutputLine("stdout", line) for line in text.splitlines()])


HELD = f"{apt.MARK}\nholds /var/lib/apt/lists/lock 412 apt-daily.service apt-get update -q"


def test_b1_a_lock_is_waited_for_and_who_holds_it_is_said_once(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    monkeypatch.setattr(apt, "POLL_SECONDS", 0.01)
    found = Told((False, HELD), (False, HELD), (False, "E: Could not get lock /var/lib/apt/lists/lock"), (True, "done"))
    assert apt.update().execute(SimpleNamespace(), found, {})  # type: ignore[arg-type]
    assert len(found.commands) == 4
    told = [record.message for record in caplog.records if "waits" in record.message]
    assert len(told) == 1
    assert "`apt-get update -q` (process 412 of apt-daily.service) holds /var/lib/apt/lists/lock" in told[0]


def test_b1_a_lock_that_stays_is_an_error_with_its_holder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt, "POLL_SECONDS", 0.01)
    command = apt.Apt("apt-get update", "true", seconds=0.05)
    assert not command.execute(SimpleNamespace(), Told((False, HELD)), {})  # type: ignore[arg-type]
    assert "process 412 of apt-daily.service" in command.reason


def test_b1_another_failure_is_none_of_a_lock() -> None:
    command = apt.update()
    found = Told((False, "E: Unable to locate package foo"))
    assert not command.execute(SimpleNamespace(print_output=True), found, {})  # type: ignore[arg-type]
    assert len(found.commands) == 1
    assert "Unable to locate package foo" in command.reason


def test_b1_lists_are_fetched_once_for_what_follows_at_once_and_again_when_sources_change(tmp_path: Path) -> None:
    script = apt.update().script.replace(f"{apt.APT} update", "echo fetched")
    script = re.sub(r"(?<=[ {])/(run|etc|var)/", rf"{tmp_path}/\1/", script)
    sources = tmp_path / "etc/apt/sources.list.d"
    for folder in (tmp_path / "run", sources, tmp_path / "var/lib/apt/lists"):
        folder.mkdir(parents=True)

    def said() -> str:
        return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.strip()

    assert (said(), said(), said()) == ("fetched", "", "")
    (sources / "docker.list").write_text("deb ...")
    assert (said(), said()) == ("fetched", "")
    (tmp_path / "var/lib/apt/lists/gone").touch()
    assert (said(), said()) == ("fetched", "")
    stamp = tmp_path / "run/signupflow-apt-update"
    os.utime(stamp, (stamp.stat().st_mtime - 900,) * 2)
    for path in tmp_path.rglob("*"):
        os.utime(path, (stamp.stat().st_mtime - 1000,) * 2) if path != stamp else None
    assert said() == "fetched", "a quarter of an hour is too old"


@pytest.mark.skipif(not shutil.which("perl"), reason="perl-base is essential on Debian")
def test_b1_the_kernel_says_who_holds_a_lock_and_an_open_file_is_none(tmp_path: Path) -> None:
    held, opened = tmp_path / "held", tmp_path / "opened"
    script = locks.HOLDERS.replace(" ".join(locks.FILES), f"{held} {opened}")
    with held.open("w") as one, opened.open("w"):
        fcntl.lockf(one, fcntl.LOCK_EX)
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    (holder,) = locks.holders(done.stdout.splitlines())
    assert (holder.file, holder.pid) == (str(held), os.getpid())
    assert not subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout


# Modes


def test_b3_directories_are_open_to_containers_whatever_the_login_s_umask(tmp_path: Path) -> None:
    """What pyinfra runs on a host, run by a shell with a hardened host's umask."""
    make = patches._with_usual_modes(make_unix_command)
    command = make(StringCommand("mkdir -p", str(tmp_path / "a/b"), "&& touch", str(tmp_path / "a/file")))
    subprocess.run(["sh", "-c", f"umask 027; {command.get_raw_value()}"], check=True)
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b", "a/file")}
    assert modes == {"a": 0o755, "a/b": 0o755, "a/file": 0o644}


def test_b3_every_command_goes_that_way() -> None:
    """By the one place in pyinfra that makes a command for a host: replaced by config.py, or the run is refused (A21)."""
    assert '"make_unix_command", _with_usual_modes' in Path("operations/patches.py").read_text()


# Access


def test_b4_the_port_of_the_connection_in_use_is_read_of_the_connection() -> None:
    script = access.SCRIPT
    ours = {**os.environ, "SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 2222"}
    # sudo takes the variable away; the shell above it has it.
    inner = ["env", "-i", "PATH=/usr/bin:/bin", "sh", "-c", script]
    done = subprocess.run(["sh", "-c", '"$@"; true', "sh", *inner], env=ours, capture_output=True, text=True, check=True)
    assert 2222 in access.parse(done.stdout.splitlines()).ports


def test_b4_without_ssh_there_is_no_port_and_the_login_is_known() -> None:
    found = access.parse(["login deploy", "port x", "port 2222", "port 22"])
    assert found == access.Access(frozenset({22, 2222}), "deploy")


@pytest.mark.parametrize(
    ("text", "port", "wanted"),
    [
        ("hostname 192.0.2.7\nport 2222\nuser deploy\n", 0, Route("192.0.2.7", 2222)),
        ("hostname 192.0.2.7\nport 2222\n", 2022, Route("192.0.2.7", 2022)),
        ("hostname 10.0.0.4\nport 22\nproxyjump bastion\n", 0, Route("10.0.0.4", 22, by_jump=True)),
        ("hostname 10.0.0.4\nport 22\nproxycommand none\n", 0, Route("10.0.0.4")),
        ("", 0, Route("web1")),
    ],
)
def test_b4_what_ssh_s_own_configuration_says_of_a_host_counts(text: str, port: int, wanted: Route) -> None:
    assert ssh_route.parse(text, "web1", port) == wanted


class Connector:
    """Lets in as often as it is told."""

    lets_in = True

    def __init__(self, state: Any, host: Any) -> None:
        self.client = None

    def connect(self) -> None:
        if not self.lets_in:
            raise OSError("timed out")


def test_b4_a_firewall_that_lets_nobody_in_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Told((True, ""))
    found.connector = Connector(None, None)  # type: ignore[attr-defined]
    command = lockout.LetInAgain("/etc/signupflow/firewall.nft", "take it back")
    assert command.execute(None, found, {})  # type: ignore[arg-type]
    assert found.commands == []
    monkeypatch.setattr(Connector, "lets_in", False)
    assert not command.execute(None, found, {})  # type: ignore[arg-type]
    assert found.commands == ["take it back"]
    assert "let no new SSH connection in, and was taken back: timed out" in command.reason


def test_b4_a_login_that_is_somebody_s_is_refused_and_their_keys_named() -> None:
    ours, theirs = "ssh-ed25519 AAAAours ada", "ssh-ed25519 AAAAtheirs grace@laptop"
    found = Login(exists=True, keys=(ours, theirs), sudoers="")
    assert "grace@laptop" in login_problem("deploy", found, [ours])
    assert login_problem("deploy", found, [ours, theirs]) == ""
    made_here = Login(exists=True, keys=(ours, theirs), sudoers=sudo_rule("deploy"))
    assert login_problem("deploy", made_here, [ours]) == "", "a key that rotates out goes"
    assert login_problem("deploy", Login(), [ours]) == ""


def test_b4_logins_that_will_not_be_let_in_any_more_are_said_before() -> None:
    found = system.parse(["keyed root", "keyed deploy", "keyed ubuntu", "keyed ada"])
    (note,) = readiness.notes(found, readiness.Wants())
    assert note == "after a deploy SSH lets deploy in, and no longer ada, ubuntu"
    assert not list(readiness.notes(system.parse(["keyed root", "keyed deploy"]), readiness.Wants()))


def test_b4_ports_that_the_firewall_will_close_are_said_before() -> None:
    rows = [("0.0.0.0:22", "sshd"), ("0.0.0.0:8088", "docker-proxy"), ("127.0.0.1:5432", "postgres"), ("[::]:8080", "java")]
    found = system.parse([f'open LISTEN 0 9 {address} 0.0.0.0:* users:(("{program}",pid=1,fd=6))' for address, program in rows])
    (line,) = readiness.warnings(found, readiness.Wants())
    assert "closes to the outside: 8080 (java), 8088 (docker-proxy): add to public_tcp_ports" in line
    assert not list(readiness.warnings(found, readiness.Wants(ports=(22, 80, 443, 8080, 8088))))


# sshd

DROP_IN = (
    "# ours\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin no\nAllowUsers deploy\nMaxAuthTries 3\n"
)
SAID = [
    "there",
    "includes",
    *(f"sshd deploy {line}" for line in ("port 2222", "passwordauthentication no", "kbdinteractiveauthentication no")),
    *(
        "sshd deploy permitrootlogin no",
        "sshd deploy allowusers deploy",
        "sshd deploy maxauthtries 6",
        "sshd root permitrootlogin no",
    ),
]


def test_b5_settings_in_force_are_no_problem_and_somebody_s_own_limits_stay() -> None:
    found = sshd.parse(SAID, "deploy")
    assert list(sshd.problems(found, DROP_IN)) == []
    assert found.ports == {2222}
    assert list(sshd.problems(sshd.Sshd(), DROP_IN)) == [], "no sshd there, and nothing to ask"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("includes", "x", "has no `Include"),
        (
            "sshd deploy passwordauthentication no",
            "sshd deploy passwordauthentication yes",
            "passwordauthentication would be yes in place of no, by /etc/ssh/sshd_config.d/00-provider.conf:3",
        ),
        ("sshd deploy allowusers deploy", "sshd deploy allowusers admin deploy", "allowusers would be admin"),
        (
            "sshd root permitrootlogin no",
            "sshd root permitrootlogin without-password",
            "permitrootlogin would be without-password",
        ),
    ],
)
def test_b5_a_file_that_would_be_without_effect_is_refused_with_the_line_in_the_way(old: str, new: str, said: str) -> None:
    lines = [new if line == old else line for line in SAID]
    lines.append("set /etc/ssh/sshd_config.d/00-provider.conf:3:PasswordAuthentication yes")
    (problem,) = sshd.problems(sshd.parse(lines, "deploy"), DROP_IN)
    assert said in problem


def test_b5_the_condition_asks_sshd_itself(tmp_path: Path) -> None:
    """With an sshd that says what a test has it say."""
    program = tmp_path / "sshd"
    program.write_text(f'#!/bin/sh\ncat "{tmp_path}/says"\n')
    program.chmod(0o755)
    condition = sshd.in_force(DROP_IN, "deploy").replace("mkdir -p -m 0755 /run/sshd", "true")
    said = "passwordauthentication no\nkbdinteractiveauthentication no\npermitrootlogin no\nallowusers deploy\n"

    def holds(text: str) -> bool:
        (tmp_path / "says").write_text(text)
        environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        return subprocess.run(["sh", "-c", condition], env=environment, check=False).returncode == 0

    assert holds(said)
    for line in said.splitlines():
        other = f"{line.split()[0]} admin" if "users" in line else line.replace(" no", " yes")
        assert not holds(said.replace(line, other)), line
    assert not holds(said + "allowusers admin\n"), "AllowUsers of two files add up"


# What cannot be served by what is there


@pytest.mark.parametrize(
    ("cluster", "image", "refused"), [("17", 18, True), ("17", 17, False), ("", 18, False), ("17", 0, False)]
)
def test_b6_another_major_version_of_postgresql_is_refused_before_anything_stops(cluster: str, image: int, refused: bool) -> None:
    found = host(cluster=cluster)
    lines = [line for line in readiness.problems(found, readiness.Wants(postgres=image)) if line.startswith("postgres: ")]
    assert bool(lines) == refused
    assert all("postgres_image is 18" in line and readiness.MAJOR_GUIDE in line for line in lines)


@pytest.mark.parametrize(
    ("seen", "reference", "major"),
    [
        ({"Config": {"Env": ["PATH=/bin", "PG_MAJOR=16"]}}, "acme/postgres:latest", 16),
        ({}, "postgres:17.2-bookworm", 17),
        ({}, "acme/database:stable", 0),
    ],
)
def test_b6_an_image_tells_its_major_version(monkeypatch: pytest.MonkeyPatch, seen: Any, reference: str, major: int) -> None:
    monkeypatch.setattr(images, "inspect", lambda text: seen)
    assert images.major(reference) == major


DOCKER = """#!/bin/sh
case "$1 $2" in
  "image ls") cat "$THERE";;
  "image rm") echo "$3" >>"$REMOVED";;
esac
"""


def test_b7_on_hosts_where_no_release_ends_older_images_go(tmp_path: Path) -> None:
    program = tmp_path / "docker"
    program.write_text(DOCKER)
    program.chmod(0o755)
    there = [f"acme/app:id-{number:012d}" for number in range(5)]
    (tmp_path / "there").write_text("\n".join([*there, "acme/app:mine", "acme/app:<none>"]))
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema/compose.yaml").write_text(f"    image: {there[3]}\n")
    script = re.sub(r"/opt/signupflow /etc/signupflow", str(tmp_path / "schema"), unused_script("acme/app", there[4]))
    environment = {**os.environ, "THERE": str(tmp_path / "there"), "REMOVED": str(tmp_path / "removed")}
    subprocess.run(["sh", "-c", script], env={**environment, "PATH": f"{tmp_path}:{os.environ['PATH']}"}, check=True)
    assert (tmp_path / "removed").read_text().split() == there[:3]


def test_b7_what_deploys_pulled_by_digest_goes_and_what_somebody_pulled_stays(tmp_path: Path) -> None:
    """The script, run with a Docker that notes what it is told to remove; `pulled` and `named` are what a host has."""
    program = tmp_path / "docker"
    program.write_text(DOCKER)
    program.chmod(0o755)
    digests = [f"sha256:{number:064x}" for number in range(4)]
    for digest in digests[:3]:
        note = pulled_script("acme/app", digest).replace("/var/lib", str(tmp_path))
        subprocess.run(["sh", "-c", note], check=True)
    subprocess.run(["sh", "-c", pulled_script("postgres", digests[3]).replace("/var/lib", str(tmp_path))], check=True)
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema/compose.yaml").write_text(f"    image: acme/app:1.1@{digests[1]}\n")
    (tmp_path / "there").write_text(f"acme/app:<none>\nacme/app:1.9@{'sha256:' + 'f' * 64}\n")
    script = unused_script("acme/app", f"acme/app:1.2@{digests[2]}").replace(
        "/opt/signupflow /etc/signupflow", str(tmp_path / "schema")
    )
    environment = {**os.environ, "THERE": str(tmp_path / "there"), "REMOVED": str(tmp_path / "removed")}
    for _ in range(2):
        subprocess.run(
            ["sh", "-c", script.replace("/var/lib", str(tmp_path))],
            env={**environment, "PATH": f"{tmp_path}:{os.environ['PATH']}"}, check=True,
        )  # fmt: skip
    assert (tmp_path / "removed").read_text().split() == [f"acme/app@{digests[0]}"]
    kept = (tmp_path / "signupflow/images/pulled").read_text().split()
    assert kept == [f"acme/app@{digests[1]}", f"acme/app@{digests[2]}", f"postgres@{digests[3]}"]


def test_b8_an_image_of_another_architecture_is_one_line() -> None:
    (line,) = readiness.problems(BARE, readiness.Wants(architecture="arm64"))
    assert line.startswith("architecture: it is x86_64, and the image here is for arm64")
    assert not list(readiness.problems(BARE, readiness.Wants(architecture="amd64")))
    assert not list(readiness.problems(BARE, readiness.Wants()))


# What a host says


def test_b2_a_host_s_answers_are_read(tmp_path: Path) -> None:
    """The script, run by this machine's shell; and what it would print on another one."""
    done = subprocess.run(["sh", "-c", system.SCRIPT], capture_output=True, text=True, check=True)
    here = system.parse(done.stdout.splitlines())
    assert here.machine
    assert here.os[0]
    daemon = base64.b64encode(b'{"debug": true}').decode()
    lines = [
        "os ubuntu 22.04", "machine aarch64", "systemd", "package ii  docker-ce 5:27.3.1-1", "package iU containerd.io 1.7",
        "package un  docker.io ", "package hi  chrony 4.2", "lists", "candidate docker.io 28.2", "dockerd /usr/bin/dockerd",
        "engine 27.3.1", "compose v2.29.7", "container wiki org.wiki=1", "container db org.signupflow.stack=postgres",
        "container plain", f"daemon {daemon}", "cluster 17", "listeners known",
        'listens LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=1,fd=6))',
        "holds /var/lib/dpkg/lock 7 - /usr/bin/dpkg --configure -a",
    ]  # fmt: skip
    found = system.parse(lines)
    assert found.installed == {"docker-ce": "5:27.3.1-1", "chrony": "4.2"}
    assert found.half == {"containerd.io"}
    assert (found.engine, found.compose, found.others) == ("27.3.1", "2.29.7", ("wiki", "plain"))
    assert (found.daemon_json, found.cluster, found.listeners) == ('{"debug": true}', "17", {80: "nginx"})
    assert str(found.held[0]) == "`/usr/bin/dpkg --configure -a` (process 7) holds /var/lib/dpkg/lock"
    assert [line for line in readiness.problems(found, readiness.Wants(edge=True)) if "80 by nginx" in line]
