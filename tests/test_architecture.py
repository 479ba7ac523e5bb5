"""The house rules that a machine can check: who may import whom, where is committed, how long things are, what stays out.

Each rule is a function from a tree of files to what breaks it. It is held against this repository, and against a small
tree with the fault planted, so that a rule that went blind is found.
"""

import ast
import fnmatch
import functools
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
Rule = Callable[[Path], list[str]]

# Package → the packages it may import. Core modules (files right under gridgov/) may be imported by all.
# Source: DESIGN, "Imports go one way". `issues` and `points` meet only through gridgov/events.py.
MAY_IMPORT: dict[str, set[str]] = {
    "grids": set(),
    "people": {"grids"},
    "photos": {"people", "grids"},
    "worktime": {"people", "grids"},
    "issues": {"worktime", "photos", "people", "grids"},
    "identity": {"issues", "worktime", "photos", "people", "grids"},
    "points": {"people", "grids"},
    "notices": {"issues", "worktime", "photos", "people", "grids"},
    "mediation": {"issues", "worktime", "photos", "people", "grids"},
    "visits": {"issues", "worktime", "photos", "people", "grids"},
    "live": {"people", "grids"},
    "deadletters": {"issues", "worktime", "photos", "people", "grids"},
    "demo": {"visits", "mediation", "notices", "identity", "issues", "worktime", "photos", "people", "grids"},
    "simulate": {"issues", "worktime", "photos", "people", "grids"},
    "store": {"points", "photos", "people", "grids"},
    "dashboard": {"store", "points", "issues", "people", "grids"},
}
# They put the whole together, or describe it: nobody imports them, and they may import all.
KNOWS_ALL = {"app", "cli", "__main__", "migrations", "monitoring", "openapi", "shell"}
# Files that may speak with flask: the boundary. Words of a language (i18n) come from flask-babel and need no request.
BOUNDARY_FILES = {"__init__", "api", "pages", "desk", "forms"}
BOUNDARY = {
    "apidoc", "app", "assets", "delays", "display", "headers", "health", "i18n", "monitoring", "openapi", "shell", "web",
    "people.csrf", "people.limits", "people.scopes", "people.sessions", "photos.uploads", "photos.schemas",
    "people.jobs", "issues.words", "issues.board", "issues.drafts", "issues.moving", "issues.sharing",
    "issues.bulletin_pages",
    "live.streams",
}  # fmt: skip
TOP_LEVEL = set(
    "gridgov workflows tests bench docs .ci wsgi.py requirements.txt requirements.in pyproject.toml alembic.ini Dockerfile "
    "compose.yaml Makefile README.md README.zh.md CHANGELOG.md LICENSE SECURITY.md CONTRIBUTING.md .gitignore .dockerignore "
    ".editorconfig .gitattributes .python-version .pre-commit-config.yaml .npmrc".split()
)
# Written with a bracket in each, so that this file does not contain what it looks for.
FOREIGN_WORDS = re.compile(
    r"/wor[k]/(main|shared|steering|\.library)|/far[m]/|/tmp/pla[n]|before[-]stop|--(extra-)?index[-]url"
    r'|"resolve[d]": *"http|^registr[y] *=',
    re.MULTILINE,
)
LEFT_OPEN = re.compile(
    r"TOD[O]|FIXM[E]|XX[X]|pytest\.(mark\.)?(ski[p]|xfai[l])|except Exception:\s*(pas[s])?$|except\s*[:]|assert Tru[e]\b"
    r"|# type: ignor[e]$",
    re.MULTILINE,
)
CODE = {".py", ".js", ".mjs", ".html", ".yaml", ".css"}
MAX_LINES, MAX_FUNCTION_LINES = 300, 50


# Reading a tree -------------------------------------------------------------------------------------------------------


