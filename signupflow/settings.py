"""One typed, frozen settings object per environment, made from pyinfra's inventory and group data.

The keys are flat so that any of them can be overridden on the command line
(``--data app_replicas=3``). Every fault is collected and named in one message.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from signupflow.backup_settings import Backups
from signupflow.errors import OperatorError
from signupflow.fleet import PORTS_PER_GENERATION
from signupflow.images import REFERENCE, Reference

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
SLUG = re.compile(r"^[a-z][a-z0-9-]{0,30}$")
VARIABLE = re.compile(r"^[A-Z][A-Z0-9_]*$")
DOMAIN = re.compile(r"^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$")
TAG = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}(@sha256:[0-9a-f]{64})?$")
MAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
SIZE = re.compile(r"^[1-9][0-9]*[kmg]$")

# Inventory keys that belong to pyinfra's connectors or to the lab.
FOREIGN_PREFIXES = ("ssh_", "lab_", "_", "webhook_")


# What this repository ships as an example, or what somebody types to get going; RFC 2606 reserves the domains.
PLACEHOLDER = re.compile(
    r"(^|[@.])example\.(com|net|org)$|(^|[^a-z])(changeme|change-me|placeholder|your-)|[<>]|(example){2}", re.IGNORECASE
)
PLACEHOLDERS: dict[str, Any] = {
    "environment": "changeme",
    "deploy_public_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampleExampleExampleExampleExampleExampleEx ops@example.org"],
    "domains": ["signupflow.example.org"],
    "acme_email": "ops@example.org",
    "traefik_image": "traefik:v3.7@sha256:" + "0" * 64,
    "app_image": "your-registry/your-app:1",
}


# What may differ from host to host; all else is the environment's.
PER_HOST = {
    *("private_address", "app_replicas", "app_memory", "postgres_memory"),
    *("public_tcp_ports", "registry_mirrors", "journal_max_use", "journal_retention_days"),
}


class Environment(Backups):
    """Everything the deploys need to know of one environment."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    # Who and where
    environment: str = Field(description="Name of the environment; also names its secrets file.")
    profile: Literal["staging", "production"] = Field(
        default="production", description="Profile the app runs with (APP_ENV); never development on a host."
    )
    deploy_user: str = Field(default="deploy", description="Login that `deploys/bootstrap.py` creates; sudo, no password.")
    deploy_public_keys: tuple[str, ...] = Field(description="SSH public keys that may log in as `deploy_user`.")
    private_address: str = Field(
        default="", description="The host's own IPv4 address on the private network; required when roles are on several hosts."
    )

    # The edge
    domains: tuple[str, ...] = Field(description="Names the app answers to; each gets a certificate of its own.")
    acme_email: str = Field(description="Contact of the ACME account.")
    acme_directory: str = Field(default=LETS_ENCRYPT, description="ACME directory URL.")
    acme_ca_file: str = Field(
        default="", description="PEM on the controller to trust for `acme_directory`; empty for a public CA."
    )
    public_address: str = Field(
        default="", description="Where releases ask the public entry from this machine; default the edge's ssh_hostname."
    )
    public_ca_file: str = Field(
        default="", description="PEM on the controller that vouches for the domains' certificates; empty for public CAs."
    )
    acme_certificate_hours: int = Field(
        default=2160,
        ge=1,
        description="Lifetime of the CA's certificates in hours; Traefik renews at a third of it (90 days: 30 days before).",
    )
    traefik_image: str = Field(description="Traefik's image, pinned by digest.")

    # The database
    postgres_image: str = Field(
        default="signupflow/postgres:17",
        description="PostgreSQL image: built here and sent over SSH, or pinned by digest.",
    )
    postgres_database: str = Field(default="signupflow", description="Database name; also the stem of its roles.")
    postgres_max_connections: int = Field(default=100, ge=20, le=1000, description="PostgreSQL's max_connections.")
    postgres_memory: str = Field(default="1g", description="Memory limit of the PostgreSQL container.")

    # The app: any image with a port, a health path, a migration command and an environment
    app_name: str = Field(default="signupflow", description="Name of the app; stem of its projects and containers.")
    app_image: str = Field(description="The app's image: built here and sent over SSH, or pinned by digest.")
    app_port: int = Field(default=8000, ge=1, le=65535, description="Port the app listens on inside its container.")
    app_health_path: str = Field(default="/health/ready", description="Path that answers 200 when a replica may take traffic.")
    app_ready_path: str = Field(
        default="", description="Path that answers 200 while a replica takes traffic, for routing; default `app_health_path`."
    )
    app_replicas: int = Field(default=1, ge=1, le=PORTS_PER_GENERATION, description="Replicas on each app host.")
    app_private_port: int = Field(
        default=18000,
        ge=1024,
        le=32767 - 2 * PORTS_PER_GENERATION,
        description="First of 128 private ports of replicas whose edge is another host; a change cuts them off until their turn.",
    )
    app_database_connections: int = Field(
        default=8,
        ge=1,
        le=500,
        description="PostgreSQL connections that one replica may open ($database_connections); SignUpFlow needs 4.",
    )
    app_response_seconds: int = Field(
        default=15, ge=1, le=3600, description="Seconds until a replica must have begun its answer."
    )
    app_memory: str = Field(default="384m", description="Memory limit of one replica.")
    app_user: int = Field(default=10001, ge=1, description="Numeric uid the image runs as; owns its secret files.")
    app_environment: dict[str, str] = Field(
        default_factory=dict,
        description="Plain variables; $profile, $domains, $environment, $trusted_proxies, $database_connections are filled in.",
    )
    app_secrets: dict[str, str] = Field(
        default_factory=dict, description="Variable to secret name, such as {'JWT_KEYS': 'jwt_keys'}."
    )
    app_secrets_as: Literal["files", "environment"] = Field(
        default="files",
        description="`files`: NAME_FILE in a mounted directory. `environment`: a 0600 env file, which Docker shows root.",
    )
    app_database_variable: str = Field(
        default="DATABASE_URL",
        description="Variable that receives the database URL; empty when it has none.",
    )
    app_migration_command: tuple[str, ...] = Field(
        default=(), description="Command that brings the schema to the image's revision; run once, as the migrator."
    )
    app_stop_seconds: int = Field(default=40, ge=1, le=600, description="Grace between SIGTERM and SIGKILL, in seconds.")
    app_drained_signal: str = Field(
        default="",
        description="Signal by which a release stops replicas that no route leads to any more; default the image's own.",
    )
    app_start_seconds: int = Field(default=60, ge=5, le=900, description="A replica must be healthy within this, in seconds.")

    app_start_cpu_shares: int = Field(
        default=256,
        ge=2,
        le=1024,
        description="Weight of a candidate's processor time while it starts; what serves has 1024. Less is gentler and slower.",
    )

    # A release: how it goes over the hosts, and when it is taken back
    app_check_command: tuple[str, ...] = Field(
        default=(),
        description="Run in a new replica before traffic; prints JSON with `version` and `schema`, exits 0 when all is well.",
    )
    app_smoke_command: tuple[str, ...] = Field(
        default=(),
        description="Command of the running image that proves, on a scratch database, that it lives with the new schema.",
    )
    app_personal_data_command: tuple[str, ...] = Field(
        default=(),
        description="Command of the image that prints, as JSON, a rule for every column: what a copy for staging leaves out.",
    )
    app_canary: str = Field(default="", description="App host that gets a release first; default the first of the inventory.")
    app_rehearsal_seconds: float = Field(
        default=25,
        ge=0,
        le=600,
        description="On the first host: seconds that candidates are watched before traffic, after their stop was tried.",
    )
    app_shift_weights: tuple[int, ...] = Field(
        default=(10, 50), description="Percentages of a host's traffic that the new replicas get one after another before all."
    )
    app_shift_pause_seconds: float = Field(default=5, ge=0, le=600, description="Seconds after each of `app_shift_weights`.")
    app_bake_seconds: float = Field(
        default=30, ge=0, le=3600, description="Seconds that a host's new replicas are watched before the next host's turn."
    )
    app_observe_seconds: float = Field(
        default=120, ge=0, le=3600, description="Seconds that the whole service is watched after the last host."
    )
    app_error_percent: float = Field(
        default=5, gt=0, le=100, description="Share of answers with status 500 or more at which a release is taken back."
    )
    app_on_failure: Literal["take-back", "keep"] = Field(
        default="take-back", description="Hosts that have the release already when a later one fails: taken back, or kept."
    )
    app_keep_releases: int = Field(
        default=3, ge=2, le=20, description="Releases, the serving one included, that stay on a host with their images."
    )
    app_probe_rate: float = Field(
        default=5, ge=0, le=50, description="Requests a second through the public entry while a release runs; 0 for none."
    )
    app_version: str = Field(default="", description="Tag of this run's image, in the place of the one that `app_image` has.")
    rollback_to: str = Field(
        default="", description="Where deploys/rollback.py goes: a version or an image of the history; default the one before."
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
    reason: str = Field(default="", description="Why this run, for the lease and the record.")

    # An old service on SQLite, until deploys/migrate_sqlite.py has moved it
    legacy_sqlite_file: str = Field(
        default="", description="The old service's database on the database's host; until it is moved, nothing else is released."
    )
    legacy_upstream: str = Field(
        default="",
        description="Where Traefik reaches the old service, such as http://172.17.0.1:8000 (the host, from a container).",
    )
    legacy_stop: str = Field(
        default="", description="Shell command (root, the database's host) that stops it; it waits, and may run twice."
    )
    legacy_start: str = Field(default="", description="Shell command that starts it again; it may run twice.")
    legacy_decisions: tuple[Literal["quarantine-orphans", "ignore-empty", "zoned-as-utc"], ...] = Field(
        default=(), description="What the import may decide by itself (DATABASE_MIGRATION.md)."
    )
    allow_unhealthy: bool = Field(default=False, description="Release although what serves now is not healthy.")

    # Who is told, and what else is run
    hook_before: str = Field(
        default="", description="Shell command on this machine before the first change; the run ends when it fails."
    )
    hook_after: str = Field(default="", description="Shell command on this machine at the end, however that came.")
    notify_mail_to: tuple[str, ...] = Field(
        default=(),
        description="Who gets mail of each deployment's end and each alert; secret `notify_webhook_url` is a Slack-like webhook.",
    )
    notify_mail_from: str = Field(default="", description="Sender of that mail.")
    smtp_host: str = Field(
        default="",
        description="Mail server, as this machine and the database's host reach it; secrets `smtp_user`, `smtp_password`.",
    )
    smtp_port: int = Field(default=25, ge=1, le=65535, description="Its port.")
    smtp_starttls: bool = Field(default=False, description="Speak TLS to it before anything is said.")

    # The host
    public_tcp_ports: tuple[int, ...] = Field(default=(22, 80, 443), description="All that answers from outside.")
    registry_mirrors: tuple[str, ...] = Field(default=(), description="Docker's registry-mirrors.")
    journal_max_use: str = Field(default="2g", description="Disk that journald may use.")
    journal_retention_days: int = Field(default=30, ge=1, description="Age at which journald drops entries, in days.")

    # Secrets and permissions of this run
    secrets_file: str = Field(default="", description="age file; default `secrets/<environment>.age`.")
    age_key_file: str = Field(
        default="",
        description="age identity; default SIGNUPFLOW_AGE_KEY_FILE or ~/.config/signupflow/<environment>.key.",
    )
    allow_interrupts: tuple[str, ...] = Field(
        default=(),
        description="What this run may interrupt: docker, traefik, postgres (recreated), schema (a breaking migration).",
    )

    @field_validator("environment", "app_name", "deploy_user", "postgres_database")
    @classmethod
    def _slug(cls, value: str) -> str:
        if not SLUG.match(value):
            raise ValueError("must start with a letter and hold lower-case letters, digits and dashes only, 31 at most")
        return value

    @field_validator(*PLACEHOLDERS)
    @classmethod
    def _real(cls, value: Any) -> Any:
        for text in value if isinstance(value, tuple) else (value,):
            if PLACEHOLDER.search(text) or "0" * 64 in text:
                raise ValueError(f"still holds the placeholder {text[:60]!r}; replace it")
        return value

    @field_validator("allow_interrupts", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return tuple(part for part in value.split(",") if part) if isinstance(value, str) else value

    @field_validator("allow_interrupts")
    @classmethod
    def _known_services(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(value) - {"docker", "traefik", "postgres", "schema"})
        if unknown:
            raise ValueError(f"unknown service {', '.join(unknown)}; use docker, traefik, postgres or schema")
        return value

    @field_validator("app_shift_weights")
    @classmethod
    def _ascending(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 0 < weight < 100 for weight in value) or list(value) != sorted(set(value)):
            raise ValueError("must be ascending percentages between 0 and 100")
        return value

    @field_validator("domains")
    @classmethod
    def _domains(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("name at least one domain")
        for domain in value:
            if not DOMAIN.match(domain):
                raise ValueError(f"{domain!r} is not a lower-case DNS name with a dot")
        if len(set(value)) != len(value):
            raise ValueError("a domain is named twice")
        return value

    @field_validator("deploy_public_keys")
    @classmethod
    def _public_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("name at least one key, or nobody could log in")
        for key in value:
            if not re.match(r"^(ssh-(ed25519|rsa)|ecdsa-sha2-\S+|sk-\S+) [A-Za-z0-9+/=]+( [^\n]*)?$", key):
                raise ValueError(f"{key[:24]!r}... is not an OpenSSH public key on one line")
        return value

    @field_validator("app_drained_signal")
    @classmethod
    def _signal(cls, value: str) -> str:
        if not re.match(r"^(SIG[A-Z0-9]+)?$", value) or value == "SIGKILL":
            raise ValueError(f"{value!r} is no signal such as SIGINT that a replica can end well by")
        return value

    @field_validator("acme_email")
    @classmethod
    def _email(cls, value: str) -> str:
        if not MAIL.match(value):
            raise ValueError("must be a mail address")
        return value

    @field_validator("notify_mail_to", "notify_mail_from")
    @classmethod
    def _emails(cls, value: Any) -> Any:
        for text in value if isinstance(value, tuple) else (value,):
            if text and not MAIL.match(text):
                raise ValueError(f"{text!r} is not a mail address")
        return value

    @field_validator("app_canary", "public_address", "smtp_host")
    @classmethod
    def _host(cls, value: str) -> str:
        if not re.match(r"^[A-Za-z0-9@/._-]*$", value):
            raise ValueError(f"{value!r} is not a host's name or address")
        return value

    @model_validator(mode="before")
    @classmethod
    def _versioned(cls, data: dict[str, Any]) -> dict[str, Any]:
        version, image = data.get("app_version"), data.get("app_image")
        if not TAG.match(str(version or "")) or not isinstance(image, str) or not REFERENCE.match(image):
            return data
        return {**data, "app_image": f"{Reference.parse(image).name}:{version}"}

    @field_validator("app_version", "rollback_to", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        # pyinfra reads `--data app_version=14` as a number.
        return str(value) if isinstance(value, int | float) else value

    @field_validator("app_version")
    @classmethod
    def _tag(cls, value: str) -> str:
        if value and not TAG.match(value):
            raise ValueError(f"{value!r} is no image tag such as 1.4.0 or 1.4.0@sha256:...")
        return value

    @field_validator("rollback_to")
    @classmethod
    def _release(cls, value: str) -> str:
        if not re.match(r"^[A-Za-z0-9@/:._+-]*$", value):
            raise ValueError(f"{value!r} names no release: a version, an image or the start of its digest does")
        return value

    @field_validator("reason", "legacy_stop", "legacy_start")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("must be one line of text")
        return value

    @field_validator("app_database_variable")
    @classmethod
    def _variable_or_none(cls, value: str) -> str:
        if value and not VARIABLE.match(value):
            raise ValueError(f"{value!r} is not an environment variable in capitals")
        return value

    @field_validator("registry_mirrors")
    @classmethod
    def _mirrors(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for mirror in value:
            if not re.match(r"^https?://[^\s/]+/?$", mirror):
                raise ValueError(f"{mirror!r} is not the URL of a registry mirror")
        return value

    @field_validator("acme_directory")
    @classmethod
    def _https(cls, value: str) -> str:
        if not value.startswith("https://"):
            raise ValueError("must be an https URL")
        return value

    @field_validator("acme_ca_file", "public_ca_file")
    @classmethod
    def _readable(cls, value: str) -> str:
        if value and not Path(value).is_file():
            raise ValueError(f"no such file on this machine: {value}")
        return value

    @field_validator("legacy_sqlite_file")
    @classmethod
    def _absolute(cls, value: str) -> str:
        if value and not re.match(r"^/[A-Za-z0-9/_. -]*[A-Za-z0-9_.-]$", value):
            raise ValueError(f"{value!r} is not the absolute path of a file")
        return value

    @field_validator("legacy_upstream")
    @classmethod
    def _url(cls, value: str) -> str:
        if value and not re.match(r"^https?://[A-Za-z0-9._-]+(:[0-9]+)?$", value):
            raise ValueError(f"{value!r} is not a URL such as http://172.17.0.1:8000")
        return value

    @field_validator("traefik_image", "postgres_image", "app_image", "ops_image")
    @classmethod
    def _image(cls, value: str) -> str:
        Reference.parse(value)
        return value

    @field_validator("traefik_image")
    @classmethod
    def _pinned(cls, value: str) -> str:
        if not Reference.parse(value).digest:
            raise ValueError("must be pinned by digest (name:tag@sha256:...); `scripts/images.py pin NAME:TAG` prints it")
        return value

    @field_validator("private_address")
    @classmethod
    def _ipv4(cls, value: str) -> str:
        try:
            return str(ipaddress.IPv4Address(value)) if value else value
        except ValueError:
            raise ValueError(f"{value!r} is not an IPv4 address") from None

    @field_validator("app_health_path", "app_ready_path")
    @classmethod
    def _path(cls, value: str) -> str:
        if value and not re.match(r"^/[A-Za-z0-9/_.-]*$", value):
            raise ValueError("must be a path that starts with a slash")
        return value

    @field_validator("postgres_memory", "app_memory", "journal_max_use")
    @classmethod
    def _size(cls, value: str) -> str:
        if not SIZE.match(value):
            raise ValueError("must be a size such as 384m or 2g")
        return value

    @field_validator("app_environment", "app_secrets")
    @classmethod
    def _variables(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if not VARIABLE.match(name):
                raise ValueError(f"{name!r} is not an environment variable in capitals")
        return value

    @field_validator("public_tcp_ports")
    @classmethod
    def _ports(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        missing = {22, 80, 443} - set(value)
        if missing:
            raise ValueError(f"must hold 22, 80 and 443 (missing {', '.join(map(str, sorted(missing)))})")
        return value

    @model_validator(mode="after")
    def _mail_has_a_server(self) -> Environment:
        if self.notify_mail_to and not self.smtp_host:
            raise ValueError("notify_mail_to needs smtp_host")
        return self

    @model_validator(mode="after")
    def _old_service_is_whole(self) -> Environment:
        others = {name: getattr(self, name) for name in ("legacy_upstream", "legacy_stop", "legacy_start")}
        missing = sorted(name for name, value in others.items() if not value)
        if self.legacy_sqlite_file and missing:
            raise ValueError(f"legacy_sqlite_file needs {', '.join(missing)}")
        ours = self.app_migration_command and self.app_smoke_command and self.app_secrets_as == "files"
        if self.legacy_sqlite_file and not ours:
            raise ValueError("legacy_sqlite_file needs app_migration_command, app_smoke_command and app_secrets_as = 'files'")
        return self

    @model_validator(mode="after")
    def _one_source_each(self) -> Environment:
        twice = set(self.app_environment) & (set(self.app_secrets) | {self.app_database_variable})
        if twice:
            raise ValueError(f"app_environment and app_secrets both set {', '.join(sorted(twice))}")
        return self

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Environment:
        """From a host's data, whatever else is in it; raises pydantic's ValidationError."""
        return cls(**{key: value for key, value in data.items() if not key.startswith(FOREIGN_PREFIXES)})

    def variables(self, trusted_proxies: str) -> dict[str, str]:
        """The app's plain variables with what only a deploy knows filled in."""
        known = {
            "profile": self.profile,
            "domains": ",".join(self.domains),
            "environment": self.environment,
            "trusted_proxies": trusted_proxies,
            "database_connections": str(self.app_database_connections),
        }
        return {name: Template(value).safe_substitute(known) for name, value in sorted(self.app_environment.items())}

    @property
    def may_interrupt(self) -> tuple[str, ...]:
        """What this run may interrupt: what it allows, and what it is there to upgrade."""
        return (*self.allow_interrupts, *((self.upgrade,) if self.upgrade else ()))

    @property
    def ready_path(self) -> str:
        return self.app_ready_path or self.app_health_path

    @property
    def health_path(self) -> str:
        """What the public entry is asked; its answer may tell of the database (`/health` of SignUpFlow does)."""
        return self.app_health_path

    @property
    def connections(self) -> int:
        """PostgreSQL connections that all replicas of one generation on one host may open."""
        return self.app_replicas * self.app_database_connections if self.app_database_variable else 0

    @property
    def secret_names(self) -> tuple[str, ...]:
        """Names that the environment's secrets file must hold."""
        database = ("postgres_migrator_password", "postgres_app_password", "postgres_tls_certificate", "postgres_tls_key")
        return tuple(sorted({"digest_key", *database, *self.app_secrets.values(), *self.backup_secrets}))


def from_data(data: Mapping[str, Any], where: str) -> Environment:
    """Build the settings from a host's data; raise OperatorError that names every fault at once."""
    try:
        return Environment.of(data)
    except ValidationError as error:
        found = sorted(text for _, text in _explain(error))
        noun = "fault" if len(found) == 1 else "faults"
        raise OperatorError(f"settings of {where}: {len(found)} {noun}: " + "; ".join(found)) from None


def faults(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Setting to what is wrong with it, for whoever knows it by another name; none when all is well."""
    try:
        Environment.of(data)
    except ValidationError as error:
        return list(_explain(error))
    return []


def agree(environments: Mapping[str, Environment]) -> None:
    """Hosts read settings on each other's behalf (the edge routes to the app, the database's host migrates for it)."""
    (first, reference), *others = environments.items()
    for name, env in others:
        for key, value in env.model_dump(exclude=PER_HOST).items():
            if value != getattr(reference, key):
                raise OperatorError(
                    f"{key} differs between {first} and {name}; set it for the whole environment (group_data/all.py)"
                )


def _explain(error: ValidationError) -> Iterator[tuple[str, str]]:
    for fault in error.errors(include_url=False):
        name = ".".join(str(part) for part in fault["loc"]) or "settings"
        if fault["type"] == "missing":
            yield name, f"{name} is missing; set it in group_data/"
        elif fault["type"] == "extra_forbidden":
            close = difflib.get_close_matches(name, Environment.model_fields, n=1)
            yield name, f"{name} is not a setting" + (f"; did you mean {close[0]}?" if close else "")
        else:
            yield name, f"{name} {fault['msg'].removeprefix('Value error, ')}"
