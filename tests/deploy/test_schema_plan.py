"""What a migration does to a running version is told before it runs: the linter, the image's label, and the verdict."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.client import ROOT
from signupflow.errors import OperatorError
from signupflow.release import lint
from signupflow.release.schema import (
    HistoryError,
    Migration,
    Outcome,
    UnknownRevisionError,
    decode,
    encode,
    from_sources,
    ordered,
    pending,
    verdict,
)

pytestmark = pytest.mark.whole

HEADER = 'import sqlalchemy as sa\nfrom alembic import op\nrevision = "2"\ndown_revision = "1"\n'


def migration(*body: str, before: str = "") -> str:
    lines = "\n".join(f"    {line}" for line in body or ("pass",))
    return f"{HEADER}{before}\ndef upgrade() -> None:\n{lines}\n\ndef downgrade() -> None:\n    op.drop_table('people')\n"


DESTRUCTIVE = {
    "op.drop_table('people')": "drop_table people",
    "op.drop_column('people', 'name')": "drop_column people.name",
    "op.drop_column(table_name='people', column_name='name')": "drop_column people.name",
    "op.rename_table('people', 'persons')": "rename_table people",
    "op.alter_column('people', 'name', new_column_name='title')": "alter_column people.name (new_column_name)",
    "op.alter_column('people', 'name', type_=sa.Text())": "alter_column people.name (type_)",
    "op.alter_column('people', 'name', nullable=False)": "alter_column people.name (nullable=False)",
    "op.alter_column('people', 'name', server_default=None)": "alter_column people.name (server_default=None)",
    "op.alter_column('people', 'name', type_=sa.Text(), nullable=STRICT)": "alter_column people.name (type_, nullable=False)",
    "op.alter_column('people', 'name', **CHANGES)": "alter_column people.name (arguments that are not written there)",
    "op.add_column('people', sa.Column('x', sa.Text(), nullable=False))": "add_column people.x (NOT NULL without server_default)",
    "op.add_column('people', sa.Column('x', sa.Text(), nullable=False, server_default=None))": (
        "add_column people.x (NOT NULL without server_default)"
    ),
    "op.add_column('people', sa.Column('x', sa.Integer(), primary_key=True))": (
        "add_column people.x (NOT NULL without server_default)"
    ),
    "op.add_column('people', COLUMN)": "add_column people.COLUMN (a column that is not written there)",
    "op.add_column('people', sa.Column('x', **KIND))": "add_column people.x (a column that is not written there)",
    "op.add_column('people')": "add_column people.? (a column that is not written there)",
    "op.create_unique_constraint('u', 'people', ['email'])": "create_unique_constraint people",
    "op.create_check_constraint('c', 'people', 'true')": "create_check_constraint people",
    "op.create_foreign_key('f', 'people', 'teams', ['a'], ['id'])": "create_foreign_key people",
    "op.create_index('i', 'people', ['email'], unique=True)": "create_index people (unique)",
    "drop_table('people')": "drop_table people",
    "op.drop_table(NAMED)": "drop_table teams",
    "op.drop_table(TABLES[0])": "drop_table TABLES[0]",
    "[op.drop_table(name) for name in TABLES]": "drop_table name",
    "op.execute('alter table people owner to x')": "execute alter table people owner to x",
    "op.execute(sa.text('DROP INDEX x'))": "execute DROP INDEX x",
    "op.execute(STATEMENT)": "execute TRUNCATE people",
    "op.execute('CREATE OR REPLACE TRIGGER x')": "execute CREATE OR REPLACE TRIGGER x",
    "op.execute('CREATE  UNIQUE INDEX x ON people (email)')": "execute CREATE UNIQUE INDEX x ON people (email)",
    "op.execute(f'UPDATE {x}')": "execute UPDATE (not all of it is written there)",
    "op.execute('UPDATE ' + x)": "execute UPDATE (not all of it is written there)",
    "op.execute('UPDATE {}'.format(x))": "execute UPDATE {} (not all of it is written there)",
    "op.execute(sa.text(x))": "execute  (not all of it is written there)",
    "op.execute(x)": "execute  (not all of it is written there)",
    "op.execute()": "execute  (not all of it is written there)",
    "op.get_bind().exec_driver_sql('REVOKE ALL ON people FROM app')": "exec_driver_sql REVOKE ALL ON people FROM app",
    "Base.metadata.drop_all(op.get_bind())": "drop_all",
    "op.get_bind().execute(sa.schema.DropTable(people))": "DropTable",
}

HARMLESS = [
    "pass",
    "op.create_table('rooms', sa.Column('id', sa.Integer(), nullable=False, unique=True))",
    "op.add_column('people', sa.Column('x', sa.Text()))",
    "op.add_column('people', sa.Column('x', sa.Text(), nullable=True))",
    "op.add_column('people', sa.Column('x', sa.Boolean(), nullable=False, server_default=sa.false()))",
    "op.add_column('people', sa.Column('x', sa.Integer(), sa.Identity(), nullable=False))",
    "op.create_index('i', 'people', ['email'])",
    "op.create_index('i', 'people', ['email'], unique=False)",
    "op.drop_index('i', 'people')",
    "op.alter_column('people', 'name', nullable=True)",
    "op.alter_column('people', 'name', comment='x')",
    "op.alter_column('people', 'name', server_default='x')",
    "op.execute('UPDATE people SET dropped = true')",
    "op.execute(sa.update(people).values(count=people.c.count + 1))",
    "functions[0]()",
]


@pytest.mark.parametrize(("line", "said"), DESTRUCTIVE.items())
def test_us2_4_what_a_running_version_may_not_survive_is_named(line: str, said: str) -> None:
    before = "NAMED: str = 'teams'\nSTATEMENT = 'TRUNCATE people'\n"
    assert said in lint.destructive(migration(line, before=before))


@pytest.mark.parametrize("line", HARMLESS)
def test_fr005_what_a_running_version_survives_passes(line: str) -> None:
    assert lint.destructive(migration(line)) == []


def test_us2_4_batches_are_read_like_single_operations() -> None:
    body = [
        "with op.batch_alter_table('people', recreate='never') as batch, open('x') as file, op.batch_alter_table('teams'):",
        "    batch.drop_column('name')",
        "    batch.alter_column('email', nullable=False)",
        "    batch.add_column(sa.Column('x', sa.Text(), nullable=False))",
        "    batch.create_unique_constraint('u', ['email'])",
        "    batch.create_index('i', ['email'])",
        "    file.alter_column('email', 'x', nullable=True)",
    ]
    assert lint.destructive(migration(*body)) == [
        "drop_column people.name",
        "alter_column people.email (nullable=False)",
        "add_column people.x (NOT NULL without server_default)",
        "create_unique_constraint people",
    ]


def test_fr005_a_table_of_the_same_migration_may_be_shaped_freely() -> None:
    body = [
        "op.create_table(ROOMS, sa.Column('id', sa.Integer()))",
        "op.create_unique_constraint('u', 'rooms', ['id'])",
        "op.create_foreign_key('f', 'rooms', 'people', ['id'], ['id'])",
        "op.alter_column('rooms', 'id', nullable=False)",
        "with op.batch_alter_table('rooms') as batch:",
        "    batch.drop_column('id')",
        "op.drop_column('people', 'name')",
    ]
    assert lint.destructive(migration(*body, before="ROOMS = 'rooms'\n")) == ["drop_column people.name"]


def test_us2_4_functions_that_upgrade_uses_are_read_and_others_are_not() -> None:
    before = (
        "def second() -> None:\n    op.drop_table('teams')\n    first()\n"
        "def first() -> None:\n    second()\n"
        "def unused() -> None:\n    op.drop_table('events')\n"
    )
    assert lint.destructive(migration("first()", before=before)) == ["drop_table teams"]


def test_fr011_a_migration_says_who_it_is_what_it_follows_and_why_it_breaks() -> None:
    source = migration(before="a = b = 1\nc.d = 2\nbreaks: str = ' the old ' 'version writes events.x '\nWHY: str\n")
    assert (lint.revision(source), lint.down_revision(source)) == ("2", "1")
    assert lint.mark(source) == "the old version writes events.x"
    assert lint.mark(migration()) == ""
    assert lint.down_revision(source.replace('"1"', "None")) == ""


@pytest.mark.parametrize(
    ("source", "reads", "said"),
    [
        ("def (", lint.destructive, "not Python"),
        ("x = 1", lint.destructive, "no function upgrade"),
        (migration().replace('revision = "2"', ""), lint.revision, "names no revision"),
        (migration().replace('"1"', '("1", "0")'), lint.down_revision, "down_revision is not one string"),
        (migration(before="breaks = WHY\n"), lint.mark, "breaks is not one string"),
    ],
)
def test_us2_4_a_migration_that_cannot_be_read_is_refused(source: str, reads: object, said: str) -> None:
    assert callable(reads)
    with pytest.raises(lint.MigrationError, match=said):
        reads(source)


words = st.text(max_size=12)
names = st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=6, unique=True)


@st.composite
def histories(draw: st.DrawFn) -> tuple[Migration, ...]:
    revisions = draw(names)
    return tuple(
        Migration(revision, down, tuple(draw(st.lists(words, max_size=3))), draw(words))
        for down, revision in zip(["", *revisions], revisions, strict=False)
    )


@given(histories(), st.randoms(use_true_random=False))
def test_fr011_a_label_gives_back_what_was_put_in_whatever_it_says(history: tuple[Migration, ...], random: object) -> None:
    shuffled = list(history)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    label = encode(shuffled)
    assert decode(label) == history
    assert label.isascii()
    assert not {"\n", "\r"} & set(label)


def test_fr011_an_image_without_migrations_has_an_empty_label() -> None:
    assert encode(()) == ""
    assert decode("") == ()


@pytest.mark.parametrize("text", ["{", "7", "[[1]]", '[["a"]]', "null", '["ab"]'])
def test_fr011_a_label_that_is_not_ours_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(OperatorError, match=r"schema-migrations cannot be read; build") as caught:
        decode(text)
    assert "\n" not in str(caught.value)


@given(histories(), st.data())
def test_us2_3_what_is_pending_is_all_that_follows_the_database_s_revision(
    history: tuple[Migration, ...], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(history)))
    current = history[place - 1].revision if place else ""
    assert pending(reversed(history), current) == history[place:]


@given(histories())
def test_us2_4_a_revision_that_the_image_does_not_know_stops_the_release(history: tuple[Migration, ...]) -> None:
    with pytest.raises(UnknownRevisionError, match=r"database is at schema revision nowhere-at-all") as caught:
        pending(history, "nowhere-at-all")
    assert isinstance(caught.value, OperatorError)
    with pytest.raises(UnknownRevisionError, match="newest: none"):
        pending((), "b4e6f8a2c5d3")
    assert pending((), "") == ()


@pytest.mark.parametrize(
    ("downs", "named"),
    [
        ({"a": "", "b": "a", "c": "a"}, "[bc]"),
        ({"a": "", "b": "x"}, ": b;"),
        ({"a": "b", "b": "a"}, ": a, b;"),
    ],
)
def test_us2_4_a_history_that_is_no_line_is_refused(downs: dict[str, str], named: str) -> None:
    with pytest.raises(HistoryError, match=named):
        ordered(Migration(revision, down, (), "") for revision, down in downs.items())


def test_us2_4_the_same_migration_twice_is_refused() -> None:
    with pytest.raises(HistoryError, match="twice"):
        ordered([Migration("a", "", (), "")] * 2)


SAFE = Migration("a", "", (), "")
DROPS = Migration("b", "a", ("drop_column people.name", "drop_table teams"), "")
MARKED = Migration("c", "b", ("drop_column events.type",), "version 1.2 writes events.type")
CAREFUL = Migration("d", "c", (), "all passwords end")


@pytest.mark.parametrize(
    ("waiting", "outcome", "said"),
    [
        ((), Outcome.COMPATIBLE, []),
        ((SAFE,), Outcome.COMPATIBLE, []),
        ((DROPS,), Outcome.REFUSED, ["migration b: drop_column people.name, drop_table teams", 'breaks = "why"', "Split it"]),
        ((SAFE, DROPS, MARKED), Outcome.REFUSED, ["migration b:"]),
        ((MARKED, CAREFUL), Outcome.WINDOW, ["c (version 1.2 writes events.type), d (all", "--data allow_interrupts=schema"]),
    ],
)
def test_us2_4_a_migration_that_breaks_what_runs_is_refused_or_needs_a_window(
    waiting: tuple[Migration, ...], outcome: Outcome, said: list[str]
) -> None:
    found = verdict(waiting)
    assert found.outcome is outcome
    assert bool(found.message) == bool(said)
    assert "\n" not in found.message
    for words in said:
        assert words in found.message


def test_us2_3_this_repository_s_migrations_are_one_line_that_starts_harmless() -> None:
    history = from_sources(path.read_text() for path in (ROOT / "alembic" / "versions").glob("*.py"))
    assert history[0] == Migration("b4e6f8a2c5d3", "", (), "")
    assert decode(encode(history)) == history


TEST_MIGRATIONS = {path.stem: path.read_text() for path in (ROOT / "tests" / "faults" / "migrations").glob("*.py")}


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("adds", Outcome.COMPATIBLE),
        ("fails", Outcome.COMPATIBLE),
        ("drops", Outcome.REFUSED),
        ("breaks", Outcome.WINDOW),
    ],
)
def test_us2_4_the_migrations_of_test_images_follow_the_newest_and_are_judged_as_meant(name: str, outcome: Outcome) -> None:
    ours = [path.read_text() for path in (ROOT / "alembic" / "versions").glob("*.py")]
    history = from_sources([*ours, TEST_MIGRATIONS[name]])
    assert verdict(pending(history, from_sources(ours)[-1].revision)).outcome is outcome
