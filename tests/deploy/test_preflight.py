"""The preflight: what is asked of whom before anything changes, and what is said when it cannot end well."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from pyinfra.api.exceptions import ConnectError

from deploys import app, connecting, declared, environment, release
from deploys.app import desired
from deploys.release import existing_image
from facts.containers import Container, Containers, HostImage, HostImages
from facts.host_files import HostFile, ManagedFile
from facts.release import CertifiedDomains, Generations, Readiness, ResolvedDomains
from lab.client import PYINFRA, ROOT
from operations import certificates as ordered
from operations import interrupts, refusals
from operations import release as releasing
from operations.deployment import DeploymentContext
from operations.output import last
from signupflow import images, maintenance, secretfile, secrets_cli
from signupflow.errors import OperatorError
from signupflow.probe import Entry
from signupflow.release import certificates, readiness
from signupflow.routing import RouteTable, routed_domains, routers
from tests.deploy.standing import ONE, SETTINGS, standing

__all__ = ["standing"]  # a fixture


def files(**content: str) -> Any:
    """A ManagedFile fact: what each path that ends so holds."""

    def found(path: str) -> HostFile:
        text = next((text for name, text in content.items() if path.endswith(name.replace("_", "-") + ".yaml")), None)
        return HostFile(exists=text is not None, content=text)

    return found


SERVES = RouteTable().having("web1", 1, ["http://app-g1-app-1:8000"]).render("signupflow", "/health", "a.helpers.org")


def serving(fleet: Any, domains: list[str], certified: list[str]) -> None:
    """The fleet's first host serves a release from before by these domains."""
    fleet.facts["web1"] = {
        ManagedFile: files(app_signupflow=routers("signupflow", domains, 60), app_signupflow_servers=SERVES),
        CertifiedDomains: frozenset(certified),
        Generations: {1: "another"},
    }


def test_a11_only_domains_that_serve_now_are_asked_before_a_release(standing: Any) -> None:
    fleet = standing(ONE)
    serving(fleet, ["a.helpers.org"], ["a.helpers.org"])
    with fleet.on("web1"):
        checks = release.checks()
    assert [entry.domain for entry in checks.entries] == ["a.helpers.org"], "b.helpers.org has no route yet, so no certificate"


def test_a11_a_domain_whose_certificate_never_came_blocks_no_later_release(standing: Any) -> None:
    fleet = standing(ONE)
    serving(fleet, ["a.helpers.org", "b.helpers.org"], ["b.helpers.org"])
    with fleet.on("web1"):
        assert [entry.domain for entry in release.checks().entries] == ["b.helpers.org"]
        wanted = desired(fleet.inventory.get_host("web1"))
    assert [entry.domain for entry in wanted.entries] == ["b.helpers.org"], "neither the probe nor the smoke step judges the CA"


def test_a11_what_serves_without_any_certificate_is_still_refused(standing: Any) -> None:
    fleet = standing(ONE)
    serving(fleet, ["a.helpers.org"], [])
    with fleet.on("web1"):
        assert [entry.domain for entry in release.checks().entries] == ["a.helpers.org"]


def test_a11_routes_say_which_domains_are_served_and_what_is_none_serves_nobody() -> None:
    assert routed_domains(routers("app", ["a.helpers.org", "b.helpers.org"], 60)) == {"a.helpers.org", "b.helpers.org"}
    for text in (None, "", "{", "http: {}", "[]", "http: {routers: {x: {}}}"):
        assert routed_domains(text) == frozenset()


