"""What every mapped table shares: the declarative base, JSON kept as text, and the clock."""

import datetime as dt
import json
from typing import Any

from sqlalchemy import Dialect, Text
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator


class Base(DeclarativeBase):
    pass


class JSONText(TypeDecorator[Any]):
    """A JSON document in a TEXT column, in both databases, as the existing application writes it.

    Text that is not JSON (files written by hand exist) comes back as the string itself: reading a row must not fail.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any | None, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Any | None:
        if value is None:
            return None
        try:
            return json.loads(value)
        except ValueError:
            return value


def utc_now() -> dt.datetime:
    """Now in UTC without a zone: the columns are `timestamp without time zone` and hold UTC."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)
