"""`make prove [LINE=name]`: every promise measured in full, its JSON kept in docs/evidence/."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks.side_by_side import side_by_side
from lab.client import ROOT, Lab
from tests import releases
from tests.deploy import test_coverage
from tests.proofs import (
    configuration,
    contract,
    convergence,
    database_access,
    edge,
    failing_releases,
    foreign,
    fresh_clone,
    guides,
    healing,
    hosts,
    importing,
    initialising,
    interrupted_releases,
    interruptions,
    leaks,
    migrations,
    moving,
    operating,
    outage,
    page,
    pipeline,
    release_order,
    releasing,
    replica,
    reporting,
    rotating,
    shutdown,
    tenants,
)
from tests.proofs.backups import copies, daily, faults, kills, losses, restores, retention, speed

EVIDENCE = ROOT / "docs" / "evidence"
LAB, CLUSTER, BARE = "prove", "provec", "proveinit"
CERTIFICATE_SECONDS = 900
ASKED_RATE = 150

Line = Callable[[], dict[str, Any]]
console = Console()


def lab() -> Lab:
    """The lab of the proofs, deployed to; made when a line asks for it first."""
    found = _up(LAB, "--certificate-lifetime", str(CERTIFICATE_SECONDS))
    convergence.bootstrap(found)
    found.pyinfra("-y")
    for domain in found["domains"]:
        found.wait_for_health(domain, seconds=60)
    return found


def cluster() -> Lab:
    """An edge, two app hosts, a database host and a spare, deployed to; made when a line asks for it first."""
    found = _up(CLUSTER, "--topology", "cluster", "--hosts", "5")
    convergence.bootstrap(found)
    found.pyinfra("-y")
    healing.wait_until_whole(found)
    return found


def ten_releases() -> dict[str, Any]:
    """At half the rate that was asked: the traffic of that one alone takes this machine, as the evidence shows."""
    found = cluster()
    asked = {"rate_asked": ASKED_RATE, "share_of_the_machine_busy_at_that_rate": release_order.busy_at(found, ASKED_RATE)}
    settings = {"app_rehearsal_seconds": 3, "app_shift_weights": [10, 50], "app_bake_seconds": 3}
    return release_order.ten_in_a_row(found, rate=ASKED_RATE / 2, beside=asked, **settings)


def three() -> Lab:
    """The cluster with a third app host, in an order that is not the alphabet's."""
    found = releasing.three_app_hosts(cluster())
    found.pyinfra("-y", *releasing.options(**releasing.QUICK))
    healing.wait_until_whole(found)
    return found


def state_machine() -> dict[str, Any]:
    """Statements and branches of the pure release code that its tests run through, of all there are."""
    with tempfile.TemporaryDirectory() as directory:
        found = test_coverage.measured(Path(directory))
    evidence = {
        name: {key: value for key, value in row.items() if "percent" not in key or key == "percent_covered"}
        for name, row in found.items()
    }
    assert {row["percent_covered"] for row in found.values()} == {100.0}, evidence
    return evidence


def fresh_cluster() -> Lab:
    _module("lab", "down", "--name", CLUSTER)
    found = _up(CLUSTER, "--topology", "cluster", "--hosts", "5")
    convergence.bootstrap(found)
    return found


def fresh_lab() -> Lab:
    """The lab of the proofs with nothing on its host but the OS."""
    _module("lab", "down", "--name", LAB)
    found = _up(LAB, "--certificate-lifetime", str(CERTIFICATE_SECONDS))
    convergence.bootstrap(found)
    return found


def two_hosts() -> Lab:
    """The single topology with a second, spare host."""
    lab()
    found = _up(LAB, "--hosts", "2")
    convergence.bootstrap(found)
    found.pyinfra("-y")
    return found


def _up(name: str, *options: str) -> Lab:
    _module("lab", "up", "--name", name, *options)
    found = Lab.running(name)
    subprocess.run([sys.executable, "scripts/images.py", "build"], cwd=ROOT, check=True, capture_output=True)
    found.make_secrets()
    return found


def _module(*command: str) -> None:
    subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=True, capture_output=True)


def exact_dry_run() -> dict[str, Any]:
    found = fresh_lab()
    evidence = convergence.dry_run_is_exact(found, keep=found.first_output)
    found.wait_for_health(found["domains"][0], seconds=60)
    return evidence


