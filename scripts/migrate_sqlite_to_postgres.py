#!/usr/bin/env python3
"""SignUpFlow's SQLite database into PostgreSQL: every row, or not one. Its story: docs/deployment/DATABASE_MIGRATION.md."""

import here  # noqa: F401

# isort: split
from sqlite_import.command import main

if __name__ == "__main__":
    main()
