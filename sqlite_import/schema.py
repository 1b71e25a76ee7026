"""What PostgreSQL's catalog says of the tables to fill, as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass

# PostgreSQL's names of the types that SignUpFlow's tables use, and of those a next migration is likely to.
INTEGERS = {"smallint": 2, "integer": 4, "bigint": 8}
TEXTS = ("text", "character varying")


@dataclass(frozen=True)
class Column:
    """One column. `type` is PostgreSQL's name without its length; `length` is in characters, of varchar only."""

    name: str
    type: str
    nullable: bool
    length: int | None = None


@dataclass(frozen=True)
class Key:
    """A primary key, a unique constraint, a unique or a plain index; `columns` in its order."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class ForeignKey:
    name: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


@dataclass(frozen=True)
class Sequence:
    """A sequence that fills `column`."""

    name: str
    column: str
    maximum: int


@dataclass(frozen=True)
class Table:
    name: str
    columns: tuple[Column, ...]
    primary_key: Key
    unique: tuple[Key, ...] = ()
    indexes: tuple[Key, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    sequences: tuple[Sequence, ...] = ()

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    @property
    def keys(self) -> tuple[Key, ...]:
        """Everything that allows no value twice."""
        return (self.primary_key, *self.unique)


@dataclass(frozen=True)
class Schema:
    """The tables to fill, by name, and the revisions that Alembic wrote (one, when all is well)."""

    tables: dict[str, Table]
    revisions: tuple[str, ...]


def quoted(name: str) -> str:
    """An identifier for SQL, in both databases."""
    return '"' + name.replace('"', '""') + '"'


def quoted_list(names: tuple[str, ...]) -> str:
    return ", ".join(map(quoted, names))
