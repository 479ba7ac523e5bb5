"""Whether the last set-up of the database still holds, found out without loading the application.

A start is two seconds shorter when the application is loaded by the web server alone.
"""

import hashlib
import json
import os
from pathlib import Path

import psycopg

from gridgov.config import ROOT
from gridgov.processes import ServerError

SOURCES = Path(__file__).parent
NOTE = "prepared.json"


def wants_demo() -> bool:
    """Whether the demo city shall be loaded: unless GRIDGOV_DEMO says no."""
    return os.environ.get("GRIDGOV_DEMO", "1").lower() not in {"0", "false", "no"}


def note(folder: Path, logins: str) -> None:
    """Remember that the database was brought to this code's state; logins: of the demo city, if loaded."""
    about = {"code": _digest(), "revision": _revision(), "demo": wants_demo(), "logins": logins}
    (folder / NOTE).write_text(json.dumps(about), encoding="utf-8")


def logins(folder: Path) -> str | None:
    """The demo's logins if the set-up still holds, "" if it has no demo; None when it is to be run again."""
    try:
        about = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    holds = (
        about.get("code") == _digest() and about["demo"] == wants_demo() and about["revision"] == _revision()
    )
    return about["logins"] if holds else None


def _digest() -> str:
    """Of all code and policy: migrations, and what is seeded after them."""
    workflows = Path(os.environ.get("GRIDGOV_WORKFLOWS") or ROOT / "workflows")
    sources = [path for depth in ("*.py", "*/*.py", "*/*/*.py") for path in SOURCES.glob(depth)]
    whole = hashlib.sha256()
    for path in sorted([*sources, *workflows.glob("*.yaml")]):
        whole.update(path.name.encode() + path.read_bytes())
    return whole.hexdigest()


def _revision() -> list[str]:
    """Where the database stands: another one, or one put back from a copy, stands elsewhere."""
    try:
        with psycopg.connect(os.environ["GRIDGOV_DATABASE_URL"], connect_timeout=10) as connection:
            if connection.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,):
                return []
            return sorted(row[0] for row in connection.execute("SELECT version_num FROM alembic_version"))
    except psycopg.OperationalError as error:
        raise ServerError(f"The database cannot be reached: {error}") from error
