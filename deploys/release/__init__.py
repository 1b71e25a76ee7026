"""A release: ready, locked, host after host, monitored, rolled back when it fails."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

from pyinfra import host, inventory, state
from pyinfra.api import Host, deploy

from deploys import ownership
from deploys.app import desired, ordering, prepare_host, routes, served_entries, serving, unmoved
from deploys.base import sshd_drop_in
from deploys.deployment import deployment
from deploys.environment import channels, commit, environment, fleet, holding, image, in_group, order, refuse
from deploys.release.plan import announce
from facts.database import SchemaRevision
from facts.host_files import AppendedText
from facts.release import Generations
from operations import certificates
from operations import preflight as readying
from operations import release as releases
from operations.delegate import connectable, connected
from signupflow import advice
from signupflow.hosts import readiness as hosts
from signupflow.hosts.docker import daemon_keys
from signupflow.images import architecture, major, size
from signupflow.release import journal, ledger, readiness
from signupflow.settings import Environment

# The kind of run that moves an old service's rows.
MOVING = "cutover"
# Kinds of a run that starts again what serves, on the schema that it serves on.
SAME_IMAGE = ("restart", "scale", "rotation")
# Kinds that bring packages and settings of the host itself.
CHANGES_HOSTS = ("release", MOVING)


@deploy("Preflight")
def ready(kind: str = "release", recovering: bool = False) -> None:
    """Every host is asked before any is changed; then the deploy lock, for the time of the run. `kind` is how it is recorded,
    `recovering` says that the database is restored to wherever it is to be.
    """
    ownership.check(recovering)
    if kind != MOVING and unmoved():
        refuse(
            f"{environment().app_name} is still served from {environment().legacy_sqlite_file}: "
            "move its rows with deploys/migrate_sqlite.py first, or people would find an empty service"
        )
    if kind not in SAME_IMAGE:
        _schema_is_not_left_out()
    deployment().recorder.kind = kind
    _asked(replacing=kind == "restart", system=kind in CHANGES_HOSTS)
    _lock(environment().reason or f"{kind} {image(environment().app_image).version or environment().app_image}")


@deploy("Preflight")
def asked(replacing: bool = False) -> None:
    """The preflight alone. What serves must be in order when some host would get another release, or when `replacing`."""
    ownership.check()
    _asked(replacing, system=True, notes=True)


def _schema_is_not_left_out() -> None:
    """A release to some hosts must not bring code to a schema that it does not know: the schema step runs on the database's."""
    env, new, database = environment(), image(environment().app_image), inventory.get_host(fleet().host_with_role("db").name)
    if database in state.activated_hosts or not env.app_migration_command or not new.schema_revision:
        return
    if not connectable(database):
        refuse(f"{database.name} cannot be reached, so whether its schema fits {new.version} is not known")
    known = database.get_fact(SchemaRevision, database=env.postgres_database)
    if known != new.schema_revision:
        refuse(
            f"{new.version} needs the schema {new.schema_revision}, the database is at {known or 'none'}, and the run leaves out "
            f"{database.name}, where the schema step runs: add --limit {database.name}"
        )


def _asked(replacing: bool, system: bool, notes: bool = False) -> None:
    context = deployment()
    readying.everybody(name="All hosts reachable", context=context, what="all hosts are reachable")
    asked_of = checks(replacing)
    if system:
        asked_of = dataclasses.replace(asked_of, system=system_checks(notes))
    readying.ready(name="Run checks", context=context, checks=asked_of)
    readying.everybody(name="All checks passed", context=context, what="all checks passed")


def _lock(reason: str) -> None:
    env, hosts, context = environment(), locked_hosts(), deployment()
    recorder = context.recorder
    recorder.environment, recorder.channels, recorder.hook_after = env.environment, channels(), env.hook_after
    if host.name == hosts[0]:
        readying.locked(name="Acquire the lock", context=context, hosts=hosts, reason=reason, hook=env.hook_before)
    readying.everybody(name="Lock acquired", context=context, what="this run has the deploy lock")


def activated() -> list[Host]:
    """The hosts that this run works on, in inventory order."""
    return [item for item in inventory if item in state.activated_hosts]


def locked_hosts() -> list[str]:
    """All hosts of this run, in inventory order; the edge too when the run leaves it out, because rollouts change its routes."""
    names = [item.name for item in activated()]
    edge = fleet().host_with_role("edge").name
    return names if edge in names else [*names, edge]


def checks(replacing: bool = False) -> readying.Checks:
    """What this host is asked. What serves must be in order only when it is about to be replaced: a run also mends."""
    env, members, replacing = environment(), fleet().members, replacing or releasing()
    new = image(env.app_image)
    takes_image = in_group("app") or (in_group("db") and bool(env.app_migration_command))
    return readying.Checks(
        image=new.on_host,
        needs=readiness.Needs(
            size(env.app_image) if takes_image else 0,
            env.app_replicas if in_group("app") else 0,
            readiness.size_bytes(env.app_memory),
        ),
        connections=max((member.connections for member in members), default=0),
        database=in_group("db") and replacing,
        entries=served_entries(env) if in_group("edge") and replacing else (),
        health_path=env.health_path,
        lifetime_seconds=env.acme_certificate_hours * 3600,
        # What is gone back from may be ill: that is why.
        allow_unhealthy=env.allow_unhealthy or deployment().recorder.kind == "rollback",
    )


