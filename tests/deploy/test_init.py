"""`signupflow init` as a whole, with hosts that a test stands in for: what is asked, refused, written, and written again."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from signupflow import secretfile
from signupflow.cli import main
from signupflow.cli.init import checks, files, network_checks, storage
from signupflow.cli.init.config import Answers, Host, Storage
from signupflow.cli.init.host_keys import HostKey
from signupflow.errors import OperatorError
from tests.deploy.keys import ed25519
from tests.deploy.test_init_checks import OUTPUT
from tests.proofs.configuration import DEPLOY_EXAMPLE

KEY, OTHER = ed25519("one key"), ed25519("another key")
FLAGS = (
    "init", "production", "--host", "web1=198.51.100.7", "--domain", "signupflow.rescue-helpers.org",
    "--acme-email", "operations@rescue-helpers.org", "--public-key", DEPLOY_EXAMPLE["deploy_public_keys"][0],
    "--traefik-image", DEPLOY_EXAMPLE["traefik_image"],
)  # fmt: skip
WRITTEN = ["group_data/production.py", "inventory.py", "known_hosts", "secrets/production.age", "secrets/production.recipients"]


@dataclass
class World:
    """Hosts, DNS and ports that answer as a test has them."""

    directory: Path
    key: HostKey = KEY
    output: str = OUTPUT
    logins: tuple[str, ...] = ("root",)
    asked: list[str] = field(default_factory=list)

    def log_in(self, answers: Answers, host: Host, user: str, known_hosts: Path, script: str) -> network_checks.Login:
        assert self.key.blob in known_hosts.read_text()
        self.asked.append(f"{user}@{host.address}")
        return network_checks.Login(
            user, self.output, "" if user in self.logins else "Permission denied (publickey).", (1000.0, 1001.0)
        )

    def init(self, *words: str, flags: tuple[str, ...] = FLAGS) -> Result:
        return CliRunner().invoke(main, [*flags, "--directory", str(self.directory), *words])

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.directory)) for path in self.directory.rglob("*") if path.is_file())


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path / "there")
    made.directory.mkdir()
    for name in [name for name in os.environ if name.startswith(("SIGNUPFLOW_", "S3_", "NOTIFY_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(network_checks, "host_keys", lambda host, port: [made.key])
    monkeypatch.setattr(network_checks, "log_in", made.log_in)
    monkeypatch.setattr(network_checks, "addresses", lambda name, server="": ["198.51.100.7"])
    monkeypatch.setattr(network_checks, "knock", lambda host: {80: "closed", 443: "closed"})
    return made


def refusal(result: Result) -> str:
    assert isinstance(result.exception, OperatorError), result.output
    assert "\n" not in str(result.exception)
    return str(result.exception)


def test_sc002_init_checks_writes_and_says_what_is_next(world: World) -> None:
    done = world.init("--yes")
    assert done.exit_code == 0, done.output
    assert world.files() == WRITTEN
    assert f"{KEY.fingerprint} (new)" in done.output
    assert "web1" in done.output
    inventory = world.directory / "inventory.py"
    assert f"  signupflow bootstrap -i {inventory} --user root\n" in done.output
    assert done.output.endswith(f"  signupflow deploy -i {inventory}\n")
    assert (world.directory / "known_hosts").read_text() == f"198.51.100.7 {KEY.kind} {KEY.blob}\n"
    values = secretfile.decrypt(world.directory / "secrets" / "production.age", secretfile.identity("production"))
    assert "jwt_keys" in values
    assert not [name for name, value in values.items() if value in done.output]


def test_sc002_the_same_answers_again_change_nothing(world: World) -> None:
    world.init("--yes")
    before = {name: (world.directory / name).read_bytes() for name in WRITTEN}
    world.logins = ("deploy",)
    again = world.init()
    assert again.exit_code == 0, again.output
    assert "nothing to write" in again.output
    assert "(pinned already)" in again.output
    assert "bootstrap" not in again.output, "it has the deploy login already"
    assert {name: (world.directory / name).read_bytes() for name in world.files()} == before


@pytest.mark.parametrize("kept", range(1, 5))
def test_sc002_a_run_that_was_killed_is_completed_by_the_next(world: World, monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    """Killed before each file that is written, in turn."""
    written = []
    real, encrypt = files.File.write, secretfile.encrypt

    def counted(what: object) -> None:
        written.append(what)
        if len(written) == kept:
            raise KeyboardInterrupt

    def write(file: files.File) -> None:
        counted(file)
        real(file)

    def sealed(path: Path, values: dict[str, str], recipients: list[str]) -> None:
        counted(path)
        encrypt(path, values, recipients)

    with monkeypatch.context() as patched:
        patched.setattr(files.File, "write", write)
        patched.setattr(secretfile, "encrypt", sealed)
        assert world.init("--yes").exit_code == 1
    assert "inventory.py" not in world.files(), "last, because it is what a run begins with"
    done = world.init("--yes")
    assert done.exit_code == 0, done.output
    assert world.files() == WRITTEN
    assert "nothing to write" in world.init("--yes").output


def test_sc002_one_failing_check_and_nothing_is_written(world: World) -> None:
    world.output = OUTPUT.replace("systemd\n", "")
    done = world.init("--yes")
    assert done.exit_code == 1
    assert "1 check failed; nothing was written" in done.output
    assert world.files() == []
    unchecked = world.init("--yes", "--no-check")
    assert unchecked.exit_code == 0
    assert world.files() == WRITTEN


def test_sc002_a_login_that_is_refused_is_a_failing_check(world: World) -> None:
    world.logins = ()
    done = world.init("--yes")
    assert done.exit_code == 1
    assert world.asked == ["deploy@198.51.100.7", "root@198.51.100.7"]
    assert "root: Permission denied" in done.output
    assert "authorized_keys" in done.output


def test_sc002_a_host_with_another_key_than_the_pinned_one_is_refused_loudly(world: World) -> None:
    world.init("--yes")
    before = (world.directory / "known_hosts").read_text()
    world.key, world.asked = OTHER, []
    done = world.init("--yes")
    assert done.exit_code == 1
    assert f"IS NOT THE PINNED ONE: {OTHER.fingerprint}, pinned is {KEY.fingerprint}" in done.output
    assert (world.directory / "known_hosts").read_text() == before
    assert world.asked == [], "nobody logged in"


def test_sc002_a_fingerprint_that_one_was_told_is_compared(world: World) -> None:
    assert "--host-key-fingerprint web1=SHA256:..., or --yes" in refusal(world.init())
    done = world.init("--host-key-fingerprint", f"web1={OTHER.fingerprint}")
    assert (done.exit_code, world.files()) == (1, [])
    assert "is not the one given" in done.output
    assert world.init("--host-key-fingerprint", f"web1={KEY.fingerprint}").exit_code == 0
    assert "is the name of no --host" in refusal(world.init("--host-key-fingerprint", f"web2={KEY.fingerprint}"))


def test_sc002_without_a_terminal_what_is_missing_is_named_at_once(world: World) -> None:
    said = refusal(world.init(flags=("init",)))
    assert said == "missing --host, --domain, --acme-email, --public-key: give them, or run this on a terminal"
    two = ("init", "--host", "a=198.51.100.7", "--host", "b=10.0.0.2", *FLAGS[4:])
    assert refusal(world.init(flags=two)).startswith("missing --private-address a=IPV4: give it")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--domain", "UPPER.org"), "1 fault: --domain 'UPPER.org' is not"),
        (("--host", "web1=198.51.100.9", "--private-address", "web1=10.0.0.1"), "--host web1 is named twice"),
        (("--public-key", "/nowhere.pub"), "--public-key /nowhere.pub is neither a key nor a file"),
        (("--ssh-key", "/nowhere"), "--ssh-key /nowhere: there is no such file"),
        (("--acme-ca-file", "/nowhere.pem"), "--acme-ca-file /nowhere.pem: there is no such file"),
        (("--set", "app_replica=2"), "did you mean app_replicas?"),
        (("--backup-recipient", "age1tooshort"), "1 fault: --backup-recipient"),
        (("--s3-endpoint", "http://s3.helpers.org"), "--s3-endpoint 'http://s3.helpers.org' must be an https URL"),
        (("--s3-endpoint", "https://s3.helpers.org"), "missing --s3-bucket"),
        (("--s3-endpoint", "https://s3.helpers.org", "--s3-bucket", "backups"), "missing S3_ACCESS_KEY, S3_SECRET_KEY"),
    ],
)
def test_fr029_what_was_said_wrong_is_refused_before_any_host_is_asked(world: World, words: tuple[str, ...], said: str) -> None:
    assert said in refusal(world.init("--yes", *words))
    assert (world.asked, world.files()) == ([], [])


def test_sc002_a_key_that_would_lock_its_owner_out_is_refused(world: World, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("private")
    (tmp_path / "mine.pub").write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMineMineMine me\n")
    assert "you could not log in after the first deploy" in refusal(world.init("--yes", "--ssh-key", str(tmp_path / "mine")))


def test_sec001_the_keys_of_the_object_storage_are_tried_and_kept_in_the_secrets(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = "marker-5d01f7-not-to-be-seen"
    tried: list[str] = []

    def check(bucket: Storage, access_key: str, secret_key: str) -> checks.Check:
        tried.extend((bucket.bucket, access_key, secret_key))
        return checks.Check(bucket.endpoint, "object storage", checks.OK, "works")

    monkeypatch.setattr(storage, "check", check)
    monkeypatch.setenv("S3_ACCESS_KEY", "an-access-key-of-ours")
    monkeypatch.setenv("S3_SECRET_KEY", marker)
    words = ("--yes", "--s3-endpoint", "https://s3.helpers.org", "--s3-bucket", "backups")
    done = world.init(*words)
    assert done.exit_code == 0, done.output
    assert tried == ["backups", "an-access-key-of-ours", marker]
    path = world.directory / "secrets" / "production.age"
    assert secretfile.decrypt(path, secretfile.identity("production"))["s3_secret_key"] == marker
    assert marker not in done.output
    assert marker not in "".join(file.read_text() for file in world.directory.rglob("*") if file.is_file())
    monkeypatch.setenv("S3_SECRET_KEY", "another")
    assert "holds another s3_secret_key: `signupflow secrets set production s3_secret_key`" in refusal(world.init(*words))
    monkeypatch.delenv("S3_SECRET_KEY")
    assert "nothing to write" in world.init(*words).output


def test_fr007_what_the_environment_does_without_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    no_backups, no_dumps, no_word = (
        "\n  no backups: s3_endpoint",
        "\n  no weekly and monthly dumps",
        "\n  failed releases and backups notify nobody",
    )
    bare = world.init("--yes").output
    assert no_backups in bare
    assert no_dumps not in bare
    assert no_word in bare
    monkeypatch.setattr(storage, "check", lambda *_: checks.Check("bucket", "object storage", checks.OK, "works"))
    for name in ("S3_ACCESS_KEY", "S3_SECRET_KEY"):
        monkeypatch.setenv(name, "an-access-key-of-ours")
    bucket = ("--yes", "--s3-endpoint", "https://s3.helpers.org", "--s3-bucket", "backups")
    world.directory = world.directory / "stored"
    stored = world.init(*bucket).output
    assert no_backups not in stored
    assert no_dumps in stored
    world.directory = world.directory / "sealed"
    monkeypatch.setenv("NOTIFY_WEBHOOK_URL", "https://hooks.helpers.org/signupflow")
    recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
    sealed = world.init(*bucket, "--backup-recipient", recipient).output
    assert "Not set up" not in sealed
    assert recipient in (world.directory / "group_data" / "production.py").read_text()
    assert "nothing to write" in world.init(*bucket).output, "the key is kept, as it was answered before"


def test_fr031_a_secrets_file_that_lacks_something_is_completed_and_what_it_holds_stays(world: World) -> None:
    world.init("--yes")
    path, key = world.directory / "secrets" / "production.age", secretfile.identity("production")
    before = secretfile.decrypt(path, key)
    secretfile.encrypt(path, {name: value for name, value in before.items() if name != "jwt_keys"}, [str(key.to_public())])
    done = world.init("--yes")
    assert "production.age with jwt_keys\n" in done.output
    after = secretfile.decrypt(path, key)
    assert {name for name in before if before[name] != after[name]} == {"jwt_keys"}


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """`init` takes the test's text for what somebody types."""
    here = SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True), exit=sys.exit)
    monkeypatch.setattr("signupflow.cli.init.sys", here)


