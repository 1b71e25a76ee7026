"""The environment of this run: settings of the current host, secrets and images, each made once."""

from __future__ import annotations

import functools
from pathlib import Path

from pyinfra import host

from signupflow import secretfile, settings
from signupflow.images import Image, resolve
from signupflow.secretfile import Secrets
from signupflow.settings import Environment


def environment() -> Environment:
    """Settings of the host that is being prepared."""
    return _settings(host.name)


@functools.cache
def _settings(name: str) -> Environment:
    return settings.from_data(host.data.dict(), name)


def secrets() -> Secrets:
    """The environment's secrets, decrypted in memory."""
    return secrets_of(environment())


def secrets_of(env: Environment) -> Secrets:
    path = Path(env.secrets_file or f"secrets/{env.environment}.age")
    values = _decrypted(path, env.environment, env.age_key_file)
    values.require(env.secret_names, str(path))
    return values


@functools.cache
def _decrypted(path: Path, environment_name: str, key_file: str) -> Secrets:
    return Secrets(secretfile.decrypt(path, secretfile.identity(environment_name, key_file)))


@functools.cache
def image(reference: str) -> Image:
    """The image a setting names, as hosts will name it."""
    return resolve(reference)


def in_group(name: str) -> bool:
    """Whether the current host has this role."""
    return name in host.groups
