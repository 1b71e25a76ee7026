"""The edge: domains, their certificates, and Traefik."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from signupflow.images import Reference
from signupflow.settings.forms import MAIL, REAL, HostName, Image, ReadableFile, Topic, form

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
DOMAIN = re.compile(r"^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$")


def _domains(domains: tuple[str, ...]) -> tuple[str, ...]:
    if not domains:
        raise ValueError("name at least one domain")
    for domain in domains:
        if not DOMAIN.fullmatch(domain):
            raise ValueError(f"{domain!r} is not a lower-case DNS name with a dot")
    if len(set(domains)) != len(domains):
        raise ValueError("a domain is named twice")
    return domains


def _pinned(image: str) -> str:
    if not Reference.parse(image).digest:
        raise ValueError("must be pinned by digest (name:tag@sha256:...); `scripts/images.py pin NAME:TAG` prints it")
    return image


class Edge(Topic):
    """The edge"""

    domains: Annotated[tuple[str, ...], REAL, AfterValidator(_domains)] = Field(
        description="Names the app answers to; each gets a certificate of its own."
    )
    acme_email: Annotated[str, REAL, form(MAIL, "must be a mail address")] = Field(description="Contact of the ACME account.")
    acme_directory: Annotated[str, form(r"^https://\S+$", "must be an https URL")] = Field(
        default=LETS_ENCRYPT, description="ACME directory URL."
    )
    acme_ca_file: ReadableFile = Field(
        default="", description="PEM on the controller to trust for `acme_directory`; empty for a public CA."
    )
    public_address: HostName = Field(
        default="", description="Where releases ask the public entry from this machine; default the edge's ssh_hostname."
    )
    public_ca_file: ReadableFile = Field(
        default="", description="PEM on the controller that vouches for the domains' certificates; empty for public CAs."
    )
    acme_certificate_hours: int = Field(
        default=2160,
        ge=1,
        description="Lifetime of the CA's certificates in hours; Traefik renews at a third of it (90 days: 30 days before).",
    )
    traefik_image: Annotated[Image, REAL, AfterValidator(_pinned)] = Field(description="Traefik's image, pinned by digest.")