def files(root: Path) -> Iterator[Path]:
    """Every file of the tree that .gitignore does not leave out, relative to it."""
    ignored = [".git/", *(root / ".gitignore").read_text().split()]

    def left_out(path: str, is_folder: bool) -> bool:
        for pattern in ignored:
            if pattern.endswith("/") and not is_folder:
                continue
            plain = pattern.strip("/")
            if fnmatch.fnmatch(path if pattern.startswith("/") else Path(path).name, plain):
                return True
        return False

    for folder, folders, names in os.walk(root):
        here = os.path.relpath(folder, root)
        folders[:] = sorted(f for f in folders if not left_out(os.path.normpath(f"{here}/{f}"), True))
        for name in sorted(names):
            if not left_out(os.path.normpath(f"{here}/{name}"), False):
                yield Path(os.path.normpath(f"{here}/{name}"))


def modules(root: Path) -> dict[str, Path]:
    """Dotted name below gridgov → file, for every module of the program."""
    found = {}
    for path in files(root):
        if path.parts[0] == "gridgov" and path.suffix == ".py":
            found[".".join(path.relative_to("gridgov").with_suffix("").parts).removesuffix(".__init__")] = root / path
    return found


def imports(tree: ast.AST, module: str, *, is_package: bool = False) -> set[str]:
    """Every dotted name a module imports, also inside functions, by `import_module`, and from beside it (`from . import`)."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = ["gridgov", *module.split(".")]
                parts = parts[: len(parts) - node.level + is_package]
                base = ".".join([*parts, *([node.module] if node.module else [])])
            found.add(base)
            found |= {f"{base}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func):
            found |= {a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)}
    return found


@functools.cache
def parsed(root: Path) -> list[tuple[str, Path, ast.Module, set[str]]]:
    """(dotted name, file, syntax tree, imports) of every module of the program."""
    found = []
    for name, path in modules(root).items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found.append((name, path, tree, imports(tree, name, is_package=path.name == "__init__.py")))
    return found


# The rules ------------------------------------------------------------------------------------------------------------


def imports_against_the_stream(root: Path) -> list[str]:
    """Imports of a package by one that stands beside or below it, or by the core; of app by anything but what starts it."""
    packages = {name.split(".")[0] for name, path in modules(root).items() if path.parent != root / "gridgov"}
    bad = [f"gridgov/{p} is not in the table of imports" for p in sorted(packages - set(MAY_IMPORT) - KNOWS_ALL)]
    for name, _path, _tree, imported in parsed(root):
        home = name.split(".")[0]
        if home in KNOWS_ALL:
            continue
        allowed = MAY_IMPORT.get(home, set()) | {home}
        for target in {i.split(".")[1] for i in imported if i.startswith("gridgov.")}:
            if (target in packages and target not in allowed) or target in KNOWS_ALL:
                bad.append(f"gridgov.{name} imports gridgov.{target}")
    return bad


def tables_out_of_order(_root: Path) -> list[str]:
    """Packages of MAY_IMPORT that reach each other in a circle, or issues and points that meet below a common reader."""
    bad = [f"{a} and {b} import each other" for a, may in MAY_IMPORT.items() for b in may if a in MAY_IMPORT[b]]
    return bad + [f"{a} may import {b}" for a, b in (("issues", "points"), ("points", "issues")) if b in MAY_IMPORT[a]]


def flask_beyond_the_boundary(root: Path) -> list[str]:
    """Modules that import flask, or a module that does, although they are no boundary: actions, queries, models, core."""
    bad = []
    boundary = {f"gridgov.{name}" for name in BOUNDARY - {"i18n"}}
    for name, path, _tree, imported in parsed(root):
        package, _, file = name.rpartition(".")
        if name in BOUNDARY | KNOWS_ALL or path.name in ("__init__.py", "env.py") or (package and file in BOUNDARY_FILES):
            continue
        if name == "people.models":
            imported = imported - {"flask_login", "flask_login.UserMixin"}  # Four plain properties, no request.
        for target in sorted(imported):
            first = target.split(".")[0]
            in_package = [t for t in (target.split(".")[-1],) if target.startswith("gridgov.") and target.count(".") == 2]
            if first.startswith("flask") or first == "werkzeug" or target in boundary or set(in_package) & BOUNDARY_FILES:
                bad.append(f"gridgov.{name} imports {target}")
    return bad


def commits_elsewhere(root: Path) -> list[str]:
    """Calls of commit, rollback or begin outside db.py. (migrate.py begins the one transaction of a migration.)"""
    bad = []
    for name, path, tree, _imported in parsed(root):
        allowed = {"db": {"commit", "rollback"}, "migrate": {"begin"}}.get(name, set())
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in {"commit", "rollback", "begin"} - allowed:
                bad.append(f"{path.relative_to(root)}:{node.lineno} {ast.unparse(node)}")
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if re.match(r"\s*(COMMIT|ROLLBACK|BEGIN|START TRANSACTION)\s*;?\s*$", node.value):
                    bad.append(f"{path.relative_to(root)}:{node.lineno} {node.value}")
    return bad


def too_long(root: Path) -> list[str]:
    """Files of the program over 300 lines, functions over 50."""
    bad = []
    for _name, path, tree, _imported in parsed(root):
        place = path.relative_to(root)
        if (lines := path.read_text(encoding="utf-8").count("\n")) > MAX_LINES:
            bad.append(f"{place} has {lines} lines")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
                if (lines := node.end_lineno - node.lineno + 1) > MAX_FUNCTION_LINES:
                    bad.append(f"{place}:{node.lineno} {node.name} has {lines} lines")
    return bad


def outside_the_layout(root: Path) -> list[str]:
    """Names at the top level that nobody agreed on."""
    return sorted({path.parts[0] for path in files(root)} - TOP_LEVEL)


def foreign_words(root: Path) -> list[str]:
    """Paths of one machine and hosts of packages: none of it belongs to the project."""
    return _matches(root, FOREIGN_WORDS, lambda path: True)


def left_open(root: Path) -> list[str]:
    """Marks of unfinished work, tests that do not run, errors swallowed."""
    return _matches(root, LEFT_OPEN, lambda path: path.suffix in CODE)


def assertionless_tests(root: Path) -> list[str]:
    """Tests that cannot fail: no assertion in them, nor in a helper of the same file that they call."""
    bad = []
    for path in files(root):
        if path.parts[0] != "tests" or path.suffix != ".py":
            continue
        tree = ast.parse((root / path).read_text(encoding="utf-8"))
        functions = {node.name: _calls(node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        lines = {node.name: node.lineno for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        checking, more = {"assert", "raises", "warns", "expect"}, set(functions)
        while more:  # A helper may call a helper.
            more = {name for name, calls in functions.items() if calls & checking} - checking
            checking |= more
        bad += [f"{path}:{lines[name]} {name}" for name in functions if name.startswith("test") and name not in checking]
    return bad


def _calls(function: ast.FunctionDef) -> set[str]:
    """The last part of the name of everything a function calls; "assert" when it asserts."""
    inside = list(ast.walk(function))
    called = {ast.unparse(node.func).split(".")[-1] for node in inside if isinstance(node, ast.Call)}
    return called | {"assert" for node in inside if isinstance(node, ast.Assert)}


def _matches(root: Path, pattern: re.Pattern[str], wanted: Callable[[Path], bool]) -> list[str]:
    bad = []
    for path in files(root):
        if not wanted(path):
            continue
        try:
            text = (root / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # A picture.
        bad += [f"{path}:{text.count(chr(10), 0, m.start()) + 1} {m[0].strip()}" for m in pattern.finditer(text)]
    return bad


RULES: list[Rule] = [
    imports_against_the_stream, tables_out_of_order, flask_beyond_the_boundary, commits_elsewhere, too_long,
    outside_the_layout, foreign_words, left_open, assertionless_tests,
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_repository_keeps_the_house_rules(rule):
    assert rule(ROOT) == []


def plant(root: Path, name: str, text: str) -> Path:
    """A tree of a few innocent files, and this one."""
    innocent = {
        ".gitignore": "/.venv/\n__pycache__/\n*.mo\n",
        "gridgov/__init__.py": "",
        "gridgov/db.py": "session.commit()\nsession.rollback()\n",
        "gridgov/web.py": "import flask\n",
        "gridgov/app.py": "from gridgov import issues, points\n",
        "gridgov/issues/__init__.py": "from flask import Flask\n",
        "gridgov/issues/actions.py": "from gridgov import db\nfrom gridgov.people import queries as people\n",
        "gridgov/people/queries.py": "from gridgov.grids.models import Grid\n",
        "gridgov/points/actions.py": "from gridgov import events\n",
        ".venv/lib/thing.py": "# TO" + "DO\n",
        "tests/test_small.py": "def test_one():\n    assert 1 + 1 == 2\n",
    }
    for path, content in {**innocent, name: text}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content, encoding="utf-8")
    return root


def test_a_small_tree_in_order_is_let_through(tmp_path):
    plant(tmp_path, "gridgov/grids/models.py", "from gridgov.db import Model\n")
    assert [found for rule in RULES for found in rule(tmp_path)] == []


@pytest.mark.parametrize(
    ("rule", "name", "text"),
    [
        (imports_against_the_stream, "gridgov/grids/queries.py", "from gridgov.issues import queries\n"),
        (imports_against_the_stream, "gridgov/grids/queries.py", "def f():\n    import gridgov.issues.models\n"),
        (imports_against_the_stream, "gridgov/grids/queries.py", "from gridgov import issues\n"),
        (imports_against_the_stream, "gridgov/grids/queries.py", "from ..issues import queries\n"),
        (imports_against_the_stream, "gridgov/grids/queries.py", "importlib.import_module('gridgov.issues')\n"),
        (imports_against_the_stream, "gridgov/issues/queries.py", "from gridgov.points.actions import pay\n"),
        (imports_against_the_stream, "gridgov/points/queries.py", "from gridgov.issues.models import Issue\n"),
        (imports_against_the_stream, "gridgov/timers.py", "from gridgov.issues.models import Issue\n"),
        (imports_against_the_stream, "gridgov/issues/cli.py", "from gridgov.app import create_app\n"),
        (imports_against_the_stream, "gridgov/newcomer/models.py", "x = 1\n"),
        (flask_beyond_the_boundary, "gridgov/issues/actions.py", "from flask import g\n"),
        (flask_beyond_the_boundary, "gridgov/issues/queries.py", "from gridgov.web import current_user\n"),
        (flask_beyond_the_boundary, "gridgov/issues/queries.py", "from gridgov import web\n"),
        (flask_beyond_the_boundary, "gridgov/issues/hops.py", "from gridgov.issues import api\n"),
        (flask_beyond_the_boundary, "gridgov/timers.py", "import flask_login\n"),
        (commits_elsewhere, "gridgov/issues/actions.py", "session.commit()\n"),
        (commits_elsewhere, "gridgov/issues/actions.py", "db.session.rollback()\n"),
        (commits_elsewhere, "gridgov/issues/actions.py", "with engine.begin() as c: pass\n"),
        (commits_elsewhere, "gridgov/issues/actions.py", "session.execute(sa.text('COMMIT'))\n"),
        (too_long, "gridgov/issues/queries.py", "x = 1\n" * 301),
        (too_long, "gridgov/issues/queries.py", "def f():\n" + "    x = 1\n" * 50),
        (outside_the_layout, "notes.txt", "hello\n"),
        (outside_the_layout, "scripts/run.py", "x = 1\n"),
        (foreign_words, "docs/guide.md", "see /wor" + "k/main\n"),
        (foreign_words, "requirements.txt", "--index" + "-url https://x\n"),
        (left_open, "gridgov/issues/queries.py", "x = 1  # FIX" + "ME\n"),
        (left_open, "gridgov/issues/queries.py", "try:\n    x = 1\nexcept Exception:\n    pa" + "ss\n"),
        (left_open, "tests/test_more.py", "@pytest.mark.sk" + "ip\ndef test_x():\n    assert 1 == 1\n"),
        (assertionless_tests, "tests/test_more.py", "def test_nothing():\n    1 + 1\n"),
    ],
)
def test_a_planted_fault_is_found(tmp_path, rule, name, text):
    assert len(rule(plant(tmp_path, name, text))) >= 1


def test_a_circle_in_the_table_itself_is_found(monkeypatch, tmp_path):
    monkeypatch.setitem(MAY_IMPORT, "points", {"issues", "people", "grids"})
    monkeypatch.setitem(MAY_IMPORT, "grids", {"people"})
    assert len(tables_out_of_order(tmp_path)) == 3
