"""Alarms with their effect and condition, their history in order, and what people ask of them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ONLY_THE_ANSWER = "commands are append-only, but for one answer"
APPEND_ONLY = "alarm events are append-only"
ASKED = ("id", "station_id", "alarm_id", "action", "asked_by", "reason", "until", "at")


def upgrade() -> None:
    # the defaults fill rows that are there; no station before this version wrote any
    with op.batch_alter_table("alarms") as alarms:
        alarms.add_column(sa.Column("effect", sa.Text(), nullable=False, server_default="note"))
        alarms.add_column(
            sa.Column("active", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        alarms.add_column(sa.Column("suppressed_by", sa.Text(), nullable=True))
        alarms.add_column(
            sa.Column("suppressed_because", sa.Text(), nullable=False, server_default="")
        )
        alarms.add_column(
            sa.Column("occurrences", sa.Integer(), nullable=False, server_default="0")
        )
    with op.batch_alter_table("alarm_events") as events:
        events.add_column(sa.Column("seq", sa.BigInteger(), nullable=False, server_default="0"))
        events.add_column(sa.Column("kind", sa.Text(), nullable=False, server_default="RAISED"))
        events.add_column(sa.Column("priority", sa.Integer(), nullable=False, server_default="3"))
        events.add_column(sa.Column("reason", sa.Text(), nullable=False, server_default=""))
    op.execute(
        "UPDATE alarm_events SET seq = (SELECT COUNT(*) FROM alarm_events AS other WHERE "
        "other.at < alarm_events.at OR (other.at = alarm_events.at "
        "AND other.id <= alarm_events.id))"
    )
    op.create_index("ix_alarm_events_seq", "alarm_events", ["seq"], unique=True)
    op.create_index("ix_alarm_events_alarm_id", "alarm_events", ["station_id", "alarm_id", "seq"])
    op.create_table(
        "alarm_commands",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("station_id", sa.Text(), nullable=False),
        sa.Column("alarm_id", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm_commands")),
    )
    op.create_index("ix_alarm_commands_at", "alarm_commands", ["at"])
    op.create_index(
        "ix_alarm_commands_open",
        "alarm_commands",
        ["station_id", "at"],
        sqlite_where=sa.text("answered_at IS NULL"),
        postgresql_where=sa.text("answered_at IS NULL"),
    )
    if op.get_bind().dialect.name == "sqlite":
        _refuse_changes_sqlite()
    else:
        _refuse_changes_postgresql()


def _refuse_changes_sqlite() -> None:
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER alarm_events_refuse_{change.lower()} BEFORE {change} ON alarm_events "
            f"BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END"
        )
    op.execute(
        "CREATE TRIGGER alarm_commands_refuse_delete BEFORE DELETE ON alarm_commands "
        f"BEGIN SELECT RAISE(ABORT, '{ONLY_THE_ANSWER}'); END"
    )
    altered = " OR ".join(f'NEW."{name}" IS NOT OLD."{name}"' for name in ASKED)
    op.execute(
        "CREATE TRIGGER alarm_commands_refuse_update BEFORE UPDATE ON alarm_commands "
        f"WHEN OLD.answered_at IS NOT NULL OR {altered} "
        f"BEGIN SELECT RAISE(ABORT, '{ONLY_THE_ANSWER}'); END"
    )


def _refuse_changes_postgresql() -> None:
    op.execute(
        "CREATE TRIGGER alarm_events_refuse_changes BEFORE UPDATE OR DELETE OR TRUNCATE "
        "ON alarm_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_changes()"
    )
    op.execute(
        "CREATE TRIGGER alarm_commands_refuse_delete BEFORE DELETE OR TRUNCATE "
        "ON alarm_commands FOR EACH STATEMENT EXECUTE FUNCTION refuse_changes()"
    )
    altered = " OR ".join(f'NEW."{name}" IS DISTINCT FROM OLD."{name}"' for name in ASKED)
    op.execute(
        "CREATE TRIGGER alarm_commands_refuse_update BEFORE UPDATE ON alarm_commands FOR EACH ROW "
        f"WHEN (OLD.answered_at IS NOT NULL OR {altered}) EXECUTE FUNCTION refuse_changes()"
    )
