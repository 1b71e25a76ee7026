"""A sanitised copy for staging. Production's host makes it from a backup and writes it to standard output; staging's host
reads it from standard input. What is personal never leaves production, and neither host has the other's keys.
"""

from __future__ import annotations

import json
import os
import secrets
from datetime import UTC, datetime
from typing import BinaryIO

from docker.errors import ContainerError, ImageNotFound

from backup import records, restoring, sanitise, scratch, swap
from backup.configuration import DATA, Configuration, app_image
from backup.create import LONGEST_SECONDS, Tell
from backup.dumps import Output
from backup.exit_codes import Failed, Restore
from backup.records import RESTORE
from backup.restoring import Wanted
from backup.scratch import Scratch
from backup.server import CommandError, Server, engine
from signupflow.shared import humanize
from signupflow.shared.places import POSTGRES_UID

MAGIC = b"PGDMP"
BLOCK = 1 << 20
INCOMING = "incoming.dump"

# The password as bcrypt, by PostgreSQL itself; it comes by an environment variable, so that no process list has it.
HASH = """\\getenv password SIGN_IN_PASSWORD
create extension pgcrypto;
select crypt(:'password', gen_salt('bf', 12));
drop extension pgcrypto;
"""

# What belongs to a database and not to what is in it: who may connect, and what roles are set to there.
SAME_RIGHTS = """
do $$ declare r record; begin
  execute format('revoke all on database %I from public', '{new}');
  for r in select grantee::regrole::text as who, privilege_type as what from pg_database, aclexplode(datacl)
            where datname = '{old}' and grantee <> 0 loop
    execute format('grant %s on database %I to %s', r.what, '{new}', r.who);
  end loop;
  for r in select setrole::regrole::text as who, split_part(one, '=', 1) as name, substr(one, strpos(one, '=') + 1) as value
             from pg_db_role_setting join pg_database d on d.oid = setdatabase, unnest(setconfig) one
            where datname = '{old}' and setrole <> 0 loop
    execute format('alter role %s in database %I set %I = %L', r.who, '{new}', r.name, r.value);
  end loop;
end $$
"""


def sanitised(configuration: Configuration, wanted: Wanted, password: str, out: BinaryIO, tell: Tell) -> str:
    """Restore, take out what is personal, and write a dump; returns what was done."""
    if not configuration.personal_data_command:
        raise Failed(Restore.CONFIGURATION, "which data is personal is unknown: set app_personal_data_command")
    copy = restoring.available(configuration, wanted, tell)
    rules = rules_of(configuration)
    with records.alone(RESTORE, LONGEST_SECONDS, "another restore or drill", tell):
        restoring.archived_so_far(tell)
        with scratch.scratch(configuration, "copy", scratch.size_of(copy), tell) as instance:
            scratch.rebuilt(instance, copy, wanted.target, tell, swap.CLUSTER)
            clean(instance, configuration.database, rules, password, tell)
            argv = ("pg_dump", "--format=custom", "--compress=zstd:3", "-h", "/tmp", "-d", configuration.database)
            sent = _copied(Output(instance.server, argv), out)
    return f"{copy.label} to {wanted.target}, sanitised: {humanize.size(sent)} written"


def rules_of(configuration: Configuration) -> sanitise.Rules:
    """What the app's image says of its columns."""
    image = app_image()
    if not image:
        raise Failed(Restore.CONFIGURATION, "which data is personal is unknown: nothing is released in this environment yet")
    try:
        said = engine().containers.run(
            image, list(configuration.personal_data_command), remove=True, network_mode="none", read_only=True
        )
        found: sanitise.Rules = json.loads(said)
        return found
    except (ContainerError, ImageNotFound, ValueError) as error:
        why = " ".join(str(error).split())[:300]
        raise Failed(Restore.CONFIGURATION, f"{image} does not say what is personal: {why}") from None


