"""The previous store is removed alone, and only when the one of now is proven."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backup import create, records, retire
from backup.archive import Store
from backup.configuration import LOCAL, OBJECT_STORE
from backup.exit_codes import Backup, Failed
from backup.records import BACKUP, Record
from tests.backup.test_scratch import NIGHT, copy

TWO = "repo1-path=/sample{0}\nrepo1-cipher-pass=x\nrepo2-path=/var/lib/pgbackrest{0}\n"
FOUR = TWO.format("/g2") + "repo3-path=/sample\nrepo4-path=/var/lib/pgbackrest\n"


@pytest.mark.parametrize(
    ("key", "goes"),
    [
        ("sample/archive/signupflow/archive.info", True),
        ("sample/backup/signupflow/backup.info", True),
        ("sample/g2/archive/signupflow/archive.info", False),
        ("sample/g1/backup/x", True),
        ("sample/g3/backup/x", True),
        ("sample-2/archive/x", False),
        ("sample/other/archive/x", False),
        ("dumps/sample/weekly/x", False),
    ],
)
def test_c6_only_what_another_store_of_this_environment_wrote_goes(key: str, goes: bool) -> None:
    assert retire.belongs(key, "sample", "g2") is goes


def test_c6_the_first_store_is_known_as_well() -> None:
    assert not retire.belongs("sample/archive/x", "sample", "")
    assert retire.belongs("sample/g2/archive/x", "sample", "")
    assert retire._generation(TWO.format("")) == ""
    assert retire._generation(TWO.format("/g2")) == "g2"
    assert retire._generation(TWO.format("").replace("/sample", "/g7")) == "", "an environment that is called so"
    with pytest.raises(Failed, match="still in use"):
        retire._generation(FOUR)


def test_c6_of_this_hosts_disk_the_used_store_stays(tmp_path: Path) -> None:
    for name in ("archive/a", "backup/b", "g2/archive", "g1/archive", "lost+found"):
        (tmp_path / name).mkdir(parents=True)
    assert [path.name for path in retire.unused(tmp_path, "g2")] == ["archive", "backup", "g1"]
    assert [path.name for path in retire.unused(tmp_path, "")] == ["g1", "g2"]


@pytest.mark.parametrize(
    ("copies", "good_at"),
    [
        ((), NIGHT),
        ((copy("S", OBJECT_STORE, NIGHT),), NIGHT),
        ((copy("S", OBJECT_STORE, NIGHT), copy("L", LOCAL, NIGHT, faulty=True)), NIGHT),
        ((copy("S", OBJECT_STORE, NIGHT), copy("L", LOCAL, NIGHT)), None),
        ((copy("S", OBJECT_STORE, NIGHT), copy("L", LOCAL, NIGHT)), NIGHT.replace(year=2025)),
    ],
)
def test_c6_without_a_backup_in_both_places_that_was_read_back_nothing_goes(
    copies: Any, good_at: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = tmp_path / "pgbackrest.conf"
    conf.write_text(TWO.format("/g2"))
    (tmp_path / "archive").mkdir()
    good = Record(BACKUP, 1.0, good_at.timestamp(), 0, "well") if good_at else None
    for where, name, value in (
        (retire, "CONFIGURATION", conf),
        (retire, "REPOSITORY", tmp_path),
        (retire, "Server", lambda: None),
        (create, "known", lambda _: Store(copies, ())),
        (records, "read", lambda *_, **__: good),
    ):
        monkeypatch.setattr(where, name, value)
    monkeypatch.setattr(records, "alone", lambda *_, **__: __import__("contextlib").nullcontext())
    with pytest.raises(Failed, match="the previous store stays") as caught:
        retire.retire(SimpleNamespace(store=None, environment="sample"), lambda _: None)  # type: ignore[arg-type]
    assert caught.value.code is Backup.NOT_VERIFIED
    assert (tmp_path / "archive").is_dir()
    monkeypatch.setattr(create, "known", lambda _: Store((copy("S", OBJECT_STORE, NIGHT), copy("L", LOCAL, NIGHT)), ()))
    monkeypatch.setattr(records, "read", lambda *_, **__: Record(BACKUP, 1.0, NIGHT.timestamp() + 60, 0, "well"))
    retire.retire(SimpleNamespace(store=None, environment="sample"), lambda _: None)  # type: ignore[arg-type]
    assert not (tmp_path / "archive").exists()
