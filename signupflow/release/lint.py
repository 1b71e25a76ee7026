"""What an Alembic migration does that a running older version may not survive, told from its source alone.

The source is parsed, never run. What cannot be read in it (a computed name, SQL from elsewhere) counts as destructive:
unknown is not safe. Operations on a table that the same migration created are not: no older version knows that table.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from signupflow.errors import OperatorError

# Where an operation names its table: the argument's place and keyword. In a batch, the batch names it.
TABLE = {
    "create_table": (0, "table_name"),
    "batch_alter_table": (0, "table_name"),
    "drop_table": (0, "table_name"),
    "rename_table": (0, "old_table_name"),
    "drop_column": (0, "table_name"),
    "alter_column": (0, "table_name"),
    "add_column": (0, "table_name"),
    "create_index": (1, "table_name"),
    "create_unique_constraint": (1, "table_name"),
    "create_check_constraint": (1, "table_name"),
    "create_exclude_constraint": (1, "table_name"),
    "create_primary_key": (1, "table_name"),
    "create_foreign_key": (1, "source_table"),
}
HARMLESS = {"create_table", "batch_alter_table"}
# Those that it depends on their arguments; the others of TABLE are destructive whatever they are given: they take something
# away, or make a rule that what an older version writes may break.
JUDGED = {"alter_column", "add_column", "create_index"}
WITH_COLUMN = {"drop_column", "alter_column", "add_column"}
# Ways past `op` to the schema, of Alembic and of SQLAlchemy.
ELSEWHERE = {"invoke", "drop_all", "DropTable", "DropColumn"}
STATEMENTS = {"execute", "exec_driver_sql"}
MAKING = r"CREATE\s+(OR\s+REPLACE\s+)?(CONSTRAINT\s+)?(UNIQUE|TRIGGER|RULE)"
SQL = re.compile(rf"\b(DROP|RENAME|ALTER|TRUNCATE|REVOKE|{MAKING})\b", re.IGNORECASE)
SHOWN_CHARACTERS = 80


class MigrationError(OperatorError):
    """A migration file that is not written as this project's are; the text says which part."""


def revision(source: str) -> str:
    """The migration's own revision. Raises MigrationError when the file names none."""
    found = _Source(source).variable("revision")
    if not found:
        raise MigrationError('a migration names no revision; it needs a line revision = "..."')
    return found


def down_revision(source: str) -> str:
    """The revision it follows, "" for the first. Raises MigrationError for a merge of several: history is one line here."""
    return _Source(source).variable("down_revision")


def mark(source: str) -> str:
    """Why the running version may break, as the file's own `breaks = "..."` says; "" when it is not marked."""
    return _Source(source).variable("breaks").strip()


def destructive(source: str) -> list[str]:
    """Operations of `upgrade` that a running older version may not survive, in their order; empty when there are none.

    Such as `drop_column events.location`. Functions of the same file that `upgrade` uses are read too.
    Raises MigrationError when the source is no Python or has no `upgrade`.
    """
    operations = list(_Source(source).operations())
    own = {operation.table for operation in operations if operation.name == "create_table"} - {None}
    return [said for operation in operations if operation.table not in own and (said := _judge(operation)) is not None]


@dataclass(frozen=True)
class _Operation:
    """One call. `table` is None where its name cannot be told; `where` is how to show it. `texts` are all the strings in it
    as far as they can be told."""

    name: str
    call: ast.Call
    table: str | None
    where: str
    column: ast.expr | None
    texts: tuple[str, ...]


def _judge(operation: _Operation) -> str | None:
    """The operation in words when it is destructive, None when it is not."""
    name = operation.name
    if name in STATEMENTS:
        return _judge_statement(operation)
    if name in HARMLESS:
        return None
    reason = _depends(name, operation) if name in JUDGED else ""
    return None if reason is None else f"{name} {operation.where}{reason}".strip()


def _depends(name: str, operation: _Operation) -> str | None:
    """Why these arguments make it destructive, in brackets; None when they do not."""
    given = {keyword.arg: keyword.value for keyword in operation.call.keywords}
    if None in given:
        reason = "arguments that are not written there"
    elif name == "create_index":
        reason = "" if _is(given.get("unique"), False, None) else "unique"
    elif name == "alter_column":
        reason = _altered(given)
    else:
        reason = _added(operation.column)
    return f" ({reason})" if reason else None


def _altered(given: dict[str | None, ast.expr]) -> str:
    changes: list[str] = [name for name in ("new_column_name", "type_") if name in given]
    if not _is(given.get("nullable"), True, None):
        changes.append("nullable=False")
    if "server_default" in given and _is(given["server_default"], None):
        changes.append("server_default=None")
    return ", ".join(changes)


def _added(column: ast.expr | None) -> str:
    """An older version never writes the column, so it has to be nullable, or the server has to fill it."""
    given = {keyword.arg: keyword.value for keyword in column.keywords} if isinstance(column, ast.Call) else {}
    if not isinstance(column, ast.Call) or None in given:
        return "a column that is not written there"
    filled = not _is(given.get("server_default"), None)
    generated = any(isinstance(part, ast.Call) and _called(part) in {"Computed", "Identity"} for part in column.args)
    required = not _is(given.get("nullable"), True, None) or not _is(given.get("primary_key"), False, None)
    return "NOT NULL without server_default" if required and not filled and not generated else ""


