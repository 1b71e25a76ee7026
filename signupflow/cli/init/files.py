"""The files of an environment: their text, whether what is there may be replaced, and how they are written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from signupflow.cli.init import literals
from signupflow.cli.init.config import ROLES, Answers
from signupflow.errors import OperatorError
from signupflow.settings import PLACEHOLDERS

# The host of the inventory that this repository ships.
EXAMPLE_HOSTS = [("web1.example.org", {"ssh_hostname": "203.0.113.10"})]
EXAMPLE_SETTINGS = ("deploy_public_keys", "domains", "acme_email")


@dataclass(frozen=True)
class File:
    """What a path is to hold."""

    path: Path
    text: str

    @property
    def current(self) -> str | None:
        return self.path.read_text() if self.path.is_file() else None

    @property
    def there(self) -> bool:
        """Whether the path holds this already; comments and line breaks are their writer's."""
        now = self.current
        return now is not None and (now == self.text or literals.values(now) == literals.values(self.text) is not None)

    def write(self) -> None:
        """Beside, then renamed over: a kill leaves what was there, or all of this."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(f".{self.path.name}.new")
        with beside.open("w") as out:
            out.write(self.text)
            out.flush()
            os.fsync(out.fileno())
        beside.replace(self.path)


def inventory(answers: Answers) -> File:
    """The hosts, with the group of the environment and one for each role."""
    hosts = [(host.name, answers.host_data(host)) for host in answers.hosts]
    roles = {role: [host.name for host in answers.holding(role)] for role in ROLES}
    docstring = (
        f"{answers.environment.capitalize()}'s hosts, as `signupflow init` wrote them; yours to edit.\n\n"
        "The order of `app` is the order in which a release goes over the hosts.\n"
    )
    return File(answers.inventory, literals.assignments(docstring, {answers.group: hosts, **roles}))


def group_data(answers: Answers) -> File:
    """What is true of the environment."""
    secrets = answers.named(answers.secrets_file)
    docstring = f"{answers.environment.capitalize()}, as `signupflow init` wrote it; yours to edit. Secrets are in {secrets}."
    data = answers.group_data()
    reached = {name: data.pop(name) for name in list(data) if name.startswith("ssh_")}
    return File(answers.data_file, literals.assignments(docstring, data, reached))


def refuse_to_replace(file: File, named: str) -> None:
    """Raise when the path holds something else that somebody made; the shipped example may go."""
    now = file.current
    if now is None or file.there:
        return
    held, wanted = literals.values(now), literals.values(file.text) or {}
    if held is not None and (is_example_inventory(held) or is_example_data(held, wanted)):
        return
    differing = sorted(name for name in {*(held or {}), *wanted} if (held or {}).get(name) != wanted.get(name))
    what = f" ({', '.join(differing[:5])} {'differs' if len(differing) == 1 else 'differ'})" if held is not None else ""
    raise OperatorError(f"{named} exists and holds something else{what}: edit it by hand, or move it away; nothing was written")


def is_example_inventory(held: Mapping[str, Any]) -> bool:
    name = EXAMPLE_HOSTS[0][0]
    return dict(held) == {"production": EXAMPLE_HOSTS, **{role: [name] for role in ROLES}}


def is_example_data(held: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Every placeholder still stands there, and nothing that would be lost."""
    return all(held.get(name) == PLACEHOLDERS[name] for name in EXAMPLE_SETTINGS) and set(held) <= set(wanted)


def kept_traefik_image(path: Path) -> str:
    """The image that an environment's group data pins already; empty when it pins none."""
    image = str(_held(path).get("traefik_image", ""))
    return image if "@" in image else ""


def kept_recipients(path: Path) -> tuple[str, ...]:
    """The public keys of the dumps that an environment's group data names already."""
    return tuple(_held(path).get("backup_recipients", ()))


def _held(path: Path) -> Mapping[str, Any]:
    return (literals.values(path.read_text()) if path.is_file() else None) or {}
