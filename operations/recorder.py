"""How a deployment is recorded and notified: ledger on the edge, report on this machine, notifications, hook."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pyinfra import logger
from pyinfra.api import Host

from operations.hooks import called
from operations.remote import run
from signupflow import advice, notify, report
from signupflow.probe import Counted
from signupflow.release import ledger
from signupflow.shared.channels import Channels

REPORTS = Path(__file__).resolve().parent.parent / "reports"


@dataclass
class Recorder:
    """Where and as what a deployment is recorded.

    `kept_on` is the edge, which has the ledger, and the app; without `release` (version, image, schema, commit, deploys)
    nothing is recorded. `always`: it is recorded even when it switched nothing.
    """

    kind: str = "release"
    outcome: str = ledger.RELEASED
    environment: str = ""
    channels: Channels = field(default_factory=Channels)
    hook_after: str = ""
    kept_on: tuple[Host, str] | None = None
    release: dict[str, Any] = field(default_factory=dict)
    version_before: str = ""
    restore_point: str = ""
    always: bool = False
    # What finishes this run when it is interrupted: with the version that was typed, which group_data need not name.
    finish: str = field(default_factory=partial(advice.command, "deploy"))

    def keep(
        self,
        record: ledger.Record,
        counted: Counted | None,
        spans: Sequence[report.Span],
        variables: Callable[[str], Mapping[str, str]],
    ) -> None:
        """Ledger, report, notifications, hook: each is tried, whatever became of the one before it.

        `variables` gives the hook's environment variables, from the report's path.
        """
        if self.kept_on is not None:
            host = self.kept_on[0]
            try:
                run(host, ledger.append_script(record))
            except Exception as error:
                logger.warning(f"[{host.name}] the record was not written: {error}")
        page = self._report(record, counted, spans)
        try:
            for problem in notify.send(record, self.environment, self.channels):
                logger.warning(f"a notification was not sent: {problem}")
        except Exception as error:
            logger.warning(f"a notification was not sent: {error!r}")
        if self.hook_after and (problem := called("after", self.hook_after, variables(page))):
            logger.warning(problem)

    def _report(self, record: ledger.Record, counted: Counted | None, spans: Sequence[report.Span]) -> str:
        """For people, on this machine; the page's path. A disk that takes no file does not fail a release that is over."""
        failures = tuple(counted.failures) if counted else ()
        made = report.Report(record, self.environment, self.version_before, tuple(spans), failures)
        try:
            page = report.write(made, REPORTS)
        except OSError as error:
            logger.warning(f"the report was not written: {error}")
            return ""
        logger.info(f"--> Report: {page.relative_to(REPORTS.parent)}")
        return str(page)
