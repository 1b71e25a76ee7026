"""Backups of PostgreSQL and the way back: the commands behind `signupflow-backup` on the database's host.

pgBackRest does the work inside PostgreSQL's own container; this package decides, checks, proves and tells. Pure code:
`archive`, `alerts`, `outcome`, `retention`. Only this package and `signupflow.shared.channels` are in the `ops` image.
"""
