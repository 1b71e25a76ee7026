"""How a release goes over the hosts, and when it is rolled back."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from signupflow.settings.forms import HostName, Topic


def _ascending(weights: tuple[int, ...]) -> tuple[int, ...]:
    if any(not 0 < weight < 100 for weight in weights) or list(weights) != sorted(set(weights)):
        raise ValueError("must be ascending percentages between 0 and 100")
    return weights


class Release(Topic):
    """Releases"""

    app_canary: HostName = Field(
        default="", description="App host that gets a release first; default the first of the inventory."
    )
    app_soak_seconds: float = Field(
        default=25,
        ge=0,
        le=600,
        description="On the first host: seconds that candidates are watched before traffic, after their stop was tried.",
    )
    app_shift_weights: Annotated[tuple[int, ...], AfterValidator(_ascending)] = Field(
        default=(10, 50), description="Percentages of a host's traffic that the new replicas get one after another before all."
    )
    app_shift_pause_seconds: float = Field(default=5, ge=0, le=600, description="Seconds after each of `app_shift_weights`.")
    app_bake_seconds: float = Field(
        default=30, ge=0, le=3600, description="Seconds that a host's new replicas are watched before the next host's rollout."
    )
    app_monitor_seconds: float = Field(
        default=120, ge=0, le=3600, description="Seconds that the whole service is watched after the last host."
    )
    app_error_percent: float = Field(
        default=5, gt=0, le=100, description="Share of answers with status 500 or more at which a release is rolled back."
    )
    app_on_failure: Literal["rollback", "keep"] = Field(
        default="rollback", description="Hosts that have the release already when a later one fails: rolled back, or kept."
    )
    app_keep_releases: int = Field(
        default=3, ge=2, le=20, description="Releases, the serving one included, that stay on a host with their images."
    )
    app_probe_rate: float = Field(
        default=5, ge=0, le=50, description="Requests a second through the public entry while a release runs; 0 for none."
    )
