"""Secrets of this project that detect-secrets does not know; loaded by scripts/secret_scan.py."""

from __future__ import annotations

import re

from detect_secrets.plugins.base import RegexBasedDetector


class AgeKeyDetector(RegexBasedDetector):
    """The private key that opens secrets/*.age: Bech32 in capitals (age's specification, `AGE-SECRET-KEY-1`)."""

    secret_type = "age private key"  # noqa: S105 - what is found, not one
    denylist = [re.compile(r"AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}")]
