"""Whose a host is: another app, another environment, another database, and data that a role would leave behind."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploys import ownership as stage
from deploys import release
from deploys.environment import image as image_of
from facts.database import SchemaRevision
from facts.ownership import HostOwner
from operations.output import last
from signupflow import ownership
from signupflow.ownership import Owner, Seen, Wanted
from tests.deploy.standing import CLUSTER, ONE, standing

__all__ = ["standing"]  # a fixture

WANTED = Wanted("production", "signupflow", "signupflow", "db1")
MINE = Owner("production", "signupflow", "signupflow", "db1", "web1")
SERVES = {
    "edge1": Seen(replace(MINE, host="edge1"), served=True),
    "web1": Seen(MINE, apps=frozenset({"signupflow"}), served=True),
    "db1": Seen(replace(MINE, host="db1"), databases=frozenset({"signupflow"}), cluster=True),
}
# The same hosts as deploys left them before there was an owner file.
OLDER = {name: replace(seen, owner=None) for name, seen in SERVES.items()}
BARE = {name: Seen() for name in SERVES}


def refused(hosts: Mapping[str, Seen], recovering: bool = False, **wanted: Any) -> str:
    found = ownership.refusals(replace(WANTED, **wanted), hosts, recovering)
    assert all("\n" not in line for line in found)
    return "; ".join(found)


@pytest.mark.parametrize("hosts", [SERVES, OLDER, BARE])
def test_a24_hosts_of_this_very_app_and_bare_ones_are_let_through(hosts: Mapping[str, Seen]) -> None:
    assert refused(hosts) == ""


@pytest.mark.parametrize(
    ("hosts", "wanted", "said"),
    [
        (SERVES, {"app": "other"}, "web1 belongs to signupflow of production"),
        (SERVES, {"environment": "staging"}, "and this inventory deploys signupflow of staging: give that hosts of its own"),
        (OLDER, {"app": "other"}, "web1 runs signupflow already, and this inventory deploys other"),
        ({**OLDER, "db1": replace(OLDER["db1"], environments=frozenset({"production"}))}, {"environment": "staging"},
         "db1 belongs to the environment production, and this inventory is of staging"),
        (SERVES, {"database": "other"}, "postgres_database is other, and db1 holds signupflow"),
        (OLDER, {"database": "other"}, "set postgres_database = 'signupflow' again"),
    ],
)  # fmt: skip
def test_a24_another_app_environment_or_database_is_refused_by_name(hosts: Any, wanted: dict[str, Any], said: str) -> None:
    assert said in refused(hosts, **wanted)


def test_a24_an_app_that_is_gone_may_come_again_under_another_database() -> None:
    assert refused({"db1": Seen(replace(MINE, database="other"), cluster=False)}) == "", "nothing is there that could be missed"


NEW = Seen()
MOVED = {name: replace(seen, owner=replace(seen.owner, moves=1)) for name, seen in SERVES.items() if seen.owner}


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        # Both in the inventory, with an owner file and without.
        ({**SERVES, "db2": NEW}, "the database is on db1, and db2 holds none: set db = [\"db1\"] again"),
        ({**OLDER, "db2": NEW}, "the database is on db1, and db2 holds none"),
        # The old one is no longer in the inventory: those that are know.
        ({"edge1": SERVES["edge1"], "web1": SERVES["web1"], "db2": NEW}, "the database is on db1, and db2 holds none"),
        ({"edge1": OLDER["edge1"], "web1": OLDER["web1"], "db2": NEW}, "the app has served already, and db2 holds no database"),
        # A host from long ago, with what the database was then.
        ({**MOVED, "db2": Seen(replace(MINE, database_host="db2", host="db2"), cluster=True)}, "db2 holds an older copy"),
    ],
)  # fmt: skip
def test_a31_a_role_that_moves_away_from_its_data_is_refused_with_the_way(hosts: Any, said: str) -> None:
    line = refused(hosts, database_host="db2")
    assert said in line
    assert "deploys/disaster_recovery.py" in line


def test_a31_a_database_host_that_came_back_empty_under_its_name_is_refused() -> None:
    assert "db1 holds no database: restore it there" in refused({**SERVES, "db1": Seen()})
    assert refused({**SERVES, "db1": Seen()}, uses_database=False) == ""


def test_a31_recovery_on_purpose_moves_the_database_and_the_next_run_knows() -> None:
    hosts = {"edge1": SERVES["edge1"], "web1": SERVES["web1"], "db2": NEW}
    wanted = replace(WANTED, database_host="db2")
    assert refused(hosts, recovering=True, database_host="db2") == ""
    owners = {name: ownership.owner(wanted, name, hosts) for name in hosts}
    assert {owner.moves for owner in owners.values()} == {1}
    # web2 was away: its word is the older one.
    after = {name: replace(seen, owner=owners[name]) for name, seen in hosts.items()} | {"web2": SERVES["web1"]}
    after["db2"] = replace(after["db2"], cluster=True)
    assert refused(after, database_host="db2") == ""
    assert ownership.owner(wanted, "edge1", after) == owners["edge1"], "a second run writes the same"
    # The old host, found again, is not taken for what it was.
    old = {**after, "db1": SERVES["db1"]}
    assert "db1 holds an older copy" in refused(old, database_host="db1")
    assert "rename that directory there" in refused(old, recovering=True, database_host="db1")


def test_a31_a_recovery_that_was_killed_is_gone_on_with_by_recovery() -> None:
    hosts = {**SERVES, "db1": NEW, "db2": Seen(replace(MINE, database_host="db2", host="db2", moves=1))}
    assert "db2 holds no database: restore it there" in refused(hosts, database_host="db2")
    assert refused(hosts, recovering=True, database_host="db2") == ""


def test_a31_a_host_by_another_name_is_the_same_host() -> None:
    hosts = {"edge1": SERVES["edge1"], "web1": SERVES["web1"], "data1": SERVES["db1"]}
    assert refused(hosts, database_host="data1") == ""
    assert ownership.owner(replace(WANTED, database_host="data1"), "data1", hosts).moves == 0


def test_a31_a_database_host_that_never_came_to_hold_anything_may_change() -> None:
    hosts = {name: Seen(replace(MINE, host=name)) for name in ("edge1", "web1")}
    assert refused({**hosts, "db2": NEW}, database_host="db2") == ""


def test_a24_an_owner_file_that_is_no_such_thing_is_no_owner() -> None:
    assert Owner.parse(MINE.text()) == MINE
    for text in (None, "", "[]", "{}", '{"environment": "x"}', "\x00"):
        assert Owner.parse(text) is None


# The fact, as a host's own shell answers


def seen_in(root: Path) -> Seen:
    fact = HostOwner()
    script = fact.command()
    for folder in ("/var/lib/signupflow", "/opt/signupflow", "/etc/signupflow"):
        script = script.replace(folder, f"{root}{folder}")
    done = subprocess.run(["sh", "-c", script.replace("command -v docker", "false")], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return fact.process(done.stdout.splitlines())


def test_a24_what_older_deploys_left_tells_whose_a_host_is(tmp_path: Path) -> None:
    assert seen_in(tmp_path) == Seen()
    for path, text in {
        "opt/signupflow/app-one/g7/compose.yaml": "",
        "opt/signupflow/schema-two/compose.yaml": "",
        "opt/signupflow/traefik/config/dynamic/app-three-servers.yaml": "",
        "etc/signupflow/backup/backup.json": '{\n  "environment": "production",\n  "profile": "x",\n  "database": "rows",\n}\n',
        "opt/signupflow/postgres/config/pg_hba.conf": "hostssl rows   all  samenet x\nhostssl rows_rehearsal  rows_migrator  x\n",
        "var/lib/signupflow/postgres/cluster/PG_VERSION": "17",
        "var/lib/signupflow/owner.json": MINE.text(),
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert seen_in(tmp_path) == Seen(
        MINE, frozenset({"one", "two", "three"}), frozenset({"production"}), frozenset({"rows"}), served=True, cluster=True
    )


# The deploys


def test_a24_every_deploy_that_changes_a_host_asks_whose_it_is(standing: Any) -> None:
    other = Seen(Owner("sample", "another", "signupflow", "web1", "web1"))
    every: tuple[Callable[[], object], ...] = (
        *(release.ready, release.asked, release.abort, release.release_lock),
        lambda: release.locked(reason="a reason"),
    )
    for work in every:
        fleet = standing(ONE)
        stage._seen.clear()
        fleet.facts["web1"] = {HostOwner: other}
        with fleet.on("web1"), pytest.raises(SystemExit) as ended:
            work()
        assert ended.value.code == 2
        assert not fleet.state.op_meta, "nothing was even planned"
    assert "web1 belongs to another of sample" in last().text


def test_a24_the_owner_is_written_once_and_then_stays(standing: Any) -> None:
    fleet = standing(CLUSTER)
    with fleet.on("web1"):
        stage.claim()
        assert [name for meta in fleet.state.op_meta.values() for name in meta.names] == ["Host | Write the owner"]
        text = ownership.owner(stage._wanted(), "web1", stage._hosts()).text()
        assert Owner.parse(text) == Owner("sample", "signupflow", "signupflow", "db1", "web1")


@pytest.mark.parametrize(("at", "said"), [("0009", "needs the schema 0010, the database is at 0009"), ("0010", "")])
def test_a18_a_release_that_leaves_the_schema_step_out_is_refused(
    standing: Any, monkeypatch: pytest.MonkeyPatch, at: str, said: str
) -> None:
    image = replace(image_of(standing(CLUSTER).inventory.get_host("web1").data.app_image), schema_revision="0010")
    monkeypatch.setattr(release, "image", lambda _: image)
    fleet = standing(CLUSTER, limit=["web1"], app_migration_command=["migrate"])
    fleet.facts["db1"] = {SchemaRevision: at}
    with fleet.on("web1"):
        if not said:
            release._schema_is_not_left_out()
            return
        with pytest.raises(SystemExit):
            release.ready()
    line = last().text
    assert said in line
    assert "add --limit db1" in line
