"""The previous store goes, once its passphrase was replaced and the new one has a backup that was read back.

Each store has a place of its own (deploys/backups): the first below `<environment>/`, a later one below `<environment>/gN/`,
and on the host's disk in the same way. Dumps lie elsewhere, are sealed to other keys, and stay.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from backup import bucket, create, records
from backup.configuration import REPOSITORIES, REPOSITORY, SECRETS, Configuration, place
from backup.create import LONGEST_SECONDS, Tell
from backup.exit_codes import Backup, Failed
from backup.records import BACKUP
from backup.server import Server

CONFIGURATION = SECRETS / "pgbackrest.conf"
PATH = re.compile(r"^repo([0-9]+)-path=(\S+)$", re.MULTILINE)
GENERATION = re.compile(r"g[0-9]+")


def retire(configuration: Configuration, tell: Tell) -> str:
    """Remove what no store of now is in; Failed unless the one of now has a backup in every place that was read back."""
    with records.alone("backup", LONGEST_SECONDS, "another backup", tell):
        used = _generation(CONFIGURATION.read_text())
        _proven(Server())
        count = _objects(configuration, used) if configuration.store else 0
        for path in unused(REPOSITORY, used):
            tell(f"removing {path}")
            shutil.rmtree(path)
    kept = "" if configuration.store else f"; what was before in {configuration.environment}'s repository is to be removed there"
    return f"the previous store is gone: {count} objects, and what was on this host{kept}"


def _generation(text: str) -> str:
    """Which store pgBackRest uses: `gN`, or nothing for the first. Failed while it uses the one before as well."""
    paths = {int(number): path for number, path in PATH.findall(text)}
    if set(paths) != set(REPOSITORIES):
        raise Failed(
            Backup.CONFIGURATION,
            "the previous store is still in use: `signupflow -i INVENTORY rotate backup-passphrase` ends that",
        )
    last = paths[1].rpartition("/")[2]
    return last if GENERATION.fullmatch(last) and paths[1].count("/") > 1 else ""


def _proven(server: Server) -> None:
    store, good = create.known(server), records.read(BACKUP, good=True)
    for repository in REPOSITORIES:
        whole = [copy for copy in store.of(repository) if not copy.faulty]
        if not whole or not good or good.ended < whole[0].stopped.timestamp():
            raise Failed(
                Backup.NOT_VERIFIED,
                f"{place(repository)} of now has no backup that was read back; the previous store stays: signupflow-backup run",
            )


def belongs(key: str, environment: str, used: str) -> bool:
    """Whether an object is pgBackRest's, of another store of this environment than the one that is used."""
    found = re.match(rf"{re.escape(environment)}/(?:(g[0-9]+)/)?(?:archive|backup)/", key)
    return found is not None and (found[1] or "") != used


def _objects(configuration: Configuration, used: str) -> int:
    store = configuration.store
    assert store
    client, count = bucket.connect(store), 0
    try:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=store.bucket, Prefix=f"{configuration.environment}/")
        for key in _keys(pages, configuration.environment, used):
            client.delete_object(Bucket=store.bucket, Key=key)
            count += 1
    except (ClientError, BotoCoreError, OSError) as error:
        raise bucket.failure(error, store) from None
    finally:
        client.close()
    return count


def _keys(pages: Iterable[dict[str, list[dict[str, str]]]], environment: str, used: str) -> list[str]:
    # All of them first: what is removed while it is listed may be left out of the next page.
    return [item["Key"] for page in pages for item in page.get("Contents", []) if belongs(item["Key"], environment, used)]


def unused(repository: Path, used: str) -> list[Path]:
    """Directories of this host's repository that another store than the used one has written."""
    first = [repository / name for name in ("archive", "backup")] if used else []
    later = [path for path in sorted(repository.glob("g*")) if GENERATION.fullmatch(path.name) and path.name != used]
    return [path for path in (*first, *later) if path.is_dir()]
