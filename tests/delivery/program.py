"""scripts/delivery.py: in this process, which is quick, or as its own, as workflows call it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from lab.client import ROOT
from pipeline import command
from signupflow.errors import OperatorError

PATH = ROOT / "scripts" / "delivery.py"


def module() -> ModuleType:
    return command


def called(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """One command in a folder of its own, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = CliRunner().invoke(module().main, words, env={"GITHUB_OUTPUT": str(folder / "output"), **variables})
    stderr = result.stderr
    if isinstance(result.exception, OperatorError):
        stderr += f"Error: {result.exception}\n"
    elif result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return subprocess.CompletedProcess(words, result.exit_code, result.stdout, stderr)


def run(folder: Path, *words: str, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """One command as a process of its own."""
    return subprocess.run(
        [sys.executable, PATH, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
            **variables,
        },
    )
