"""The application's settings: one frozen object, read from the environment once, all faults reported together.

Every setting is `NAME` (the value) or `NAME_FILE` (a file that holds it). Each field carries a `Setting`: what it is for,
whether it is secret, where it is required, a valid example and values that must be refused. The reference document and
the start-up tests are generated from these, so a field added here is documented and tested by being here.
"""

import dataclasses
import ipaddress
import re
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from app.placeholders import placeholder_reason


class Profile(StrEnum):
    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


EVERYWHERE = frozenset(Profile)
SERVERS = frozenset({Profile.STAGING, Profile.PRODUCTION})

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class SettingsError(Exception):
    """Every fault found in the settings. `str()` is the whole message; it names variables and never shows values."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        listed = "".join(f"\n  - {fault}" for fault in faults)
        super().__init__(f"SignUpFlow cannot start: {len(faults)} fault(s) in its settings{listed}")


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting's meaning.

    `parse(text, profile)` gives the value or raises ValueError with what is wrong and what to do, without the value.
    `default` is written as it would be in the environment; None: there is none. `malformed` and `placeholders` must be
    refused in the profiles that require the setting.
    """

    description: str
    parse: Callable[[str, Profile], Any]
    example: str
    default: str | None = None
    secret: bool = False
    required_in: frozenset[Profile] = frozenset()
    malformed: tuple[str, ...] = ()
    placeholders: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class JwtKeys:
    """Signing keys by `kid`. All verify; `signing_kid` signs."""

    signing_kid: str
    secrets: Mapping[str, str] = dataclasses.field(repr=False)


def _integer(low: int, high: int) -> Callable[[str, Profile], int]:
    def parse(text: str, profile: Profile) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"is not a whole number from {low} to {high}; set one")
        return int(text)

    return parse


def _one_of(*choices: str) -> Callable[[str, Profile], str]:
    def parse(text: str, profile: Profile) -> str:
        if text.lower() not in choices:
            raise ValueError(f"is not one of {', '.join(choices)}; set one of them")
        return text.lower()

    return parse


def _profile(text: str, profile: Profile) -> Profile:
    try:
        return Profile(text)
    except ValueError:
        raise ValueError(f"is not one of {', '.join(Profile)}; set one of them") from None


def _database_url(text: str, profile: Profile) -> SecretStr:
    shape = "set it to postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError(f"is not a database URL; {shape}") from None
    if url.drivername == "sqlite":
        if profile in SERVERS:
            raise ValueError(f"is SQLite, which is for development only; {shape}")
        return SecretStr(text)
    if url.drivername not in {"postgresql", "postgresql+psycopg2"}:
        raise ValueError(f"is neither PostgreSQL nor SQLite; {shape}")
    if not (url.host or url.query.get("host")) or not url.database or not url.username:
        raise ValueError(f"lacks a user, a host or a database name; {shape}")
    if profile in SERVERS:
        reason = placeholder_reason(str(url.password or ""), minimum=12)
        if reason:
            raise ValueError(f"has a password that {reason}; generate one, for example with `openssl rand -hex 24`")
    return SecretStr(url.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False))


def _jwt_keys(text: str, profile: Profile) -> JwtKeys:
    shape = "set it to kid:secret[,kid:secret...], the first one signs"
    secrets: dict[str, str] = {}
    for number, entry in enumerate(text.split(","), start=1):
        kid, colon, secret = entry.strip().partition(":")
        if not colon or not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", kid):
            raise ValueError(f"has an entry (number {number}) that is not kid:secret; {shape}")
        if kid in secrets:
            raise ValueError(f"names a kid twice (entry {number}); give each key its own kid")
        # 32 characters: RFC 7518 section 3.2 asks for a key at least as long as HS256's 256-bit output.
        reason = placeholder_reason(secret, minimum=32)
        if reason and (profile in SERVERS or len(secret) < 32):
            hint = "generate one, for example with `openssl rand -hex 32`"
            raise ValueError(f"has a secret (entry {number}) that {reason}; {hint}")
        secrets[kid] = secret
    return JwtKeys(signing_kid=next(iter(secrets)), secrets=secrets)


def _hosts(text: str, profile: Profile) -> tuple[str, ...]:
    hosts = tuple(entry.strip().lower() for entry in text.split(","))
    label = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    for host in hosts:
        if host == "*" and profile not in SERVERS:
            continue
        if not re.fullmatch(rf"(\*\.)?{label}(\.{label})*", host):
            raise ValueError("has an entry that is not a host name; list names, as app.example.org,*.example.org")
        if profile in SERVERS and placeholder_reason(host, minimum=1, words=("changeme", "placeholder", "replace-me")):
            raise ValueError("still holds a placeholder; list the names this system answers to")
    return hosts


