#!/usr/bin/env python3
"""The steps from a commit to production, one command each: what GitHub's workflows and `make pipeline` call."""

import here  # noqa: F401

# isort: split
from pipeline.command import run

if __name__ == "__main__":
    run()
