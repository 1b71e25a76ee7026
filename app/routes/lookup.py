"""Rows that are not there, and rows of other organisations, are the same 404."""

from typing import TypeVar

from app.errors import not_found

Row = TypeVar("Row")


def found(row: Row | None) -> Row:
    if row is None:
        raise not_found()
    return row
