from __future__ import annotations

import re
from pathlib import Path
from uuid import UUID

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from inspector.errors import NotMigrated, StorageError
from inspector.storage import schema
from inspector.storage.database import check, migrations, open_database, upgrade


def test_an_empty_database_gets_the_schema_and_says_so(empty_url: str):
    revision = upgrade(empty_url)
    assert check(empty_url) == revision


def test_alarms_of_the_first_version_stay_through_the_upgrade(empty_url: str):
    upgrade_to(empty_url, "0001")
    engine = create_engine(empty_url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO alarms VALUES ('s1','a','plc',1,'ACKED','m',NULL,NULL,NULL,NULL,NULL)"
            )
        )
        for number, minute in enumerate((30, 10), start=1):
            connection.execute(
                text(
                    "INSERT INTO alarm_events (id, station_id, alarm_id, state, message, at) "
                    "VALUES (:id, 's1', 'a', 'UNACK', 'm', :at)"
                ),
                {"id": UUID(int=number).hex, "at": f"2026-03-01 12:{minute}:00"},
            )
    upgrade(empty_url)
    with engine.connect() as connection:
        kept = connection.execute(text("SELECT effect, occurrences FROM alarms")).one()
        order = connection.execute(text("SELECT at FROM alarm_events ORDER BY seq")).scalars()
        assert tuple(kept) == ("note", 0)
        assert [str(at)[14:16] for at in order] == ["10", "30"]
    engine.dispose()


def upgrade_to(url: str, revision: str) -> None:
    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    configuration = Config()
    configuration.set_main_option("script_location", str(migrations()).replace("%", "%%"))
    engine = create_engine(url)
    with engine.begin() as connection:
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, revision)
    engine.dispose()


def test_a_second_upgrade_changes_nothing(empty_url: str):
    assert upgrade(empty_url) == upgrade(empty_url)


def test_migrations_and_tables_agree(url: str):
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.Table.metadata) == []
    engine.dispose()


def test_migrations_and_tables_agree_on_constraints(url: str):
    engine = create_engine(url)
    found = inspect(engine)
    for table in schema.Table.metadata.sorted_tables:
        expected = {str(c.name) for c in table.constraints if c.name is not None}
        names = {
            found.get_pk_constraint(table.name)["name"],
            *(c["name"] for c in found.get_check_constraints(table.name)),
            *(c["name"] for c in found.get_unique_constraints(table.name)),
            *(c["name"] for c in found.get_foreign_keys(table.name)),
        }
        assert names == expected, table.name
    engine.dispose()


@pytest.mark.parametrize("refused_by", [check, open_database], ids=["check", "open"])
def test_a_database_not_migrated_is_refused_with_the_remedy(empty_url: str, refused_by):
    with pytest.raises(NotMigrated, match="inspector db upgrade"):
        refused_by(empty_url)


def test_opening_creates_no_file(tmp_path: Path):
    with pytest.raises(NotMigrated, match="found none"):
        open_database(f"sqlite:///{tmp_path / 'absent.db'}")
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_a_newer_version_is_refused_and_left_alone(url: str):
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'later'"))
    engine.dispose()
    for refuses in (check, open_database, upgrade):
        with pytest.raises(NotMigrated, match="newer version"):
            refuses(url)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path):
    (tmp_path / "notes.db").write_text("not a database, but long enough to look like one" * 100)
    for refuses in (check, open_database, upgrade):
        with pytest.raises(StorageError, match="file is not a database"):
            refuses(f"sqlite:///{tmp_path / 'notes.db'}")


@pytest.mark.parametrize("bad", ["", "nonsense", "mysql://h/x", "sqlite://", "sqlite:///:memory:"])
def test_a_url_of_something_else_is_refused(bad: str):
    with pytest.raises(StorageError, match=re.escape("sqlite:///FILE")):
        open_database(bad)


def test_a_server_that_is_away_is_one_line_without_the_password(tmp_path: Path):
    with pytest.raises(StorageError) as raised:
        check(f"postgresql+psycopg://me:s3cret@/x?host={tmp_path}")
    assert "s3cret" not in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
