"""docs/closed-loop.md names moves and tests that exist, and every move of the workflow."""

import ast
import re

from gridgov.config import ROOT
from gridgov.issues import flow

FILE = ROOT / "docs/closed-loop.md"


def rows() -> list[list[str]]:
    lines = [line for line in FILE.read_text("utf-8").splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_each_rule_has_a_source_something_that_carries_it_out_and_a_test():
    for rule, source, moves, tests in rows():
        assert source in ("source", "law", "practice", "default"), rule
        assert moves and named(tests), rule


def test_every_test_that_is_named_exists():
    known: dict[str, set[str]] = {}
    for _rule, _source, _moves, tests in rows():
        for name in named(tests):
            path, _, function = name.partition("::")
            if path not in known:
                tree = ast.parse((ROOT / path).read_text("utf-8"))
                known[path] = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert function in known[path], name


def test_every_move_is_named_and_every_name_is_a_move():
    known = set(flow.current().transitions)
    said = {name for row in rows() for name in named(row[2])}
    words = {"clock", "warns", "overdue", "gridgov bulletin", "internal", "line", "docs/seal.md", "docs/visits.md"}
    assert known - said == set(), "moves that no rule names"
    assert said - known - words == set(), "names that are no moves"