def test_b10_the_ca_is_asked_for_nothing_whose_name_leads_nowhere(standing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Traefik orders at each change of routes what a router asks for: until there is a certificate, none does."""
    monkeypatch.setattr(ordered, "leads_to", lambda domain: [])
    fleet = standing(ONE)
    fleet.facts["web1"] = {CertifiedDomains: frozenset(), ResolvedDomains: frozenset({"a.helpers.org"})}
    with fleet.on("web1"):
        found = app.ordering(environment.environment())
        first = desired(fleet.inventory.get_host("web1"))
    assert [entry.domain for entry in found.entries] == ["a.helpers.org"]
    assert [entry.domain for entry in found.nowhere] == ["b.helpers.org"]
    assert [entry.domain for entry in first.entries] == ["a.helpers.org"], "the first release asks by what can answer"
    assert orders(found.routers(found.settled)) == set()


def test_b10_what_has_a_certificate_keeps_its_order_whatever_dns_says(standing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or it would not be renewed."""
    monkeypatch.setattr(ordered, "leads_to", lambda domain: [])
    fleet = standing(ONE)
    fleet.facts["web1"] = {CertifiedDomains: frozenset({"a.helpers.org"}), ResolvedDomains: frozenset()}
    with fleet.on("web1"):
        found = app.ordering(environment.environment())
    assert set(found.settled) == {"a.helpers.org"}
    assert not found.entries
    assert orders(found.routers(found.settled)) == {"a.helpers.org"}


def orders(text: str) -> set[str]:
    """Domains of which Traefik orders a certificate."""
    routed = yaml.safe_load(text)["http"]["routers"].values()
    return {item["rule"].split("`")[1] for item in routed if "certResolver" in item["tls"]}


def test_b10_each_run_asks_once_and_takes_back_what_did_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the next run asks again: `signupflow deploy` is the command by which a domain comes whose DNS is there by now."""
    entries = [Entry("192.0.2.1", f"{name}.helpers.org", "") for name in ("comes", "fails", "nowhere")]
    written: list[set[str]] = []
    context = DeploymentContext()
    monkeypatch.setattr(context.lock, "renew", lambda: None)
    monkeypatch.setattr(ordered, "state", SimpleNamespace(is_executing=True))
    monkeypatch.setattr(ordered, "host", SimpleNamespace(noop=lambda why: None, print_prefix=""))
    monkeypatch.setattr(ordered, "_write", lambda ordering, domains: written.append(set(domains)))
    monkeypatch.setattr(ordered, "_holds", lambda entry: entry.domain == "comes.helpers.org")
    monkeypatch.setattr(ordered, "_log", lambda: "")
    monkeypatch.setattr(ordered, "leads_to", lambda domain: ["192.0.2.1"])
    ordering = ordered.Ordering("/none", lambda domains: "", frozenset({"old.helpers.org"}), tuple(entries[:2]), (entries[2],))
    for _ in range(2):
        list(ordered.certified._inner(context=context, ordering=ordering, seconds=0))
    with_both = {"old.helpers.org", "comes.helpers.org", "fails.helpers.org"}
    assert written == [with_both, with_both - {"fails.helpers.org"}] * 2
    assert [entry.domain for entry in context.asked(entries)] == ["comes.helpers.org"]
    assert not context.failures, "what the CA does not give holds up no release"


def test_b10_the_maintenance_page_orders_nothing() -> None:
    assert orders(maintenance.routes("app", ["a.helpers.org"], "/health", 300, "said")) == set()


def test_a11_of_traefik_s_certificates_only_the_names_are_read(tmp_path: Path) -> None:
    path = tmp_path / "acme.json"
    rows = [{"domain": {"main": name}, "certificate": "c", "key": "secret"} for name in ("a.helpers.org", "b.helpers.org")]
    held = {"acme": {"Account": {"PrivateKey": "secret"}, "Certificates": rows}}
    fact = CertifiedDomains()
    for text in (json.dumps(held), json.dumps(held, indent=2)):
        path.write_text(text)
        done = subprocess.run(["sh", "-c", str(fact.command(str(path)))], capture_output=True, text=True, check=True)
        assert "secret" not in done.stdout
        assert fact.process(done.stdout.splitlines()) == {"a.helpers.org", "b.helpers.org"}
    gone = subprocess.run(["sh", "-c", str(fact.command("/nowhere"))], capture_output=True, text=True, check=True)
    assert fact.process(gone.stdout.splitlines()) == frozenset()


def failed(kind: str, said: str) -> str:
    error = (
        "unable to generate a certificate for the domains [b.helpers.org]: error: one or more domains had a problem:\n"
        f"[b.helpers.org] invalid authorization: acme: error: 400 :: urn:ietf:params:acme:error:{kind} :: {said}\n"
    )
    return json.dumps({"level": "error", "message": f"{certificates.FAILED} for domains", "error": error})


@pytest.mark.parametrize(
    ("log", "leads_to", "said"),
    [
        (failed("dns", "DNS problem: NXDOMAIN looking up A"), [],
         "says: DNS problem: NXDOMAIN looking up A: make the record `b.helpers.org. A 192.0.2.1`"),
        (failed("connection", "Timeout"), ["192.0.2.1"], "the CA says: Timeout: open port 80 of 192.0.2.1"),
        (failed("rateLimited", "too many"), ["192.0.2.1"], "rate limit is reached (too many)"),
        ("not json\n" + failed("dns", "no").replace("b.helpers", "ab.helpers"), [], "it has no DNS record: make the record"),
        ("", ["192.0.2.9"], "DNS points to 192.0.2.9: make the record `b.helpers.org. A 192.0.2.1`"),
        ("", ["192.0.2.1"], "see `docker logs signupflow-traefik`"),
        (failed("malformed", "no such order") + "\n[]", [], "the CA says: no such order: see `docker logs"),
    ],
)  # fmt: skip
@pytest.mark.whole
def test_a11_a_certificate_that_does_not_come_says_what_is_missing(log: str, leads_to: list[str], said: str) -> None:
    found = certificates.problem(log, "b.helpers.org")
    line = certificates.missing("b.helpers.org", "192.0.2.1", leads_to, found)
    assert said in line
    assert "\n" not in line


# Every deploy, and which hosts it must reach

ROLES = {"edge1": ["edge"], "web1": ["app"], "web2": ["app"], "db1": ["db"], "spare1": []}


def test_a18_every_deploy_declares_its_work() -> None:
    helpers = {"__init__", "connecting", "declared", "deployment", "environment", "host_data", "inputs", "inventory_json"}
    helpers |= {"preflight", "status_report"}
    assert {path.name for path in (ROOT / "deploys").glob("*.py") if path.stem not in helpers} == set(declared.DEPLOYS)


@pytest.mark.parametrize(
    ("deploy", "setting", "chosen", "said"),
    [
        ("maintenance.py", {}, ["web2"], r"role edge.* leaves out edge1: add --limit edge1, or leave --limit out"),
        ("lock_release.py", {}, ["web1", "web2", "db1"], "leaves out edge1"),
        ("upgrade.py", {"upgrade": "postgres"}, ["edge1", "web1"], "leaves out db1"),
        ("upgrade.py", {"upgrade": "traefik"}, ["db1"], "leaves out edge1"),
        ("rotate.py", {}, ["db1", "web1"], "leaves out web2"),
        ("rotate.py", {}, ["web1", "web2"], "leaves out db1"),
        ("disaster_recovery.py", {}, ["edge1", "web1", "web2"], "leaves out db1"),
        ("migrate_sqlite.py", {}, ["edge1", "web1", "db1"], "leaves out web2"),
        ("restart.py", {}, ["edge1", "db1", "spare1"], "the role app, and this run leaves out web1, web2: add --limit web1"),
        ("rollback.py", {}, ["db1"], "leaves out web1, web2"),
        ("scale.py", {}, ["edge1"], "leaves out web1, web2"),
        ("resume.py", {}, ["edge1"], "leaves out web1, web2"),
        ("abort.py", {}, ["db1"], "leaves out web1, web2"),
        ("production.py", {"version": "1.4.0"}, ["db1"], "leaves out web1, web2"),
    ],
)  # fmt: skip
def test_a18_a_run_whose_work_is_on_a_host_left_out_is_refused(
    deploy: str, setting: dict[str, str], chosen: list[str], said: str
) -> None:
    wanted = declared.scope(deploy, **setting)
    declared.check_limit(deploy, wanted, ROLES, list(ROLES))
    with pytest.raises(OperatorError, match=said) as refused:
        declared.check_limit(deploy, wanted, ROLES, chosen)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("deploy", "chosen"),
    [("production.py", ["web2"]), ("production.py", ["spare1"]), ("bootstrap.py", ["web2"]), ("restart.py", ["web2"]),
     ("maintenance.py", ["edge1"]), ("upgrade.py", ["web1"]), ("logins.py", ["web1"])],
)  # fmt: skip
def test_a18_a_run_that_can_do_its_work_is_let_through(deploy: str, chosen: list[str]) -> None:
    declared.check_limit(deploy, declared.scope(deploy), ROLES, chosen)


def pyinfra(folder: Path, *words: str, inventory: str = "", path: str = "", **settings: Any) -> subprocess.CompletedProcess[str]:
    """The real pyinfra on an inventory of hosts that nobody can reach, from the repository's root."""
    hosts_file = folder / "hosts.py"
    if not hosts_file.exists() or inventory:
        hosts = {"edge1": "192.0.2.1", "web1": "192.0.2.2", "web2": "192.0.2.3", "db1": "192.0.2.4"}
        rows = [(name, {"ssh_hostname": address, "private_address": address}) for name, address in hosts.items()]
        data = {**SETTINGS, "secrets_file": str(folder / "s.age"), "age_key_file": str(folder / "k"), **settings}
        data = {name: list(value) if isinstance(value, tuple) else value for name, value in data.items()}
        hosts_file.write_text(
            inventory or f"ours = ({rows!r}, {data!r})\nedge = ['edge1']\napp = ['web1', 'web2']\ndb = ['db1']\n"
        )
    command = [PYINFRA, str(hosts_file), *words]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("SIGNUPFLOW_")}
    variables |= {"PATH": path} if path else {}
    return subprocess.run(
        command, cwd=ROOT, env=variables, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=120
    )


