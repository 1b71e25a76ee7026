"""What pgBackRest says, read: backups, verification, and whether WAL is without a gap."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup import archive, create
from backup.exit_codes import Backup, Failed
from backup.server import Done, Server

LABEL = "20261127-015410F"
# pgBackRest 2.55.1, `info --output=json`.
INFO = """\
[{"archive":[{"database":{"id":1,"repo-key":1},"id":"17-1","max":"000000010000000000000005","min":"000000010000000000000001"}],
"backup":[{"archive":{"start":"000000010000000000000003","stop":"000000010000000000000003"},"backrest":{"format":5,
"version":"2.55.1"},"database":{"id":1,"repo-key":1},"error":false,"info":{"delta":33392058,"repository":{"delta":3843760,
"size":3843760},"size":33392058},"label":"20261127-015410F","lsn":{"start":"0/3000028","stop":"0/3000120"},"prior":null,
"reference":null,"timestamp":{"start":1795744450,"stop":1795744452},"type":"full"}],"cipher":"aes-256-cbc","db":[{"id":1,
"repo-key":1,"system-id":7712663408692051995,"version":"17"}],"name":"signupflow","repo":[{"cipher":"aes-256-cbc","key":1,
"status":{"code":0,"message":"ok"}}],"status":{"code":0,"lock":{"backup":{"held":false}},"message":"ok"}}]
"""


def info(**changes: Any) -> str:
    """That output with other parts of the stanza."""
    return json.dumps([json.loads(INFO)[0] | changes])


def backup(label: str, repository: int, stop: int, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(INFO)[0]["backup"][0]
    return found | {
        "label": label,
        "database": {"id": 1, "repo-key": repository},
        "timestamp": {"start": stop - 2, "stop": stop},
        **changes,
    }


def test_fr007_a_backup_is_read_with_its_sizes_and_times() -> None:
    store = archive.parse_info(INFO)
    assert store.troubles == ()
    (copy,) = store.copies
    assert (copy.label, copy.repository) == (LABEL, 1)
    assert (copy.started, copy.stopped) == (
        datetime(2026, 11, 27, 1, 54, 10, tzinfo=UTC),
        datetime(2026, 11, 27, 1, 54, 12, tzinfo=UTC),
    )
    assert copy.seconds == 2
    assert (copy.size, copy.stored) == (33392058, 3843760)
    assert copy.wal_first == copy.wal_last == "000000010000000000000003"
    assert not copy.faulty
    assert copy.annotations == ()


def test_fr007_backups_of_both_repositories_are_in_order_of_their_end() -> None:
    made = [backup("C", 2, 1795744600), backup("A", 1, 1795744452), backup("B", 2, 1795744500), backup("C", 1, 1795744600)]
    store = archive.parse_info(info(backup=made))
    assert [(copy.label, copy.repository) for copy in store.copies] == [("A", 1), ("B", 2), ("C", 1), ("C", 2)]
    assert [copy.label for copy in store.of(2)] == ["B", "C"]
    assert [copy.repository for copy in store.find("C")] == [1, 2]
    # The whole label, no beginning of it: B would stand for every incremental backup that is built on it.
    assert archive.parse_info(info(backup=[backup(f"{LABEL}_20261128-015410I", 1, 1795744452)])).find(LABEL) == ()


def test_fr007_wrong_page_checksums_and_annotations_are_kept() -> None:
    marked = backup(LABEL, 1, 1795744452, error=True, annotation={"why": "before 1.4.0", "by": "ada"})
    (copy,) = archive.parse_info(info(backup=[marked])).copies
    assert copy.faulty
    assert copy.annotations == (("by", "ada"), ("why", "before 1.4.0"))
    # Offline backups have no WAL; a store without bundles tells no delta.
    bare = backup(
        LABEL, 1, 1795744452, archive={"start": None, "stop": None}, info={"size": 9, "repository": {"size": 7}}, error=None
    )
    (copy,) = archive.parse_info(info(backup=[bare])).copies
    assert (copy.wal_first, copy.stored, copy.faulty) == ("", 7, False)
    # What this backup added, where it says both.
    both = backup(LABEL, 1, 1795744452, info={"size": 9, "repository": {"delta": 5, "size": 7}})
    assert archive.parse_info(info(backup=[both])).copies[0].stored == 5


def test_fr007_a_repository_without_backups_is_no_trouble_and_a_broken_one_is() -> None:
    assert archive.parse_info("[]") == archive.Store((), ())
    repos = [
        {"key": 1, "status": {"code": 99, "message": "[CryptoError] unable to load info file"}},
        {"key": 2, "status": {"code": 2, "message": "no valid backups"}},
    ]
    store = archive.parse_info(info(backup=[], repo=repos))
    assert store == archive.Store((), ((1, "[CryptoError] unable to load info file"),))


def test_us6_4_a_message_of_several_lines_is_read_as_pgbackrest_writes_it() -> None:
    """With a passphrase that does not fit, `info` ends with 0 and puts line ends into a JSON string as they are."""
    message = "[CryptoError] unable to load info file:\nCryptoError: cipher header invalid"
    text = info(backup=[], repo=[{"key": 1, "status": {"code": 99, "message": message}}])
    assert archive.parse_info(text.replace("\\n", "\n")).troubles == ((1, message),)


def test_us6_4_an_answer_that_is_no_json_is_a_failure_with_a_code_and_no_traceback() -> None:
    noise = 'key/value found outside of section at line 1: "}{'
    server = SimpleNamespace(pgbackrest=lambda *_: SimpleNamespace(code=0, out=f'[{{"status": "{noise}', err=""))
    with pytest.raises(Failed, match="backup_passphrase") as caught:
        create.known(cast("Server", server))
    assert caught.value.code is Backup.CONFIGURATION


WELL = f"""\
stanza: signupflow
status: ok
  archiveId: 17-1, total WAL checked: 1, total valid WAL: 1
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
  backup: {LABEL}, status: valid, total files checked: 1520, total valid files: 1520
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
"""
BROKEN = WELL.replace("status: ok", "status: error").replace(
    f"""{LABEL}, status: valid, total files checked: 1520, total valid files: 1520
    missing: 0, checksum invalid: 0""",
    f"""{LABEL}, status: invalid, total files checked: 1520, total valid files: 1518
    missing: 1, checksum invalid: 1""",
)
WAL_BROKEN = WELL.replace("status: ok", "status: error").replace(
    "total valid WAL: 1\n    missing: 0, checksum invalid: 0", "total valid WAL: 0\n    missing: 0, checksum invalid: 1"
)


def test_fr007_a_backup_that_was_read_back_whole_has_no_fault() -> None:
    assert archive.verified(WELL, [LABEL]) == ""


def test_fr007_a_file_of_the_backup_that_is_not_as_written_is_a_fault() -> None:
    fault = archive.verified(BROKEN, [LABEL])
    assert f"backup: {LABEL}, status: invalid, total files checked: 1520, total valid files: 1518" in fault
    assert "missing: 1, checksum invalid: 1" in fault
    assert "\n" not in fault


def test_fr007_wal_that_is_not_as_written_is_a_fault_of_a_valid_backup_too() -> None:
    assert (
        archive.verified(WAL_BROKEN, [LABEL])
        == "the archive is not what was written: missing: 0, checksum invalid: 1, size invalid: 0, other: 0"
    )
    # An error that nothing explains is one all the same.
    assert archive.verified(WELL.replace("status: ok", "status: error"), [LABEL])


def test_fr007_only_a_line_that_calls_this_very_backup_valid_counts() -> None:
    # pgBackRest ends well and says nothing of a backup whose directory is gone.
    gone = "\n".join(WELL.splitlines()[:4])
    other = WELL.replace(LABEL, "20261126-015410F")
    derived = WELL.replace(LABEL, f"{LABEL}_20261128-015410I")
    for text in (gone, other, "stanza: signupflow\nstatus: ok\n", ""):
        assert archive.verified(text, [LABEL]).startswith(f"{LABEL} is not what was written: it is not there"), text
    assert archive.verified(derived, [LABEL])
    assert archive.verified(WELL.replace("status: valid", "status: in-progress"), [LABEL])


class Repository:
    """Stands for the live server whose repository is read back."""

    def __init__(self, says: str) -> None:
        self.says = says

    def pgbackrest(self, *_: str) -> Done:
        return Done(0, self.says, "")


def test_fr007_of_several_backups_the_one_that_is_not_as_written_is_named() -> None:
    other = "20261126-015410F"
    copies = archive.parse_info(info(backup=[backup(other, 1, 1795658052), backup(LABEL, 1, 1795744452)])).copies
    # pgBackRest tells of all of them, the oldest first.
    whole = "".join(line + "\n" for line in WELL.splitlines()[4:]).replace(LABEL, other)
    head, tail = BROKEN[: BROKEN.index("  backup:")], BROKEN[BROKEN.index("  backup:") :]
    create.read_back(cast("Server", Repository(WELL + whole)), copies)
    with pytest.raises(Failed) as caught:
        create.read_back(cast("Server", Repository(head + whole + tail)), copies)
    assert caught.value.code is Backup.NOT_VERIFIED
    assert f"object storage: {LABEL} is not what was written" in str(caught.value)
    assert f"{other} is not what was written" not in str(caught.value)


def test_fr008_a_segments_name_is_its_timeline_and_number() -> None:
    assert archive.number("000000010000000000000003") == (1, 3)
    assert archive.number("0000000A00000001000000FF") == (10, 511)
    assert archive.number("000000010000000000000001-2b626381d6df659fbc0c1f9515c0cdb68d866647.zst") == (1, 1)
    for name in ("00000002.history", "", "00000001000000000000003", "0000000100000000000000031", "archive.info"):
        with pytest.raises(ValueError, match="is not a WAL segment"):
            archive.number(name)


@given(st.integers(1, 2**32 - 1), st.integers(0, 2**32 * 256 - 1))
def test_fr008_names_and_numbers_of_segments_are_each_others_inverse(timeline: int, position: int) -> None:
    name = archive.segment_name(timeline, position)
    assert archive.number(name) == (timeline, position)
    # In the order of their numbers, as PostgreSQL compares them.
    assert name < archive.segment_name(timeline, position + 1) or position % 256**5 == 256**5 - 1


def listed(*segments: tuple[int, int]) -> list[str]:
    """Names as `repo-ls` prints them."""
    checksum = "-2b626381d6df659fbc0c1f9515c0cdb68d866647.zst"
    return [archive.segment_name(*segment) + checksum for segment in segments]


FIRST = "000000010000000000000003"


def test_fr008_wal_without_a_gap_has_none() -> None:
    names = [*listed(*((1, position) for position in range(1, 8))), "archive.info", "00000002.history"]
    names.append("000000010000000000000003.00000028.backup")
    assert archive.gaps(names, FIRST) == []
    # Over the border of a file number, and in any order.
    border = listed((1, 257), (1, 254), (1, 256), (1, 255))
    assert archive.gaps(border, archive.segment_name(1, 254)) == []


def test_fr008_each_gap_is_named_by_what_is_left_on_both_sides() -> None:
    names = listed(*((1, position) for position in (3, 4, 7, 9)))
    assert archive.gaps(names, FIRST) == [
        ("000000010000000000000004", "000000010000000000000007"),
        ("000000010000000000000007", "000000010000000000000009"),
    ]


def test_fr008_what_is_missing_before_the_first_wanted_segment_is_no_gap() -> None:
    assert archive.gaps(listed((1, 1), (1, 3), (1, 4)), FIRST) == []


def test_fr008_the_first_segment_itself_must_be_there() -> None:
    assert archive.gaps(listed((1, 4), (1, 5)), FIRST) == [(FIRST, "000000010000000000000004")]
    assert archive.gaps(listed((1, 1), (1, 2)), FIRST) == [(FIRST, FIRST)]
    assert archive.gaps([], FIRST) == [(FIRST, FIRST)]
    # The label of a backup and a part of a segment have a segment's name, and are none.
    labels = ["000000010000000000000003.00000028.backup", "000000010000000000000003.partial"]
    assert archive.gaps(labels, FIRST) == [(FIRST, FIRST)]


def test_fr008_timelines_are_looked_at_one_by_one() -> None:
    # A restore to segment 5 began timeline 2 there; 6 and 7 of timeline 1 stay.
    after = listed((1, 3), (1, 4), (1, 5), (1, 6), (1, 7), (2, 5), (2, 6))
    assert archive.gaps(after, FIRST) == []
    assert archive.gaps([*after, *listed((2, 9))], FIRST) == [("000000020000000000000006", "000000020000000000000009")]
    # A timeline begins where an earlier one was left, or right after: what lies between the two is missing.
    assert archive.gaps(listed((1, 3), (1, 4), (2, 5), (2, 6)), FIRST) == []
    assert archive.gaps(listed((1, 3), (1, 4), (2, 6)), FIRST) == [(archive.segment_name(1, 4), archive.segment_name(2, 6))]
    assert archive.gaps(listed((1, 3), (1, 9), (2, 5), (3, 10)), FIRST)[1:] == [], "timeline 3 may have left the first one"
    # What an earlier timeline lacks is nothing to a backup that was made on a later one.
    assert archive.gaps(listed((1, 3), (1, 9), (2, 9), (2, 10)), archive.segment_name(2, 9)) == []
    assert archive.gaps(listed((1, 3), (1, 4)), archive.segment_name(2, 4)) == [(archive.segment_name(2, 4),) * 2]


@given(st.sets(st.integers(3, 60)), st.integers(1, 3))
def test_fr008_wal_has_a_gap_exactly_when_a_segment_is_missing(lost: set[int], timeline: int) -> None:
    held = [position for position in range(3, 62) if position not in lost]
    found = archive.gaps(listed(*((timeline, position) for position in held)), archive.segment_name(timeline, 3))
    assert bool(found) is bool(lost)
    # Between the two of every pair, and only there, all are lost.
    between = {position for one, other in found for position in range(archive.number(one)[1] + 1, archive.number(other)[1])} | (
        {3} & lost
    )
    assert between == lost


def test_us6_2_recovery_begins_with_the_newest_backup_that_had_ended_by_then() -> None:
    copies = archive.parse_info(info(backup=[backup(name, 1, 1795744452 + at) for at, name in enumerate("ABC")])).copies
    moment = copies[1].stopped
    assert archive.newest_before(copies, moment) is copies[1]
    assert archive.newest_before(copies[::-1], moment + timedelta(hours=1)) is copies[2]
    # One that had only begun by then does not serve.
    assert archive.newest_before(copies[:1], copies[0].started) is None
    assert archive.newest_before((), moment) is None
