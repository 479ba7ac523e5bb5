"""Migrations: every step goes up and down again, nothing is left at the bottom, and the top is what the models say."""

import difflib
import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from gridgov import db, migrate
from gridgov.issues import actions
from tests import seed
from tests.conftest import named, run_sql
from tests.together import holding, together, until_blocked

# Tables that the database's own functions use and no model has.
WITHOUT_MODEL = {"virtual_clock", "number_days", "alembic_version"}
BOUNDED = {"options": "-c lock_timeout=30000"}
# Everything we can make in a schema, as text that can be compared.
CATALOGUE = """
SELECT 'table ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
       || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
UNION ALL
SELECT 'default ' || adrelid::regclass || ' ' || a.attname || ' ' || pg_get_expr(adbin, adrelid)
  FROM pg_attrdef d JOIN pg_class c ON c.oid = adrelid JOIN pg_attribute a ON a.attrelid = adrelid AND a.attnum = d.adnum
 WHERE c.relnamespace = 'public'::regnamespace
UNION ALL
SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
UNION ALL
SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT 'trigger ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT 'function ' || p.oid::regprocedure || ' ' || md5(prosrc) || provolatile::text || prolang::text
  FROM pg_proc p WHERE pronamespace = 'public'::regnamespace
UNION ALL
SELECT 'sequence ' || relname FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace
UNION ALL
SELECT 'type ' || typname FROM pg_type t WHERE typnamespace = 'public'::regnamespace AND typrelid = 0 AND typelem = 0
"""
REVISIONS = [script.revision for script in ScriptDirectory.from_config(migrate.alembic_config()).walk_revisions()][::-1]


@pytest.fixture
def empty(servers: tuple[str, str]) -> Iterator[sa.Engine]:
    """An empty database of its own."""
    name = f"migrate_{uuid4().hex}"
    run_sql(servers[0], f"CREATE DATABASE {name}")
    # With a bound on waiting, so that starts that lock each other out fail here instead of hanging.
    engine = sa.create_engine(db.sqlalchemy_url(named(servers[0], name)), connect_args=BOUNDED)
    yield engine
    engine.dispose()
    run_sql(servers[0], f"DROP DATABASE {name} WITH (FORCE)")


def catalogue(engine: sa.Engine) -> list[str]:
    """Everything in the schema, in order."""
    with engine.connect() as connection:
        return sorted(connection.scalars(sa.text(CATALOGUE)))


def difference(a: list[str], b: list[str]) -> list[str]:
    return [line for line in difflib.ndiff(a, b) if line[0] in "+-"]


def test_down_to_nothing_and_up_again_gives_the_same(empty):
    migrate.upgrade(empty)
    top = catalogue(empty)
    assert len(top) > 200
    migrate.downgrade(empty, "base")
    left = [line for line in catalogue(empty) if "alembic_version" not in line]
    assert left == []
    migrate.upgrade(empty)
    assert difference(top, catalogue(empty)) == []


def test_each_revision_goes_up_down_and_up_again(empty):
    before, below = catalogue(empty), "base"
    for revision in REVISIONS:
        migrate.upgrade(empty, revision)
        after = catalogue(empty)
        assert difference(before, after), f"{revision} does nothing"
        migrate.downgrade(empty, below)
        left = [line for line in difference(before, catalogue(empty)) if "alembic_version" not in line]
        assert left == [], f"{revision} leaves something behind"
        migrate.upgrade(empty, revision)
        assert difference(after, catalogue(empty)) == [], f"{revision} is not the same the second time"
        before, below = after, revision
    assert migrate.is_current(empty)


def test_an_older_schema_is_known_as_such(empty):
    assert not migrate.is_current(empty)
    migrate.upgrade(empty, REVISIONS[-2])
    assert not migrate.is_current(empty)


def test_alembic_finds_nothing_to_do(empty):
    migrate.upgrade(empty)

    def ours(thing: Any, name: str | None, kind: str, reflected: bool, _other: Any) -> bool:
        # What an index or default is made of is compared word by word below; alembic cannot read expressions back.
        return not (kind == "table" and name in WITHOUT_MODEL) and not (kind == "index" and name == "ix_grids_box")

    with empty.connect() as connection:
        options = {"compare_type": True, "include_object": ours}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), db.metadata) == []


