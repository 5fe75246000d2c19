"""Who acknowledged the result of a part, and when."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "acknowledgements",
        sa.Column("inspection_id", sa.Uuid(), nullable=False),
        sa.Column("acknowledged_by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["inspection_id"],
            ["inspections.id"],
            name=op.f("fk_acknowledgements_inspection_id"),
        ),
        sa.PrimaryKeyConstraint("inspection_id", name=op.f("pk_acknowledgements")),
    )
