"""Tables for people, JSON for programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from backup import bucket, listing
from backup.archive import Copy, Store
from backup.bucket import Finding
from backup.configuration import LOCAL, OBJECT_STORE
from backup.records import Record
from backup.replaced import Note
from signupflow.shared.dump_objects import Dump

ENDED = datetime(2026, 11, 27, 1, 54, 12, tzinfo=UTC)


def copy(label: str, repository: int, after: timedelta = timedelta()) -> Copy:
    return Copy(label, repository, ENDED + after - timedelta(seconds=2), ENDED + after, 33392058, 3843760, "", "")


STORE = Store((copy("20261127-015410F", OBJECT_STORE), copy("20261127-015420F", LOCAL, timedelta(seconds=10))), ())
DUMPS = [Dump("weekly", "dumps/sample/weekly/x", ENDED, 2_000_000, True), Dump("monthly", "m", ENDED, 3_000_000, False)]


def test_fr008_every_backup_is_listed_with_where_when_and_how_large() -> None:
    head, line, first, second, *_ = listing.table(STORE, []).splitlines()
    assert head.split() == ["backup", "where", "ended", "database", "stored", "took"]
    assert set(line) == {"-", " "}
    assert first.split("  ")[0] == "20261127-015410F"
    for word in ("object storage", "2026-11-27 01:54:12 UTC", "33 MB", "3.8 MB", "2 s"):
        assert word in first
    assert "this host" in second
    assert first.index("2026-11-27 01") == second.index("2026-11-27 01") == head.index("ended"), "in columns"


def test_us6_2_the_list_says_from_which_moment_on_one_can_go_back() -> None:
    last = listing.table(STORE, DUMPS).splitlines()[-1]
    assert last == "Any second since 2026-11-27 01:54:12 UTC can be restored: signupflow-restore --point-in-time"
    assert "point-in-time" not in listing.table(Store((), ()), DUMPS), "dumps alone have one moment each"


def test_a36_the_list_leaves_out_what_a_restore_went_back_behind() -> None:
    def at(hours: float) -> datetime:
        return ENDED + timedelta(hours=hours)

    hours = (-3, -2), (5, 7), (1, 2), (1.5, 3), (9, 9)
    before, *holes = (Note(f"before-{a}", at(a).timestamp(), at(b).timestamp(), kept=f"/data/before-{a}") for a, b in hours)
    assert listing.unrestorable([before, *holes]) == [(at(-3), at(-2)), (at(1), at(3)), (at(5), at(7))]
    said = listing.table(STORE, [], [before, *holes])
    last = next(line for line in said.splitlines() if line.startswith("Any second"))
    assert last == (
        "Any second since 2026-11-27 01:54:12 UTC can be restored, but for those between 2026-11-27 02:54:12 UTC and "
        "2026-11-27 04:54:12 UTC, between 2026-11-27 06:54:12 UTC and 2026-11-27 08:54:12 UTC, which a restore went back "
        "behind: signupflow-restore --point-in-time"
    )
    assert "Replaced by a restore, 2026-11-27 06:54:12 UTC to 2026-11-27 08:54:12 UTC: in /data/before-5 alone" in said
    assert "before-9" not in said, "nothing was left out of that one"
    assert json.loads(listing.as_json(STORE, [], holes))["unrestorable"][0] == {
        "since": "2026-11-27T02:54:12+00:00",
        "until": "2026-11-27T04:54:12+00:00",
    }


def test_fr007_a_dump_that_was_not_read_back_is_marked() -> None:
    lines = listing.table(STORE, DUMPS).splitlines()
    assert [("NOT PROVEN" in line) for line in lines if " dump" in line] == [False, True]


def test_fr007_without_any_backup_the_list_says_how_to_make_one() -> None:
    assert listing.table(Store((), ()), []) == "There is no backup yet; `systemctl start signupflow-backup` makes one."


def test_fr007_programs_get_numbers_and_iso_times() -> None:
    found = json.loads(listing.as_json(STORE, DUMPS))
    assert found["backups"][0] == {
        "label": "20261127-015410F",
        "repository": 1,
        "where": "object storage",
        "started": "2026-11-27T01:54:10+00:00",
        "ended": "2026-11-27T01:54:12+00:00",
        "database_bytes": 33392058,
        "stored_bytes": 3843760,
    }
    assert [(dump["kind"], dump["bytes"], dump["proven"]) for dump in found["dumps"]] == [
        ("weekly", 2_000_000, True),
        ("monthly", 3_000_000, False),
    ]
    assert json.loads(listing.as_json(Store((), ()), [])) == {"backups": [], "dumps": [], "unrestorable": [], "replaced": []}


def test_fr007_findings_tell_what_to_do_only_where_something_is_to_be_done() -> None:
    rows = listing.findings(
        [Finding("bucket", bucket.OK, "there", "nothing"), Finding("versioning", bucket.WARN, "off", "switch it on")]
    ).splitlines()
    assert rows[2].split() == ["bucket", "ok", "there"]
    assert rows[3].endswith("off    switch it on")


def test_us6_4_each_kind_of_work_has_its_last_attempt_and_its_last_good_one() -> None:
    stamp = ENDED.timestamp()
    good, bad, cut_off = (
        Record("backup", stamp, stamp + 60, 0, "33 MB"),
        Record("drill", stamp, stamp + 9, 4, "differs"),
        Record("dumps", stamp),
    )
    text = listing.attempts([("backup", good, good), ("drill", bad, None), ("dumps", cut_off, good), ("restore", None, None)])
    _, _, backup, drill, dumps, restore = text.splitlines()
    assert "2026-11-27 01:54:12 UTC, good" in backup
    assert "2026-11-27 01:55:12 UTC" in backup
    assert "exit 4" in drill
    assert "never" in drill
    assert "differs" in drill
    assert "not ended" in dumps
    assert restore.split() == ["restore", "never"]