def killed_runs() -> dict[str, Any]:
    """Twelve kills, spread over what a first deploy takes; each run starts where the one before was cut off."""
    return interruptions.killed_runs_converge(fresh_lab(), (3, 6, 9, 12, 4, 7, 16, 5, 8, 11, 6, 13))


def one_variable() -> dict[str, Any]:
    found = lab()
    with tempfile.TemporaryDirectory() as directory:
        return convergence.one_variable_is_one_change(found, Path(directory), list(leaks.markers(found).values()))


def certificates() -> dict[str, Any]:
    found = lab()
    return {"redirects": edge.http_redirects_to_https(found), "certificates": edge.each_domain_has_its_certificate(found)}


def settings() -> dict[str, Any]:
    return {
        "app_image": configuration.the_image_refuses_each("signupflow/app:local"),
        "deploys": configuration.deploy_settings_refuse_each(),
        "command_line": configuration.pyinfra_refuses_before_any_host(lab()),
    }


def database() -> dict[str, Any]:
    found = lab()
    return {"stopped": outage.database_stopped_and_started(found), "hangs": outage.database_that_hangs(found)}


def two_bare_hosts() -> dict[str, Any]:
    """Hosts that nothing was ever deployed to, in a lab of their own that goes with the proof."""
    _module("lab", "down", "--name", BARE)
    try:
        return initialising.by_transcript(_up(BARE, "--hosts", "2"))
    finally:
        _module("lab", "down", "--name", BARE)


def kept_plans() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        return operating.plans_are_kept(cluster(), Path(directory))


def delivered() -> dict[str, Any]:
    """In a lab of its own: staging and production are its two hosts."""
    _module("lab", "up", "--name", "delivery", "--hosts", "2")
    try:
        with tempfile.TemporaryDirectory() as directory:
            return pipeline.proven(
                Lab.running("delivery"), Path(directory), lambda line: console.print(f"  {line}", highlight=False)
            )
    finally:
        _module("lab", "down", "--name", "delivery")


def staging_copy() -> dict[str, Any]:
    """Two environments of one host each, with nothing on them before."""
    names = ("copyfrom", "copyto")
    try:
        for name in names:
            _module("lab", "down", "--name", name)
            convergence.bootstrap(_up(name))
        production, staging = (Lab.running(name) for name in names)
        production.pyinfra("-y")
        return copies.to_staging(production, staging)
    finally:
        for name in names:
            _module("lab", "down", "--name", name)


