"""Adds a column that the version before neither reads nor has to write."""

import sqlalchemy as sa

from alembic import op

revision = "00000000ad01"
down_revision = "b4e6f8a2c5d3"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("events", sa.Column("room", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("events", "room")
