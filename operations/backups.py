"""The store of the backups, made ready from the database's host."""

from __future__ import annotations

from collections.abc import Generator
from hashlib import sha256

from pyinfra import host
from pyinfra.api import operation
from pyinfra.api.command import PyinfraCommand

from facts.host_files import Holds
from operations.scripted import Scripted
from signupflow.shared.places import POSTGRES

# `check` switches to a new WAL segment and waits until it is in every repository.
STANZA_SECONDS = 300
# 10 GB in less than 30 min is the promise; somebody else's database may be larger.
RESTORE_SECONDS = 6 * 3600
FIRST_BACKUP = "signupflow-backup.service"


@operation()
def stanza(state: str, identity: str) -> Generator[PyinfraCommand]:
    """Have both repositories know this database, prove that WAL arrives in them, and begin the first backup.

    `identity` says where the store is; a marker in `state` holds the digest of the one that was prepared last.
    """
    marker, digest = f"{state}/stanza", sha256(identity.encode()).hexdigest()
    if host.get_fact(Holds, condition=f'test "$(cat {marker})" = {digest}'):
        host.noop("the store knows this database")
        return
    pgbackrest = f"docker exec -u postgres {POSTGRES} pgbackrest --log-level-console=warn"
    prepare = f"set -e\ninstall -d -m 0755 {state}\n{pgbackrest} stanza-create\n{pgbackrest} check\n"
    begin = f"echo {digest} > {marker}.new\nmv -f {marker}.new {marker}\nsystemctl start --no-block {FIRST_BACKUP}"
    yield Scripted(
        "the store of the backups cannot be prepared (if it holds a lost host's: deploys/disaster_recovery.py)",
        prepare + begin,
        STANZA_SECONDS,
    )


@operation()
def recovered(cluster: str, restore: str) -> Generator[PyinfraCommand]:
    """Restore a cluster where there is none; one that is there is never touched."""
    if host.get_fact(Holds, condition=f"test -s {cluster}/PG_VERSION"):
        host.noop("there is a cluster on this host")
        return
    yield Scripted("the cluster cannot be restored", restore, RESTORE_SECONDS)
