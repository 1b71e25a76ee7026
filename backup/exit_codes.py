"""Exit codes of backups and restores, which are a contract (SPEC.md), and which of them an error of pgBackRest means."""

from __future__ import annotations

import re
from enum import IntEnum


class Backup(IntEnum):
    """How a backup ended."""

    OK = 0
    NO_DATABASE = 1
    DUMP_FAILED = 2
    UPLOAD_FAILED = 3
    NOT_VERIFIED = 4
    NO_ROOM = 5
    CONFIGURATION = 6


class Restore(IntEnum):
    """How a restore ended."""

    OK = 0
    NOT_FOUND = 1
    NOT_VERIFIED = 2
    NO_DATABASE = 3
    FAILED = 4
    NOT_WHOLE = 5
    REFUSED = 6
    CONFIGURATION = 7


class Failed(Exception):
    """A command ends here: with this code and, in one line, why and what to do."""

    def __init__(self, code: IntEnum, why: str) -> None:
        super().__init__(why)
        self.code = code


# What went wrong, in the words of pgBackRest's errors, and what follows. The first that matches counts.
# (pattern over the whole output, what it means, what to do)
_MEANINGS: tuple[tuple[str, Backup, str], ...] = (
    (r"No space left on device|\[028\].*space", Backup.NO_ROOM, "free or add disk, see `df` on this host"),
    (
        r"RequestTimeTooSkewed",
        Backup.UPLOAD_FAILED,
        "the clock of this host is off: see `timedatectl`",
    ),
    (
        r"InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|\b403 \(|\(403\)",
        Backup.CONFIGURATION,
        "the bucket refuses the keys: `signupflow -i INVENTORY rotate object-store`",
    ),
    (r"NoSuchBucket", Backup.CONFIGURATION, "there is no such bucket: make it, or set s3_bucket"),
    (
        r"certificate",
        Backup.UPLOAD_FAILED,
        "this host does not trust the object storage's certificate: set s3_ca_file",
    ),
    (
        # A wrong key that OpenSSL does not notice (one in 256) leaves noise, which is no pgBackRest file.
        r"CryptoError|cipher|unable to decrypt|invalid .*passphrase|\[095\]|found outside of section|invalid JSON",
        Backup.CONFIGURATION,
        "the passphrase is not the one that the store was made with: put the old backup_passphrase back",
    ),
    (
        r"ERROR: \[056\]|ERROR: \[057\]|unable to find primary cluster",
        Backup.NO_DATABASE,
        "see `docker logs signupflow-postgres`",
    ),
    (
        r"ERROR: \[082\]|WAL segment .* was not archived",
        Backup.UPLOAD_FAILED,
        "WAL does not reach the store: see archive-push in `docker logs signupflow-postgres`",
    ),
    (
        r"HostConnectError|unable to connect|timeout connecting|unable to get address|ServiceError|TLS|\[049\]|\[039\]",
        Backup.UPLOAD_FAILED,
        "the object storage cannot be reached from this host",
    ),
)


def meaning(output: str, otherwise: Backup) -> tuple[Backup, str]:
    """What an output of pgBackRest that ended in an error means: the exit code, and a line with the cause and the remedy."""
    cause, said = reason(output), errors(output)
    for pattern, code, remedy in _MEANINGS:
        if re.search(pattern, said):
            return code, f"{cause}; {remedy}"
    return otherwise, cause


def errors(output: str) -> str:
    """The errors of an output, each with the lines that belong to it; the last line where there is none.

    Not the rest: pgBackRest begins by printing its options, among which the cipher and its passphrase are named.
    """
    found: list[str] = []
    within = False
    for line in output.splitlines():
        if re.search(r"ERROR: \[\d+\]: ", line):
            within = True
        elif re.match(r"^\d{4}-\d\d-\d\d ", line):
            within = False
        if within:
            found.append(line)
    last = [line for line in output.splitlines() if line.strip()][-1:]
    return "\n".join(found or last)


def reason(output: str) -> str:
    """The first error that pgBackRest printed, in one line without its time stamp."""
    first, *more = [line.strip() for line in errors(output).splitlines() if line.strip()] or ["it ended without a word"]
    words = [re.sub(r"^.*?ERROR: ", "", first)]
    for line in more[:3]:
        if "ERROR: [" in line:
            break
        words.append(line)
    return printable(" ".join(words))[:400]


def printable(text: str) -> str:
    """Without what a terminal or a mail should not get; of noise in the place of a file's lines nothing is left."""
    text = re.sub(r"(found outside of section at line \d+): .*", r"\1", text)
    return "".join(char if char.isprintable() else "?" for char in text)
