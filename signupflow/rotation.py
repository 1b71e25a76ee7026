"""Rotation of an environment's secrets in steps, each of which is deployed before the next is taken.

How far a rotation is stands in the secrets file itself, beside the values, so that one that was cut off goes on where it was:
`rotating_<what>` is the number of the step whose values the file holds, and the time at which all hosts had them, once they have.
"""

from __future__ import annotations

import secrets as random_secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from signupflow import advice
from signupflow.errors import OperatorError

Values = dict[str, str]

APP_ROLE, APP_PASSWORD, BEFORE = "postgres_app_role", "postgres_app_password", "postgres_app_password_before"
MIGRATOR_PASSWORD = "postgres_migrator_password"  # noqa: S105 - a secret's name
APP_ROLES = ("app_a", "app_b")
JWT_KEYS = "jwt_keys"
# What is stored stays encrypted with the passphrase that it was written with: another one is another store, by its number.
PASSPHRASE, PASSPHRASE_BEFORE = "backup_passphrase", "backup_passphrase_before"
GENERATION = "backup_generation"
BACKUP_PASSPHRASE = "backup-passphrase"  # noqa: S105 - a rotation's name


def app_roles(values: Mapping[str, str]) -> tuple[str, str]:
    """The database role that the app uses, and the one whose turn is next."""
    current = values.get(APP_ROLE, APP_ROLES[0])
    if current not in APP_ROLES:
        raise OperatorError(
            f"secret {APP_ROLE} is neither {APP_ROLES[0]} nor {APP_ROLES[1]}; `{advice.command('rotate database')}` sets it"
        )
    return current, APP_ROLES[1 - APP_ROLES.index(current)]


def backup_generation(values: Mapping[str, str]) -> int:
    """The number of the store that backups go to; the first has none written down."""
    text = values.get(GENERATION, "1")
    if not text.isdigit() or not int(text):
        raise OperatorError(
            f"secret {GENERATION} is not a number from 1 on; `{advice.command(f'rotate {BACKUP_PASSPHRASE}')}` sets it"
        )
    return int(text)


@dataclass(frozen=True)
class Step:
    """`says` is what holds when the step is deployed; `waits`: the step before must have been so for a token's lifetime."""

    says: str
    change: Callable[[Values], Values]
    waits: bool = False


def _next_role(values: Values) -> Values:
    _, following = app_roles(values)
    return values | {
        BEFORE: values[APP_PASSWORD],
        APP_ROLE: following,
        APP_PASSWORD: random_secrets.token_urlsafe(32),
        MIGRATOR_PASSWORD: random_secrets.token_urlsafe(32),
    }


def _only_this_role(values: Values) -> Values:
    return {name: value for name, value in values.items() if name != BEFORE}


def _key_announced(values: Values) -> Values:
    """The new key behind the old ones: verified by every replica before the first one signs with it."""
    kid = datetime.now(UTC).strftime("k%Y%m%dT%H%M%S")
    return values | {JWT_KEYS: f"{values[JWT_KEYS].strip()},{kid}:{random_secrets.token_urlsafe(48)}"}


def _key_signs(values: Values) -> Values:
    *before, new = values[JWT_KEYS].split(",")
    return values | {JWT_KEYS: ",".join([new, *before])}


def _key_alone(values: Values) -> Values:
    return values | {JWT_KEYS: values[JWT_KEYS].partition(",")[0]}


def _next_store(values: Values) -> Values:
    return values | {
        PASSPHRASE_BEFORE: values[PASSPHRASE],
        PASSPHRASE: random_secrets.token_urlsafe(32),
        GENERATION: str(backup_generation(values) + 1),
    }


def _only_this_store(values: Values) -> Values:
    return {name: value for name, value in values.items() if name != PASSPHRASE_BEFORE}


ROTATIONS: dict[str, tuple[Step, ...]] = {
    "database": (
        Step("the app uses the other database role, with a new password; both may log in", _next_role),
        Step("the role that was used before may not log in any more", _only_this_role),
    ),
    "jwt": (
        Step("every replica accepts tokens of the new key", _key_announced),
        Step("tokens are signed with the new key", _key_signs),
        Step("the keys before are forgotten: their tokens are refused", _key_alone, waits=True),
    ),
    BACKUP_PASSPHRASE: (
        Step("a new store, with a new passphrase, has all WAL from now on and a backup that was read back", _next_store),
        Step("the old store is removed, and with it every moment before that backup", _only_this_store),
    ),
}


# Its steps are the operator's as well: the provider makes keys, and revokes them.
OBJECT_STORE = "object-store"


def marker(what: str) -> str:
    return f"rotating_{what.replace('-', '_')}"


def bookkeeping(name: str) -> bool:
    """Whether a value of the secrets file is no secret: it says whose turn it is, or how far a rotation is."""
    return name in (APP_ROLE, GENERATION) or name in map(marker, (*ROTATIONS, OBJECT_STORE))


def position(what: str, values: Mapping[str, str]) -> tuple[int, datetime | None]:
    """Steps of this rotation that the values have taken (0: none is under way), and since when all hosts have the last."""
    number, _, since = values.get(marker(what), "0").partition(" ")
    try:
        taken = int(number)
        moment = datetime.fromisoformat(since) if since else None
    except ValueError:
        taken, moment = -1, None
    if not 0 <= taken <= len(ROTATIONS[what]):
        raise OperatorError(
            f"secret {marker(what)} is not what `{advice.command(f'rotate {what}')}` left; remove it to begin anew"
        )
    return taken, moment


def advanced(what: str, values: Values) -> Values:
    """The values after the next step, which is then to be deployed."""
    taken, _ = position(what, values)
    return ROTATIONS[what][taken].change(values) | {marker(what): str(taken + 1)}


def deployed(what: str, values: Values, now: datetime) -> Values:
    """The values once every host has them: the time is noted, or the rotation is over."""
    taken, _ = position(what, values)
    if taken == len(ROTATIONS[what]):
        return {name: value for name, value in values.items() if name != marker(what)}
    return values | {marker(what): f"{taken} {now.isoformat(timespec='seconds')}"}


def due(what: str, values: Mapping[str, str], lifetime: timedelta) -> datetime | None:
    """When the next step may be taken; None when that is now."""
    taken, since = position(what, values)
    if since is None or not ROTATIONS[what][taken].waits:
        return None
    return since + lifetime