def _networks(text: str, profile: Profile) -> tuple[IpNetwork, ...]:
    networks = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        try:
            network = ipaddress.ip_network(entry)
        except ValueError:
            raise ValueError("has an entry that is not a network; list CIDRs, as 172.16.0.0/12") from None
        if network.prefixlen == 0 and profile in SERVERS:
            raise ValueError("trusts every address, so any client could forge its own; list only the proxies' networks")
        networks.append(network)
    return tuple(networks)


def _directory(text: str, profile: Profile) -> Path:
    if not Path(text).is_dir():
        raise ValueError("is not a directory here; mount or create it, or name another")
    return Path(text)


def _public_url(text: str, profile: Profile) -> str:
    parts = urllib.parse.urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("is not an http(s) URL; set it as https://app.example.org")
    if profile in SERVERS and parts.scheme != "https":
        raise ValueError("is not https, and outside development only HTTPS is served; set it as https://app.example.org")
    return text.rstrip("/")


def _dsn(text: str, profile: Profile) -> SecretStr:
    shape = "set it as https://KEY@HOST/PROJECT"
    try:
        parts = urllib.parse.urlsplit(text)
        whole = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0 and parts.path.strip("/")
    except ValueError:
        whole = False
    if not whole or parts.query or parts.fragment:
        raise ValueError(f"is not a Sentry DSN; {shape}")
    if not re.fullmatch(r"[0-9a-zA-Z]{8,64}", parts.username or "") or placeholder_reason(parts.username or "", minimum=8):
        raise ValueError(f"holds no project's key; {shape}")
    if profile in SERVERS and parts.scheme != "https":
        raise ValueError(f"is not https; {shape}")
    return SecretStr(text)


def _version(text: str, profile: Profile) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}", text):
        raise ValueError("is not a version (letters, digits, . _ + -); build the image with --build-arg VERSION=...")
    if profile in SERVERS and text.startswith("0.0.0+unknown"):
        raise ValueError("says that the version is unknown; build the image with --build-arg VERSION=...")
    return text


def _revision(text: str, profile: Profile) -> str:
    if not re.fullmatch(r"[0-9A-Za-z._-]{1,64}", text):
        raise ValueError("is not a source revision; build the image with --build-arg REVISION=$(git rev-parse HEAD)")
    if profile in SERVERS and text == "unknown":
        raise ValueError("says that the revision is unknown; build the image with --build-arg REVISION=...")
    return text


