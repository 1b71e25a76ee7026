"""JSON lines on stdout. One line a request comes from app.middleware; everything else that logs gets the same shape.

Exceptions are logged as type, place and, unless they come from the database driver (whose text quotes rows), message.
"""

import datetime as dt
import json
import logging
import sys
import traceback
from types import TracebackType

from sqlalchemy.exc import SQLAlchemyError

from app.request_context import current

FIELDS = "fields"  # `extra={"fields": {...}}` adds keys to the line

ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = dt.datetime.fromtimestamp(record.created, dt.UTC)
        line: dict[str, object] = {
            "ts": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        context = current.get()
        if context is not None:
            line |= {"request_id": context.request_id, "org_id": context.org_id, "client": context.client}
        line |= getattr(record, FIELDS, {})
        if record.exc_info:
            line["exception"] = describe(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def describe(info: ExceptionInfo) -> dict[str, object] | None:
    """`{type, frames, message?, cause?}` of an exception."""
    kind, error, trace = info
    if kind is None or error is None:
        return None
    described: dict[str, object] = {
        "type": f"{kind.__module__}.{kind.__qualname__}",
        "frames": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)[-12:]],
    }
    if not _quotes_data(error):
        described["message"] = str(error)
    if sqlstate := getattr(getattr(error, "orig", None), "pgcode", None):
        described["sqlstate"] = sqlstate
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        described["cause"] = f"{type(cause).__module__}.{type(cause).__qualname__}"
    return described


def configure(level: str) -> None:
    """Root logger: JSON to stdout. uvicorn's loggers have no handlers of their own (log_config=None) and end up here."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def _message(record: logging.LogRecord) -> str:
    # Libraries put whole tracebacks into messages (uvicorn's "Exception in ASGI application"); the first line is enough.
    return record.getMessage().strip().partition("\n")[0]


def _quotes_data(error: BaseException) -> bool:
    module = type(error).__module__
    return isinstance(error, SQLAlchemyError) or module.startswith(("psycopg2", "sqlite3", "pydantic"))
