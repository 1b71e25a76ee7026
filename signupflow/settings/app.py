"""The app: any image with a port, a health path, a migration command and an environment."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from signupflow.fleet import PORTS_PER_GENERATION
from signupflow.settings import placeholders
from signupflow.settings.forms import REAL, Command, Image, Size, Slug, Topic, UrlPath, Variable, Variables, form
from signupflow.shared.places import APP_UID

# What only a deploy knows, by the names under which a variable's text may have it.
FILLED_IN = ("profile", "domains", "environment", "trusted_proxies", "database_connections")


class App(Topic):
    """The app"""

    app_name: Slug = Field(default="signupflow", description="Name of the app; stem of its projects and containers.")
    app_image: Annotated[Image, REAL] = Field(description="The app's image: built here and sent over SSH, or pinned by digest.")
    app_port: int = Field(default=8000, ge=1, le=65535, description="Port the app listens on inside its container.")
    app_health_path: UrlPath = Field(
        default="/health/ready", description="Path that answers 200 when a replica may take traffic."
    )
    app_ready_path: UrlPath = Field(
        default="", description="Path that answers 200 while a replica takes traffic, for routing; default `app_health_path`."
    )
    app_replicas: int = Field(default=1, ge=1, le=PORTS_PER_GENERATION, description="Replicas on each app host.")
    app_private_port: int = Field(
        default=18000,
        ge=1024,
        le=32767 - 2 * PORTS_PER_GENERATION,
        description="First of 128 private ports of replicas whose edge is another host; a change cuts them off until rolled out.",
    )
    app_database_connections: int = Field(
        default=8,
        ge=1,
        le=500,
        description="PostgreSQL connections that one replica may open ($database_connections); SignUpFlow needs 4.",
    )
    app_response_seconds: int = Field(
        default=15, ge=1, le=3600, description="Seconds within which a replica must start to answer."
    )
    app_memory: Size = Field(default="384m", description="Memory limit of one replica.")
    app_user: int = Field(default=APP_UID, ge=1, description="Numeric uid the image runs as; owns its secret files.")
    app_environment: Variables = Field(
        default_factory=dict,
        description=f"Plain variables, in which {', '.join(f'${name}' for name in FILLED_IN)} are filled in "
        "and `$$` is a dollar sign; merged by key, None drops one.",
    )
    app_secrets: Variables = Field(
        default_factory=dict,
        description="Variable to secret name, such as {'JWT_KEYS': 'jwt_keys'}; merged by key, None drops one.",
    )
    app_secrets_as: Literal["files", "environment"] = Field(
        default="files",
        description="`files`: NAME_FILE in a mounted directory. `environment`: a 0600 env file, which Docker shows root.",
    )
    app_database_variable: Variable = Field(
        default="DATABASE_URL",
        description="Variable that receives the database URL; empty when it has none.",
    )
    app_migration_command: Command = Field(
        default=(), description="Command that brings the schema to the image's revision; run once, as the migrator."
    )
    app_stop_seconds: int = Field(default=40, ge=1, le=600, description="Grace between SIGTERM and SIGKILL, in seconds.")
    app_drained_signal: Annotated[
        str, form(r"^(?!SIGKILL$)(SIG[A-Z0-9]+)?$", "{} is not a signal that ends a replica gracefully, such as SIGINT")
    ] = Field(
        default="",
        description="Signal by which a release stops replicas that get no traffic any more; default the image's own.",
    )
    app_start_seconds: int = Field(default=60, ge=5, le=900, description="A replica must be healthy within this, in seconds.")
    app_start_cpu_shares: int = Field(
        default=256,
        ge=2,
        le=1024,
        description="Weight of a candidate's processor time while it starts; what serves has 1024. Less is gentler and slower.",
    )
    app_check_command: Command = Field(
        default=(),
        description="Run in a new replica before traffic; prints JSON with `version` and `schema`, exits 0 when all is healthy.",
    )
    app_smoke_command: Command = Field(
        default=(),
        description="Command of the running image that proves, on a scratch database, that it lives with the new schema.",
    )
    app_personal_data_command: Command = Field(
        default=(),
        description="Command of the image that prints, as JSON, a rule for every column: what a copy for staging leaves out.",
    )

    @model_validator(mode="after")
    def _one_source_each(self) -> App:
        secret = {*self.app_secrets, *filter(None, [self.app_database_variable])}
        # A secret that is a file reaches the app as NAME_FILE.
        files = {f"{name}_FILE" for name in secret} if self.app_secrets_as == "files" else set()
        twice = set(self.app_environment) & (secret | files)
        if twice:
            raise ValueError(f"app_environment and app_secrets both set {', '.join(sorted(twice))}")
        if self.app_database_variable in self.app_secrets:
            raise ValueError(f"app_secrets and app_database_variable both set {self.app_database_variable}")
        return self

    @model_validator(mode="after")
    def _placeholders_are_known(self) -> App:
        for name, value in self.app_environment.items():
            placeholders.check(value, FILLED_IN, f"app_environment.{name}")
        return self

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

    def filled_in(self, known: dict[str, str]) -> dict[str, str]:
        """The app's plain variables, each `$name` replaced by what is known under it."""
        return {name: placeholders.filled_in(value, known) for name, value in sorted(self.app_environment.items())}
