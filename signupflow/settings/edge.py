"""The edge: domains, their certificates, and Traefik."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from signupflow.images import Reference
from signupflow.settings.forms import MAIL, REAL, HostName, Image, ReadableFile, Topic, form

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
# The widest network of proxies that is believed: no provider's is wider.
WIDEST = 8
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


def _proxies(networks: tuple[str, ...]) -> tuple[str, ...]:
    for text in networks:
        try:
            network = ipaddress.ip_network(text)
        except ValueError:
            raise ValueError(f"{text!r} is no address and no network such as 192.0.2.0/24") from None
        if network.prefixlen < WIDEST:
            raise ValueError(f"{text} is most of the internet: whoever asks from there could say to be anybody; name the proxies")
    return networks


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
    edge_requests_in_flight: int = Field(
        default=200,
        ge=10,
        le=10_000,
        description="Requests, event streams too, that one client's address may have under way at a domain; more get 429.",
    )
    edge_connections: int = Field(
        default=500,
        ge=20,
        le=60_000,
        description="Connections to ports 80 and 443 that one address may have open; more are not accepted.",
    )
    edge_read_seconds: int = Field(
        default=600,
        ge=10,
        le=86_400,
        description="Seconds in which a request must have arrived whole: an upload at 100 kB/s may have 60 MB by default.",
    )
    trusted_edge_proxies: Annotated[tuple[str, ...], AfterValidator(_proxies)] = Field(
        default=(),
        description="Addresses and networks of a CDN or balancer before the edge, whose word for the client's address is taken.",
    )
    edge_proxy_protocol: bool = Field(
        default=False,
        description="They say it by the PROXY protocol (a balancer of connections), not in X-Forwarded-For.",
    )

    @model_validator(mode="after")
    def _whoever_speaks_it_is_named(self) -> Edge:
        if self.edge_proxy_protocol and not self.trusted_edge_proxies:
            raise ValueError("edge_proxy_protocol needs trusted_edge_proxies: name whose word is taken")
        return self

    @property
    def forwarding_proxies(self) -> tuple[str, ...]:
        """Proxies that name the client in X-Forwarded-For."""
        return () if self.edge_proxy_protocol else self.trusted_edge_proxies
