"""docs/workflows.md keeps up with workflows/*.yaml, and the command that checks a folder."""

import shutil

import pytest
from click.testing import CliRunner

from gridgov.config import ROOT
from gridgov.issues import cli, flow, handbook
from gridgov.people.models import Role
from gridgov.workflow_proof import parked_from


@pytest.fixture
def folder(tmp_path):
    """A copy of the policy files, to be spoilt."""
    return shutil.copytree(ROOT / "workflows", tmp_path / "workflows")


def test_docs_workflows_md_is_up_to_date(app):
    fresh = handbook.text()
    assert handbook.FILE.read_text("utf-8") == fresh, "run `python -m gridgov workflow diagram --write`"


def test_every_state_transition_field_and_role_is_told_in_both_languages(app):
    words, workflow = handbook.text(), flow.current()
    for part in (*workflow.states.values(), *workflow.transitions.values()):
        assert part.label["zh"] in words and part.label["en"] in words and f"`{part.name}`" in words
    used = {name for step in workflow.transitions.values() for name in (*step.needs, *step.may)}
    assert all(workflow.fields[name].label["zh"] in words for name in used)
    acting = {name.rpartition(":")[2] for step in workflow.transitions.values() for name in step.by} & set(
        map(str, Role)
    )
    assert all(
        f"`{role}`" in words or f"above:{role}`" in words or f"area:{role}`" in words for role in acting
    )


def test_the_diagram_draws_every_move_between_states_and_both_ends(app):
    drawn = handbook.text().split("```mermaid")[1].split("```")[0]
    workflow = flow.current()
    assert f"[*] --> {workflow.start}" in drawn
    for step in workflow.transitions.values():
        for source in step.sources:
            targets = {"same": [], "back": parked_from(workflow)}.get(step.to, [step.to])
            assert all(f"{source} --> {target}: {step.label['zh']}" in drawn for target in targets)
    assert all(f"{s.name} --> [*]" in drawn for s in workflow.states.values() if not s.open)


def test_deadlines_are_told_as_the_policy_files_say_them(app):
    words = handbook.text()
    assert "受理 accept：4 小时（昼夜不停）" in words
    assert "办结 resolve：3 个工作日" in words
    assert "等待上报人答复 silent reporter：7 个自然日" in words


def test_tables_have_as_many_cells_in_every_row(app):
    tables = [block for block in handbook.text().split("\n\n") if block.startswith("| ")]
    assert len(tables) == 4
    for table in tables:
        assert len({line.count(" | ") for line in table.strip().splitlines() if line.startswith("| ")}) == 1


def test_a_good_folder_is_proven(folder):
    outcome = CliRunner().invoke(cli.check, [str(folder)])
    assert outcome.exit_code == 0 and "all proven" in outcome.output


def test_a_bad_file_is_refused_with_file_line_and_reason(folder):
    path = folder / "issue.yaml"
    path.write_text(path.read_text("utf-8").replace("do: [claim]", "do: [clam]"), "utf-8")
    line = next(n for n, text in enumerate(path.read_text("utf-8").splitlines(), 1) if "clam" in text)
    outcome = CliRunner().invoke(cli.check, [str(folder)])
    assert outcome.exit_code == 1
    assert f"issue.yaml:{line}: unknown effect 'clam'" in outcome.output


def test_a_bad_role_file_is_refused_too(folder):
    path = folder / "roles.yaml"
    path.write_text(path.read_text("utf-8").replace("sees: own", "sees: everything", 1), "utf-8")
    outcome = CliRunner().invoke(cli.check, [str(folder)])
    assert outcome.exit_code == 1 and "roles.yaml:" in outcome.output


def test_the_command_tells_when_the_document_is_stale(app, tmp_path, monkeypatch):
    stale = tmp_path / "workflows.md"
    monkeypatch.setattr(handbook, "FILE", stale)
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    stale.write_text("old", "utf-8")
    assert CliRunner().invoke(cli.diagram, ["--check"]).exit_code == 1
    assert CliRunner().invoke(cli.diagram, ["--write"]).exit_code == 0
    assert CliRunner().invoke(cli.diagram, ["--check"]).exit_code == 0
    assert stale.read_text("utf-8") == handbook.text()
