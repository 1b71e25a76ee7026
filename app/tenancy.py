"""The one place that keeps organisations apart.

Every table says how its rows belong to an organisation: by a column, or through a parent row. A `TenantSession` adds that
condition to every ORM statement it runs and checks, before it writes, that each row and every row it refers to belong to
the session's organisation. Statements it cannot scope (text, Core tables, bulk inserts) are refused, so forgetting a
condition in a route is not possible.
"""

import dataclasses
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from sqlalchemy import Alias, ColumnClause, ColumnElement, MetaData, Select, Table, TextClause, event, inspect, select
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Mapper, ORMExecuteState, Session, UOWTransaction, with_loader_criteria
from sqlalchemy.schema import Column as TableColumn
from sqlalchemy.sql import visitors

from app.models import Base


@dataclasses.dataclass(frozen=True)
class Column:
    """The row names its organisation itself."""

    name: str


@dataclasses.dataclass(frozen=True)
class Parent:
    """The row belongs to the organisation of the row that this foreign key column refers to."""

    foreign_key: str


TENANCY: dict[str, Column | Parent] = {
    "organizations": Column("id"),
    "assignments": Parent("event_id"),
    "audit_logs": Column("organization_id"),
    "availability": Parent("person_id"),
    "availability_exceptions": Parent("availability_id"),
    "billing_history": Column("org_id"),
    "constraints": Column("org_id"),
    "delivery_logs": Parent("notification_id"),
    "email_preferences": Column("org_id"),
    "event_teams": Parent("event_id"),
    "events": Column("org_id"),
    "holidays": Column("org_id"),
    "invitations": Column("org_id"),
    "notifications": Column("org_id"),
    "onboarding_progress": Column("org_id"),
    "password_reset_tokens": Parent("person_id"),
    "payment_methods": Column("org_id"),
    "people": Column("org_id"),
    "recurrence_exceptions": Parent("series_id"),
    "recurring_series": Column("org_id"),
    "resources": Column("org_id"),
    "sms_messages": Column("organization_id"),
    "sms_preferences": Parent("person_id"),
    "sms_replies": Parent("person_id"),
    "sms_templates": Column("organization_id"),
    "sms_usage": Column("organization_id"),
    "sms_verification_codes": Parent("person_id"),
    "solutions": Column("org_id"),
    "subscription_events": Column("org_id"),
    "subscriptions": Column("org_id"),
    "team_members": Parent("team_id"),
    "teams": Column("org_id"),
    "usage_metrics": Column("org_id"),
    "vacation_periods": Parent("availability_id"),
}


class TenancyError(Exception):
    """A statement or a row that would cross organisations: a bug in this application, never the client's fault."""


def unclassified(metadata: MetaData) -> set[str]:
    """Tables that do not say, or no longer exist to say, how their rows belong to an organisation."""
    return set(metadata.tables) ^ set(TENANCY)


def condition(table: Table, org_id: str) -> ColumnElement[bool]:
    """True for the rows of `table` that belong to `org_id`."""
    rule = TENANCY[table.name]
    if isinstance(rule, Column):
        return table.c[rule.name] == org_id
    column = table.c[rule.foreign_key]
    key = _referred(column)
    # IN over a subselect, not a correlated EXISTS: it stays right whatever alias the outer statement gives this table.
    parent = key.table.alias()
    return column.in_(select(parent.c[key.name]).where(_alias_condition(parent, key.table, org_id)))


class TenantSession(Session):
    """A session for one organisation. What it adds, reads, changes and deletes is that organisation's."""

    def __init__(self, bind: Engine, org_id: str) -> None:
        super().__init__(bind, expire_on_commit=False)
        self.org_id = org_id

    def _bulk_save_mappings(self, *arguments: Any, **named: Any) -> None:
        """Where bulk_save_objects, bulk_insert_mappings and bulk_update_mappings end: they write past the checks."""
        raise TenancyError("bulk operations pass the checks by; add the objects and flush")


@event.listens_for(TenantSession, "do_orm_execute")
def _scope(state: ORMExecuteState) -> None:
    assert isinstance(state.session, TenantSession)
    if not state.is_orm_statement or state.is_insert:
        raise TenancyError("only ORM SELECT, UPDATE and DELETE statements can be kept inside an organisation")
    if state.is_update:
        _check_update(state)
    if not (state.is_column_load or state.is_relationship_load):
        _refuse_unscoped(state.statement)
    state.statement = state.statement.options(*_criteria(state.session.org_id))


