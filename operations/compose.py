"""Compose stacks that are changed only when what runs is not what is desired."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping

from pyinfra import host
from pyinfra.api import QuoteString, StringCommand, operation
from pyinfra.api.command import PyinfraCommand

from facts.containers import Container, Containers
from facts.host_files import Holds, ManagedFile
from operations.files import differs, show, written
from operations.interrupts import guard
from signupflow.render import config_hash

HASH_LABEL = "org.signupflow.config-hash"
STACK_LABEL = "org.signupflow.stack"


def up(directory: str, seconds: int) -> StringCommand:
    """Start a stack and wait until it is healthy; on failure print why, from the containers' own logs."""
    compose = f"docker compose --project-directory {directory}"
    return StringCommand(
        f"{compose} up --detach --quiet-pull --remove-orphans --wait --wait-timeout {seconds}"
        f" || {{ {compose} ps --all; {compose} logs --tail 40; exit 1; }}"
    )


def as_desired(containers: Collection[Container], count: int, desired: str, image_id: str) -> bool:
    """Whether exactly `count` containers serve with the desired hash and image."""
    return len(containers) == count and all(
        container.sound
        and container.labels.get(HASH_LABEL) == desired
        and container.image in (image_id, image_id or container.image)
        for container in containers
    )


@operation()
def stack(
    service: str,
    directory: str,
    files: Mapping[str, str],
    image_id: str = "",
    secret_digests: Mapping[str, str] | None = None,
    seconds: int = 60,
    allow_interrupts: Collection[str] = (),
) -> Generator[PyinfraCommand]:
    """One service in one Compose project under `directory`, which works by hand as well.

    `files` are relative names to texts and include compose.yaml. Recreating a running service is
    refused unless `service` is in `allow_interrupts`.
    """
    files = {path: text if text.endswith("\n") else text + "\n" for path, text in files.items()}
    desired = config_hash(files, {service: image_id}, secret_digests or {})
    files[".env"] = f"# The hash of all this stack was made from; `docker compose` reads it.\nSIGNUPFLOW_CONFIG_HASH={desired}\n"
    current = {path: host.get_fact(ManagedFile, path=f"{directory}/{path}") for path in files}
    changed = [path for path, text in files.items() if differs(current[path], text, "0644", "root:root")]
    containers = host.get_fact(Containers, label=f"{STACK_LABEL}={service}")
    starting = not as_desired(containers, 1, desired, image_id)
    if not changed and not starting:
        host.noop(f"stack {service} runs as desired")
        return
    recreating = starting and any(item.status == "running" and item.labels.get(HASH_LABEL) != desired for item in containers)
    for path in changed:
        if path != ".env":
            show(current[path], f"{directory}/{path}", files[path], "0644", "root:root")
    if recreating:
        yield from guard(service, "its container is recreated", allow_interrupts)
    for path in changed:
        yield from written(f"{directory}/{path}", files[path], "0644", "root:root")
    if starting:
        yield up(directory, seconds)


@operation()
def gone(service: str, directory: str) -> Generator[StringCommand]:
    """Take a stack away, its files as well."""
    there = host.get_fact(ManagedFile, path=f"{directory}/compose.yaml").exists
    if not there and not host.get_fact(Containers, label=f"{STACK_LABEL}={service}"):
        host.noop(f"stack {service} is not there")
        return
    yield StringCommand(
        f"docker ps -aq --filter label={STACK_LABEL}={service} | xargs -r docker rm --force >/dev/null && rm -rf",
        QuoteString(directory),
    )


@operation()
def directory(path: str, mode: str, uid: int) -> Generator[StringCommand]:
    """A directory that a container writes to."""
    if host.get_fact(Holds, condition=f'test "$(stat -c "%a %u" {path})" = "{mode.lstrip("0")} {uid}"'):
        host.noop(f"{path} is there")
        return
    yield StringCommand(f"install -d -m {mode} -o {uid} -g {uid}", QuoteString(path))


@operation()
def network(network: str, bridge: str) -> Generator[StringCommand]:
    """A Docker network of its own for containers of several Compose projects; `bridge` is its interface on the host."""
    option = "com.docker.network.bridge.name"
    same = f'test "$(docker network inspect --format \'{{{{index .Options "{option}"}}}}\' {network})" = {bridge}'
    if host.get_fact(Holds, condition=same):
        host.noop(f"network {network} is there")
        return
    yield StringCommand(f"docker network create --opt {option}={bridge} --label {STACK_LABEL}={network} {network} >/dev/null")
