"""What an error of pgBackRest means: the exit codes are a contract."""

from __future__ import annotations

import re
from enum import IntEnum

import pytest
from click.testing import CliRunner

from backup import command, restore_command, scratch
from backup.exit_codes import Backup, Failed, Restore, meaning, reason
from backup.program import Group
from backup.server import GoneError

# What every command of pgBackRest prints first, with the options of the configuration file (its passphrase is `<redacted>`).
OPTIONS = (
    "--archive-timeout=120 --compress-type=zst --exec-id=71-0c52b4a5 --io-timeout=20 --log-level-console=detail "
    "--pg1-path=/var/lib/postgresql/cluster --repo=1 --repo1-cipher-pass=<redacted> --repo1-cipher-type=aes-256-cbc "
    "--repo2-cipher-pass=<redacted> --repo2-cipher-type=aes-256-cbc --repo1-s3-key=<redacted> "
    "--repo1-storage-ca-file=/etc/signupflow-backup/s3-ca.pem --stanza=signupflow"
)
BEGIN = f"2026-11-27 01:54:10.031 P00   INFO: backup command begin 2.55.1: {OPTIONS}\n"
BEGIN += """\
2026-11-27 01:54:10.250 P00   INFO: execute non-exclusive backup start: backup begins after the requested immediate checkpoint
2026-11-27 01:54:11.012 P01 DETAIL: backup file /var/lib/postgresql/cluster/base/1/1255 (632KB, 2.85%) checksum 0d5f6b3ac0de
"""
AT = "2026-11-27 01:54:12.480 P00"


def failed(error: str, code: int, command: str = "backup") -> str:
    return f"{AT}  ERROR: [{code:03}]: {error}\n{AT}   INFO: {command} command end: aborted with exception [{code:03}]\n"


REFUSED = """\
HTTP request failed with 403 (Forbidden):
                                    *** Path/Query ***:
                                    HEAD /backups/production/archive/signupflow/archive.info
                                    *** Response Content ***:
                                    <?xml version="1.0"?><Error><Code>{}</Code><Message>no</Message></Error>"""
LOCKED = (
    "unable to load info file '/production/backup/signupflow/backup.info' or "
    "'/production/backup/signupflow/backup.info.copy':\n"
    "                                    CryptoError: cipher header invalid\n"
    "                                    HINT: is or was the repo encrypted?"
)
SHIM = "raised from local-1 shim protocol: "
LATE = SHIM + "timeout after 20000ms waiting for read from 's3.internal:8333'"
ERRORS = [
    (Backup.NO_DATABASE, 56, "unable to find primary cluster - cannot proceed\n          HINT: are all available clusters down?"),
    (Backup.NO_DATABASE, 57, "unable to execute query 'select pg_catalog.pg_backup_start(...)': terminating connection"),
    (Backup.UPLOAD_FAILED, 49, "unable to connect to 's3.internal:8333': [111] Connection refused"),
    (Backup.UPLOAD_FAILED, 49, "unable to get address for 's3.internal': [-2] Name or service not known"),
    (Backup.UPLOAD_FAILED, 49, "timeout connecting to 's3.internal:8333'"),
    (Backup.UPLOAD_FAILED, 39, LATE),
    (Backup.UPLOAD_FAILED, 82, "WAL segment 000000010000000000000003 was not archived before the 120000ms timeout"),
    (Backup.UPLOAD_FAILED, 39, REFUSED.format("RequestTimeTooSkewed")),
    (Backup.NO_ROOM, 64, "unable to write '/var/lib/pgbackrest/backup/signupflow/latest': [28] No space left on device"),
    (Backup.CONFIGURATION, 39, REFUSED.format("InvalidAccessKeyId")),
    (Backup.CONFIGURATION, 39, REFUSED.format("SignatureDoesNotMatch")),
    (Backup.CONFIGURATION, 39, REFUSED.format("AccessDenied")),
    (Backup.CONFIGURATION, 39, REFUSED.format("NoSuchBucket").replace("403 (Forbidden)", "404 (Not Found)")),
    (Backup.CONFIGURATION, 95, LOCKED),
]


