"""Weekly and monthly dumps, sealed with age to keys that no host holds: what still opens when every passphrase is lost.

Object: dumps/<environment>/<weekly|monthly>/<UTC>.dump.age (pg_dump's custom format inside age), and beside it
<object>.sha256, which is written once the object was read back: a dump without it is not proven.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pyrage
from botocore.exceptions import BotoCoreError, ClientError

from backup import bucket, records
from backup.configuration import STAYS, Configuration, Store
from backup.create import LONGEST_SECONDS, Tell, answers, kept
from backup.exit_codes import Backup, Failed
from backup.records import DUMPS, Record
from backup.server import GoneError, Server
from signupflow.shared import humanize
from signupflow.shared.dump_objects import ENDING, EVERY, PROOF, STAMP, Dump, parsed, prefix

# The daily run is not to the minute: one that is this much early counts as due.
EARLY = timedelta(hours=2)


def due(dumps: Sequence[Dump], kind: str, now: datetime) -> bool:
    """Whether another dump of a kind is to be made."""
    made = [dump.made for dump in dumps if dump.kind == kind and dump.proven]
    return not made or now - max(made) >= timedelta(days=EVERY[kind]) - EARLY


def expired(dumps: Sequence[Dump], kind: str, now: datetime) -> list[Dump]:
    """Dumps that may go: older than their kind stays, with a proven one that is newer."""
    of_kind = [dump for dump in dumps if dump.kind == kind]
    newest = max((dump.made for dump in of_kind if dump.proven), default=None)
    limit = timedelta(days=STAYS[kind])
    return [dump for dump in of_kind if newest and dump.made < newest and now - dump.made > limit]


def make(configuration: Configuration, tell: Tell, kinds: Sequence[str] = ()) -> Record | None:
    """Make the dumps that are due, or those of `kinds`, and keep how that ended; None when none was due."""
    if not configuration.store or not configuration.recipients:
        records.looked(DUMPS, "no dumps are made on this environment")
        return None
    store = configuration.store
    with records.alone(DUMPS, LONGEST_SECONDS, "another dump", tell):
        began = records.now()
        try:
            held = stored(configuration, store)
        except Failed as failed:
            # Kept as well: whoever watches must learn that the dumps were not even looked at.
            records.write(Record(DUMPS, began, records.now(), failed.code, str(failed)))
            raise
        wanted = list(kinds) or [kind for kind in EVERY if due(held, kind, datetime.now(UTC))]
        if not wanted:
            records.looked(DUMPS, "no dump was due")
            return None
        return kept(DUMPS, lambda: _made(configuration, store, wanted, tell))


def _made(configuration: Configuration, store: Store, kinds: Sequence[str], tell: Tell) -> tuple[str, int]:
    server = Server()
    if not server.running:
        raise GoneError(f"container {server.name} does not run on this host")
    answers(server)
    bucket.reachable(store)
    client = bucket.connect(store)
    try:
        sizes = [_one(client, configuration, store, server, kind, tell) for kind in kinds]
        for dump in [gone for kind in kinds for gone in expired(stored(configuration, store), kind, datetime.now(UTC))]:
            for key in (dump.key, dump.key + PROOF):
                client.delete_object(Bucket=store.bucket, Key=key)
            tell(f"expired {dump.key}")
    except (ClientError, BotoCoreError, OSError) as error:
        raise bucket.failure(error, store) from None
    finally:
        client.close()
    made = ", ".join(f"{kind} {humanize.size(size)}" for kind, size in zip(kinds, sizes, strict=True))
    return f"dumps sealed and read back: {made}", sum(sizes)


def _one(client: Any, configuration: Configuration, store: Store, server: Server, kind: str, tell: Tell) -> int:
    """Dump, seal and upload as one stream; then read the object back. Returns its size."""
    key = f"{prefix(configuration.environment)}{kind}/{datetime.now(UTC):{STAMP}}{ENDING}"
    tell(f"starting the {kind} dump: {key}")
    sealed = Sealed(server, configuration)
    try:
        client.upload_fileobj(sealed, store.bucket, key)
    finally:
        sealed.close()
    tell(f"reading {key} back")
    found, count = sha256(), 0
    body = client.get_object(Bucket=store.bucket, Key=key)["Body"]
    try:
        for block in body.iter_chunks(1 << 20):
            found.update(block)
            count += len(block)
    finally:
        body.close()
    if found.hexdigest() != sealed.digest:
        client.delete_object(Bucket=store.bucket, Key=key)
        raise Failed(Backup.NOT_VERIFIED, f"{key}: {humanize.size(count)} came back, and they are not what was sent")
    proof = f"{sealed.digest}  {count}\n".encode()
    client.put_object(Bucket=store.bucket, Key=key + PROOF, Body=proof)
    return count


class Sealed(io.RawIOBase):
    """A dump of the live database, sealed with age, as a stream to read from. Bounded memory: 64 kB pipes."""

    def __init__(self, server: Server, configuration: Configuration) -> None:
        self._hash, self._failed = sha256(), ""
        reading, writing = os.pipe()
        self._out, self._in = os.fdopen(reading, "rb"), os.fdopen(writing, "wb")
        recipients = [pyrage.x25519.Recipient.from_str(key) for key in configuration.recipients]
        self._thread = threading.Thread(target=self._seal, args=(server, configuration.database, recipients), daemon=True)
        self._thread.start()

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of all that was read."""
        return self._hash.hexdigest()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._out.read(size)
        if not data:
            self._thread.join()
            if self._failed:
                # In the middle of the upload, which is then given up: an object that is not whole never exists.
                raise Failed(Backup.DUMP_FAILED, self._failed)
        self._hash.update(data)
        return data

    def close(self) -> None:
        if not self.closed:
            self._out.close()
            self._thread.join()
        super().close()

    def _seal(self, server: Server, database: str, recipients: list[Any]) -> None:
        argv = ("nice", "-n", "10", "pg_dump", "--format=custom", "--compress=zstd:3", "--dbname", database)
        try:
            with self._in:
                dump = Output(server, argv)
                pyrage.encrypt_io(dump, self._in, recipients)
                # Before the pipe is closed: who reads its end must know how the dump ended.
                if dump.code:
                    self._failed = f"pg_dump ended with {dump.code}: {dump.said.strip()[-300:]}"
        except Exception as error:  # whatever it was, the reader is told
            self._failed = f"the dump could not be sealed: {error}"


class Output(io.RawIOBase):
    """What a command in the container writes to its standard output, as a file."""

    def __init__(self, server: Server, argv: Sequence[str]) -> None:
        self._running = server.start(argv)
        self._frames = iter(self._running)
        self._rest, self.said = b"", ""

    @property
    def code(self) -> int:
        return self._running.code

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while not self._rest or (size < 0):
            frame = next(self._frames, None)
            if frame is None:
                break
            stream, data = frame
            if stream == 1:
                self._rest += data
            else:
                self.said += data.decode(errors="replace")
        data, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        return data


def stored(configuration: Configuration, store: Store) -> list[Dump]:
    """The dumps in the bucket, the oldest first."""
    client = bucket.connect(store)
    try:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=store.bucket, Prefix=prefix(configuration.environment))
        sizes = {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}
    except (ClientError, BotoCoreError, OSError) as error:
        raise bucket.failure(error, store) from None
    finally:
        client.close()
    return sorted(parsed(sizes), key=lambda dump: dump.made)