class Settings(BaseModel):
    """Field names are the variables' names in lower case. Times are in seconds."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    app_env: Annotated[
        Profile,
        Setting(
            "The profile. There is no default, so that a server never starts with development's by accident.",
            _profile,
            example="production",
            required_in=EVERYWHERE,
            malformed=("prod", "Production ", "test"),
        ),
    ]
    database_url: Annotated[
        SecretStr,
        Setting(
            "The database. PostgreSQL; SQLite in development only. Outside development its password must be real.",
            _database_url,
            example="postgresql://app:3f9c1e7ab5d2486f90@db:5432/signupflow",
            default="sqlite:///signupflow.sqlite",
            secret=True,
            required_in=SERVERS,
            malformed=(
                "not a url",
                "mysql://app:3f9c1e7ab5d2486f90@db/x",
                "postgresql://app:3f9c1e7ab5d2486f90@db",
                "sqlite:///x.sqlite",
            ),
            placeholders=tuple(
                f"postgresql://app:{word}@db:5432/signupflow"
                for word in (
                    "changeme",
                    "password",
                    "secret-secret",
                    "replace-me-now",
                    "example-password",
                    "xxxxxxxxxxxxxx",
                    "short",
                )
            ),
        ),
    ]
    jwt_keys: Annotated[
        JwtKeys,
        Setting(
            "The keys of sign-in tokens, as `kid:secret[,kid:secret...]`, secrets of at least 32 characters. All verify, "
            "the first signs: to rotate, put a new one in front and remove the old one after JWT_TTL.",
            _jwt_keys,
            example="2026-11:6d1f0b8e3a9c47529e8d5b7c1f02a364e97b85d0c3",
            default="dev:development-only-signing-key-not-for-servers",
            secret=True,
            required_in=SERVERS,
            malformed=(
                "no-colon-at-all-0123456789abcdef0123456789",
                "k1:tooshort4f9",
                "k1:6d1f0b8e3a9c47529e8d5b7c1f02a364,k1:7e2f0b8e3a9c47529e8d5b7c1f02a364",
            ),
            placeholders=tuple(
                f"k1:{word}"
                for word in (
                    "changeme-changeme-changeme-changeme",
                    "your-secret-key-your-secret-key-here",
                    "replace-me-with-32-characters-or-more",
                    "<put your signing key of 32 bytes here>",
                    "a" * 40,
                    "x" * 40,
                    "0123456789" * 4,
                )
            ),
        ),
    ]
    allowed_hosts: Annotated[
        tuple[str, ...],
        Setting(
            "Host names that requests may ask for, separated by commas; `*.` in front stands for one or more labels. "
            "Health and metrics answer under any name.",
            _hosts,
            example="app.signupflow.org,*.volunteers.org",
            default="*",
            required_in=SERVERS,
            malformed=("*", "https://app.signupflow.org", "app.signupflow.org,,", "bad_host"),
            placeholders=("changeme", "<your-domain>", "replace-me"),
        ),
    ]
    public_url: Annotated[
        str | None,
        Setting(
            "Where people reach the system; links in answers start with it. Not set: links are paths only.",
            _public_url,
            example="https://app.signupflow.org",
            malformed=("app.signupflow.org", "http://app.signupflow.org"),
        ),
    ] = None
    port: Annotated[int, Setting("The port to listen on.", _integer(1, 65535), "8000", default="8000", malformed=("0", "http"))]
    log_level: Annotated[
        str,
        Setting(
            "The least severe lines to write. Request lines are `info`.",
            _one_of("debug", "info", "warning", "error"),
            example="info",
            default="info",
            malformed=("loud",),
        ),
    ]
    db_connections: Annotated[
        int,
        # Two are apart from the requests' own: the health probe's and the live stream's. Fewer than two left would let one
        # slow request block all others.
        Setting(
            "The most PostgreSQL connections that one replica ever opens: one for the health probe, one that listens for "
            "changes, the rest for requests. Replicas times this must stay below the server's max_connections.",
            _integer(4, 200),
            example="8",
            default="8",
            malformed=("3", "many"),
        ),
    ]
    db_connect_timeout: Annotated[
        int,
        # libpq reads 1 as 2 (its documentation, connect_timeout), so 2 is the least that means what it says.
        Setting("Seconds to wait for a new database connection.", _integer(2, 30), "2", default="2", malformed=("1",)),
    ]
    db_statement_timeout: Annotated[
        int,
        Setting("Seconds a statement may run (PostgreSQL).", _integer(1, 300), "10", default="10", malformed=("0", "1.5")),
    ]
    data_dir: Annotated[
        Path,
        Setting(
            "The data mount: `/health` judges disk use there. The image sets /data.",
            _directory,
            example="/tmp",
            default=".",
            malformed=("/does/not/exist",),
        ),
    ]
    trusted_proxies: Annotated[
        tuple[IpNetwork, ...],
        Setting(
            "Networks (CIDRs, separated by commas) of the proxies whose X-Forwarded-For is believed. Not set: none.",
            _networks,
            example="172.16.0.0/12",
            default="",
            malformed=("proxy", "0.0.0.0/0", "10.0.0.1/8"),
        ),
    ]
    jwt_ttl: Annotated[
        int,
        Setting("Seconds a sign-in token lasts.", _integer(60, 86400), "3600", default="3600", malformed=("1h", "5")),
    ]
    rate_limit_per_second: Annotated[
        int,
        Setting(
            "Requests a second that each replica answers to one client address in the long run; 0: no limit. Health and "
            "metrics are not counted.",
            _integer(0, 100_000),
            example="100",
            default="100",
            malformed=("-1", "100/s"),
        ),
    ]
    rate_limit_burst: Annotated[
        int,
        Setting(
            "Requests that one client address may send at once before RATE_LIMIT_PER_SECOND counts.",
            _integer(1, 1_000_000),
            example="400",
            default="400",
            malformed=("0", "some"),
        ),
    ]
    sign_in_limit_per_minute: Annotated[
        int,
        Setting(
            "Attempts a minute, for each replica, of what takes a password or a token: from one client address, and, counting "
            "failures only, at one account. 0: no limit.",
            _integer(0, 100_000),
            example="20",
            default="20",
            malformed=("-1", "often"),
        ),
    ]
    sentry_dsn: Annotated[
        SecretStr | None,
        Setting(
            "Where unexpected errors are reported (Sentry, or what speaks its protocol). Not set: nowhere. What is sent holds "
            "no request body, header, query, cookie, address or person.",
            _dsn,
            example="https://3f9c1e7ab5d2486f903f9c1e7ab5d248@errors.signupflow.org/7",
            secret=True,
            malformed=(
                "errors.signupflow.org",
                "https://errors.signupflow.org/7",
                "http://3f9c1e7ab5d2486f90@errors.signupflow.org/7",
            ),
            placeholders=("https://changeme@errors.signupflow.org/7", "https://<your key>@errors.signupflow.org/7"),
        ),
    ] = None
    drain_seconds: Annotated[
        int,
        Setting(
            "Seconds after SIGTERM in which everything is still served while `/health/ready` already answers 503.",
            _integer(0, 60),
            example="1",
            default="1",
            malformed=("-1", "soon"),
        ),
    ]
    shutdown_grace: Annotated[
        int,
        Setting(
            "Seconds that requests in flight get to finish after DRAIN_SECONDS. Docker's stop timeout must exceed both together.",
            _integer(1, 600),
            example="30",
            default="30",
            malformed=("0",),
        ),
    ]
    keep_alive: Annotated[
        int,
        # A Traefik keeps them 90 s by default; were ours shorter, it would send into connections that we just closed.
        Setting(
            "Seconds an idle connection is kept. Must exceed the proxy's own: 1 of our edge, 90 of other Traefiks.",
            _integer(91, 3600),
            example="120",
            default="120",
            malformed=("90", "5"),
        ),
    ]
    app_version: Annotated[
        str,
        Setting(
            "The release's version. The image carries it; do not set it by hand.",
            _version,
            example="1.4.0",
            default="0.0.0+unknown",
            required_in=SERVERS,
            malformed=("one two", "0.0.0+unknown"),
        ),
    ]
    app_revision: Annotated[
        str,
        Setting(
            "The source revision the image was built from. The image carries it; do not set it by hand.",
            _revision,
            example="91c1e0a",
            default="unknown",
            required_in=SERVERS,
            malformed=("not a revision", "unknown"),
        ),
    ]

    is_server: bool = Field(default=False, description="Staging or production.")

    @classmethod
    def documented(cls) -> Iterator[tuple[str, Setting]]:
        """Each setting's variable name and meaning, in the order of this class."""
        for name, field in cls.model_fields.items():
            for meta in field.metadata:
                if isinstance(meta, Setting):
                    yield name.upper(), meta

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Reads every setting. Raises SettingsError with all faults at once."""
        faults: list[str] = []
        values: dict[str, Any] = {}
        profile = _profile_or_strictest(environment)
        for name, setting in cls.documented():
            try:
                text = read_variable(environment, name)
                if text is None and profile in setting.required_in:
                    raise ValueError(f"is required in {profile} and not set; {_how_to_set(name, setting)}")
                if text is None:
                    text = setting.default
                if text is not None:
                    values[name.lower()] = setting.parse(text, profile)
            except ValueError as fault:
                faults.append(f"{name} {fault}")
        if faults:
            raise SettingsError(faults)
        return cls(**values, is_server=profile in SERVERS)


def read_variable(environment: Mapping[str, str], name: str) -> str | None:
    """The text of NAME or of the file that NAME_FILE names; None when neither is set (an empty variable is not set).

    Raises ValueError, saying what is wrong without the name in front, when both are set or the file gives nothing.
    """
    direct, path = environment.get(name, ""), environment.get(f"{name}_FILE", "")
    if direct and path:
        raise ValueError(f"and {name}_FILE are both set; keep one of them")
    if not path:
        return direct or None
    try:
        text = Path(path).read_text(encoding="utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise ValueError(f"cannot be read: {name}_FILE names no readable text file; mount it or correct the path") from None
    if not text:
        raise ValueError(f"is empty: the file that {name}_FILE names holds nothing; write the value into it")
    return text


def _profile_or_strictest(environment: Mapping[str, str]) -> Profile:
    """The profile the other settings are judged by; production's rules when APP_ENV itself is at fault."""
    try:
        return Profile(read_variable(environment, "APP_ENV") or "")
    except ValueError:
        return Profile.PRODUCTION


def _how_to_set(name: str, setting: Setting) -> str:
    if setting.secret:
        return f"set {name}, or {name}_FILE to a file that holds it"
    return f"set it, for example {name}={setting.example}"
