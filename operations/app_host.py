"""What a rollout does on an app host: each method is one command there, which can be repeated.

`operations/rollout.py` decides the order; a test puts a host in this one's place that raises whatever it likes.
"""

from __future__ import annotations

import base64
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from pyinfra.api import Host

from operations.remote import PATIENCE, SCRIPT_SECONDS, ScriptError, run
from signupflow.names import replica_names
from signupflow.release import journal, prune
from signupflow.release.spec import APP_LABEL, GENERATION_LABEL, Endpoints, ReleaseSpec, endpoints

# How long a host asks its candidates before it tells how far they are.
ASK_SECONDS = 2
# Beyond what Docker was given for stopping or starting something.
GRACE = 15.0
# Docker's default weight. Candidates start with less (compose.yaml), so that starting does not slow down what serves.
CPU_SHARES = 1024
PRUNE_SECONDS = 120.0


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


class AppHost:
    """Commands of a release on one app host. Each raises ScriptError when it fails, UnreachableError when the host is away."""

    def __init__(self, host: Host, spec: ReleaseSpec) -> None:
        self.host, self.spec = host, spec

    @property
    def name(self) -> str:
        return str(self.host.name)

    @property
    def prefix(self) -> str:
        """What pyinfra puts before this host's lines."""
        return str(self.host.print_prefix)

    def record(self, entry: journal.Entry) -> None:
        """One line in the host's journal."""
        run(self.host, journal.append_script(self.spec.app, entry))

    def write(self, generation: int) -> None:
        """Files and secrets of a generation. In place: a candidate of a run that was killed has this very directory mounted."""
        directory, secrets = self.spec.project(generation), self.spec.secret_directory(generation)
        files = {f"{directory}/{name}": text for name, text in self.spec.files.items()}
        files[f"{directory}/.env"] = self.spec.environment(generation)
        uid, values = self.spec.secrets.uid, self.spec.secrets.values
        keep = " ".join(f"! -name {shlex.quote(name)}" for name in values)
        script = [
            "set -e",
            f"mkdir -p -m 0711 /etc/signupflow/secrets && install -d -m 0700 -o {uid} -g {uid} "
            f"{shlex.quote(self.spec.secrets.parent)} {shlex.quote(secrets)}",
            f"find {shlex.quote(secrets)} -mindepth 1 -maxdepth 1 -type f {keep} -delete",
            *(file_script(path, text if text.endswith("\n") else text + "\n", "0644", 0) for path, text in files.items()),
            *(file_script(f"{secrets}/{name}", value.rstrip("\n") + "\n", "0400", uid) for name, value in values.items()),
        ]
        run(self.host, "\n".join(script))

    def endpoints(self, generation: int) -> Endpoints:
        """How a generation from before is reached and asked, as its own files say; as wanted now when they do not."""
        text = run(self.host, read_script(f"{self.spec.project(generation)}/.env"))
        return endpoints(text) or self.spec.endpoints(generation)

    def start(self, generation: int) -> None:
        # Not `--wait`: Docker first asks after its whole interval, and an image need not say how it is asked.
        compose = f"docker compose --project-directory {self.spec.project(generation)}"
        run(self.host, f"{compose} up --detach --quiet-pull --remove-orphans 2>&1", self.spec.start_seconds + GRACE)

    def replicas(self, generation: int, asked: Endpoints | None = None) -> list[Replica]:
        """The generation's containers; with `asked` also what the paths of each answer (`000`: nothing)."""
        fields = (
            "{{slice .Name 1}} {{.State.Status}} {{.RestartCount}}"
            " {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}"
            " {{.State.ExitCode}} {{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
        )
        ask = "true"
        if asked:
            # Health, and what the routes will ask: a replica that is healthy and never ready would take no traffic.
            # One process for both, and not too often: what asks takes its processor time from what starts.
            urls = " ".join(f'"http://$address:{asked.port}{path}"' for path in (asked.health_path, asked.ready_path))
            curl = (
                f"curl --silent -m {ASK_SECONDS} -o /dev/null -o /dev/null --write-out '%{{http_code}} '"
                f" --header 'Host: {self.spec.route.domain}' {urls}"
            )
            ask = f'test -z "$address" || codes=$({curl})'
        # Asked again and again over there: each script from here costs a connection's worth of processor on a busy host.
        script = (
            f'ids=$({self._ids(generation)}); test -n "$ids" || exit 0\n'
            f"rows=$(docker inspect --format '{fields}' $ids); end=$(( $(date +%s) + {ASK_SECONDS} ))\n"
            "while :; do\n"
            '  said=$(echo "$rows" | while read -r name status restarts health exit address rest; do\n'
            f"    codes=; {ask}\n"
            '    echo "$name $status $restarts $health $exit $codes"\n'
            "  done)\n"
            f'  {"" if asked else "break; "}echo "$said" | grep -qv " 200 200 *$" || break\n'
            '  test $(date +%s) -lt $end || break; sleep 0.2\ndone\necho "$said"'
        )
        seconds = SCRIPT_SECONDS + 2 * ASK_SECONDS * self.spec.replicas
        rows = [line.split() for line in run(self.host, script, seconds).splitlines()]
        found = [Replica(row[0], row[1], int(row[2]), row[3], int(row[4]), *row[5:7]) for row in rows]
        return sorted(found, key=lambda item: item.name)

    def logs(self, name: str) -> str:
        """What the container wrote last, and what Docker's health checks of it said."""
        health = (
            '{{if .State.Health}}{{range .State.Health.Log}}health check: exit {{.ExitCode}} {{.Output}}{{"\\n"}}{{end}}{{end}}'
        )
        try:
            return run(self.host, f"docker logs --tail 40 {name} 2>&1; docker inspect --format '{health}' {name}", patience=0)
        except ScriptError as error:
            return f"(its log cannot be read: {error})"

    def check(self, generation: int) -> str:
        """What the image's own check command prints, inside the first replica."""
        name = replica_names(self.spec.app, generation, 1)[0]
        return run(self.host, f"docker exec {name} {shlex.join(self.spec.check_command)}", 60)

    def stop_replica(self, name: str) -> int:
        """Stop one container within its grace; its exit code (137: it was killed)."""
        limit = self.spec.stop_seconds
        run(self.host, f"docker stop --time {limit} {name} >/dev/null", limit + GRACE)
        return int(run(self.host, f"docker inspect --format '{{{{.State.ExitCode}}}}' {name}"))

    def start_replica(self, name: str) -> None:
        run(self.host, f"docker start {name} >/dev/null", self.spec.start_seconds + GRACE)

    def full_share(self, generation: int) -> None:
        """Give candidates the processor weight of what serves."""
        run(self.host, f"{self._ids(generation)} | xargs -r docker update --cpu-shares {CPU_SHARES} >/dev/null")

    def promote(self, up: int, down: int) -> None:
        """From now on a reboot starts `up`, and not `down`."""
        script = (
            f'ids=$({self._ids(up)}) && test -n "$ids" && '
            f"docker update --restart unless-stopped --cpu-shares {CPU_SHARES} $ids >/dev/null"
        )
        if down:
            script += f" && {self._ids(down)} | xargs -r docker update --restart no >/dev/null"
        run(self.host, script)

    def start_stopped(self, generation: int, patience: float = PATIENCE) -> bool:
        """Start what a reboot left stopped of a generation; whether there was any."""
        down = f"{self._ids(generation)} --filter status=exited"
        script = f'ids=$({down}); test -z "$ids" || docker start $ids'
        return bool(run(self.host, script, self.spec.start_seconds + GRACE, patience).strip())

    def stop(self, generation: int) -> list[str]:
        """Stop a generation within its grace and remove its containers; the names of those that had to be killed.

        Traefik sends nothing there any more, so that it may stop without waiting for somebody to notice. Its files stay.
        """
        limit, signal = self.spec.stop_seconds, self.spec.drained_signal
        named = f"--signal {signal} " if signal else ""
        killed = run(
            self.host,
            f'ids=$({self._ids(generation)}); test -n "$ids" || exit 0\n'
            f"docker stop {named}--time {limit} $ids >/dev/null || exit 1\n"
            "docker inspect --format '{{.Name}} {{.State.ExitCode}}' $ids | sed -n 's#^/\\(.*\\) 137$#\\1#p'\n"
            "docker rm --force $ids >/dev/null",
            limit + GRACE,
        )
        return killed.split()

    def forget(self, generation: int) -> None:
        """Remove a generation's files and secrets."""
        run(self.host, f"rm -rf {self.spec.project(generation)} {self.spec.secret_directory(generation)}")

    def prune(self, kept: Sequence[int]) -> None:
        """Old releases go, but for the last that served: their files, and images that nothing names any more.

        `kept` is what serves, and then what did so right before.
        """
        directory, app = self.spec.directory, self.spec.app
        there = prune.listed(run(self.host, prune.list_script(directory)))
        served = journal.served(run(self.host, journal.served_script(app)))
        old = prune.files_script(directory, self.spec.secrets.parent, prune.doomed(kept, there, served, self.spec.keep))
        script = journal.trim_script(app) + old + prune.images_script(directory, self.spec.repository)
        run(self.host, script, PRUNE_SECONDS)

    def _ids(self, generation: int) -> str:
        """A command that lists the generation's containers."""
        labels = f"{APP_LABEL}={self.spec.app}", f"{GENERATION_LABEL}={generation}"
        return f"docker ps -aq --filter label={labels[0]} --filter label={labels[1]}"


def read_script(path: str) -> str:
    """A script that prints a file, or nothing when there is none. One that is there and cannot be read is an error:
    taken for an absent one, it would drop the other hosts from the routes."""
    return f"test ! -e {shlex.quote(path)} || cat {shlex.quote(path)}"


def file_script(path: str, text: str, mode: str, uid: int) -> str:
    """Lines of a script that write a file beside its place and rename it over. Its content is in no process list."""
    packed = base64.b64encode(text.encode()).decode()
    new, target, parent = shlex.quote(f"{path}.new"), shlex.quote(path), shlex.quote(path.rpartition("/")[0])
    return (
        f"mkdir -p {parent}; install -m 0600 /dev/null {new}; base64 -d > {new} <<'SIGNUPFLOW'\n{packed}\nSIGNUPFLOW\n"
        f"chown {uid}:{uid} {new}; chmod {mode} {new}; mv -f {new} {target}"
    )
