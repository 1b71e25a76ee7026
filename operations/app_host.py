"""What runs of an app on a host, read there: replicas of a generation, how they are reached, and what they say."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import gevent
from pyinfra.api import Host

from operations.remote import SCRIPT_SECONDS, ScriptError, run

if TYPE_CHECKING:
    from operations.release import Release

# How long a host asks its candidates before it tells how far they are.
ASK_SECONDS = 2


class StepFailedError(Exception):
    """A step's own verdict: the first line is the reason, further lines are what containers said."""


@dataclass(frozen=True)
class Replica:
    """One container of a generation as `docker inspect` and its health path show it."""

    name: str
    status: str
    restarts: int
    health: str
    exit_code: int
    health_code: str = "000"
    ready_code: str = "000"

    @property
    def serves(self) -> bool:
        return self.status == "running" and self.health_code == self.ready_code == "200"

    @property
    def steady(self) -> bool:
        return self.status == "running" and self.restarts == 0 and self.health != "unhealthy"


@dataclass(frozen=True)
class Kept:
    """How a generation is reached and asked."""

    urls: tuple[str, ...]
    port: int
    health_path: str
    ready_path: str


class Replicas:
    """The generations of an app on one host. `fresh` is the one that this run makes (0: none), as wanted and not as found."""

    def __init__(self, host: Host, release: Release, fresh: int) -> None:
        self.host, self.release, self.fresh = host, release, fresh
        self._kept: dict[int, Kept] = {}

    def kept(self, number: int) -> Kept:
        """How a generation is reached and asked: as wanted for a new one, as its own files say for one from before."""
        release = self.release
        wanted = Kept(tuple(release.urls(number)), release.port, release.health_path, release.route.ready_path)
        if number == self.fresh:
            return wanted
        if number not in self._kept:
            text = run(self.host, read_script(f"{release.project(number)}/.env"))
            found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
            if "SIGNUPFLOW_URLS" not in found:  # made before these were kept
                return wanted
            self._kept[number] = Kept(
                tuple(found["SIGNUPFLOW_URLS"].split(",")),
                int(found["SIGNUPFLOW_PORT"]),
                found["SIGNUPFLOW_HEALTH_PATH"],
                found["SIGNUPFLOW_READY_PATH"],
            )
        return self._kept[number]

    def healthy(self, number: int) -> None:
        wanted = len(self.kept(number).urls)
        deadline = time.monotonic() + self.release.start_seconds
        while True:
            found = self.found(number, ask=True)
            if len(found) == wanted and all(item.serves for item in found):
                return
            gone = [item for item in found if item.status != "running"]
            if gone or time.monotonic() >= deadline:
                raise StepFailedError(self._unhealthy(found, self.kept(number)))
            gevent.sleep(0.1)

    def _unhealthy(self, found: list[Replica], asked: Kept) -> str:
        limit = self.release.start_seconds
        for item in found:
            if item.status != "running":
                return f"{item.name} is {item.status} (exit code {item.exit_code}) and not running\n{self.logs(item.name)}"
            for path, code in ((asked.health_path, item.health_code), (asked.ready_path, item.ready_code)):
                if code != "200":
                    said = f"answered {code}" if code != "000" else f"did not answer on port {asked.port}"
                    return f"{item.name}: {path} {said}, not 200, within {limit} s\n{self.logs(item.name)}"
        return f"only {len(found)} of {len(asked.urls)} replicas are there"

    def logs(self, name: str) -> str:
        """What the container wrote last, and what Docker's health checks of it said."""
        health = (
            '{{if .State.Health}}{{range .State.Health.Log}}health check: exit {{.ExitCode}} {{.Output}}{{"\\n"}}{{end}}{{end}}'
        )
        try:
            return run(self.host, f"docker logs --tail 40 {name} 2>&1; docker inspect --format '{health}' {name}", patience=0)
        except ScriptError as error:
            return f"(its log cannot be read: {error})"

    def found(self, number: int, ask: bool = False) -> list[Replica]:
        """The generation's containers; with `ask` also what the health path of each answers (`000`: nothing)."""
        there = self.kept(number)
        labels = f"label={self.release.app_label}={self.release.app}", f"label={self.release.generation_label}={number}"
        fields = (
            "{{slice .Name 1}} {{.State.Status}} {{.RestartCount}}"
            " {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}"
            " {{.State.ExitCode}} {{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
        )
        # Health, and what the routes will ask: a replica that is healthy and never ready would take no traffic.
        # One process for both, and not too often: what asks takes its processor time from what starts.
        urls = " ".join(f'"http://$address:{there.port}{path}"' for path in (there.health_path, there.ready_path))
        curl = (
            f"curl --silent -m {ASK_SECONDS} -o /dev/null -o /dev/null --write-out '%{{http_code}} '"
            f" --header 'Host: {self.release.route.domain}' {urls}"
        )
        asked = f'test -z "$address" || codes=$({curl})' if ask else "true"
        # Asked again and again over there: each script from here costs a connection's worth of processor on a busy host.
        script = (
            f'ids=$(docker ps -aq --filter {labels[0]} --filter {labels[1]}); test -n "$ids" || exit 0\n'
            f"rows=$(docker inspect --format '{fields}' $ids); end=$(( $(date +%s) + {ASK_SECONDS} ))\n"
            "while :; do\n"
            '  said=$(echo "$rows" | while read -r name status restarts health exit address rest; do\n'
            f"    codes=; {asked}\n"
            '    echo "$name $status $restarts $health $exit $codes"\n'
            "  done)\n"
            f'  {"" if ask else "break; "}echo "$said" | grep -qv " 200 200 *$" || break\n'
            '  test $(date +%s) -lt $end || break; sleep 0.2\ndone\necho "$said"'
        )
        seconds = SCRIPT_SECONDS + 2 * ASK_SECONDS * self.release.replicas
        rows = [line.split() for line in run(self.host, script, seconds).splitlines()]
        there_now = [Replica(row[0], row[1], int(row[2]), row[3], int(row[4]), *row[5:7]) for row in rows]
        return sorted(there_now, key=lambda item: item.name)

    def steady(self, number: int, when: str) -> None:
        """Fails when one of a generation's replicas is not there, not running, has restarted or is unhealthy."""
        found = self.found(number)
        for item in found:
            if not item.steady:
                what = f"exited ({item.exit_code})" if item.status != "running" else "restarted" if item.restarts else item.health
                raise StepFailedError(f"{item.name} {what} {when}\n{self.logs(item.name)}")
        if len(found) < self.release.replicas:
            raise StepFailedError(f"only {len(found)} of {self.release.replicas} replicas are there {when}")

    def ids(self, number: int) -> str:
        release = self.release
        return (
            f"docker ps -aq --filter label={release.app_label}={release.app} --filter label={release.generation_label}={number}"
        )


def read_script(path: str) -> str:
    """A script that prints a file, or nothing when there is none. One that is there and cannot be read is an error:
    taken for an absent one, it would drop the other hosts from the routes."""
    return f"test ! -e {shlex.quote(path)} || cat {shlex.quote(path)}"
