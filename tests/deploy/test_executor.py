"""The executor, with a fake host that raises each kind of exception at each command: traffic ends on servers that answer."""

from __future__ import annotations

import json
from collections.abc import Callable

import gevent
import pytest
from paramiko import SSHException
from pyinfra import logger
from pyinfra.api.exceptions import ConnectError, PyinfraError

from operations import executor
from operations.deployment import DeploymentContext
from operations.executor import StepFailedError
from operations.lock import LockLostError
from operations.remote import ScriptError
from operations.rollout import RolloutExecutor
from signupflow.release.resume import back
from signupflow.release.rollout import Rollout, Step
from tests.deploy.fake_fleet import NEW, OLD, RELEASE, SPEC, Commands, FakeEdge, FakeHost, Fault, away

KINDS: dict[str, Callable[[], BaseException]] = {
    "script": lambda: ScriptError("docker: daemon is restarting\nmore of it"),
    "unreachable": lambda: away("web1"),
    "connect": lambda: ConnectError("no route to host"),
    "ssh": lambda: SSHException("Server connection dropped"),
    "eof": EOFError,
    "os": lambda: OSError(5, "Input/output error"),
    "timeout": lambda: TimeoutError("no answer within 15 s"),
    "gevent": lambda: gevent.Timeout(15),
    "index": lambda: IndexError("list index out of range"),
    "key": lambda: KeyError("Config"),
    "value": lambda: ValueError("invalid literal for int() with base 10: ''"),
    "json": lambda: json.JSONDecodeError("Expecting value", "", 0),
    "unicode": lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    "attribute": lambda: AttributeError("'NoneType' object has no attribute 'split'"),
    "type": lambda: TypeError("'NoneType' object is not subscriptable"),
    "runtime": lambda: RuntimeError("generator raised StopIteration"),
    "memory": MemoryError,
    "recursion": lambda: RecursionError("maximum recursion depth exceeded"),
    "pyinfra": lambda: PyinfraError("No hosts remaining!"),
    "judged": lambda: StepFailedError("8 of 9 answers were errors"),
}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "RETRY_SECONDS", 0)
    monkeypatch.setattr("operations.rollout.SMOKE_SECONDS", 0)
    monkeypatch.setattr("operations.rollout.FIRST_SMOKE_SECONDS", 0)
    monkeypatch.setattr("operations.rollout.WATCH_SECONDS", 0.0005)
    monkeypatch.setattr(logger, "disabled", True)


class Tried:
    """One rollout on fakes, run to its end."""

    def __init__(self, fault: Fault = lambda number, name: None, *, after: bool = False, rollout: Rollout = RELEASE) -> None:
        self.commands = Commands(fault, after)
        self.host, self.edge = FakeHost(self.commands, serving=rollout.old), FakeEdge(self.commands, serving=rollout.old)
        self.context = DeploymentContext()
        self.executor = RolloutExecutor(
            self.context, self.host, self.edge, SPEC, rollout, ask=lambda entry, path: (200, "")  # type: ignore[arg-type]
        )  # fmt: skip
        self.well = self.executor.rolled_out(rollout.path[0])

    @property
    def routed(self) -> tuple[int, ...]:
        return self.edge.table.routed("web1")

    @property
    def dead(self) -> list[int]:
        """Generations that are sent traffic, and do not run."""
        return [generation for generation in self.routed if not self.host.containers.get(generation)]


def commands_of_a_release() -> list[str]:
    tried = Tried()
    assert tried.well
    assert tried.routed == (NEW,)
    return tried.commands.names


COMMANDS = commands_of_a_release()


def only(kind: str, at: int) -> Fault:
    """One command raises."""
    return lambda number, _: KINDS[kind]() if number == at else None


def from_then_on(kind: str, at: int, where: str) -> Fault:
    """From that command on all of a place's raise."""
    return lambda number, name: KINDS[kind]() if number >= at and name.startswith(where) else None


