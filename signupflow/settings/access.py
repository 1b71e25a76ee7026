"""Which environment this is, and who gets in."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from signupflow.settings.forms import REAL, Ipv4, Slug, Topic

KEY = re.compile(r"^(ssh-(ed25519|rsa)|ecdsa-sha2-\S+|sk-\S+) [A-Za-z0-9+/=]+( [^\n]*)?$")


def _public_keys(keys: tuple[str, ...]) -> tuple[str, ...]:
    if not keys:
        raise ValueError("name at least one key, or no login is possible")
    for key in keys:
        if not KEY.fullmatch(key):
            raise ValueError(f"{key[:24]!r}... is not an OpenSSH public key on one line")
    return keys


class Access(Topic):
    """Which environment, and who gets in"""

    environment: Annotated[Slug, REAL] = Field(description="Name of the environment; also names its secrets file.")
    profile: Literal["staging", "production"] = Field(
        default="production", description="Profile the app runs with (APP_ENV); never development on a host."
    )
    deploy_user: Slug = Field(default="deploy", description="Login that `deploys/bootstrap.py` creates; sudo, no password.")
    deploy_public_keys: Annotated[tuple[str, ...], REAL, AfterValidator(_public_keys)] = Field(
        description="SSH public keys that may log in as `deploy_user`."
    )
    private_address: Ipv4 = Field(
        default="", description="The host's own IPv4 address on the private network; required when roles are on several hosts."
    )
    secrets_file: str = Field(default="", description="age file; default `secrets/<environment>.age`.")
    age_key_file: str = Field(
        default="",
        description="age identity; default SIGNUPFLOW_AGE_KEY_FILE or ~/.config/signupflow/<environment>.key.",
    )
