"""What `signupflow init` makes of host keys, of a host's answers, of DNS and ports: pure code, without a host."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from signupflow.cli.init import checks, host_key_pins, host_keys, prompts
from signupflow.cli.init.checks import FAIL, OK, WARN, Needs
from signupflow.cli.init.config import Host
from signupflow.cli.init.host_keys import HostKey
from signupflow.errors import OperatorError
from signupflow.hosts.docker import daemon_keys
from signupflow.settings import from_data
from tests.deploy.keys import ed25519, rsa_key
from tests.proofs.configuration import DEPLOY_EXAMPLE

EDGE = Host("web1", "198.51.100.7", ("edge", "app"), "10.0.0.1")
DB = Host("db1", "198.51.100.8", ("app", "db"), "10.0.0.2")
ED, OTHER, RSA = ed25519("one key"), ed25519("another key"), rsa_key()

OUTPUT = """clock 1000.5
privilege root
os debian 13
machine x86_64
systemd
nft
disk 21474836480
memory 2013668
listeners known
address 127.0.0.1
address 10.0.0.1
reaches 10.0.0.2
"""
NGINX = 'listens LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=1,fd=6))\n'
PROXY = 'listens LISTEN 0 4096 [::]:443 [::]:* users:(("docker-proxy",pid=2,fd=4))\n'
NEEDS = Needs(500 * 1024**2, 1792 * 1024**2, "amd64", daemon_keys(()), postgres=17)


def judged(output: str = OUTPUT, host: Host = EDGE, needs: Needs = NEEDS) -> dict[str, checks.Check]:
    rows = checks.of_host(host, prompts.parse(output), needs, (1000.0, 1001.0), [DB])
    return {row.what: row for row in rows}


def test_sc002_a_host_that_is_in_order_passes_every_check() -> None:
    rows = judged()
    assert {row.verdict for row in rows.values()} == {OK}, rows
    assert list(rows) == ["sudo", "OS", "Docker", "architecture", "disk", "memory", "clock", "ports 80, 443", "private network"]
    assert not [row for row in rows.values() if row.remedy]


# What a host says instead, which check fails, and what the line must say.
FAULTY: list[tuple[str, str, str, str]] = [
    ("privilege root", "privilege none", "sudo", "--ssh-user root"),
    ("systemd\n", "", "OS", "systemd"),
    ("nft\n", "lists\ncandidate docker.io 26\ncandidate docker-compose 2.26\n", "OS", "nftables"),
    ("os debian 13", "os debian 12", "Docker", "apt-get update"),
    ("os debian 13", "os alpine 3.20.1", "Docker", "apt-get update"),
    ("nft\n", "nft\nlists\ncandidate docker.io 20.10.24+dfsg1-1\n", "Docker", "docker-ce"),
    ("nft\n", "nft\ndockerd /usr/bin/dockerd\npackage ii docker-ce 5:24.0.7-1~debian.12\n", "Docker", "docker-ce"),
    ("nft\n", "nft\ndaemon eyJsb2ctZHJpdmVyIjogImpzb24tZmlsZSJ9\n", "Docker", 'log-driver is "json-file"'),
    ("nft\n", "nft\ncluster 16\n", "PostgreSQL", "docs/operations/POSTGRES_UPGRADE.md"),
    ("machine x86_64", "machine riscv64", "architecture", "x86_64, aarch64"),
    ("machine x86_64", "machine aarch64", "architecture", "build one for arm64"),
    ("disk 21474836480", "disk 1073741824", "disk", "1024 MB free of 2536 needed"),
    ("memory 2013668", "memory 1000000", "memory", "976 MB of 1792 needed"),
    ("clock 1000.5", "clock 940", "clock", "-60 s"),
    ("clock 1000.5", "clock 1032", "clock", "+31 s"),
    ("listeners known\n", f"listeners known\n{NGINX}", "ports 80, 443", "80 by nginx"),
    ("listeners known\n", f"listeners known\n{PROXY}", "ports 80, 443", "443 by docker-proxy"),
    ("address 10.0.0.1\n", "address 10.9.9.9\n", "private network", "it has 10.9.9.9: say which by --private-address web1=IPV4"),
    ("reaches 10.0.0.2", "misses 10.0.0.2", "private network", "db1 at 10.0.0.2"),
]


@pytest.mark.parametrize(
    ("old", "new", "what", "said"), FAULTY, ids=[f"{what}: {new[:18].strip()}" for _, new, what, _ in FAULTY]
)
def test_sc002_what_is_not_in_order_is_said_with_what_to_do(old: str, new: str, what: str, said: str) -> None:
    assert old in OUTPUT
    rows = judged(OUTPUT.replace(old, new))
    assert [row.what for row in rows.values() if row.verdict != OK] == [what]
    assert rows[what].verdict == FAIL
    assert said in f"{rows[what].result} {rows[what].remedy}"
    assert rows[what].remedy


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ("privilege root", "privilege sudo", OK),
        ("os debian 13", "os ubuntu 24.04", OK),
        ("os debian 13", "os ubuntu 22.04", OK),
        ("nft\n", "ufw\n", OK),
        ("clock 1000.5", "clock 971", OK),
        ("listeners known\n", f"listeners known\n{PROXY}traefik ours\n", OK),
        ("listeners known\n", "", WARN),
    ],
)
def test_sc002_what_is_in_order_in_another_way_is_not_held_against_a_host(old: str, new: str, verdict: str) -> None:
    assert {row.verdict for row in judged(OUTPUT.replace(old, new)).values()} == {OK, verdict}


def test_sc002_ports_are_the_edge_s_and_a_host_alone_needs_no_network() -> None:
    rows = checks.of_host(replace(DB), prompts.parse(OUTPUT + NGINX), NEEDS, (1000, 1001), [])
    assert [row.verdict for row in rows] == [OK] * 7


@pytest.mark.parametrize(
    "output", ["", "This account is not available.\n", OUTPUT.replace("disk 21474836480", "disk"), "clock x\n"]
)
def test_sc002_answers_that_are_none_are_no_answers(output: str) -> None:
    with pytest.raises(ValueError, match=r"say its|float|int"):
        prompts.parse(output)


def test_sc002_the_questions_are_a_script_that_this_machine_answers() -> None:
    """The same shell that a host gets; the port it must reach is one that nobody listens on."""
    bash = shutil.which("sh")
    assert bash
    script = prompts.script([("127.0.0.1", 1)])
    done = subprocess.run([bash, "-s"], input=script, capture_output=True, text=True, check=True)
    said = prompts.parse(done.stdout)
    assert said.memory > 0
    assert said.disk_free > 0
    assert said.misses == ("127.0.0.1",)


def test_us8_1_memory_is_what_the_roles_may_take_while_a_release_runs() -> None:
    env = from_data({**DEPLOY_EXAMPLE, "app_replicas": 2, "app_memory": "256m", "postgres_memory": "1g"}, "web1")
    assert checks.memory_needed(Host("a", "a", ("edge",)), env) == 0
    assert checks.memory_needed(Host("a", "a", ("edge", "app")), env) == 1024 * 1024**2
    assert checks.memory_needed(Host("a", "a", ("app", "db")), env) == 2048 * 1024**2


@pytest.mark.parametrize(
    ("found", "verdict", "said"),
    [
        ([], WARN, "make the record  a.helpers.org. A 198.51.100.7"),
        (["198.51.100.7"], OK, ""),
        (["198.51.100.9"], WARN, "a.helpers.org. A 198.51.100.7"),
        (["198.51.100.7", "198.51.100.9"], WARN, "a.helpers.org. A"),
        (["198.51.100.7", "2001:db8::1"], WARN, "AAAA"),
        (["2001:db8::1"], WARN, "a.helpers.org. A"),
    ],
)
def test_us4_4_a_domain_that_leads_elsewhere_is_a_warning_with_its_record(found: list[str], verdict: str, said: str) -> None:
    row = checks.of_domain("a.helpers.org", EDGE.address, found, [EDGE.address])
    assert row.verdict == verdict
    assert said in row.remedy


def test_us4_1_an_edge_that_swallows_what_comes_to_its_ports_is_a_warning() -> None:
    assert checks.of_entry(EDGE, {80: "closed", 443: "open"}).verdict == OK
    row = checks.of_entry(EDGE, {80: "closed", 443: "silent"})
    assert (row.verdict, row.remedy) == (WARN, "open 443 in the provider's firewall")


# Host keys


def test_sec002_a_fingerprint_is_openssh_s(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    kind, blob, *_ = (tmp_path / "key.pub").read_text().split()
    shown = subprocess.run(["ssh-keygen", "-lf", tmp_path / "key.pub"], capture_output=True, text=True, check=True).stdout
    assert HostKey(kind, blob).fingerprint == shown.split()[1]


def test_sec002_hashed_names_in_known_hosts_are_found(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_text(
        f"# mine\n@revoked web9 {ED.kind} {ED.blob}\nweb1,198.51.100.7 {ED.kind} {ED.blob}\n[h]:2222 {RSA.kind} {RSA.blob}\n"
    )
    assert host_keys.pinned(path.read_text(), "web9") == []
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    kind, blob, *_ = key.with_suffix(".pub").read_text().split()
    path.write_text(f"198.51.100.7 {kind} {blob}\n[h]:2222 {kind} {blob}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", path], check=True, capture_output=True)
    text = path.read_text()
    assert "198.51.100.7" not in text
    assert host_keys.pinned(text, "198.51.100.7") == host_keys.pinned(text, host_keys.marker("h", 2222)) == [HostKey(kind, blob)]
    assert host_keys.pinned(text, "198.51.100.8") == []


def test_sec002_lines_that_hold_no_key_pin_nothing_and_end_nothing() -> None:
    """A file that somebody edited: no salt, half a line, no base64, a key that is cut off; the good line after them counts."""
    broken = (
        f"|1|!|? ssh-ed25519 {ED.blob}",
        "h",
        "h ssh-ed25519 !!",
        f"h ssh-ed25519 {ED.blob[:20]}",
        f"h what-is-this {ED.blob}",
    )
    text = "\n".join((*broken, f"h\t{ED.kind} {ED.blob} me"))
    assert host_keys.pinned(text, "h") == [ED]


def test_sec002_of_what_was_scanned_the_best_key_comes_first() -> None:
    text = f"# 198.51.100.7:22 SSH-2.0-OpenSSH\nh {RSA.kind} {RSA.blob}\nh {ED.kind} {ED.blob}\nh ssh-dss AAAA\nh ssh-rsa !!\n\n"
    assert host_keys.scanned(text) == [ED, RSA]
    assert host_keys.scanned("") == []


def test_sec002_pins_are_added_and_every_line_stays() -> None:
    assert host_keys.extended("", [("web1", ED)]) == f"web1 {ED.kind} {ED.blob}\n"
    assert host_keys.extended("old line", [("[h]:2222", RSA)]) == f"old line\n[h]:2222 {RSA.kind} {RSA.blob}\n"
    assert host_keys.extended("old line", []) == "old line\n"


def judge(shown: list[HostKey], pinned: list[HostKey], told: str = "") -> host_key_pins.Pin:
    return host_key_pins.judge(EDGE, shown, pinned, told, 22, "known_hosts")


def test_sec002_a_new_key_is_to_be_compared_and_a_pinned_one_is_not() -> None:
    new = judge([ED, RSA], [])
    assert (new.key, new.pinned, new.compared, new.row.verdict) == (ED, False, False, OK)
    known = judge([ED, RSA], [RSA])
    assert (known.key, known.pinned, known.compared) == (RSA, True, True)
    told = judge([ED, RSA], [], RSA.fingerprint)
    assert (told.key, told.pinned, told.compared) == (RSA, False, True)


@pytest.mark.parametrize(
    ("shown", "pinned", "told", "said"),
    [
        ([], [], "", "no SSH answers at 198.51.100.7:22"),
        ([OTHER, RSA], [ED], "", f"IS NOT THE PINNED ONE: {OTHER.fingerprint}, pinned is {ED.fingerprint}"),
        ([RSA], [ED], "", "IS NOT THE PINNED ONE"),
        ([OTHER], [RSA, ED], OTHER.fingerprint, "IS NOT THE PINNED ONE"),
        ([ED], [], OTHER.fingerprint, f"{ED.fingerprint} is not the one given, {OTHER.fingerprint}"),
        ([ED], [ED], OTHER.fingerprint, "is not the one given"),
    ],
)
def test_sec002_a_key_that_is_not_the_host_s_is_refused(
    shown: list[HostKey], pinned: list[HostKey], told: str, said: str
) -> None:
    refused = judge(shown, pinned, told)
    assert refused.row.verdict == FAIL
    assert said in refused.row.result
    assert refused.key is None
    if "PINNED" in said:
        assert "ssh-keygen -R '198.51.100.7' -f known_hosts" in refused.row.remedy


def test_sec002_nobody_to_compare_a_new_key_is_an_error_that_names_the_flag() -> None:
    with pytest.raises(OperatorError, match=r"--host-key-fingerprint web1=SHA256:\.\.\., or --yes"):
        host_key_pins.confirm([judge([ED], [])], interactive=False)
    host_key_pins.confirm([judge([ED], [ED])], interactive=False)
