"""What each deploy says of itself before anything runs: which hosts it must reach to do its work, and what it needs here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from signupflow.errors import OperatorError

ROLES = ("edge", "app", "db")
# Images that a stage takes from this machine, by the role of the hosts that it puts them on.
EDGE, APP, DB = ("edge", "traefik_image"), ("app", "app_image"), ("db", "postgres_image")
# The backups' commands, where backups are made.
OPS = ("db", "ops_image")


@dataclass(frozen=True)
class Scope:
    """`every`: roles all of whose hosts must be in the run; `some`: roles of which it must have a host. A run that leaves out
    what the work is on would do nothing and end well. `images` are settings, by the role that makes a run need them.
    """

    every: tuple[str, ...] = ()
    some: tuple[str, ...] = ()
    images: tuple[tuple[str, str], ...] = ()
    secrets: bool = True


CONVERGES = (EDGE, APP, DB, OPS)
# What hosts have already is asked of them: a deploy without APP, DB or OPS works from a machine without an image.
DEPLOYS: Mapping[str, Scope] = {
    "abort.py": Scope(some=("app",)),
    "bootstrap.py": Scope(secrets=False),
    "disaster_recovery.py": Scope(every=("db",), images=CONVERGES),
    "doctor.py": Scope(images=CONVERGES),
    "history.py": Scope(secrets=False),
    "lock_status.py": Scope(secrets=False),
    "logins.py": Scope(secrets=False),
    "maintenance.py": Scope(every=("edge",), images=(EDGE,), secrets=False),
    "migrate_sqlite.py": Scope(every=ROLES, images=(EDGE, APP, DB)),
    "production.py": Scope(images=CONVERGES),
    "remove_host.py": Scope(),  # exactly one app host, which the preflight asks for by itself
    "restart.py": Scope(some=("app",)),
    "resume.py": Scope(some=("app",), images=(APP,)),
    "rollback.py": Scope(some=("app",)),
    # A host that is left out keeps the old secret, and the next step takes its validity away.
    "rotate.py": Scope(every=("app", "db")),
    "scale.py": Scope(some=("app",)),
    "status.py": Scope(secrets=False),
    # The edge has the deploy lock of every run, whatever it was limited to.
    "lock_release.py": Scope(every=("edge",), secrets=False),
    "upgrade.py": Scope(),
}
# What `upgrade` names decides what it works on.
UPGRADES: Mapping[str, Scope] = {
    "traefik": Scope(every=("edge",), images=(EDGE,)),
    "postgres": Scope(every=("db",), images=(DB,)),
    "docker": Scope(),
}


def scope(deploy: str, upgrade: str = "", version: str = "") -> Scope:
    """A deploy's own, by what this run is to do; of a deploy that is none of ours, everything is asked."""
    if deploy == "upgrade.py" and upgrade:
        return UPGRADES[upgrade]
    found = DEPLOYS.get(deploy, Scope(images=CONVERGES))
    if deploy == "production.py" and version:
        # Whoever names a version wants it released.
        return Scope(found.every, ("app",), found.images)
    return found


def check_limit(deploy: str, wanted: Scope, roles: Mapping[str, Iterable[str]], chosen: Sequence[str]) -> None:
    """Refuse a run whose work is on hosts that it leaves out. `roles` is host to its roles, `chosen` names the run's hosts."""
    for role in wanted.every:
        left_out = [name for name, found in roles.items() if role in found and name not in chosen]
        if left_out:
            raise OperatorError(
                f"{deploy} works on every host of the role {role}, and this run leaves out {', '.join(left_out)}: "
                f"{_add(left_out)}, or leave --limit out"
            )
    for role in wanted.some:
        holders = [name for name, found in roles.items() if role in found]
        if not set(holders) & set(chosen):
            raise OperatorError(
                f"{deploy} works on hosts of the role {role}, and this run leaves out {', '.join(holders)}: "
                f"{_add(holders[:1])}, or leave --limit out"
            )


def _add(names: Iterable[str]) -> str:
    return f"add {' '.join(f'--limit {name}' for name in names)}"


def images(wanted: Scope, roles: Mapping[str, Iterable[str]], chosen: Sequence[str], backed_up: bool) -> list[str]:
    """Settings whose images a run needs on this machine. The app's always: it is compared with what serves."""
    present = {role for name in chosen for role in roles[name]} | {"app"}
    return [setting for role, setting in wanted.images if role in present and (setting != OPS[1] or backed_up)]
