"""A release: ready, leased, host after host, observed, taken back when it fails."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from pyinfra import host, inventory, state
from pyinfra.api import Host, deploy

from deploys.app import desired, prepare_host, routes, serving, unmoved
from deploys.environment import channels, commit, entries, environment, fleet, image, in_group, order, refuse
from deploys.release.announcement import announce
from facts.host_files import AppendedText
from facts.release import Generations
from operations import ready as readying
from operations import release as releases
from operations import run as runs
from operations.database import MIGRATION_SECONDS
from operations.elsewhere import connectable, connected
from operations.images import PULL_SECONDS
from signupflow.images import size
from signupflow.release import journal, ledger, readiness
from signupflow.settings import Environment

# Beyond the longest step: two minutes in which the next renewal may come.
LEASE_MARGIN = 120
# The kind of run that moves an old service's rows.
MOVING = "cut-over"


@deploy("Ready")
def ready(kind: str = "release") -> None:
    """Every host is asked before any is changed; then the lease, for the time of the run. `kind` is how it is recorded."""
    if kind != MOVING and unmoved():
        refuse(
            f"{environment().app_name} is still served from {environment().legacy_sqlite_file}: "
            "move its rows with deploys/migrate_sqlite.py, or take legacy_sqlite_file out of group_data"
        )
    runs.current().kind = kind
    _asked(replacing=kind == "restart")
    _lease(environment().reason or f"{kind} {image(environment().app_image).version or environment().app_image}")


@deploy("Ready")
def asked(replacing: bool = False) -> None:
    """The pre-flight alone. What serves must be in order when some host would get another release, or when `replacing`."""
    _asked(replacing)


def _asked(replacing: bool) -> None:
    readying.everybody(name="Every host is there", what="every host takes SSH")
    readying.ready(name="Pre-flight", checks=checks(replacing))
    readying.everybody(name="Every host is ready", what="every host is ready")


def _lease(reason: str) -> None:
    env, hosts, run = environment(), leased_hosts(), runs.current()
    run.environment, run.channels, run.hook_after = env.environment, channels(), env.hook_after
    if host.name == hosts[0]:
        readying.leased(name="Lease", hosts=hosts, reason=reason, seconds=lease_seconds(env), hook=env.hook_before)
    readying.everybody(name="Leased", what="this run has the lease")


def activated() -> list[Host]:
    """The hosts that this run works on, in inventory order."""
    return [item for item in inventory if item in state.activated_hosts]


def leased_hosts() -> list[str]:
    """All hosts of this run, in inventory order; the edge too when the run leaves it out, because turns change its routes."""
    names = [item.name for item in activated()]
    edge = fleet().holder("edge").name
    return names if edge in names else [*names, edge]


def lease_seconds(env: Environment) -> int:
    """How long a lease lasts from each renewal: longer than any step may take without one."""
    steps = (
        env.app_start_seconds + env.app_stop_seconds,
        env.app_rehearsal_seconds + env.app_start_seconds + env.app_stop_seconds,
        env.app_bake_seconds,
        env.app_shift_pause_seconds,
        2 * env.app_start_seconds + env.app_stop_seconds,
        2 * MIGRATION_SECONDS,
        PULL_SECONDS,
    )
    return int(max(steps)) + LEASE_MARGIN


def checks(replacing: bool = False) -> readying.Checks:
    """What this host is asked. What serves must be in order only when it is about to be replaced: a run also mends."""
    env, hosts, replacing = environment(), fleet(), replacing or releasing()
    new = image(env.app_image)
    takes_image = in_group("app") or (in_group("db") and bool(env.app_migration_command))
    return readying.Checks(
        image=new.on_host,
        needs=readiness.Needs(
            size(env.app_image) if takes_image else 0,
            env.app_replicas if in_group("app") else 0,
            readiness.size_bytes(env.app_memory),
        ),
        connections=max((member.connections for member in hosts.members), default=0),
        database=in_group("db") and replacing,
        entries=entries(env) if in_group("edge") and replacing else (),
        health_path=env.health_path,
        lifetime_seconds=env.acme_certificate_hours * 3600,
        # What is gone back from may be ill: that is why.
        allow_unhealthy=env.allow_unhealthy or runs.current().kind == "rollback",
    )


def releasing() -> bool:
    """Whether some host would get another release than it serves."""
    found = serving()
    for item in _apps():
        wanted = desired(item)
        current = found.generation(item.name)
        files = connected(item).get_fact(Generations, directory=wanted.directory)
        if current and files.get(current) != wanted.desired:
            return True
    return False


def _apps() -> Sequence[Host]:
    return [
        inventory.get_host(name) for name in order(environment(), fleet()) if inventory.get_host(name) in state.activated_hosts
    ]


@deploy("App")
def release(again: bool = False) -> None:
    """Routes, then one host after another in the inventory's order; none after the first that fails.

    With `again` a host that serves the release already gets it once more, in new containers.
    """
    env = environment()
    routes()
    prepare_host()
    if not runs.current().plan_printed:
        runs.current().plan_printed = True
        announce(_apps(), serving(), env, again)
    releases.begin(name="Turns begin")
    for name in host.loop([item.name for item in _apps()]):
        if name == host.name:
            new = image(env.app_image)
            releases.turn(
                name=f"Release {new.version or new.on_host} on {name}",
                release=desired(host),
                again=again,
                _if=lambda: not state.failed_hosts,
            )


@deploy("Observation")
def observation() -> None:
    """The whole service is watched; a release that fails, here or in a turn, is taken back from the last host to the first."""
    env, apps = environment(), [item.name for item in _apps()]
    recorded()
    if apps and host.name == apps[-1]:
        releases.observed(
            name="Observation", release=desired(host), seconds=env.app_observe_seconds, _if=lambda: not state.failed_hosts
        )
    releases.begin(name="Observed")
    for name in host.loop(list(reversed(apps))):
        if name == host.name:
            releases.taken_back(name=f"Take back on {name}", release=desired(host), keep=env.app_on_failure == "keep")
    if host.name == leased_hosts()[0]:
        releases.verdict(name="Verdict")


def recorded() -> None:
    """Where and as what this run will be recorded at its end."""
    env, run = environment(), runs.current()
    new = image(env.app_image)
    edge = inventory.get_host(fleet().holder("edge").name)
    run.ledger, run.version_before = (edge, env.app_name), _version_before(edge)
    run.release = {
        "version": new.version,
        "image": new.image_id or new.on_host,
        "schema": new.schema_revision,
        "commit": new.commit,
        "deploys": commit(),
    }


@functools.cache
def _version_before(edge: Host) -> str:
    """What was released last, before this run."""
    text = connected(edge).get_fact(AppendedText, path=ledger.FILE)
    done = [record for record in ledger.parse(text) if record.app == environment().app_name and record.image]
    return next((record.version for record in reversed(done) if record.outcome == ledger.RELEASED), "")


@deploy("Abort")
def abort() -> None:
    """Undo what a run that was cut off has left, from the last host to the first."""
    recorded()
    runs.current().kind, runs.current().outcome = "abort", ledger.ABORTED
    runs.current().release = {**_undone(), "commit": "", "deploys": commit()}
    readying.everybody(name="Every host is there", what="every host takes SSH")
    _lease("abort")
    releases.begin(name="Undoing begins")
    for name in host.loop([item.name for item in reversed(_apps())]):
        if name == host.name:
            releases.undone(name=f"Undo on {name}", release=desired(host))


@functools.cache
def _undone() -> dict[str, str]:
    """What is undone, by the hosts' journals: group_data may name another release by now."""
    path = journal.path(environment().app_name)
    entry = journal.newest_release(item.get_fact(AppendedText, path=path) for item in _apps() if connectable(item))
    if entry is None:
        return {"version": "", "image": "", "schema": ""}
    return {"version": entry.version, "image": entry.image if entry.image.startswith("sha256:") else "", "schema": ""}


@deploy("Lease")
def leased(reason: str, kind: str = "hosts") -> None:
    """The lease alone, for a deploy that is no release. `kind` is how it is recorded, when it ends with `worked`."""
    runs.current().kind = kind
    readying.everybody(name="Every host is there", what="every host takes SSH")
    _lease(environment().reason or reason)


@deploy("Record")
def worked() -> None:
    """The end of a deploy that is no release: it is recorded with what is in the history last, and the lease given back."""
    env, edge = environment(), inventory.get_host(fleet().holder("edge").name)
    run = runs.current()
    run.ledger = (edge, env.app_name)
    run.release = {"version": "", "image": "", "schema": "", "commit": "", "deploys": commit()}
    readying.worked(name="Recorded")


@deploy("Unlock")
def unlock() -> None:
    readying.unlocked(name="Lease")