def test_us6_1_the_exit_codes_are_those_of_the_contract() -> None:
    assert [code.value for code in Backup] == list(range(7))
    assert [code.name for code in Backup][1:] == [
        "NO_DATABASE", "DUMP_FAILED", "UPLOAD_FAILED", "NOT_VERIFIED", "NO_ROOM", "CONFIGURATION",
    ]  # fmt: skip
    assert [code.value for code in Restore] == list(range(8))
    assert [code.name for code in Restore][1:] == [
        "NOT_FOUND", "NOT_VERIFIED", "NO_DATABASE", "FAILED", "NOT_WHOLE", "REFUSED", "CONFIGURATION",
    ]  # fmt: skip


@pytest.mark.parametrize(("code", "number", "error"), ERRORS)
def test_us6_1_an_error_of_pgbackrest_is_the_code_that_it_means(code: Backup, number: int, error: str) -> None:
    # As pgBackRest prints it with --log-level-console=error.
    found, why = meaning(failed(error, number).splitlines()[0] + "\n" + "\n".join(error.splitlines()[1:]), Backup.DUMP_FAILED)
    assert found is code
    assert why.startswith(f"[{number:03}]: {error.splitlines()[0]}")
    assert "; " in why, "what to do"
    assert "\n" not in why


@pytest.mark.parametrize(("code", "number", "error"), ERRORS)
def test_us6_1_the_words_before_an_error_do_not_change_its_meaning(code: Backup, number: int, error: str) -> None:
    # As a backup prints it (--log-level-console=detail): the options are no error, although they name the cipher.
    found, why = meaning(BEGIN + failed(error, number), Backup.DUMP_FAILED)
    assert (found, why.partition(":")[0]) == (code, f"[{number:03}]")


def test_us6_1_a_certificate_that_is_not_trusted_is_no_matter_of_the_passphrase() -> None:
    # pgBackRest has one number for both (CryptoError).
    trust = "unable to verify certificate presented by 's3.internal:8333': [20] unable to get local issuer certificate"
    code, why = meaning(failed(trust, 95), Backup.UPLOAD_FAILED)
    assert code in (Backup.UPLOAD_FAILED, Backup.CONFIGURATION)
    assert "passphrase" not in why


def test_us6_4_noise_that_a_wrong_passphrase_leaves_is_named_and_not_printed() -> None:
    """One wrong key in 256 leaves padding that OpenSSL takes; pgBackRest then prints what it read. Seen in the lab."""
    noise = "-\x05X\ufffdC\u0001+\x1bDZ\ufffd\x1cyo\x15"
    said = "[FormatError] unable to load info file '/lab/backup/signupflow/backup.info':"
    code, why = meaning(
        f"ERROR: [000]: {said}\nFormatError: key/value found outside of section at line 1: {noise}", Backup.UPLOAD_FAILED
    )
    assert code is Backup.CONFIGURATION
    assert "backup_passphrase" in why
    assert why.isprintable()
    assert "yo" not in why.partition(";")[0]


def test_us6_1_an_error_that_nobody_foresaw_is_what_was_being_done() -> None:
    text = failed("raised from local-1 shim protocol: unable to stat '/cluster/base/1': [5] Input/output error", 98)
    for otherwise in (Backup.DUMP_FAILED, Backup.UPLOAD_FAILED, Backup.NOT_VERIFIED):
        assert meaning(BEGIN + text, otherwise)[0] is otherwise
        assert meaning("", otherwise) == (otherwise, "it ended without a word")


def test_us6_1_the_reason_is_the_first_error_in_one_line_with_its_details() -> None:
    text = BEGIN + failed("no such thing\n         HINT: one.\n         HINT: two.", 25) + failed("and later this", 26)
    assert reason(text) == "[025]: no such thing HINT: one. HINT: two."
    assert reason("nice: 'pgbackrest': No such file or directory\n\n") == "nice: 'pgbackrest': No such file or directory"
    assert len(reason(failed("x" * 999, 25))) == 400
    assert len(reason("x" * 999)) == 400


