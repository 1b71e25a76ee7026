"""pytest's `--full`: measure promises with their full windows, and keep what was measured as data, whether it held or not.

A test marked `@pytest.mark.proof("LINE")` is a promise's; several tests may share a line, each with its `part`. It takes its
windows from `short` and hands what it measured to `evidence`. Tests marked `full` too have no short form: `make test` leaves
them out.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.evidence import record
from tests.evidence.promises import BY_LINE, PROMISES

Evidence = Callable[[Any], Any]
Short = Callable[..., dict[str, Any]]
MARKS = (
    "proof(line, part): measures a promise of tests/evidence/promises.py; with `--full` in its whole windows",
    "full: has no short form, and is run with `--full` alone",
)
MEASURED = pytest.StashKey[list[Any]]()
LINES = pytest.StashKey["Lines"]()


@dataclass
class Measurement:
    """What came of one line so far: `waiting` are its tests that have yet to run, `left_out` those that were deselected."""

    waiting: set[str] = field(default_factory=set)
    left_out: set[str] = field(default_factory=set)
    results: dict[str, Any] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    seconds: float = 0.0
    skipped: bool = False

    def result(self) -> Any:
        """Of a test without a part, the result is the line's own; parts stand in it by their names."""
        whole = self.results.get("", {})
        parts = {name: found for name, found in self.results.items() if name}
        return {**whole, **parts} if isinstance(whole, dict) else {"measured": whole, **parts} if parts else whole


class Lines:
    """The lines of a run with `--full`; each is written when its last test has ended."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.measurements: dict[str, Measurement] = {}
        self.written: list[record.Record] = []
        self.unwritten: dict[str, str] = {}

    def ended(self, item: pytest.Item, error: BaseException | None, skipped: bool) -> None:
        """A test's own part of the run is over: keep what it measured."""
        line, part = named(item)
        measurement = self.measurements[line]
        measured = item.stash.get(MEASURED, [])
        measurement.skipped |= skipped
        if error is not None and not skipped:
            found, reason = record.failure(error)
            measurement.results[part] = found if found is not None else measured[-1] if measured else {"error": reason}
            measurement.reasons.append(f"{part}: {reason}" if part else reason)
        elif measured:
            measurement.results[part] = measured[-1]

    def done(self, item: pytest.Item) -> None:
        line, _ = named(item)
        measurement = self.measurements[line]
        measurement.waiting.discard(item.nodeid)
        if measurement.waiting or line in self.unwritten:
            return
        if measurement.left_out:
            self.unwritten[line] = f"{len(measurement.left_out)} of its tests were left out"
        elif measurement.skipped:
            self.unwritten[line] = "a test of it was skipped"
        elif not measurement.results:
            self.unwritten[line] = "nothing was measured"
        else:
            command = " ".join(["python -m pytest", *map(str, self.config.invocation_params.args)])
            reason = "; ".join(measurement.reasons)
            made = record.made(BY_LINE[line], measurement.result(), reason, measurement.seconds, command)
            made.write()
            self.written.append(made)


def named(item: pytest.Item) -> tuple[str, str]:
    """The line and the part that a test measures; of a parametrized one, each case is a part."""
    mark = item.get_closest_marker("proof")
    assert mark
    case = getattr(item, "callspec", None)
    return mark.args[0], mark.kwargs.get("part", case.id if case else "")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("evidence")
    group.addoption("--full", action="store_true", help="measure promises with their full windows; JSON in docs/evidence/")
    group.addoption("--line", action="append", default=[], metavar="NAME", help="with --full: this promise only; may be repeated")


def pytest_configure(config: pytest.Config) -> None:
    for mark in MARKS:
        config.addinivalue_line("markers", mark)
    unknown = set(config.getoption("--line")) - set(BY_LINE)
    if unknown:
        raise pytest.UsageError(f"--line: no promise is called {', '.join(sorted(unknown))}; there are {', '.join(BY_LINE)}")
    if config.getoption("--line") and not config.getoption("--full"):
        raise pytest.UsageError("--line measures promises: add --full")
    if config.getoption("--full"):
        config.stash[LINES] = Lines(config)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In full: promises alone, in the order of the list. Otherwise: everything that has a short form."""
    if not config.getoption("--full"):
        _keep(config, items, lambda item: item.get_closest_marker("full") is None)
        return
    wanted = set(config.getoption("--line")) or set(BY_LINE)
    _keep(config, items, lambda item: item.get_closest_marker("proof") is not None and named(item)[0] in wanted)
    order = {promise.line: number for number, promise in enumerate(PROMISES)}
    items.sort(key=lambda item: order[named(item)[0]])
    for item in items:
        config.stash[LINES].measurements.setdefault(named(item)[0], Measurement()).left_out.add(item.nodeid)
        # A measurement takes as long as it takes, and a warning of a library does not make it untrue.
        item.add_marker(pytest.mark.timeout(0))
        item.add_marker(pytest.mark.filterwarnings("default"))


def _keep(config: pytest.Config, items: list[pytest.Item], wanted: Callable[[pytest.Item], bool]) -> None:
    left = [item for item in items if not wanted(item)]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if wanted(item)]


def pytest_collection_finish(session: pytest.Session) -> None:
    if lines := session.config.stash.get(LINES, None):
        for item in session.items:
            measurement = lines.measurements[named(item)[0]]
            measurement.left_out.discard(item.nodeid)
            measurement.waiting.add(item.nodeid)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    result = yield
    if LINES in pyfuncitem.config.stash and not pyfuncitem.stash.get(MEASURED, []):
        raise AssertionError("a promise's test handed nothing to `evidence`")
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if lines := item.config.stash.get(LINES, None):
        if call.when != "teardown":
            lines.measurements[named(item)[0]].seconds += call.duration
        if call.when == "call" or call.excinfo:
            lines.ended(item, call.excinfo.value if call.excinfo else None, report.skipped)
        if call.when == "teardown":
            lines.done(item)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    lines = session.config.stash.get(LINES, None)
    if lines and not session.testsfailed and not all(made.held for made in lines.written):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash.get(LINES, None)
    if not lines:
        return
    terminalreporter.section("what was proved")
    for made in lines.written:
        held = "held" if made.held else "DID NOT HOLD"
        terminalreporter.line(f"{made.line:<20} {held:<13} {made.figure}  ({made.seconds / 60:.1f} min)")
    for line, why in lines.unwritten.items():
        terminalreporter.line(f"{line:<20} not written: {why}")


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> Evidence:
    """Keeps what a test measured; with `--full` it goes to docs/evidence/."""
    measured = request.node.stash.setdefault(MEASURED, [])

    def keep(found: Any) -> Any:
        measured.append(found)
        return found

    return keep


@pytest.fixture(scope="session")
def full(pytestconfig: pytest.Config) -> bool:
    return bool(pytestconfig.getoption("--full"))


@pytest.fixture(scope="session")
def short(full: bool) -> Short:
    """`measure(lab, **short(rate=20))`: these windows in `make test`, the measurement's own in full."""
    return lambda **windows: {} if full else windows
