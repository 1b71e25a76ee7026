"""What one run is for, and what it may do: settings that are given with `--data`, not kept in group data."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from signupflow.settings.forms import TAG, OneLine, Topic, Verbatim, form

SERVICES = {"docker", "traefik", "postgres", "schema"}


def _one_or_many(value: Any) -> Any:
    return tuple(part for part in value.split(",") if part) if isinstance(value, str) else value


def _known(services: tuple[str, ...]) -> tuple[str, ...]:
    unknown = sorted(set(services) - SERVICES)
    if unknown:
        raise ValueError(f"unknown service {', '.join(unknown)}; use docker, traefik, postgres or schema")
    return services


class ThisRun(Topic):
    """One run (`--data`)"""

    app_version: Annotated[Verbatim, form(rf"^$|{TAG.pattern}", "{} is no image tag such as 1.4.0 or 1.4.0@sha256:...")] = Field(
        default="", description="Tag of this run's image, in the place of the one that `app_image` has."
    )
    rollback_to: Annotated[
        Verbatim,
        form(r"^[A-Za-z0-9@/:._+-]*$", "{} names no release: a version, an image or the start of its digest does"),
    ] = Field(
        default="", description="Where deploys/rollback.py goes: a version or an image of the history; default the previous one."
    )
    maintenance: Literal["", "on", "off"] = Field(
        default="", description="What deploys/maintenance.py does with the maintenance page."
    )
    maintenance_retry_seconds: int = Field(
        default=300, ge=1, le=86400, description="Retry-After of the maintenance page, in seconds."
    )
    upgrade: Literal["", "traefik", "postgres", "docker"] = Field(
        default="", description="What deploys/upgrade.py brings up to date, and may interrupt."
    )
    upgrade_again: bool = Field(
        default=False, description="Install Docker's packages again although they are the newest: a rehearsal of an upgrade."
    )
    reason: OneLine = Field(default="", description="Why this run, for the deploy lock and the record.")
    allow_unhealthy: bool = Field(default=False, description="Release although what serves now is not healthy.")
    allow_interrupts: Annotated[tuple[str, ...], BeforeValidator(_one_or_many), AfterValidator(_known)] = Field(
        default=(),
        description="What this run may interrupt: docker, traefik, postgres (recreated), schema (a breaking migration).",
    )

    @property
    def may_interrupt(self) -> tuple[str, ...]:
        """What this run may interrupt: what it allows, and what it is there to upgrade."""
        return (*self.allow_interrupts, *((self.upgrade,) if self.upgrade else ()))