RESTORING = BEGIN.replace("backup command", "restore command").replace("backup file", "restore file")
OTHER = "error restoring '/s/cluster/base/1/1255': actual checksum 'a' does not match expected checksum 'b'"
RESTORES = [
    (Restore.NOT_FOUND, 75, "backup set 20261127-015410F is not valid"),
    (Restore.NOT_VERIFIED, 26, SHIM + OTHER),
    (Restore.NOT_VERIFIED, 55, SHIM + "unable to open missing file '/b/20261127-015410F/bundle/1' for read"),
    (Restore.CONFIGURATION, 95, LOCKED),
    (Restore.CONFIGURATION, 39, REFUSED.format("InvalidAccessKeyId")),
    (Restore.FAILED, 49, "unable to connect to 's3.internal:8333': [111] Connection refused"),
    (Restore.FAILED, 39, LATE),
    (Restore.FAILED, 64, SHIM + "unable to write '/s/cluster/base/1/1255': [28] No space left on device"),
]


@pytest.mark.parametrize(("code", "number", "error"), RESTORES)
def test_fr008_an_error_of_a_restore_is_the_code_that_it_means(code: Restore, number: int, error: str) -> None:
    # In the words of a restore (--log-level-console=detail), which tells the checksum of every file that is well.
    found = scratch._restore_failed(RESTORING + failed(error, number, "restore"))
    assert found.code is code
    assert f"[{number:03}]: {error.splitlines()[0]}" in str(found)


def run(group: Group, raised: Exception) -> tuple[int, str]:
    """Exit code and message of a command that ends like this."""
    made = type(group)("it")

    @made.command("fails")
    def fails() -> None:
        raise raised

    done = CliRunner().invoke(made, ["fails"])
    return done.exit_code, done.stderr


@pytest.mark.parametrize("group", [command.main, restore_command.main])
def test_us6_1_a_command_ends_with_its_code_and_one_line(group: Group) -> None:
    for code in (*list(Backup)[1:], *list(Restore)[1:]):
        assert run(group, Failed(code, "why; what to do")) == (int(code), "Error: why; what to do\n")


def test_us6_1_a_database_that_is_not_there_has_each_commands_own_code() -> None:
    gone = GoneError("container signupflow-postgres does not run on this host")
    assert run(command.main, gone) == (Backup.NO_DATABASE, f"Error: {gone}\n")
    assert run(restore_command.main, gone) == (Restore.NO_DATABASE, f"Error: {gone}\n")


def test_us6_1_what_nobody_foresaw_is_a_failure_with_its_trace() -> None:
    for group, code in ((command.main, Backup.DUMP_FAILED), (restore_command.main, Restore.FAILED)):
        ended, said = run(group, ZeroDivisionError("x"))
        assert ended == code
        assert "unforeseen, please report: ZeroDivisionError: x" in said
        assert "Traceback" in said


def test_us6_1_a_host_that_was_not_deployed_to_is_bad_configuration_in_both_contracts() -> None:
    # There is no /etc/signupflow-backup on this machine.
    backed_up, restored = CliRunner().invoke(command.main, ["run"]), CliRunner().invoke(restore_command.main, [])
    assert "deploys/production.py" in backed_up.stderr
    assert backed_up.exit_code == Backup.CONFIGURATION
    assert "deploys/production.py" in restored.stderr
    assert restored.exit_code == Restore.CONFIGURATION, "6 would be: not confirmed"


@pytest.mark.parametrize(("group", "codes"), [(command.main, Backup), (restore_command.main, Restore)])
def test_us6_1_help_tells_the_codes(group: Group, codes: type[IntEnum]) -> None:
    said = " ".join(CliRunner().invoke(group, ["--help"]).output.split())
    told = [int(number) for number in re.findall(r"\b(\d) [a-z]", said.partition("Exit codes")[2].partition("Options")[0])]
    assert told == [code.value for code in codes]
