#!/usr/bin/env python3
"""Secrets of an environment: one age file, committed; the key stays with its holders.

scripts/secrets.py init ENVIRONMENT      make a key and a file with generated secrets
scripts/secrets.py show ENVIRONMENT      names, never values
"""

import here  # noqa: F401

# isort: split
from signupflow.secrets_cli import main

if __name__ == "__main__":
    main()