def test_the_models_make_the_same_schema_as_the_migrations_word_by_word(empty, servers):
    """Also what alembic does not see: the text of each CHECK, partial and functional indexes, defaults."""
    migrate.upgrade(empty)
    name = f"models_{uuid4().hex}"
    run_sql(servers[0], f"CREATE DATABASE {name}")
    modelled = sa.create_engine(db.sqlalchemy_url(named(servers[0], name)))
    try:
        migrate.upgrade(modelled, REVISIONS[0])  # The functions that defaults call.
        with modelled.begin() as connection:
            db.metadata.drop_all(connection)
            db.metadata.create_all(connection)
        kinds = ("table", "default", "constraint", "index")
        wanted, found = (
            [x for x in catalogue(e) if x.startswith(kinds) and not any(t in x for t in WITHOUT_MODEL)]
            for e in (modelled, empty)
        )
        assert "\n".join(difference(wanted, found)) == ""
    finally:
        modelled.dispose()
        run_sql(servers[0], f"DROP DATABASE {name} WITH (FORCE)")


def test_every_check_is_there_under_the_name_the_model_gives_it(empty):
    migrate.upgrade(empty)
    with empty.connect() as connection:
        found = set(
            connection.scalars(
                sa.text("SELECT conname FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace")
            )
        )
    checks = [
        (table, check)
        for table in db.metadata.tables.values()
        for check in {*table.constraints, *(c for column in table.columns for c in column.constraints)}
        if isinstance(check, sa.CheckConstraint)
    ]
    # SQLAlchemy writes the full name into the model once it has made the table from it.
    wanted = {f"ck_{table.name}_{str(check.name).removeprefix(f'ck_{table.name}_')}" for table, check in checks}
    assert found - wanted == {"ck_virtual_clock_one_row"}
    assert wanted - found == set()
    assert len(wanted) > 40


def test_two_starts_at_once_migrate_once(empty):
    url = empty.url
    engines = [sa.create_engine(url, connect_args=BOUNDED) for _ in range(3)]
    assert together(*(lambda e=e: migrate.upgrade(e) for e in engines)) == [None] * 3
    with empty.connect() as connection:
        assert connection.scalars(sa.text("SELECT version_num FROM alembic_version")).all() == [REVISIONS[-1]]
    for engine in engines:
        engine.dispose()


def test_a_second_start_waits_for_the_first(empty):
    with holding(empty, "SELECT pg_advisory_xact_lock(:key)", key=migrate.LOCK):
        waiter = threading.Thread(target=migrate.upgrade, args=(empty,))
        waiter.start()
        until_blocked(empty)
        assert not migrate.is_current(empty)
    waiter.join()
    assert migrate.is_current(empty)


def test_a_migration_that_fails_leaves_nothing(empty, monkeypatch):
    def broken(config: Any, revision: str) -> None:
        command(config, REVISIONS[1])
        raise RuntimeError("half way")

    command = migrate.command.upgrade
    monkeypatch.setattr(migrate.command, "upgrade", broken)
    with pytest.raises(RuntimeError):
        migrate.upgrade(empty)
    assert catalogue(empty) == []


def goes_down(revision: str) -> None:
    """The way down of one revision, in the database of the session, undone again."""
    db.session.flush()
    connection = db.session.connection()
    module = ScriptDirectory.from_config(migrate.alembic_config()).get_revision(revision).module
    with connection.begin_nested(), Operations.context(MigrationContext.configure(connection)):
        module.downgrade()


def test_going_down_is_refused_over_issues_that_an_older_version_does_not_know(city):
    accused = city.report("resident", accused=seed.VILLAGE)
    with pytest.raises(sa.exc.DBAPIError, match="about a unit or its people"):
        goes_down("0014")
    first, second = city.report("resident"), city.report("neighbour")
    actions.act(second, "merge", actor=city.micro_chief, data={"issue": first.number})
    with pytest.raises(sa.exc.DBAPIError, match="are merged"):
        goes_down("0015")
    actions.act(accused, "not_accept", actor=city.township_office, data={"reason": "已经起诉", "route": "法院"})
    actions.act(accused, "appeal", actor=city.resident, data={"reason": "不服"})
    with pytest.raises(sa.exc.DBAPIError, match="under appeal"):
        goes_down("0013")