TYPED = (
    ("web1=1:boss", "--host 'web1=1:boss' has the role boss"),
    ("web1=198.51.100.7:edge,app", ""),
    ("web1=198.51.100.8:db", "--host web1 is named twice"),
    ("web2=198.51.100.8", "--host web2 has no roles while others do"),
    ("web2=198.51.100.8:edge,db", "--host web2 would be a second edge host"),
    ("", "no host has the role db"),
    ("web2=198.51.100.8:app,db", ""),
    ("", ""),
    ("10.0.0", "--private-address '10.0.0' is not an IPv4 address"),
    ("10.0.0.1", ""),
    ("10.0.0.2", ""),
    ("UPPER.org", "--domain 'UPPER.org' is not"),
    ("signupflow.rescue-helpers.org", ""),
    ("www.example.org", "--domain still holds the placeholder"),
    ("", ""),
    ("nobody", "--acme-email must be a mail address"),
    ("operations@rescue-helpers.org", ""),
    ("/nowhere.pub", "--public-key /nowhere.pub is neither a key nor a file"),
    ("ssh-ed25519", "--public-key 'ssh-ed25519'"),
    (DEPLOY_EXAMPLE["deploy_public_keys"][0], ""),
    ("y", ""),
)
KEPT = (
    "--host web1=198.51.100.7:edge,app --host web2=198.51.100.8:app,db --private-address web1=10.0.0.1"
    " --private-address web2=10.0.0.2 --domain signupflow.rescue-helpers.org --acme-email operations@rescue-helpers.org"
    f" --public-key '{DEPLOY_EXAMPLE['deploy_public_keys'][0]}'"
)


