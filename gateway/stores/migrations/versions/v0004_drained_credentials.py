"""When a replaced version of a COS credential is to be removed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column; what is retired already stays until somebody removes it."""
    op.add_column("upstream_credentials", sa.Column("remove_at", sa.BigInteger, nullable=True))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("upstream_credentials", "remove_at")