def _judge_statement(operation: _Operation) -> str | None:
    """SQL is searched for words. An expression of SQLAlchemy's that holds no text changes rows, not the schema."""
    parts = [*operation.call.args, *(keyword.value for keyword in operation.call.keywords)]
    nodes = [node for part in parts for node in ast.walk(part)]
    names = {_called(node) for node in nodes if isinstance(node, ast.Call)}
    computed = bool(names & {"format", "join"}) or any(map(_pieced, nodes))
    expression = bool(names) and not names & {"text", "DDL"}
    if computed or not (operation.texts or expression):
        return f"{operation.name} {operation.where} (not all of it is written there)"
    return f"{operation.name} {operation.where}" if any(map(SQL.search, operation.texts)) else None


def _pieced(node: ast.AST) -> bool:
    """Whether this puts a text together: an f-string with values, or + or % with a string."""
    if isinstance(node, ast.BinOp):
        return any(isinstance(side, ast.Constant) and isinstance(side.value, str) for side in (node.left, node.right))
    return isinstance(node, ast.FormattedValue)


class _Source:
    """A parsed migration."""

    def __init__(self, source: str) -> None:
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError) as error:
            raise MigrationError(f"a migration is not Python: {error}") from None
        self._functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        self._variables: dict[str, ast.expr | None] = {}
        for node in tree.body:
            if isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                self._variables |= {target.id: node.value for target in targets if isinstance(target, ast.Name)}

    def variable(self, name: str) -> str:
        """A module-level string; "" when there is none or it is None. Raises MigrationError for what cannot be read."""
        value = self._variables.get(name)
        found = "" if _is(value, None) else self._text(value)
        if found is None:
            raise MigrationError(f"a migration's {name} is not one string written there")
        return found

    def operations(self) -> Iterator[_Operation]:
        """Calls of `upgrade`, and of the functions it uses, that may change the schema."""
        if "upgrade" not in self._functions:
            raise MigrationError("a migration has no function upgrade()")
        functions = self._used(["upgrade"])
        batches = {
            node.optional_vars.id: node.context_expr
            for function in functions
            for node in ast.walk(function)
            if isinstance(node, ast.withitem)
            and isinstance(node.context_expr, ast.Call)
            and isinstance(node.optional_vars, ast.Name)
        }
        for function in functions:
            calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
            for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
                if _called(call) in TABLE.keys() | ELSEWHERE | STATEMENTS:
                    yield self._operation(call, batches)

    def _operation(self, call: ast.Call, batches: dict[str, ast.Call]) -> _Operation:
        name = _called(call)
        receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
        batch = batches.get(receiver.id) if isinstance(receiver, ast.Name) else None
        nodes = [node for part in [*call.args, *(keyword.value for keyword in call.keywords)] for node in ast.walk(part)]
        texts = tuple(text for node in nodes if isinstance(node, ast.expr) and (text := self._text(node)) is not None)
        if name not in TABLE:
            return _Operation(name, call, None, " ".join(" ".join(texts).split())[:SHOWN_CHARACTERS], None, texts)
        place, keyword = TABLE[name] if batch is None else TABLE["batch_alter_table"]
        table = _argument(call if batch is None else batch, place, keyword)
        # In a batch the table's name is left out, so the column stands one place further left.
        column = _argument(call, 1 if batch is None else 0, "column_name", "column")
        where = self._shown(table) + (f".{self._shown(column)}" if name in WITH_COLUMN else "")
        return _Operation(name, call, self._text(table), where, column, texts)

    def _text(self, node: ast.expr | None) -> str | None:
        """The string that an expression stands for: a literal, or a module-level name of one. None for anything else."""
        value = self._variables.get(node.id) if isinstance(node, ast.Name) else node
        return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None

    def _shown(self, node: ast.expr | None) -> str:
        if isinstance(node, ast.Call):  # sa.Column("name", ...)
            node = _argument(node, 0, "name")
        return "?" if node is None else self._text(node) or ast.unparse(node)

    def _used(self, wanted: list[str]) -> list[ast.FunctionDef]:
        """Functions of this file by name, with those that they use in turn."""
        found: dict[str, ast.FunctionDef] = {}
        while wanted:
            name = wanted.pop(0)
            if name in self._functions and name not in found:
                found[name] = self._functions[name]
                wanted += [node.id for node in ast.walk(found[name]) if isinstance(node, ast.Name)]
        return list(found.values())


def _called(call: ast.Call) -> str:
    """`drop_table` for op.drop_table(...), batch.drop_table(...) and drop_table(...)."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _argument(call: ast.Call, place: int, *keywords: str) -> ast.expr | None:
    """The argument at a place, or under one of its keywords; None when it is not given."""
    if place < len(call.args):
        return call.args[place]
    return next((keyword.value for keyword in call.keywords if keyword.arg in keywords), None)


def _is(node: ast.expr | None, *constants: bool | None) -> bool:
    """Whether an expression is one of these constants; one that is not given is None."""
    value = node.value if isinstance(node, ast.Constant) else node
    return any(value is constant for constant in constants)