def system_checks(notes: bool = False) -> readying.SystemChecks:
    """What this host is asked before its own system is changed."""
    env = environment()
    wants = hosts.Wants(
        edge=in_group("edge"),
        architecture=_architecture(env) if in_group("app") or in_group("db") else "",
        postgres=major(env.postgres_image) if in_group("db") else 0,
        daemon=daemon_keys(env.registry_mirrors),
        interrupts=env.may_interrupt,
        deploy_user=env.deploy_user,
        ports=env.public_tcp_ports,
    )
    return readying.SystemChecks(wants, sshd_drop_in(env), env.deploy_user, env.deploy_public_keys, notes)


def _architecture(env: Environment) -> str:
    """Of the app's image: what is built here is built for this machine, and all of them are built together."""
    return architecture(env.app_image)


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


@deploy("Release")
def release(again: bool = False) -> None:
    """Routes, then one host after another in the inventory's order; none after the first that fails.

    With `again` a host that serves the release already gets it once more, in new containers.
    """
    env = environment()
    routes()
    if in_group("edge") and not ordering(env).settled:
        # Nobody can be asked for anything yet: what serves first has its certificate before it serves.
        certificates.certified(
            name="Wait for certificates", context=deployment(), ordering=ordering(env), _if=deployment().healthy
        )
    prepare_host()
    if deployment().once("plan"):
        announce(_apps(), serving(), env, again)
    releases.barrier(name="Wait for all hosts")
    for name in host.loop([item.name for item in _apps()]):
        if name == host.name:
            new = image(env.app_image)
            releases.rollout(
                name=f"Roll out {new.version or new.on_host} on {name}",
                context=deployment(),
                release=desired(host),
                again=again,
                _if=deployment().healthy,
            )


@deploy("Release")
def monitoring() -> None:
    """The whole service is watched; a release that fails, here or in a rollout, is rolled back, the last host first."""
    env, apps, context = environment(), [item.name for item in _apps()], deployment()
    context.keeps_failed = env.app_on_failure == "keep"
    recorded()
    if apps and host.name == apps[-1]:
        releases.monitored(
            name="Monitor the service",
            context=context,
            release=desired(host),
            seconds=env.app_monitor_seconds,
            _if=context.healthy,
        )
    releases.barrier(name="Evaluate the result")
    for name in host.loop(list(reversed(apps))):
        if name == host.name:
            releases.rolled_back(name=f"Roll back {name}", context=context, release=desired(host), keep=context.keeps_failed)
    if in_group("edge") and ordering(env).settled:
        certificates.certified(name="Wait for certificates", context=context, ordering=ordering(env), _if=context.healthy)
    if host.name == locked_hosts()[0]:
        releases.finish(name="Record and unlock", context=context)


def recorded() -> None:
    """Where and as what this run will be recorded at its end."""
    env, run = environment(), deployment().recorder
    new = image(env.app_image)
    edge = holding("edge")
    run.kept_on, run.version_before = (edge, env.app_name), _version_before(edge)
    for item in _apps():
        deployment().progress.serving.setdefault(item.name, run.version_before)
    run.release = {
        "version": new.version,
        "image": new.image_id or new.on_host,
        "schema": new.schema_revision,
        "commit": new.commit,
        "deploys": commit(),
    }
    if env.app_version and run.kind == "release":
        run.finish = advice.command(f"deploy {env.app_version}")


@functools.cache
def _version_before(edge: Host) -> str:
    """What was released last, before this run."""
    text = connected(edge).get_fact(AppendedText, path=ledger.FILE)
    done = [record for record in ledger.parse(text) if record.app == environment().app_name and record.image]
    return next((record.version for record in reversed(done) if record.outcome == ledger.RELEASED), "")


@deploy("Abort")
def abort() -> None:
    """Undo what a run that was cut off has left, from the last host to the first."""
    ownership.check()
    recorded()
    context = deployment()
    context.recorder.kind, context.recorder.outcome = "abort", ledger.ABORTED
    context.recorder.release = {**_aborted(), "commit": "", "deploys": commit()}
    readying.everybody(name="All hosts reachable", context=context, what="all hosts are reachable")
    _lock("abort")
    releases.barrier(name="Wait for all hosts")
    for name in host.loop([item.name for item in reversed(_apps())]):
        if name == host.name:
            releases.aborted(name=f"Roll back {name}", context=context, release=desired(host))


@functools.cache
def _aborted() -> dict[str, str]:
    """What is aborted, by the hosts' journals: group_data may name another release by now."""
    path = journal.path(environment().app_name)
    entry = journal.newest_release(item.get_fact(AppendedText, path=path) for item in _apps() if connectable(item))
    if entry is None:
        return {"version": "", "image": "", "schema": ""}
    return {"version": entry.version, "image": entry.image if entry.image.startswith("sha256:") else "", "schema": ""}


@deploy("Lock")
def locked(reason: str, kind: str = "hosts") -> None:
    """The deploy lock alone, for a deploy that is no release. `kind` is how it is recorded, when it ends with `worked`."""
    ownership.check()
    deployment().recorder.kind = kind
    readying.everybody(name="All hosts reachable", context=deployment(), what="all hosts are reachable")
    _lock(environment().reason or reason)


@deploy("Record")
def worked() -> None:
    """The end of a deploy that is no release: it is recorded with what is in the history last, and the deploy lock given back."""
    env, edge = environment(), inventory.get_host(fleet().host_with_role("edge").name)
    run = deployment().recorder
    run.kept_on = (edge, env.app_name)
    run.release = {"version": "", "image": "", "schema": "", "commit": "", "deploys": commit()}
    readying.worked(name="Record this run", context=deployment())


@deploy("Lock")
def release_lock() -> None:
    ownership.check()
    readying.unlocked(name="Release the lock")
