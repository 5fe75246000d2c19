"""The first tables, and the triggers that keep reviews append-only."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alarm_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("station_id", sa.Text(), nullable=False),
        sa.Column("alarm_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm_events")),
    )
    op.create_index("ix_alarm_events_at", "alarm_events", ["at"])
    op.create_table(
        "alarms",
        sa.Column("station_id", sa.Text(), nullable=False),
        sa.Column("alarm_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shelved_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("station_id", "alarm_id", name=op.f("pk_alarms")),
    )
    op.create_index("ix_alarms_state", "alarms", ["state"])
    op.create_table(
        "hourly",
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("station_id", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("sent", sa.Text(), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("total_ms_sum", sa.Double(), nullable=False),
        sa.Column("total_ms_max", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint(
            "hour", "station_id", "product", "decision", "reason", "sent", name=op.f("pk_hourly")
        ),
    )
    op.create_table(
        "inspections",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("station_id", sa.Text(), nullable=False),
        sa.Column("camera_id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("part_id", sa.Text(), nullable=True),
        sa.Column("lot", sa.Text(), nullable=True),
        sa.Column("view", sa.Text(), nullable=True),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("recipe", sa.Text(), nullable=False),
        sa.Column("recipe_rev", sa.Text(), nullable=False),
        sa.Column("standard_rev", sa.Text(), nullable=False),
        sa.Column("triggered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("captured_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("clause_ids", sa.Text(), nullable=False),
        sa.Column("judge", sa.Text(), nullable=True),
        sa.Column("expected", sa.JSON(), nullable=False),
        sa.Column("picture", sa.Text(), nullable=True),
        sa.Column("sent_decision", sa.Text(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("wait_ms", sa.Double(), nullable=False),
        sa.Column("detect_ms", sa.Double(), nullable=False),
        sa.Column("read_ms", sa.Double(), nullable=False),
        sa.Column("judge_ms", sa.Double(), nullable=False),
        sa.Column("record_ms", sa.Double(), nullable=False),
        sa.Column("total_ms", sa.Double(), nullable=False),
        sa.Column("frame_sha256", sa.Text(), nullable=True),
        sa.Column("detector_sha256", sa.Text(), nullable=True),
        sa.Column("judge_sha256", sa.Text(), nullable=True),
        sa.Column("software", sa.Text(), nullable=False),
        sa.Column("open_review", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "decision IN ('PASS', 'FAIL', 'HOLD')", name=op.f("ck_inspections_decision")
        ),
        sa.CheckConstraint(
            "sent_decision IN ('PASS', 'FAIL', 'HOLD')", name=op.f("ck_inspections_sent_decision")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inspections")),
    )
    op.create_index("ix_inspections_decision", "inspections", ["decision", "triggered_at", "seq"])
    op.create_index("ix_inspections_lot", "inspections", ["lot", "triggered_at", "seq"])
    op.create_index(
        "ix_inspections_open_review",
        "inspections",
        ["seq"],
        sqlite_where=sa.text("open_review"),
        postgresql_where=sa.text("open_review"),
    )
    op.create_index("ix_inspections_part_id", "inspections", ["part_id", "triggered_at", "seq"])
    op.create_index("ix_inspections_product", "inspections", ["product", "triggered_at", "seq"])
    op.create_index("ix_inspections_reason", "inspections", ["reason", "triggered_at", "seq"])
    op.create_index("ix_inspections_recipe", "inspections", ["recipe", "triggered_at", "seq"])
    op.create_index(
        "ix_inspections_station_id", "inspections", ["station_id", "triggered_at", "seq"]
    )
    op.create_index("ix_inspections_triggered_at", "inspections", ["triggered_at", "seq"])
    op.create_index("uq_inspections_seq", "inspections", ["seq"], unique=True)
    op.create_table(
        "models",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_models")),
    )
    op.create_table(
        "station_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("station_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_station_events")),
    )
    op.create_index("ix_station_events_at", "station_events", ["at"])
    op.create_table(
        "clause_findings",
        sa.Column("inspection_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("clause_id", sa.Text(), nullable=False),
        sa.Column("violated", sa.Boolean(), nullable=True),
        sa.Column("violation_probability", sa.Double(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["inspection_id"], ["inspections.id"], name=op.f("fk_clause_findings_inspection_id")
        ),
        sa.PrimaryKeyConstraint("inspection_id", "position", name=op.f("pk_clause_findings")),
    )
    op.create_index(
        "ix_clause_findings_clause_id",
        "clause_findings",
        ["clause_id", "violated", "inspection_id"],
    )
    op.create_table(
        "codes",
        sa.Column("inspection_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("symbology", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("x0", sa.Double(), nullable=False),
        sa.Column("y0", sa.Double(), nullable=False),
        sa.Column("x1", sa.Double(), nullable=False),
        sa.Column("y1", sa.Double(), nullable=False),
        sa.Column("recovered", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["inspection_id"], ["inspections.id"], name=op.f("fk_codes_inspection_id")
        ),
        sa.PrimaryKeyConstraint("inspection_id", "position", name=op.f("pk_codes")),
    )
    op.create_table(
        "defects",
        sa.Column("inspection_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("x0", sa.Double(), nullable=False),
        sa.Column("y0", sa.Double(), nullable=False),
        sa.Column("x1", sa.Double(), nullable=False),
        sa.Column("y1", sa.Double(), nullable=False),
        sa.Column("width_mm", sa.Double(), nullable=True),
        sa.Column("height_mm", sa.Double(), nullable=True),
        sa.Column("zone", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["inspection_id"], ["inspections.id"], name=op.f("fk_defects_inspection_id")
        ),
        sa.PrimaryKeyConstraint("inspection_id", "position", name=op.f("pk_defects")),
    )
    op.create_index("ix_defects_label", "defects", ["label", "inspection_id"])
    op.create_table(
        "outbox",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("inspection_id", sa.Uuid(), nullable=False),
        sa.Column("station_id", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("published", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["inspection_id"], ["inspections.id"], name=op.f("fk_outbox_inspection_id")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_outbox")),
        sa.UniqueConstraint("inspection_id", name=op.f("uq_outbox_inspection_id")),
    )
    op.create_index(
        "ix_outbox_pending",
        "outbox",
        ["station_id", "seq"],
        sqlite_where=sa.text("NOT published"),
        postgresql_where=sa.text("NOT published"),
    )
    op.create_table(
        "reviews",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("inspection_id", sa.Uuid(), nullable=False),
        sa.Column("reviewer", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "decision IN ('PASS', 'FAIL', 'HOLD')", name=op.f("ck_reviews_decision")
        ),
        sa.ForeignKeyConstraint(
            ["inspection_id"], ["inspections.id"], name=op.f("fk_reviews_inspection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
    )
    op.create_index("ix_reviews_at", "reviews", ["at"])
    op.create_index("ix_reviews_inspection_id", "reviews", ["inspection_id", "at"])
    op.create_table(
        "text_lines",
        sa.Column("inspection_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("x0", sa.Double(), nullable=False),
        sa.Column("y0", sa.Double(), nullable=False),
        sa.Column("x1", sa.Double(), nullable=False),
        sa.Column("y1", sa.Double(), nullable=False),
        sa.Column("field", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["inspection_id"], ["inspections.id"], name=op.f("fk_text_lines_inspection_id")
        ),
        sa.PrimaryKeyConstraint("inspection_id", "position", name=op.f("pk_text_lines")),
    )

    if op.get_bind().dialect.name == "sqlite":
        _refuse_changes_of_reviews_sqlite()
    else:
        _refuse_changes_of_reviews_postgresql()


def _refuse_changes_of_reviews_sqlite() -> None:
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER reviews_refuse_{change.lower()} BEFORE {change} ON reviews "
            "BEGIN SELECT RAISE(ABORT, 'reviews are append-only; add a new one'); END"
        )


def _refuse_changes_of_reviews_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION refuse_changes() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% are append-only; add a new one', TG_TABLE_NAME; END $$"
    )
    op.execute(
        "CREATE TRIGGER reviews_refuse_changes BEFORE UPDATE OR DELETE OR TRUNCATE ON reviews "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_changes()"
    )
