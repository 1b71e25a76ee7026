"""Commands inside PostgreSQL's container, by the Docker Engine of this host."""

from __future__ import annotations

import codecs
import io
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import docker
from docker.errors import APIError, DockerException, NotFound

from signupflow.shared.places import POSTGRES, POSTGRES_UID

LIVE = POSTGRES
# pgBackRest shares two cores with the server: the server comes first.
POLITELY = ("nice", "-n", "10")

Listener = Callable[[str], None]


class GoneError(Exception):
    """The container is not there, or does not run."""


class CommandError(Exception):
    """A command ended with another code than 0; the text is what it wrote to both streams."""

    def __init__(self, code: int, output: str) -> None:
        super().__init__(output.strip()[-2000:] or f"exit code {code}")
        self.code, self.output = code, output


@dataclass(frozen=True)
class Done:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str


class Server:
    """One PostgreSQL container: the live one, or a scratch instance's."""

    def __init__(self, name: str = LIVE, client: docker.DockerClient | None = None) -> None:
        self.name = name
        self.client = client or engine()

    @property
    def running(self) -> bool:
        try:
            return bool(self.client.containers.get(self.name).status == "running")
        except NotFound:
            return False

    def run(
        self,
        argv: Sequence[str],
        user: str = "postgres",
        variables: Mapping[str, str] | None = None,
        listen: Listener | None = None,
    ) -> Done:
        """Run a command; `listen` gets each line of both streams as it comes."""
        streams = {1: b"", 2: b""}
        rest = ""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        command = self.start(argv, user, variables)
        for stream, data in command:
            streams[stream] += data
            if listen:
                *lines, rest = (rest + decoder.decode(data)).split("\n")
                for line in lines:
                    listen(line)
        return Done(command.code, *(streams[stream].decode(errors="replace") for stream in (1, 2)))

    def start(self, argv: Sequence[str], user: str = "postgres", variables: Mapping[str, str] | None = None) -> Running:
        """Begin a command whose output is read piece by piece."""
        return Running(self, argv, user, variables or {})

    def check(self, argv: Sequence[str], user: str = "postgres", listen: Listener | None = None) -> str:
        """Run a command that must end with 0, and return its standard output."""
        done = self.run(argv, user, listen=listen)
        if done.code:
            raise CommandError(done.code, done.out + done.err)
        return done.out

    def psql(self, sql: str, database: str = "postgres") -> str:
        """What a query prints, unaligned and without headings; `|` between columns."""
        return self.check(("psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql)).strip()

    def pgbackrest(self, *arguments: str, listen: Listener | None = None) -> Done:
        return self.run((*POLITELY, "pgbackrest", *arguments), listen=listen)

    def put(self, path: str, content: bytes) -> None:
        """A file in the container, which only its postgres user reads."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            entry = tarfile.TarInfo(path.rpartition("/")[2])
            entry.size, entry.mode, entry.uid, entry.gid = len(content), 0o400, POSTGRES_UID, POSTGRES_UID
            archive.addfile(entry, io.BytesIO(content))
        self.client.api.put_archive(self.name, path.rpartition("/")[0], packed.getvalue())

    def end(self, pattern: str) -> None:
        """Ask processes in the container to end whose command line matches."""
        self.run(("pkill", "-TERM", "-f", pattern), user="root")


class Running:
    """A command of a container: iterate over it for (stream, bytes), then read `code`."""

    def __init__(self, server: Server, argv: Sequence[str], user: str, variables: Mapping[str, str]) -> None:
        self._api = server.client.api
        try:
            made = self._api.exec_create(server.name, list(argv), user=user, environment=dict(variables) or None)
            self._id: str = made["Id"]
            self._pieces = self._api.exec_start(self._id, stream=True, demux=True)
        except NotFound:
            raise GoneError(f"there is no container {server.name} on this host") from None
        except APIError as error:
            if error.status_code == 409:
                raise GoneError(f"container {server.name} does not run: {error.explanation}") from None
            raise
        self.code = -1

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        for out, err in self._pieces:
            if out:
                yield 1, out
            if err:
                yield 2, err
        self.code = self._ended()

    def _ended(self) -> int:
        """The exit code; the stream may end a moment before the engine knows it."""
        deadline = time.monotonic() + 10
        while True:
            found: dict[str, Any] = self._api.exec_inspect(self._id)
            if not found["Running"] and found["ExitCode"] is not None:
                return int(found["ExitCode"])
            if time.monotonic() > deadline:
                return -1
            time.sleep(0.05)


def engine() -> docker.DockerClient:
    """The Docker Engine of this host; GoneError when it does not answer."""
    try:
        return docker.DockerClient(base_url="unix:///var/run/docker.sock", timeout=60)
    except DockerException as error:
        raise GoneError(f"Docker does not answer on this host: {' '.join(str(error).split())}") from None
