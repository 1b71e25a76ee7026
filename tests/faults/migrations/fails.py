"""Fails half way: its first statement succeeds, its second cannot."""

import sqlalchemy as sa

from alembic import op

revision = "00000000fa01"
down_revision = "b4e6f8a2c5d3"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("half_made", sa.Column("id", sa.Integer(), primary_key=True))
    op.execute("INSERT INTO half_made (id) SELECT 1 / 0")


def downgrade() -> None:
    op.drop_table("half_made")
