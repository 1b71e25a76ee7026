"""When the last of some containers ended, told by the engines' own events."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Mapping, Sequence

from lab.client import Lab

# A terminal, so that the command ends on the host when this end of it does.
EVENTS = "sudo docker events --since {since:.3f} --filter event=die --format '{{{{.Actor.ID}}}} {{{{.TimeNano}}}}'"


class Old:
    """`with Old(lab, {host: full ids}) as old: ...`; `old.gone()` is the Unix time at which the last one ended, or None."""

    def __init__(self, lab: Lab, containers: Mapping[str, Sequence[str]]) -> None:
        assert any(containers.values()), "no old container to wait for"
        self._lab, self._containers = lab, containers
        self._died: dict[str, float] = {}
        self._watchers: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Old:
        since = time.time()
        for host in self._containers:
            ssh, *rest = self._lab.ssh_command(host)
            watcher = subprocess.Popen(
                [ssh, "-tt", *rest, EVENTS.format(since=since)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            self._watchers.append(watcher)
            threading.Thread(target=self._read, args=(watcher,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for watcher in self._watchers:
            watcher.terminate()
            watcher.wait()

    def _read(self, watcher: subprocess.Popen[str]) -> None:
        assert watcher.stdout
        for line in watcher.stdout:
            container, nanoseconds = line.split()
            self._died[container] = int(nanoseconds) / 1e9

    def gone(self) -> float | None:
        expected = {container for containers in self._containers.values() for container in containers}
        if not expected <= self._died.keys():
            assert all(watcher.poll() is None for watcher in self._watchers), "docker events ended"
            return None
        return max(self._died[container] for container in expected)
