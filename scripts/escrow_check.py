#!/usr/bin/env python3
"""Prove that the offline key opens what is stored: the newest dump of each kind is fetched, compared and unsealed.

scripts/escrow_check.py --key OFFLINE.key [-i INVENTORY]     the bucket's keys are read from the environment's secrets file
"""

import here  # noqa: F401

# isort: split
from signupflow.cli.escrow import run

if __name__ == "__main__":
    run()
