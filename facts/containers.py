"""What the host's Docker Engine runs and holds."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from pyinfra.api import FactBase, QuoteString, StringCommand

# Chosen fields only: the whole of `docker inspect` would carry a container's environment.
_FORMAT = (
    '{"name":{{json .Name}},"image":{{json .Image}},"reference":{{json .Config.Image}},"started":{{json .State.StartedAt}},'
    '"labels":{{json .Config.Labels}},"status":{{json .State.Status}},'
    '"health":{{if .State.Health}}{{json .State.Health.Status}}{{else}}"none"{{end}},'
    '"restart":{{json .HostConfig.RestartPolicy.Name}}}'
)


@dataclass(frozen=True)
class Container:
    """One container; `image` is the image id, `reference` what it was asked for by, `health` is none, starting, healthy or
    unhealthy, `started` is UTC in ISO 8601."""

    name: str
    image: str
    status: str
    health: str
    restart: str
    labels: dict[str, str] = field(default_factory=dict)
    reference: str = ""
    started: str = ""

    @property
    def sound(self) -> bool:
        """Runs and is not known to be unhealthy; after a restart of the engine or the host, health starts over."""
        return self.status == "running" and self.health != "unhealthy"


class Containers(FactBase[list[Container]]):
    """All containers, stopped ones too, that carry a label (`key=value`); none where Docker is absent."""

    @staticmethod
    def default() -> list[Container]:
        return []

    def requires_command(self, label: str) -> str:
        return "docker"

    def command(self, label: str) -> StringCommand:
        return StringCommand(
            "docker ps -aq --filter", QuoteString(f"label={label}"), "| xargs -r docker inspect --format", QuoteString(_FORMAT)
        )

    def process(self, output: list[str]) -> list[Container]:
        rows = (json.loads(line) for line in output)
        return [
            Container(
                row["name"].lstrip("/"),
                row["image"],
                row["status"],
                row["health"],
                row["restart"],
                row["labels"] or {},
                row["reference"],
                row["started"],
            )
            for row in sorted(rows, key=lambda row: row["name"])
            # What `docker compose run` left behind carries the service's labels and is none of its replicas.
            if (row["labels"] or {}).get("com.docker.compose.oneoff") != "True"
        ]


class ImageId(FactBase[str]):
    """Id (`sha256:...`) of an image on the host, or an empty string."""

    @staticmethod
    def default() -> str:
        return ""

    def requires_command(self, reference: str) -> str:
        return "docker"

    def command(self, reference: str) -> StringCommand:
        return StringCommand("docker image inspect --format '{{.Id}}'", QuoteString(reference), "2>/dev/null || true")

    def process(self, output: list[str]) -> str:
        return output[0].strip()


@dataclass(frozen=True)
class HostImage:
    """An image on the host: its id, the names it has there, and its labels."""

    id: str
    names: tuple[str, ...]
    labels: dict[str, str]


class HostImages(FactBase[dict[str, HostImage]]):
    """Those of the references (names or ids) that the host has, by reference."""

    @staticmethod
    def default() -> dict[str, HostImage]:
        return {}

    def requires_command(self, references: tuple[str, ...]) -> str:
        return "docker"

    def command(self, references: tuple[str, ...]) -> StringCommand:
        quoted = [QuoteString(reference) for reference in references]
        shown = '{"id":{{json .Id}},"tags":{{json .RepoTags}},"digests":{{json .RepoDigests}},"labels":{{json .Config.Labels}}}'
        return StringCommand(
            "for r in", *quoted, '; do said=$(docker image inspect --format', QuoteString(shown),
            '"$r" 2>/dev/null) && printf "%s %s\\n" "$r" "$said"; done; true',
        )  # fmt: skip

    def process(self, output: list[str]) -> dict[str, HostImage]:
        found = {}
        for line in output:
            reference, _, said = line.partition(" ")
            row = json.loads(said)
            names = (*(row["tags"] or ()), *(row["digests"] or ()))
            found[reference] = HostImage(row["id"], names, row["labels"] or {})
        return found
