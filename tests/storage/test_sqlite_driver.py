"""Our driver for SQLite keeps what PEP 249 and SQLAlchemy expect of one."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from sqlalchemy import Boolean, Column, DateTime, Integer, MetaData, String, Table, UniqueConstraint, inspect, select
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from stagedoor.storage.sqlite import dbapi
from stagedoor.storage.sqlite.dialect import make_engine


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "test.db"
    path.touch()
    return path


@pytest.fixture
def connection(path: Path) -> Generator[dbapi.Connection]:
    connection = dbapi.connect(path, mode="write")
    connection.run("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL)")
    yield connection
    connection.close()


def test_a_statement_describes_its_columns_also_without_rows(connection: dbapi.Connection) -> None:
    cursor = connection.cursor().execute("SELECT a, b AS c FROM t WHERE a = ?", (1,))
    assert cursor.description is not None
    assert [column[0] for column in cursor.description] == ["a", "c"]
    assert cursor.fetchone() is None
    assert connection.cursor().execute("INSERT INTO t VALUES (1, 'x')").description is None


def test_rows_are_fetched_in_every_way(connection: dbapi.Connection) -> None:
    cursor = connection.cursor().executemany("INSERT INTO t VALUES (?, ?)", [(n, str(n)) for n in range(6)])
    assert (cursor.rowcount, cursor.lastrowid) == (6, 5)
    cursor.execute("SELECT a FROM t ORDER BY a")
    assert cursor.fetchone() == (0,)
    assert cursor.fetchmany() == [(1,)]
    assert cursor.fetchmany(2) == [(2,), (3,)]
    assert cursor.fetchall() == [(4,), (5,)]
    assert cursor.fetchall() == []


@pytest.mark.parametrize(
    ("sql", "count"),
    [
        ("UPDATE t SET b = 'y' WHERE a < 2", 2),
        ("UPDATE t SET b = 'y' WHERE a > 9", 0),
        ("DELETE FROM t", 3),
        ("INSERT INTO t VALUES (0, 'x') ON CONFLICT (a) DO NOTHING", 0),
        ("UPDATE t SET b = 'z' RETURNING a", 3),
    ],
)
def test_changed_rows_are_counted(connection: dbapi.Connection, sql: str, count: int) -> None:
    connection.cursor().executemany("INSERT INTO t VALUES (?, ?)", [(n, str(n)) for n in range(3)])
    assert connection.cursor().execute(sql).rowcount == count


@pytest.mark.parametrize(
    ("sql", "values", "kind"),
    [
        ("INSERT INTO t VALUES (1, NULL)", (), dbapi.IntegrityError),
        ("SELECT * FROM nowhere", (), dbapi.OperationalError),
        ("SELEC", (), dbapi.OperationalError),
        ("SELECT ?", (1, 2), dbapi.ProgrammingError),
        ("SELECT ?", (object(),), dbapi.ProgrammingError),
        ("SELECT ?", (2**64,), dbapi.ProgrammingError),
        ("SELECT ?", ("\ud800",), dbapi.ProgrammingError),
        ('SELECT "misspelt"', (), dbapi.OperationalError),
    ],
)
def test_errors_have_their_class(
    connection: dbapi.Connection, sql: str, values: tuple[object, ...], kind: type[dbapi.Error]
) -> None:
    with pytest.raises(dbapi.Error) as caught:
        connection.cursor().execute(sql, values)
    assert type(caught.value) is kind
    with pytest.raises(dbapi.Error) as caught:
        connection.cursor().executemany(sql, [values])
    assert type(caught.value) is kind


def test_sqlalchemy_sees_a_dialect_like_any_other(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    engine = make_engine(str(path), "write")
    table = Table(
        "things",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("name", String(9), index=True),
        Column("when", DateTime),
        Column("yes", Boolean),
        UniqueConstraint("name", "yes", name="uq_things"),
    )
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(table.insert(), [{"name": "a", "yes": True}, {"name": "b", "yes": False}])
        connection.execute(table.insert().returning(table.c.id), [{"name": "c", "yes": None}] * 3).all()
        result = connection.execute(table.insert().values(name="d", yes=True))
        assert result.inserted_primary_key == (6,)
        assert connection.execute(select(table.c.yes).where(table.c.name == "b")).scalar_one() is False
        assert inspect(connection).get_unique_constraints("things")[0]["name"] == "uq_things"
        assert {column["name"] for column in inspect(connection).get_columns("things")} == {"id", "name", "when", "yes"}
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(table.insert().values(id=1))
    with pytest.raises(OperationalError), engine.begin() as connection:
        connection.exec_driver_sql("SELECT nothing")
    with pytest.raises(ProgrammingError), engine.begin() as connection:
        connection.exec_driver_sql("SELECT ?", (object(),))
    with engine.connect() as connection:
        connection.execute(table.delete())
    with engine.connect() as connection:
        assert len(connection.execute(select(table)).all()) == 6, "what is not committed is rolled back"
    engine.dispose()
    assert caplog.records == []
