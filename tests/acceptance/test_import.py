"""SignUpFlow's real SQLite file, and every way in which one may be broken, on a PostgreSQL of this machine.

`make test` has the same with small files: tests/sqlite_import.
"""

from __future__ import annotations

import pytest

from tests.evidence.plugin import Evidence
from tests.proofs import importing

pytestmark = pytest.mark.full


@pytest.mark.proof("import-real")
def test_us2_1_us2_2_the_real_file_is_moved_and_the_app_works_on_it(evidence: Evidence) -> None:
    evidence(importing.the_real_file())


@pytest.mark.proof("import-classes")
def test_us2_1_every_class_of_defect_is_carried_or_refused(evidence: Evidence) -> None:
    evidence(importing.by_class())


@pytest.mark.proof("import-fuzz")
def test_us2_1_ten_thousand_mutated_files_end_in_no_traceback(evidence: Evidence) -> None:
    evidence(importing.by_fuzz())


@pytest.mark.proof("import-speed")
def test_us2_1_a_million_rows_are_moved_in_time(evidence: Evidence) -> None:
    evidence(importing.speed())


@pytest.mark.proof("import-killed")
def test_us2_4_an_import_that_is_killed_leaves_the_target_as_it_was(evidence: Evidence) -> None:
    evidence(importing.killed())


@pytest.mark.proof("import-writer")
def test_us2_1_somebody_who_goes_on_writing_is_told_of(evidence: Evidence) -> None:
    evidence(importing.beside_a_writer())
