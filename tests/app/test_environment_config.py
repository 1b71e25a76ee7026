"""The reference document is the settings classes'."""

import subprocess
import sys

from tests.app.harness import ROOT


def test_fr028_the_document_matches_the_settings() -> None:
    command = [sys.executable, "scripts/environment_config.py", "--check"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
