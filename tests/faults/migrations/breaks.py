"""Drops a column that the version before reads and writes, and says so."""

import sqlalchemy as sa

from alembic import op

revision = "00000000b201"
down_revision = "b4e6f8a2c5d3"
branch_labels = None
depends_on = None
breaks = "the version before reads and writes events.occurrence_sequence"


def upgrade() -> None:
    op.drop_column("events", "occurrence_sequence")


def downgrade() -> None:
    op.add_column("events", sa.Column("occurrence_sequence", sa.Integer(), nullable=True))
