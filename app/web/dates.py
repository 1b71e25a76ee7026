"""Moments as people of each language write them, in the reader's own time zone."""

import datetime as dt
import zoneinfo

from app.web.texts import text, texts


def zone_of(name: str) -> dt.tzinfo:
    """The zone that a person's row names; UTC when it names none (old rows hold anything)."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return dt.UTC


def span(start: dt.datetime, end: dt.datetime, language: str) -> str:
    """`Sunday, 3 January 2027, 09:00-11:00`, with the second date when it is another. Both moments are in one zone."""
    if start.date() == end.date():
        return text("moment", language, date=date(start.date(), language), time=f"{start:%H:%M}\N{EN DASH}{end:%H:%M}")
    first, last = (text("moment", language, date=date(m.date(), language), time=f"{m:%H:%M}") for m in (start, end))
    return f"{first} \N{EN DASH} {last}"


def date(day: dt.date, language: str) -> str:
    words = texts(language)
    return text(
        "date",
        language,
        weekday=words["weekdays"].split("|")[day.weekday()],
        day=words["first_of_month"] if day.day == 1 else day.day,
        month=words["months"].split("|")[day.month - 1],
        year=day.year,
    )