def only_error(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that says why; nobody was connected to."""
    lines = [line for line in done.stderr.splitlines() if "Error:" in line]
    assert len(lines) == 1, done.stderr
    assert "Connecting" not in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 2
    return lines[0]


@pytest.mark.parametrize(
    "words", [("--limit", "web2"), ("--exclude", "edge1"), ("--limit", "app"), ("--limit", "*1", "--exclude", "edge")]
)
def test_a18_maintenance_of_an_edge_that_is_left_out_is_refused_by_pyinfra_itself(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = pyinfra(tmp_path, "deploys/maintenance.py", "-y", "--data", "maintenance=on", *words)
    assert "leaves out edge1" in only_error(done)


def test_a18_a_name_in_limit_that_matches_nothing_is_refused_beside_one_that_does(tmp_path: Path) -> None:
    done = pyinfra(tmp_path, "deploys/production.py", "-y", "--limit", "web1", "--limit", "web9")
    assert "--limit web9 is no host and no group" in only_error(done)


# Images: who needs one, and who does not


def test_a12_what_needs_the_image_of_the_backups_asks_for_it_before_any_host() -> None:
    needed = declared.images(declared.scope("production.py"), ROLES, list(ROLES), backed_up=True)
    assert needed == ["traefik_image", "app_image", "postgres_image", "ops_image"]
    assert "ops_image" not in declared.images(declared.scope("production.py"), ROLES, list(ROLES), backed_up=False)
    assert declared.images(declared.scope("production.py"), ROLES, ["web1"], backed_up=True) == ["app_image"]
    for deploy in (
        "abort.py",
        "remove_host.py",
        "rotate.py",
        "rollback.py",
        "restart.py",
        "scale.py",
        "lock_release.py",
        "logins.py",
    ):
        assert declared.images(declared.scope(deploy), ROLES, list(ROLES), backed_up=True) == [], deploy


def test_a12_an_ops_image_that_is_not_here_is_one_line(tmp_path: Path) -> None:
    made(tmp_path)
    done = pyinfra(
        tmp_path,
        "deploys/production.py",
        "-y",
        ops_image="nowhere/ops:1",
        app_migration_command=[],
        backup_repository={"type": "sftp"},
    )
    assert "image nowhere/ops:1 " in only_error(done) or "no Docker Engine answers" in only_error(done)


def made(folder: Path) -> None:
    """Secrets that open with a key beside them."""
    target = secretfile.SecretsFile.of("sample", str(folder / "s.age"), str(folder / "k"))
    secrets_cli.make_key(target)
    recipient = str(secretfile.identity("sample", str(folder / "k")).to_public())
    secretfile.encrypt(folder / "s.age", {**secrets_cli.generated(), "digest_key": "d" * 40}, [recipient])


@pytest.mark.parametrize("running", [True, False])
def test_a12_abort_and_remove_host_take_the_image_that_hosts_have(
    standing: Any, monkeypatch: pytest.MonkeyPatch, running: bool
) -> None:
    fleet = no_image_here(standing, monkeypatch, running)
    with fleet.on("web1"):
        existing_image.keep_what_is_there()
        release.abort()
        wanted = desired(fleet.inventory.get_host("web1"))
    assert wanted.image_id == ("sha256:" + "1" * 64 if running else "")
    assert wanted.version == ("0.9" if running else "local")


def test_a12_rotation_takes_the_images_that_hosts_have(standing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = no_image_here(standing, monkeypatch, running=True, backup_repository={"type": "sftp"})
    with fleet.on("web1"):
        existing_image.keep_what_serves()
        existing_image.keep_database_image()
        release.ready(kind="rotation")
        assert environment.image(environment.environment().postgres_image).on_host == "signupflow/postgres:id-2"


def test_a12_a_host_without_the_image_and_a_machine_without_it_is_one_line(
    standing: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = no_image_here(standing, monkeypatch, running=True)
    fleet.facts["web1"][HostImages] = {}
    with fleet.on("web1"), pytest.raises(SystemExit):
        existing_image.keep_what_serves()
    assert "web1 and this machine have not the image of 0.9" in last().text


def no_image_here(standing: Any, monkeypatch: pytest.MonkeyPatch, running: bool, **settings: Any) -> Any:
    """One host that serves from images of an engine that this machine has not."""

    def nothing() -> str:
        raise OperatorError("no Docker Engine answers on this machine")

    monkeypatch.setattr(images, "docker_client", nothing)
    fleet = standing(ONE, app_image="signupflow/app:local", postgres_image="signupflow/postgres:17", **settings)
    serving(fleet, ["a.helpers.org"], ["a.helpers.org"])
    labels = {"org.signupflow.generation": "1", images.VERSION_LABEL: "0.9"}
    app = Container("app-1", "sha256:" + "1" * 64, "running", "healthy", "always", labels, "signupflow/app:id-1")
    database = Container("postgres", "sha256:" + "2" * 64, "running", "healthy", "always", {}, "signupflow/postgres:id-2")

    def containers(label: str) -> list[Container]:
        return [database] if label.endswith("=postgres") else [app] if running else []

    fleet.facts["web1"] |= {
        Containers: containers,
        HostImages: {"signupflow/app:id-1": HostImage(app.image, ("signupflow/app:id-1",), labels)},
        Readiness: readiness.Host(10**11, 10**11, time.time()),
    }
    return fleet


# Dry runs, and hosts that do not let one in


FLEET_OF_TWO = """
here, away = '@local', 'web2'
ours = ([here, (away, {{'ssh_hostname': '127.0.0.1', 'ssh_port': {port}, 'private_address': '10.0.0.2'}})], {data!r})
edge, app, db = [here], [here, away], [here]
"""


@pytest.fixture(scope="module")
def dry(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """A dry run on this machine, which is no host of ours, and on one that nobody answers for."""
    folder = tmp_path_factory.mktemp("dry")
    made(folder)
    data = {**SETTINGS, "secrets_file": str(folder / "s.age"), "age_key_file": str(folder / "k"), "private_address": "10.0.0.1"}
    data["app_migration_command"] = []
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    inventory = FLEET_OF_TWO.format(port=port, data={**data, "public_tcp_ports": [22, 80, 443, port], "app_memory": "900g"})
    # Whoever runs this may be root on a machine without sudo.
    sudo = folder / "bin" / "sudo"
    sudo.parent.mkdir()
    sudo.write_text('#!/bin/sh\nwhile test "${1#-}" != "$1"; do shift; done\nexec "$@"\n')
    sudo.chmod(0o755)
    return pyinfra(folder, "deploys/doctor.py", "--dry", inventory=inventory, path=f"{sudo.parent}:{os.environ['PATH']}")


def test_a35_a_dry_run_goes_on_without_a_host_that_is_lost(dry: subprocess.CompletedProcess[str]) -> None:
    assert "Detected changes" in dry.stderr, dry.stderr
    assert "continue?" not in dry.stderr
    assert "Traceback" not in dry.stderr
    assert "web2: cannot be reached" in dry.stderr.splitlines()[-1]


def test_a35_a_dry_run_that_finds_a_refusal_says_so_last_and_by_its_exit_code(dry: subprocess.CompletedProcess[str]) -> None:
    assert "memory: " in dry.stderr.splitlines()[-1], "a second generation of replicas would not fit"
    assert dry.returncode == 1, "a host was lost"
    connecting._lost.clear()
    refusals.forget()
    connecting.end_of_dry_run()
    refusals._noted["web1: why"] = None
    with pytest.raises(SystemExit) as ended:
        connecting.end_of_dry_run()
    refusals.forget()
    assert ended.value.code == 2


EDGE: Any = SimpleNamespace(edge="edge1")


@pytest.mark.parametrize(
    ("find", "said"),
    [
        (lambda: list(interrupts.guard("postgres", "its container is recreated", ())), "INTERRUPTS postgres"),
        (lambda: list(interrupts.guard("postgres", "its container is recreated", ("postgres",))), ""),
        (lambda: releasing._unreachable(EDGE), "edge1, which holds the routes, is unreachable"),
    ],
)  # fmt: skip
def test_a35_what_would_be_refused_is_noted_in_a_plan_and_not_in_a_run(standing: Any, find: Any, said: str) -> None:
    fleet = standing(ONE)
    refusals.forget()
    with fleet.on("web1"):
        find()
        assert said in "; ".join(refusals.noted())
        assert bool(said) == bool(refusals.noted())
        refusals.forget()
        fleet.state.is_executing = True
        find()
    assert refusals.noted() == []


def test_a30_a_host_that_was_never_bootstrapped_is_answered_with_the_command(
    capsys: pytest.CaptureFixture[str], standing: Any
) -> None:
    fleet = standing(ONE, ssh_user="deploy")
    host = fleet.inventory.get_host("web1")
    connecting.Advice.host_connect_error(fleet.state, host, ConnectError("Authentication error (username=deploy)"))
    said = capsys.readouterr().err
    assert "`pyinfra inventory.py deploys/bootstrap.py --user root --limit web1`" in said
    connecting.Advice.host_connect_error(fleet.state, host, ConnectError("Connection refused"))
    assert capsys.readouterr().err == "", "there is nothing to bootstrap on a host that is not there"
    connecting._lost.clear()


HOSTS = """
ours = ([("web1", {{"ssh_hostname": "192.0.2.1"}})], {data!r})
edge, app, db = ["web1"], ["web1"{more}], ["web1"]
"""


@pytest.mark.parametrize(
    ("inventory", "said"),
    [
        (HOSTS.format(data=SETTINGS, more=', "wbe1"'), "app names wbe1, which no other group lists (did you mean web1?)"),
        (HOSTS.format(data=SETTINGS, more=', "other"'), "app names other, which no other group lists"),
        ("ours = [\n  ('web1', {]\n", "hosts.py, line 2: closing parenthesis ']' does not match opening parenthesis '{'"),
        ("import os\n\nours = [nothing]\n", "hosts.py, line 3: NameError: name 'nothing' is not defined"),
    ],
)  # fmt: skip
def test_a30_a_fault_of_an_inventory_is_one_line_about_itself(tmp_path: Path, inventory: str, said: str) -> None:
    assert said in only_error(pyinfra(tmp_path, "deploys/status.py", inventory=inventory))


def test_a30_a_fault_of_group_data_names_its_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "group_data").mkdir()
    (tmp_path / "group_data" / "ours.py").write_text('domains = ["a.helpers.org"\napp_replicas = 2\n')
    done = pyinfra(tmp_path, "deploys/status.py", inventory=HOSTS.format(data=SETTINGS, more=""))
    assert "group_data/ours.py, line 1: '[' was never closed: domains" in only_error(done)


def test_a30_a_syntax_error_is_one_line_from_every_command(tmp_path: Path) -> None:
    for words in (["deploys/production.py", "--dry"], ["debug-inventory"]):
        done = pyinfra(tmp_path, *words, inventory="ours = [\n")
        assert "hosts.py, line 1: '[' was never closed" in only_error(done)
