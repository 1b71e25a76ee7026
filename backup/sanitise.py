"""Personal data out of a restored database, by a rule for every column; the SQL that does it. Pure.

The rules are the app's (`app/personal_data.py`): table to `empty`, or to column and rule.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

Rules = Mapping[str, Mapping[str, str] | str]
# Table to columns, as the restored database has them.
Columns = Mapping[str, frozenset[str]]

KEEP, EMPTY, JSON, WORDS = "keep", "empty", "json", "words"
# RFC 2606: no mail can be delivered there.
DOMAIN = "staging.invalid"
# No country has this code (ITU-T E.164, spare).
PHONE = "+999"

# `{c}` is the column, `{m}` sixteen digits made from its value and a salt that is forgotten afterwards.
_EXPRESSIONS = {
    "person": "'person_' || {m}",
    "name": "'Name ' || left({m}, 8)",
    "email": f"'someone-' || {{m}} || '@{DOMAIN}'",
    "phone": f"'{PHONE}' || lpad(((('x' || left({{m}}, 8))::bit(32)::bigint) % 1000000000)::text, 9, '0')",
    "token": "{m} || {m}",
    "text": "case when {c} = '' then '' else 'Text ' || left({m}, 8) end",
}
# Forms that the application itself writes. What has one is kept, and whatever somebody typed in its place is not: a role, a
# status, a language or an id may come from an import, or from a form that takes any text.
_FORMS = {
    "word": (r"^([A-Za-z][A-Za-z_/-]{0,39}|\d{4}-\d\d|)$", "'x' || left({m}, 4)"),
    "id": (r"^[A-Za-z0-9]+([_-][A-Za-z0-9]+)*$", "'id_' || {m}"),
    "rrule": (r"^([A-Z]+=[A-Z0-9,:+-]+(;[A-Z]+=[A-Z0-9,:+-]+)*|)$", "''"),
}
# Everything in a JSON value by the rule for words, keys too. A number that could be a telephone's is none; `keys`, when there
# are any, are all that is left of an object, and nothing is left of what is no JSON.
_JSON = r"""
create function pg_temp.signupflow_word(value text, salt text) returns text language sql as $$
  select case when value ~ '^[A-Za-z][A-Za-z_/-]{0,39}$|^$' then value
    else 'x' || left(encode(sha256(convert_to(salt || value, 'UTF8')), 'hex'), 4) end $$;
create function pg_temp.signupflow_words(value json, salt text) returns json language plpgsql as $$ begin
  case json_typeof(value)
  when 'object' then
    return coalesce((select json_object_agg(pg_temp.signupflow_word(k, salt), pg_temp.signupflow_words(v, salt))
      from json_each(value) e(k, v)), '{}');
  when 'array' then
    return coalesce((select json_agg(pg_temp.signupflow_words(v, salt)) from json_array_elements(value) e(v)), '[]');
  when 'string' then return to_json(pg_temp.signupflow_word(value #>> '{}', salt));
  when 'number' then return case when length(value::text) > 6 then '0' else value end;
  else return value; end case;
end $$;
create function pg_temp.signupflow_json(value text, keys text[], salt text) returns text language plpgsql as $$ begin
  if value is null then return null; end if;
  if keys is null then return pg_temp.signupflow_words(value::json, salt)::text; end if;
  if json_typeof(value::json) = 'array' then return '[]'; end if;
  return coalesce((select json_object_agg(k, pg_temp.signupflow_words(v, salt))
    from json_each(value::json) e(k, v) where k = any(keys)), '{}')::text;
exception when others then return '{}'; end $$
"""
_KEY = re.compile(r"^[A-Za-z0-9_]+$")


def unclassified(rules: Rules, columns: Columns) -> list[str]:
    """Columns of the database that no rule speaks of, as table.column."""
    found = []
    for table, names in sorted(columns.items()):
        rule = rules.get(table, {})
        if not isinstance(rule, str):
            found += [f"{table}.{name}" for name in sorted(names - set(rule))]
    return found


def statements(rules: Rules, columns: Columns, salt: str, password_hash: str = "") -> list[str]:
    """SQL that leaves nothing personal. `password_hash` is everybody's then; without it nobody has a password.

    Raises ValueError for a rule that is none. Foreign keys are not looked at while it runs (session_replication_role), because
    an id changes in many tables; it ends with a check that none points nowhere.
    """
    made = [_JSON, "set session_replication_role = replica"]
    for table, names in sorted(columns.items()):
        rule = rules[table]
        if isinstance(rule, str):
            if rule != EMPTY:
                raise ValueError(f"{table}: {rule!r} is no rule for a table")
            made.append(f"delete from {_name(table)}")
            continue
        changes = {column: _value(column, rule[column], salt, password_hash) for column in sorted(names)}
        sets = ", ".join(f"{_name(column)} = {value}" for column, value in changes.items() if value)
        if sets:
            made.append(f"update {_name(table)} set {sets}")
    return [*made, "set session_replication_role = origin"]


# Every foreign key again, by its own definition: a row that points nowhere is an error that names the key.
RECHECK = """
do $$ declare k record; begin
  for k in select conrelid::regclass as t, conname as c, pg_get_constraintdef(oid) as d from pg_constraint
            where contype = 'f' and connamespace = 'public'::regnamespace loop
    execute format('alter table %s drop constraint %I', k.t, k.c);
    execute format('alter table %s add constraint %I %s', k.t, k.c, k.d);
  end loop;
end $$
"""

COLUMNS = """
select c.table_name || ' ' || c.column_name from information_schema.columns c
  join information_schema.tables t using (table_schema, table_name)
 where c.table_schema = 'public' and t.table_type = 'BASE TABLE' order by 1
"""

# A copy takes every schema along, and rules speak of `public` alone.
ELSEWHERE = """
select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p', 'm', 'f') and n.nspname not in ('public', 'pg_catalog', 'information_schema')
   and n.nspname !~ '^pg_(toast|temp)' order by 1
"""


def parse_columns(text: str) -> dict[str, frozenset[str]]:
    """What `COLUMNS` prints."""
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        table, _, column = line.partition(" ")
        found.setdefault(table, set()).add(column)
    return {table: frozenset(names) for table, names in found.items()}


def _value(column: str, rule: str, salt: str, password_hash: str) -> str:
    """The column's new value as an SQL expression; empty when it stays."""
    word, *keys = rule.split()
    name = _name(column)
    if word == KEEP:
        return ""
    if word == "password":
        return f"case when {name} is null then null else {_literal(password_hash)} end" if password_hash else "null"
    if word == WORDS and not keys:
        return f"pg_temp.signupflow_json({name}::text, null, {_literal(salt)})"
    if word == JSON:
        if any(not _KEY.match(key) for key in keys):
            raise ValueError(f"{column}: {rule!r} names keys that are none")
        return f"pg_temp.signupflow_json({name}, array[{', '.join(map(_literal, keys))}]::text[], {_literal(salt)})"
    if word not in {**_EXPRESSIONS, **_FORMS} or keys:
        raise ValueError(f"{column}: {rule!r} is no rule")
    made = f"left(encode(sha256(convert_to({_literal(salt)} || {name}, 'UTF8')), 'hex'), 16)"
    if word in _FORMS:
        form, otherwise = _FORMS[word]
        return f"case when {name} is null or {name} ~ {_literal(form)} then {name} else {otherwise.format(m=made)} end"
    return f"case when {name} is null then null else {_EXPRESSIONS[word].format(c=name, m=made)} end"


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