# In the order of the issue; the first two start from nothing.
LINES: dict[str, tuple[str, Line]] = {
    "demo": ("a fresh clone's `make demo` ends healthy over HTTPS; a second one changes nothing", fresh_clone.demo_twice),
    "exact-dry-run": ("a dry run on a fresh host announces exactly what the run does", exact_dry_run),
    "second-run": ("a second run changes nothing and plans nothing", lambda: convergence.second_run_changes_nothing(lab())),
    "one-variable": ("one changed variable is one change, without a secret", one_variable),
    "certificates": ("two domains, each with its own certificate; HTTP redirects", certificates),
    "renewal": ("a certificate is renewed under load with no failed request", lambda: edge.renewal_under_load(lab(), 100, 150)),
    "ports": ("only 22, 80 and 443 answer from outside", lambda: edge.only_public_ports_answer(lab())),
    "secrets": (
        "planted secrets are nowhere, and the search finds its controls",
        lambda: leaks.planted_secrets_are_nowhere(
            lab(), ("signupflow/app:local", "signupflow/postgres:17", "signupflow/ops:local")
        ),
    ),
    "settings": ("each setting missing, malformed or a placeholder is refused and named", settings),
    "foreign-image": ("a foreign image deploys by group data alone", lambda: foreign.deploys_by_group_data_alone(lab())),
    "database": ("PostgreSQL away: 503 fast; back: service within 5 s", database),
    "killed-runs": ("runs killed on the way from a bare host are finished by the next", killed_runs),
    "cluster-dry-run": (
        "a dry run on the cluster's fresh hosts announces exactly what the run does",
        lambda: convergence.dry_run_is_exact(fresh_cluster()),
    ),
    "cluster-second-run": (
        "a second run changes nothing on any host of the cluster",
        lambda: convergence.second_run_changes_nothing(cluster()),
    ),
    "healing": ("what is killed under load is back in under 30 s", lambda: healing.everything_heals(cluster())),
    "cut-off": ("a host off the network costs less than a second", lambda: hosts.cut_off_and_back(cluster())),
    "scaling": ("an app host is added and removed with no failed request", lambda: hosts.added_and_removed(cluster())),
    "growing": ("a single host becomes two", lambda: hosts.one_host_becomes_two(two_hosts())),
    "database-access": (
        "PostgreSQL answers the app and nobody else",
        lambda: database_access.only_the_app_is_answered(cluster()),
    ),
    "tenants": ("no route shows or changes another organisation's", lambda: tenants.nothing_leaks(cluster(), console)),
    "contract": ("the API is what its OpenAPI document says; no server error", contract.holds),
    "page": ("the page works in six languages, live across replicas", lambda: page.works_in_every_language(cluster())),
    "shutdown": (
        "SIGTERM: what is in flight is finished, streams are told, within the grace",
        lambda: shutdown.finishes_what_it_works_on(cluster()),
    ),
    "start": ("a replica is healthy in seconds", lambda: replica.starts(cluster())),
    "releases": (
        "10 releases in a row under mixed requests: none of 50,000 fails, no write is lost, p99 at most doubles",
        ten_releases,
    ),
    "rollouts": (
        "beside Compose, docker-rollout and Swarm on the same host: none fails, in half the time",
        lambda: side_by_side(lab(), console),
    ),
    "failing-releases": (
        "a release that fails, in each way, is taken back: the old version serves throughout",
        lambda: failing_releases.each_is_taken_back(three(), rate=60),
    ),
    "second-host": (
        "a failure on the second of three hosts: the third untouched, the first taken back",
        lambda: failing_releases.second_host_fails(three()),
    ),
    "migrations": ("a schema change goes out under load, tried on a copy first", lambda: migrations.expand(cluster())),
    "killed-releases": (
        "the controller killed at each step: the service goes on and the next run converges",
        lambda: interrupted_releases.killed_at_each_step(cluster()),
    ),
    "aborted-releases": (
        "a release that was cut off is undone on every host by deploys/abort.py",
        lambda: interrupted_releases.aborted(cluster()),
    ),
    "rebooted": (
        "a host that loses power in its turn serves one generation when it is back",
        lambda: interrupted_releases.rebooted_in_its_turn(cluster()),
    ),
    "no-ssh": (
        "SSH cut for 30 s in each step: survived or undone",
        lambda: interrupted_releases.without_ssh_at_each_step(cluster()),
    ),
    "two-deployments": ("of two deployments started together exactly one runs", lambda: release_order.two_at_once(cluster())),
    "order": ("20 dry plans and 5 runs keep the inventory's order", lambda: release_order.order_is_kept(three())),
    "plan": ("the steps a dry run prints are the steps the run takes", lambda: release_order.plan_is_what_is_done(three())),
    "turn": ("a host's turn beyond app start, bake and drain: under 3 s", lambda: release_order.a_turn_in_parts(cluster())),
    "state-machine": ("planner and state machine: every pair, every branch", state_machine),
    "rollback": (
        "back after a compatible change under load: none fails; after an incompatible one: refused, the migration named",
        lambda: operating.rolled_back_after_a_migration(cluster()) | {"incompatible": operating.rollback_refused(cluster())},
    ),
    "restart": (
        "a restart and scaling up and down under load: none fails",
        lambda: {
            "restart": operating.restarted(cluster()),
            "scaling": operating.scaled(cluster(), releases.image("good", 1)),
        },
    ),
    "kept-plans": ("a plan runs when nothing has changed; otherwise the host that did is named", kept_plans),
    "maintenance": ("503, Retry-After and the page; health visible", lambda: operating.maintained(cluster())),
    "upgrades": (
        "Docker upgraded under load: none fails; Traefik and PostgreSQL: what it costs",
        lambda: operating.upgraded(cluster()),
    ),
    "rotations": (
        "each kind of secret is replaced under load: none fails, the old one is refused",
        lambda: rotating.each_under_load(cluster()),
    ),
    "reports": (
        "the report of a release and of a failed one, as a browser shows them",
        lambda: reporting.pages_of_two_releases(cluster()),
    ),
    "pipeline": ("the workflows' steps, from a commit to production; what fails ends where it should", delivered),
    "import-real": (
        "the real SQLite file: 35 of 35 tables equal on two servers, and the app works on them",
        importing.the_real_file,
    ),
    "import-classes": ("every class of defect is carried exactly or refused and named", importing.by_class),
    "import-fuzz": ("10,000 mutated files: no traceback", importing.by_fuzz),
    "import-speed": ("1.3 million rows: rows per second and memory, beside pgloader", importing.speed),
    "import-killed": (
        "killed at 20 moments, connection lost, disk full: the target as before, the next run succeeds",
        importing.killed,
    ),
    "import-writer": ("somebody goes on writing: one moment, and the report says so", importing.beside_a_writer),
    "cut-over": (
        "an old service's rows are moved behind the maintenance page; each failure leads back; killed from the page on",
        lambda: moving.in_full(lab()),
    ),
    "daily-backup": (
        "the timer's run: both repositories, read back, encrypted; the drill; a dropped table beside the live one",
        lambda: {
            "run": daily.runs_by_itself(lab()),
            "drill": daily.drilled(lab()),
            "one_table": restores.one_table(lab()),
            "restore_point": restores.to_a_restore_point(lab()),
            "asks_first": restores.asks_first(lab()),
            "old_dumps": daily.old_dumps_go(lab()),
        },
    ),
    "point-in-time": (
        "a table dropped under steady writes: all that was acknowledged a second before is back, nothing after; a hole is told",
        lambda: restores.to_the_second_before(lab()) | {"a_segment_gone": restores.a_hole_is_told(lab())},
    ),
    "lost-host": (
        "the host destroyed under steady writes and rebuilt from the object storage: under 60 s lost, the time in parts",
        lambda: losses.lost_and_rebuilt(lab()),
    ),
    "backup-faults": (
        "each fault: its exit code, one alert and one all-clear, no success, nothing expired",
        lambda: {fault.name: faults.faulty(lab(), fault) for fault in faults.FAULTS},
    ),
    "backup-kills": (
        "SIGKILL at 10 random moments of backup and restore: nothing lost, no lock left, the next run succeeds; the way back",
        lambda: kills.at_random_moments(lab()) | {"way_back": restores.way_back(lab())},
    ),
    "backup-speed": (
        "5 GB: backup and restore beside pgBackRest by hand, pg_dump | zstd | age and pg_restore; p99 while a backup runs",
        lambda: speed.beside_others(lab()),
    ),
    "retention": (
        "400 days of daily backups by pgBackRest with its clock moved: each day exactly what the contract keeps",
        retention.played,
    ),
    "staging-copy": (
        "the real data restored to staging: no personal value of the source is found, two tenants work on it",
        staging_copy,
    ),
    "guides": ("the guides' command blocks run as they stand; those that cannot say why", lambda: guides.executed(lab())),
    "looking": ("status, history and doctor; a history that was altered is noticed", lambda: operating.looked_at(cluster())),
    "init": ("`signupflow init` on two bare hosts, as its transcript has it; what it wrote deploys", two_bare_hosts),
    "tests": ("`make test` passes in a fresh clone in under 25 min", fresh_clone.tests_pass),
}


def machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def commit() -> str:
    """What was measured; `-dirty` when the work tree differs from it in anything but evidence."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/evidence")
    return git("rev-parse", "--short=12", "HEAD") + ("-dirty" if changed else "")


def prove(name: str) -> bool:
    """Measure one line, keep its evidence, and say whether it holds."""
    title, line = LINES[name]
    console.print(f"[bold]{name}[/]  {title} ...")
    started = time.monotonic()
    try:
        result, holds = line(), True
    except Exception as error:
        result, holds = {"error": f"{type(error).__name__}: {error}"[:4000]}, False
        console.print(traceback.format_exc(limit=-1), style="red", markup=False)
    record = {
        "line": name,
        "promise": title,
        "holds": holds,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "seconds": round(time.monotonic() - started, 1),
        "result": result,
    }
    EVIDENCE.mkdir(parents=True, exist_ok=True)
    (EVIDENCE / f"{name}.json").write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    return holds


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("lines", nargs=-1, type=click.Choice(list(LINES)))
def main(lines: tuple[str, ...]) -> None:
    """Measure LINES (all when none is named) and print what holds."""
    holds = {name: prove(name) for name in lines or LINES}
    table = Table(title="What was proved", title_justify="left")
    for column in ("line", "promise", "holds", "seconds"):
        table.add_column(column)
    for name, good in holds.items():
        record = json.loads((EVIDENCE / f"{name}.json").read_text())
        table.add_row(name, record["promise"], "[green]yes[/]" if good else "[red]NO[/]", str(record["seconds"]))
    console.print(table)
    for name in (LAB, CLUSTER):
        _module("lab", "down", "--name", name)
    sys.exit(0 if all(holds.values()) else 1)


if __name__ == "__main__":
    main()
