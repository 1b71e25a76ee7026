"""Types that requests and answers share."""

import datetime as dt
from typing import Annotated, Generic, TypeVar

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

T = TypeVar("T")

# Offsets beyond this read and throw away more rows than any organisation has.
MAX_OFFSET = 1_000_000
MAX_INT4 = 2**31 - 1


def _storable(text: str) -> str:
    """PostgreSQL text holds neither NUL nor lone surrogates (which JSON can spell)."""
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("holds characters that cannot be stored")
    return text


def _naive_utc(moment: dt.datetime) -> dt.datetime:
    try:
        return moment.astimezone(dt.UTC).replace(tzinfo=None)
    except OverflowError:  # midnight of the first day of year 1, east of Greenwich
        raise ValueError("is out of range") from None


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_storable)]
LongText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000), AfterValidator(_storable)]
# Of a row, in a body or a query. Whether there is such a row is another question.
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_storable)]
Roles = Annotated[list[Text], Field(max_length=50)]
Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=254, pattern=r"^[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+$"),
    AfterValidator(_storable),
]
# In: any zone. Stored: UTC without a zone.
Moment = Annotated[AwareDatetime, AfterValidator(_naive_utc)]
RowNumber = Annotated[int, Path(ge=1, le=MAX_INT4)]
Limit = Annotated[int, Query(ge=1, le=200)]
Offset = Annotated[int, Query(ge=0, le=MAX_OFFSET)]


class Body(BaseModel):
    """A request body: unknown fields are refused, so a misspelt one is not silently ignored."""

    model_config = ConfigDict(extra="forbid")


class Page(BaseModel, Generic[T]):
    """`items` from `offset` on, at most `limit` of `total`."""

    items: list[T]
    total: int
    limit: int
    offset: int


def as_utc(moment: dt.datetime | None) -> dt.datetime | None:
    """A stored moment with its zone, for answers."""
    return moment.replace(tzinfo=dt.UTC) if moment and moment.tzinfo is None else moment
