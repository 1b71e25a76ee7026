"""Unexpected errors, reported to Sentry or what speaks its protocol.

What is sent is built here from nothing: exception types and frames (source lines, no variables), and tags that lead to the
log. It is not what the SDK collects with things removed: no integration is on, and exceptions' messages stay in our own
log, for they quote rows, addresses and whatever a caller passed. A request id finds the log line that has the message.
"""

import logging
import re
from typing import Any

import sentry_sdk
from sentry_sdk.types import Event
from sentry_sdk.utils import event_from_exception
from starlette.types import Scope

from app.request_context import current
from app.settings import Settings

# Events that wait to be sent; more are dropped. One is a few kB.
MOST_WAITING = 100
FLUSH_SECONDS = 2.0

_FRAME = ("filename", "function", "module", "lineno", "in_app", "pre_context", "context_line", "post_context")
_EVENT = ("event_id", "timestamp", "platform", "level", "release", "environment", "tags", "transaction", "sdk")
# What organisations' ids look like. A sign-in names whatever somebody typed.
_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,64}")

logger = logging.getLogger(__name__)


class Reporter:
    """One for each application object. Without SENTRY_DSN it does nothing. Sending is a background thread's work, so that
    an endpoint that is slow or away costs a request nothing."""

    def __init__(self, settings: Settings) -> None:
        self._client: sentry_sdk.Client | None = None
        if settings.sentry_dsn is None:
            return
        self._client = sentry_sdk.Client(
            dsn=settings.sentry_dsn.get_secret_value(),
            release=settings.app_version,
            environment=settings.app_env.value,
            default_integrations=False,
            auto_enabling_integrations=False,
            auto_session_tracking=False,
            send_client_reports=False,
            include_local_variables=False,
            max_request_body_size="never",
            max_breadcrumbs=0,
            transport_queue_size=MOST_WAITING,
            shutdown_timeout=FLUSH_SECONDS,
            before_send=_only_what_may_leave,
        )

    def report(self, error: BaseException, scope: Scope) -> None:
        """Never raises: it is called while an error is being answered."""
        if self._client is None:
            return
        try:
            event, hint = event_from_exception(error, client_options=self._client.options)
            event["tags"] = _tags(scope)
            event["transaction"] = getattr(scope.get("route"), "path", "(unmatched)")
            self._client.capture_event(event, hint)
        except Exception as failure:
            logger.warning("an error could not be reported", exc_info=failure)

    def close(self) -> None:
        """Sends what waits, for at most FLUSH_SECONDS."""
        if self._client is not None:
            self._client.close(timeout=FLUSH_SECONDS)


def _tags(scope: Scope) -> dict[str, str]:
    tags = {"method": str(scope.get("method", ""))}
    context = current.get()
    if context is not None:
        tags["request_id"] = context.request_id
        if context.org_id and _IDENTIFIER.fullmatch(context.org_id):
            tags["org_id"] = context.org_id
    return tags


def _only_what_may_leave(event: Event, hint: dict[str, Any]) -> Event:
    whole: dict[str, Any] = dict(event)
    kept: dict[str, Any] = {name: whole[name] for name in _EVENT if name in whole}
    values = whole.get("exception", {}).get("values", [])
    kept["exception"] = {"values": [_exception(value) for value in values]}
    return kept  # type: ignore[return-value]


def _exception(value: dict[str, Any]) -> dict[str, Any]:
    frames = (value.get("stacktrace") or {}).get("frames") or []
    slim = [{name: frame[name] for name in _FRAME if name in frame} for frame in frames]
    kept = {name: value[name] for name in ("type", "module", "mechanism") if name in value}
    return kept | {"stacktrace": {"frames": slim}}