@pytest.mark.usefixtures("terminal")
def test_a30_an_answer_that_cannot_be_used_is_asked_for_again_and_the_others_are_kept(world: World) -> None:
    command = ["init", "--traefik-image", DEPLOY_EXAMPLE["traefik_image"], "--directory", str(world.directory), "--no-check"]
    done = CliRunner().invoke(main, command, input="".join(f"{text}\n" for text, _ in TYPED))
    assert done.exit_code == 0, done.output
    places = [done.output.find(said) for _, said in TYPED if said]
    assert -1 not in places, [said for _, said in TYPED if said and said not in done.output]
    assert places == sorted(places), "each below its own question"
    assert world.files() == WRITTEN


@pytest.mark.usefixtures("terminal")
def test_a30_what_was_answered_can_be_given_again_when_a_check_fails(world: World) -> None:
    command = ["init", "--traefik-image", DEPLOY_EXAMPLE["traefik_image"], "--directory", str(world.directory)]
    world.logins = ()
    done = CliRunner().invoke(main, command, input="".join(f"{text}\n" for text, said in TYPED if not said))
    assert done.exit_code == 1, done.output
    assert done.output.endswith(f"\nTo keep these answers, add: {KEPT}\n")
    world.logins = ("root",)
    again = CliRunner().invoke(main, [*command, "--no-check", *shlex.split(KEPT)], input="y\n")
    assert again.exit_code == 0, again.output
    assert world.files() == WRITTEN


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("My Env",), "ENVIRONMENT 'My Env' must start"),
        (("--acme-email", "nobody"), "--acme-email must be a mail address"),
        (("--ssh-key", "/nowhere"), "there is no such file"),
        (("--acme-directory", "http://ca"), "--acme-directory must be an https URL"),
        (("--s3-endpoint", "http://s3"), "must be an https URL"),
    ],
)
def test_a30_a_wrong_flag_is_refused_before_anything_is_asked(world: World, words: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(main, ["init", *words, "--directory", str(world.directory)], input="web1\n")
    assert said in refusal(done)
    assert done.output == "", "no question"
