"""One way to answer a list."""

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from app.routes.shapes import Page

Shown = TypeVar("Shown")


def page(session: Session, statement: Select[Any], show: Callable[[Any], Shown], limit: int, offset: int) -> Page[Shown]:
    """`statement` selects one entity and is ordered by something unique, or pages overlap."""
    entity = statement.column_descriptions[0]["entity"]
    count = select(func.count()).select_from(entity)
    if statement.whereclause is not None:
        count = count.where(statement.whereclause)
    total = session.scalar(count) or 0
    rows = session.scalars(statement.limit(limit).offset(offset))
    return Page(items=[show(row) for row in rows], total=total, limit=limit, offset=offset)