def clean(instance: Scratch, database: str, rules: sanitise.Rules, password: str, tell: Tell) -> None:
    """Nothing personal is left in the scratch instance's database; Failed when a column has no rule."""
    if elsewhere := instance.psql(sanitise.ELSEWHERE, database).splitlines():
        raise Failed(
            Restore.CONFIGURATION,
            f"{', '.join(elsewhere[:5])}: no rules for personal data outside schema public; drop what a repair left"
            " (drop schema repair cascade), or copy a moment before it (--point-in-time)",
        )
    columns = sanitise.parse_columns(instance.psql(sanitise.COLUMNS, database))
    if unknown := sanitise.unclassified(rules, columns):
        raise Failed(
            Restore.CONFIGURATION,
            f"{len(unknown)} columns have no rule ({', '.join(unknown[:5])}): deploy the release whose schema this is",
        )
    hashed = _hashed(instance, database, password) if password else ""
    made = sanitise.statements(rules, columns, secrets.token_hex(32), hashed)
    tell(f"taking out what is personal in {len(columns)} tables")
    try:
        instance.script(";\n".join([*made, sanitise.RECHECK]), database)
    except CommandError as error:
        raise Failed(Restore.FAILED, f"what is personal could not be taken out: {' '.join(str(error).split())[-300:]}") from None


def _hashed(instance: Scratch, database: str, password: str) -> str:
    instance.server.put("/tmp/hash.sql", HASH.encode())
    argv = ("psql", "-X", "-At", "-q", "-v", "ON_ERROR_STOP=1", "-h", "/tmp", "-d", database, "-f", "/tmp/hash.sql")
    done = instance.server.run(argv, variables={"SIGN_IN_PASSWORD": password})
    if done.code:
        raise Failed(Restore.FAILED, f"the password could not be hashed: {done.err.strip()[-200:]}")
    return done.out.strip()


def _copied(source: Output, out: BinaryIO) -> int:
    count = 0
    while block := source.read(BLOCK):
        out.write(block)
        count += len(block)
    out.flush()
    if source.code:
        raise Failed(Restore.FAILED, f"pg_dump ended with {source.code}: {source.said.strip()[-300:]}")
    return count


def load(configuration: Configuration, source: BinaryIO, tell: Tell) -> str:
    """Replace staging's database by the copy that is read; what was there is kept under another name."""
    if configuration.profile == "production":
        raise Failed(Restore.CONFIGURATION, "this host serves production: a copy is loaded where the profile is staging")
    server, database = Server(), configuration.database
    with records.alone(RESTORE, LONGEST_SECONDS, "another restore or drill", tell):
        path = DATA / INCOMING
        try:
            tell(f"{humanize.size(_spooled(source, path))} read")
            return _loaded(server, database, tell)
        finally:
            path.unlink(missing_ok=True)


def _spooled(source: BinaryIO, path: os.PathLike[str]) -> int:
    first = source.read(len(MAGIC))
    if first != MAGIC:
        raise Failed(Restore.NOT_VERIFIED, "standard input is no dump: pipe `signupflow-restore sanitised` of production into it")
    count = len(first)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o400)
    with os.fdopen(descriptor, "wb") as out:
        os.chown(path, POSTGRES_UID, POSTGRES_UID)
        out.write(first)
        while block := source.read(BLOCK):
            out.write(block)
            count += len(block)
    return count


def _loaded(server: Server, database: str, tell: Tell) -> str:
    new, old = f"{database}_incoming", f"{database}_before_{datetime.now(UTC):%Y%m%d%H%M%S}"
    _run(server, f'drop database if exists "{new}" with (force)', f'create database "{new}" owner "{database}_owner"')
    _run(server, SAME_RIGHTS.format(old=database, new=new))
    argv = ("pg_restore", "--exit-on-error", "--single-transaction", "-d", new, f"/var/lib/postgresql/{INCOMING}")
    done = server.run(argv)
    if done.code:
        _run(server, f'drop database "{new}" with (force)')
        raise Failed(Restore.FAILED, f"staging's database is as it was; the copy does not load: {done.err.strip()[-300:]}")
    tell("loaded; exchanging the databases")
    # Nobody may come back between the two names; both change in one transaction.
    _run(server, f'alter database "{database}" with allow_connections false')
    try:
        kick = f"select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = '{database}'"
        renamed = (f'alter database "{database}" rename to "{old}"', f'alter database "{new}" rename to "{database}"')
        _run(server, kick, f"begin; {'; '.join(renamed)}; commit")
    except Failed:
        _run(server, f'alter database "{database}" with allow_connections true')
        raise
    return f"staging has the copy; the previous database is {old} (drop it when you are done)"


def _run(server: Server, *statements: str) -> None:
    try:
        for statement in statements:
            server.psql(statement)
    except CommandError as error:
        raise Failed(Restore.FAILED, " ".join(str(error).split())[-300:]) from None
