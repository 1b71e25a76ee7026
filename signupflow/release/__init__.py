"""Pure code of a release: what it goes through, what a failure takes back, and whether its schema suits what runs.

Nothing here imports pyinfra, the application or Alembic, so all of it is tested without mocks.
"""