def _check_update(state: ORMExecuteState) -> None:
    """A bulk UPDATE is scoped in which rows it finds, not in what it writes, so it may not write what ties a row to an
    organisation; rows that a flush writes are checked one by one."""
    if state.parameters:
        raise TenancyError("an UPDATE by a list of keys is not scoped; change the objects and flush")
    statement: Any = state.statement
    for column in statement._values or ():
        named = statement.table.c[getattr(column, "name", column)]
        rule = TENANCY[named.table.name]
        if named.foreign_keys or named.primary_key or (isinstance(rule, Column) and named.name == rule.name):
            raise TenancyError(f"a bulk UPDATE may not write {named.table.name}.{named.name}; change the objects and flush")


def _refuse_unscoped(statement: Any) -> None:
    """Text, and tables named without their mapped class, would be read without a condition wherever they stand."""
    elements = list(visitors.iterate(statement))
    mapped = {_plain(element) for element in elements if "parententity" in element._annotations}
    for element in elements:
        # The ORM itself names mapped tables and columns without their class, as in Session.get: those are the same FROM.
        unmapped = isinstance(element, Table | TableColumn) and _plain(element) not in mapped
        aliased = isinstance(element, Alias) and isinstance(element.element, Table) and "parententity" not in element._annotations
        core = isinstance(element, Select) and not element._propagate_attrs and any(map(_is_table, element.get_final_froms()))
        text = isinstance(element, TextClause) or (
            isinstance(element, ColumnClause) and element.is_literal and element.name != "*"
        )
        if unmapped or aliased or core or text:
            raise TenancyError("a statement may name mapped classes only: text and tables cannot be kept inside an organisation")


def _plain(element: Any) -> Any:
    """The table behind a column, an alias or an annotated table."""
    table = getattr(element, "table", element)
    return Base.metadata.tables.get(getattr(getattr(table, "element", table), "name", ""), table)


def _is_table(from_: Any) -> bool:
    return isinstance(getattr(from_, "element", from_), Table)


@event.listens_for(TenantSession, "before_flush")
def _check(session: Session, context: UOWTransaction, instances: Any) -> None:
    assert isinstance(session, TenantSession)
    for row in session.new:
        _own(row, session.org_id)
    for row in [*session.new, *session.dirty]:
        _check_row(row, session)


@lru_cache(maxsize=512)
def _criteria(org_id: str) -> tuple[Any, ...]:
    return tuple(
        with_loader_criteria(mapper.class_, condition(_table(mapper), org_id), include_aliases=True)
        for mapper in Base.registry.mappers
    )


def _own(row: Any, org_id: str) -> None:
    rule = TENANCY[_table(inspect(row).mapper).name]
    if isinstance(rule, Column) and getattr(row, rule.name) is None:
        setattr(row, rule.name, org_id)


def _check_row(row: Any, session: TenantSession) -> None:
    table = _table(inspect(row).mapper)
    rule = TENANCY[table.name]
    if isinstance(rule, Column) and getattr(row, rule.name) != session.org_id:
        raise TenancyError(f"a row of {table.name} names another organisation")
    for column in _changed_foreign_keys(row, table):
        value = getattr(row, column.name)
        parent = _referred(column)
        if value is not None and not _visible(parent, value, session):
            raise TenancyError(f"{table.name}.{column.name} refers to a row outside the organisation")


def _changed_foreign_keys(row: Any, table: Table) -> Iterable[Any]:
    state = inspect(row)
    for column in table.c:
        if column.foreign_keys and (state.transient or state.pending or state.attrs[column.name].history.has_changes()):
            yield column


def _visible(key: Any, value: Any, session: TenantSession) -> bool:
    for row in session.new:
        if _table(inspect(row).mapper) is key.table and getattr(row, key.name) == value:
            return True  # it is checked in this same flush
    with session.no_autoflush:
        statement = select(key).where(key == value, condition(key.table, session.org_id))
        return session.connection().execute(statement).first() is not None


def _alias_condition(alias: Any, table: Table, org_id: str) -> ColumnElement[bool]:
    rule = TENANCY[table.name]
    if isinstance(rule, Column):
        own: ColumnElement[bool] = alias.c[rule.name] == org_id
        return own
    key = _referred(table.c[rule.foreign_key])
    parent = key.table.alias()
    nested: ColumnElement[bool] = alias.c[rule.foreign_key].in_(
        select(parent.c[key.name]).where(_alias_condition(parent, key.table, org_id))
    )
    return nested


def _referred(column: Any) -> Any:
    return next(iter(column.foreign_keys)).column


def _table(mapper: Mapper[Any]) -> Table:
    assert isinstance(mapper.local_table, Table)
    return mapper.local_table