def test_a5_a_release_without_a_fault_gives_every_command_of_the_table() -> None:
    assert {"host.write", "host.start", "host.promote", "host.stop", "edge.write", "edge.confirm"} <= set(COMMANDS)
    assert len(COMMANDS) > 40


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", KINDS)
def test_a5_whatever_one_command_raises_traffic_ends_on_servers_that_answer(kind: str, after: bool) -> None:
    """Every command of a release x this kind of exception, before and after the command has had its effect."""
    for at, name in enumerate(COMMANDS):
        tried = Tried(only(kind, at), after=after)
        where = f"{kind} at {at} ({name}), steps {tried.host.journal}"
        assert not tried.dead, where
        assert len(tried.routed) == 1, f"{where}: shared with a release that failed"
        assert tried.edge.table.routed("web2") == (4,), where
        if tried.well:
            assert tried.routed == (NEW,), where
            assert not tried.context.failures, where
        else:
            assert tried.routed == (OLD,), f"{where}: routed to {tried.routed}"
            assert tried.context.failures, where
            assert tried.host.restarts[OLD], f"{where}: a reboot would not start what serves"


FOR_GOOD = ("unreachable", "key", "gevent", "judged")


@pytest.mark.parametrize("kind", FOR_GOOD)
def test_a6_a_host_that_is_lost_for_good_loses_no_traffic(kind: str) -> None:
    """From each command on the app host answers nothing any more; what runs there goes on, and the edge is reached."""
    for at, name in enumerate(COMMANDS):
        tried = Tried(from_then_on(kind, at, "host."))
        where = f"{kind} from {at} ({name}), steps {tried.host.journal}"
        assert not tried.dead, where
        assert len(tried.routed) == 1, f"{where}: an erring candidate keeps its share"


@pytest.mark.parametrize("kind", FOR_GOOD)
def test_a5_an_edge_that_is_lost_for_good_loses_no_traffic(kind: str) -> None:
    for at, name in enumerate(COMMANDS):
        tried = Tried(from_then_on(kind, at, "edge."))
        assert not tried.dead, f"{kind} from {at} ({name}), steps {tried.host.journal}"


@pytest.mark.parametrize("kind", KINDS)
def test_a5_nothing_is_routed_to_a_first_release_that_does_not_run(kind: str) -> None:
    first = Rollout("web1", 1, 0, 2)
    for at in range(len(COMMANDS)):
        tried = Tried(only(kind, at), rollout=first)
        assert not tried.dead


@pytest.mark.parametrize("kind", KINDS)
def test_a5_a_rollback_that_fails_leaves_servers_that_answer(kind: str) -> None:
    """The way back over a whole host, when another host has failed since: the same machine, to a generation it knows."""
    work = back(RELEASE, serving=NEW, before=OLD)
    for at in range(len(COMMANDS)):
        commands = Commands(only(kind, at))
        host, edge = FakeHost(commands, serving=NEW), FakeEdge(commands, serving=NEW)
        RolloutExecutor(
            DeploymentContext(), host, edge, SPEC, work.rollout, ask=lambda entry, path: (200, "")  # type: ignore[arg-type]
        ).rolled_out(work.first)  # fmt: skip
        assert all(host.containers.get(number) for number in edge.table.routed("web1"))


def test_ec5_a_run_that_has_lost_the_lock_writes_nothing_more() -> None:
    class Lost(DeploymentContext):
        pass

    commands = Commands()
    host, edge = FakeHost(commands), FakeEdge(commands)
    context = Lost()
    renewed: list[int] = []

    def renew(*, now: object = ()) -> None:
        renewed.append(1)
        if len(renewed) > 3:
            raise LockLostError("the deploy lock on web1 is now held by ada")

    context.lock.renew = renew  # type: ignore[method-assign]
    RolloutExecutor(context, host, edge, SPEC, RELEASE, ask=lambda entry, path: (200, "")).rolled_out(Step.WRITE)  # type: ignore[arg-type]
    assert host.journal.count(str(Step.REMOVE)) == 0
    assert edge.table.routed("web1") == (OLD,)


def test_a5_an_error_nobody_foresaw_is_told_with_its_kind() -> None:
    tried = Tried(lambda number, name: KeyError("Config") if name == "edge.counts" else None)
    assert tried.context.failures.first == "web1: shift of generation 8 failed: KeyError: 'Config'"
