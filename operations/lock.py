"""The deploy lock of this run: taken on every host of it, renewed while the run lives, given back at its end.

What the lock is on a host is `signupflow.release.lock`'s business. Here a greenlet renews it every few seconds whatever the
run is waiting for, so that no step, however long, outlasts it.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent
from pyinfra import logger
from pyinfra.api import Host

from operations.remote import ScriptError, run
from signupflow import advice
from signupflow.release import lock
from signupflow.release.lock import Lock

# A host's lock is renewed when it is older than this, in seconds; far less than any lock lasts.
RENEW_AFTER = 20.0
# How long a lock lasts from each renewal: a controller that is gone for longer has lost it.
LOCK_SECONDS = 300
# Runs that began on this machine, the newest last: only of these is it known whether they have ended.
KEPT_RUNS = 200


class LockLostError(ScriptError):
    """Another run has the lock: this one was out of touch for longer than its lock lasted, and must not go on."""


def this_process() -> str:
    """This process as no other: machine, boot, pid namespace, pid and its start in ticks since that boot (proc(5), field 22)."""
    return " ".join((*_here(), str(os.getpid()), _started(os.getpid())))


def _here() -> tuple[str, str, str]:
    """Machine, boot and namespace of process ids: a pid means something only within all three."""
    identity = Path("/etc/machine-id")
    machine = identity.read_text().strip() if identity.is_file() else ""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return machine or socket.gethostname(), boot, os.readlink("/proc/self/ns/pid").removeprefix("pid:")


def _started(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _runs_file() -> Path:
    """Where this machine keeps which runs it began (XDG base directory specification: state)."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "signupflow" / "runs"


def began_here(run_id: str) -> bool:
    try:
        return run_id in _runs_file().read_text().split()
    except OSError:
        return False


def remember(run_id: str) -> None:
    """Keep that this run began here. Where that cannot be kept, a killed run's lock waits for its time."""
    path = _runs_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        known = path.read_text().split() if path.exists() else []
        new = path.with_name(f"runs.{os.getpid()}")
        new.write_text("\n".join([*known, run_id][-KEPT_RUNS:]) + "\n")
        new.replace(path)
    except OSError as error:
        logger.debug(f"{path} cannot be written: {error}")


def ended(held: Lock) -> bool:
    """Whether the run that holds a lock is known to have ended: it began on this very machine, and its process is no more.

    A machine's and a boot's identity prove nothing by themselves: clones of one image, and machines resumed from one
    snapshot, share them. That this machine's own disk names the run does. Of any other run nothing is known.
    """
    parts = held.process.split()
    machine, boot, namespace = _here()
    if len(parts) != 5 or parts[0] != machine or not began_here(held.run):
        return False
    if parts[1] != boot:
        return True
    return parts[2] == namespace and _started(int(parts[3])) != parts[4]


@dataclass
class DeployLock:
    """One run's lock. `held` is host name to the host and when its lock was renewed last (monotonic seconds)."""

    run_id: str
    held_lock: Lock | None = None
    held: dict[str, tuple[Host, float]] = field(default_factory=dict)
    lost: str = ""
    _renewing: gevent.Greenlet[..., Any] | None = None

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(self.held)

    def acquire(self, hosts: Sequence[Host], owner: str, reason: str) -> Lock | None:
        """Take the lock on all hosts in this order; on a refusal give all back and return the one that stands in the way."""
        self.held_lock = Lock(self.run_id, owner, reason, this_process(), LOCK_SECONDS)
        remember(self.run_id)
        for host in hosts:
            refused = self._acquire(host, self.held_lock)
            if refused is not None:
                self.release()
                return refused
            self.held[host.name] = (host, time.monotonic())
        self._renewing = gevent.spawn(self._renew_steadily)
        return None

    def _acquire(self, host: Host, mine: Lock) -> Lock | None:
        gone: tuple[str, ...] = ()
        found: Lock | None = None
        for _ in range(2):
            said = run(host, lock.acquire_script(mine, gone))
            if not said.startswith(lock.REFUSED):
                return None
            found = lock.parse(said)
            if found is None or not ended(found):
                return found or Lock("?", "somebody", "unknown", "", 0)
            logger.warning(
                f"[{host.name}] the deploy lock of {found.owner} ({found.reason}) is taken over: its process has ended"
            )
            gone = (found.run,)
        return found

    def _renew_steadily(self) -> None:
        while not self.lost:
            gevent.sleep(RENEW_AFTER / 4)
            try:
                self.renew()
            except LockLostError:
                return  # the next step says so
            except Exception as error:  # a renewal that fails is tried again; the lock outlasts many
                logger.debug(f"the deploy lock was not renewed: {error!r}")

    def renew(self, *, now: Sequence[str] = ()) -> None:
        """Renew the lock where it is due, and on the hosts named `now`; raise LockLostError when it is somebody else's."""
        if self.lost:
            raise LockLostError(self.lost)
        if self.held_lock is None:
            return
        moment = time.monotonic()
        due = [host for name, (host, at) in self.held.items() if name in now or moment - at > RENEW_AFTER]
        jobs = [gevent.spawn(_renewed, host, self.held_lock) for host in due]
        for host, job in zip(due, jobs, strict=True):
            job.join()
            found = job.value
            if isinstance(found, Lock):
                self.lost = f"the deploy lock on {host.name} is now held by {found.said}; this run stops"
                raise LockLostError(self.lost)
            if found and host.name in self.held:
                self.held[host.name] = (host, time.monotonic())

    def release(self) -> None:
        """Give the lock back everywhere. A host that cannot be reached keeps it until it runs out."""
        if self._renewing is not None and self._renewing is not gevent.getcurrent():
            self._renewing.kill()
        for name, (host, _) in list(self.held.items()):
            try:
                run(host, lock.return_script(self.run_id), patience=5)
            except Exception as error:
                logger.warning(f"[{name}] the deploy lock was not given back and runs out by itself: {error}")
            del self.held[name]


def _renewed(host: Host, held: Lock) -> Lock | bool:
    """Another's lock when it was lost, True when it was renewed, False when the host could not be asked now."""
    try:
        said = run(host, lock.renew_script(held), patience=0)
    except ScriptError:
        return False
    if said.startswith(lock.LOST):
        return lock.parse(said) or Lock("?", "nobody (it was released)", advice.command("lock release"), "", 0)
    return True
