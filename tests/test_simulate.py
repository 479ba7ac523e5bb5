"""The simulation: the same for the same seed, moved by its policy, complete in its counts, and gone without a trace."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import click
import pytest
import sqlalchemy as sa

from gridgov import cli, db
from gridgov.errors import PolicyError
from gridgov.simulate import arrivals, desks, model

ROOT = Path(__file__).resolve().parent.parent
SMALL = ("--days", "6", "--micro-grids", "26", "--issues-per-day", "12")
TABLES = ("levels.csv", "totals.csv", "days.csv")


def start(tmp: Path, *options: str, **env: str) -> "subprocess.Popen[str]":
    tmp.mkdir(exist_ok=True)
    tmp.chmod(0o755)
    argv = [sys.executable, "-m", "gridgov", "simulate", *options]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GRIDGOV_")}
    return subprocess.Popen(argv, cwd=ROOT, env=clean | {"TMPDIR": str(tmp)} | env, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip


def simulate(tmp: Path, *options: str, **env: str) -> tuple[int, str, str]:
    """Run it to its end. Returns status, output, errors."""
    process = start(tmp, *options, **env)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def policy(folder: Path, *changes: tuple[str, str]) -> Path:
    """A copy of the policy files with changes to levels.yaml or issue.yaml."""
    shutil.copytree(ROOT / "workflows", folder)
    for name in ("levels.yaml", "issue.yaml"):
        text = (folder / name).read_text("utf-8")
        for before, after in changes:
            text = text.replace(before, after)
        (folder / name).write_text(text, "utf-8")
    return folder


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy that leaves villages two hours where the other leaves days; nothing else differs."""
    folder = policy(tmp_path_factory.mktemp("policies") / "hasty")
    text = (folder / "levels.yaml").read_text("utf-8")
    head, village = text.split("  village:\n")
    village = re.sub(r"resolve: \{within: 3d, clock: work_day\}", "resolve: {within: 2h, clock: work_hour}", village, count=1)
    (folder / "levels.yaml").write_text(f"{head}  village:\n{village}", "utf-8")
    return folder


@pytest.fixture(scope="module")
def played(hasty: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], Path]:
    """What both policies come to, and the folder of the report."""
    tmp = tmp_path_factory.mktemp("both")
    status, out, err = simulate(
        tmp / "t", *SMALL, "--policy", "workflows", "--policy", str(hasty), "--out", str(tmp / "out"), "--json"
    )
    assert status == 0, err
    assert list((tmp / "t").iterdir()) == []
    return json.loads(out), tmp / "out"


@pytest.mark.slow
def test_the_same_seed_and_policy_write_the_same_tables_and_another_seed_does_not(played, tmp_path):
    for seed, same in ("1", True), ("2", False):
        status, _out, err = simulate(tmp_path / seed, *SMALL, "--seed", seed, "--out", str(tmp_path / "again"))
        assert status == 0, err
        for name in TABLES:
            first = [line for line in (played[1] / name).read_text("utf-8-sig").splitlines() if not line.startswith("hasty")]
            assert ((tmp_path / "again" / name).read_text("utf-8-sig").splitlines() == first) is same, name


@pytest.mark.slow
def test_both_policies_see_the_same_reports(played):
    first, second = ([day["reported"] for day in one["days"]] for one in played[0])
    assert first == second
    assert sum(first) > 30


@pytest.mark.slow
def test_a_shorter_limit_of_the_village_passes_more_up_by_deadline(played):
    before, after = (one["levels"]["village"]["up_by_deadline"] for one in played[0])
    assert after > before


@pytest.mark.slow
def test_nothing_is_lost_between_what_came_and_what_became_of_it(played):
    for one in played[0]:
        totals, days, moves = one["totals"], one["days"], one["moves"]
        assert totals["reported"] == totals["ended"] + totals["open"] == moves["report"] == sum(day["reported"] for day in days)
        assert days[-1]["open"] == totals["open"] == sum(days[-1][f"open_{level}"] for level in model.LEVELS)
        assert all(0 <= row["load"] <= 1 for row in one["levels"].values())
        for row in one["levels"].values():
            assert row["came"] == row["over"] + row["still"]
            assert row["accepted"] <= row["came"]
        entries = totals["reported"] + sum(moves.get(name, 0) for name in ("escalate", "overdue_up", "pass_up", "dispatch", "return"))
        back = sum(row["came"] for row in one["levels"].values()) - entries
        assert 0 <= back <= moves.get("rework", 0) + moves.get("contest", 0)  # Sent back to a unit that had passed it on.


@pytest.mark.slow
def test_the_page_shows_both_and_asks_the_network_for_nothing(played):
    text = (played[1] / "report.html").read_text("utf-8")
    assert "hasty" in text
    assert "模拟报告" in text
    assert text.count("<polyline") >= 13
    assert re.findall(r"(?:src|href)=|https?://|<script|@import|url\(", text) == []


@pytest.mark.slow
def test_an_interruption_leaves_nothing_running_and_nothing_behind(tmp_path):
    tmp = tmp_path / "t"
    process = start(tmp, "--days", "400", "--out", str(tmp_path / "out"))
    end = time.monotonic() + 60
    while not list(tmp.glob("gridgov-sim-*/order.json")):
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(2)  # Into the work of the child.
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert list(tmp.iterdir()) == []
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert [line for line in running if str(tmp).encode() in line] == []


@pytest.mark.slow
def test_on_a_named_server_it_makes_databases_of_its_own_and_drops_them(servers, tmp_path):
    def there() -> set[str]:
        engine = sa.create_engine(db.sqlalchemy_url(servers[0]))
        with engine.connect() as connection:
            found = set(connection.scalars(sa.text("SELECT datname FROM pg_database")))
        engine.dispose()
        return found

    before = there()
    options = ("--days", "1", "--micro-grids", "3", "--out", str(tmp_path / "out"), "--lang", "en", "--on-server")
    status, out, err = simulate(tmp_path / "t", *options, GRIDGOV_DATABASE_URL=servers[0])
    assert status == 0, err
    assert "Micro grid" in out
    assert {name for name in there() - before if name.startswith("gridgov_simulation_")} == set()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([("accept: {within: 4h, clock: urgent_hour}", "accept: {within: 4x, clock: urgent_hour}")], r"levels\.yaml.*\d+.*4x"),
        ([("overdue: [overdue_up, remind]", "overdue: [overdue_up]")], r"issue\.yaml.*\d+.*overdue"),
    ],
)
def test_a_policy_that_is_wrong_is_refused_with_file_and_line_before_anything_is_started(tmp_path, changes, said):
    bad = policy(tmp_path / "bad", *changes)
    status, _out, err = simulate(tmp_path / "t", "--policy", str(bad), "--out", str(tmp_path / "out"))
    assert status == 1
    assert re.search(said, err), err
    assert list((tmp_path / "t").iterdir()) == []
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--days", "0"), "--days"),
        (("--micro-grids", "none"), "--micro-grids"),
        (("--issues-per-day", "-3"), "--issues-per-day"),
        (("--policy", "/nowhere/at/all"), "does not exist"),
        (("--policy", "workflows", "--policy", "workflows"), "twice"),
        (("--on-server",), "GRIDGOV_DATABASE_URL"),
    ],
)
def test_a_wrong_option_is_refused_in_words(tmp_path, options, said):
    status, _out, err = simulate(tmp_path / "t", *options, "--out", str(tmp_path / "out"))
    assert status == 2
    assert said in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("step_min: 15", "step_min: 0", "whole number"),
        ("found_bad: 0.07", "found_bad: 7", "share"),
        ("start: 2026-03-02", "start: March", "day"),
        ('"0101": {mix: 5.0, settles: [0.5,', '"0101": {mix: 5.0, settles: [0.9,', "more than 1"),
        ("hours: office}", "hours: never}", "office or day"),
        ("  declines: 0.08 ", "  refuses: 0.08 ", "unknown key"),
    ],
)
def test_assumptions_that_make_no_sense_are_refused_with_their_line(tmp_path, before, after, said):
    text = model.FILE.read_text("utf-8")
    assert before in text
    path = tmp_path / f"{uuid4()}.yaml"
    path.write_text(text.replace(before, after, 1), "utf-8")
    with pytest.raises(PolicyError, match=said) as refused:
        model.load(path)
    assert refused.value.line and refused.value.line > 1


def test_reports_are_as_many_as_assumed_and_never_depend_on_anything_but_the_seed():
    found = model.load()
    micro = [(f"430581100200{n:03d}", 60) for n in range(1, 11)]
    one = list(arrivals.stream(found, 7, micro, 60, 40.0))
    assert one == list(arrivals.stream(found, 7, micro, 60, 40.0))
    assert one != list(arrivals.stream(found, 8, micro, 60, 40.0))
    assert [a.n for a in one] == list(range(1, len(one) + 1))
    assert [a.at for a in one] == sorted(a.at for a in one)
    assert 0.8 < len(one) / (60 * 40) < 1.2


def test_draws_belong_to_their_key_and_have_the_median_that_is_asked_for():
    assert model.draw(1, 2, "x") == model.draw(1, 2, "x") != model.draw(1, 2, "y")
    times = sorted(model.lognormal((10.0, 0.7), n) for n in range(2001))
    assert 9 < times[1000] < 11
    assert [model.pick([0, 1, 0], n) for n in range(20)] == [1] * 20


def test_people_do_one_thing_at_a_time_urgent_first_and_only_in_their_hours():
    monday = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)  # Eight in the morning in Wugang.
    desk = desks.Desk("village", [desks.Worker(uuid4())], 0.5, desks.BY_DAY)

    def case(n: int, *, urgent: bool = False) -> Any:
        return SimpleNamespace(n=n, urgent=urgent, token=0)

    desk.offer(desks.Task(case(1), "look", 0, 1800, monday))
    desk.offer(desks.Task(case(2), "look", 0, 600, monday))
    desk.offer(desks.Task(case(3, urgent=True), "look", 0, 600, monday))
    gone = case(4)
    desk.offer(desks.Task(gone, "look", 0, 600, monday))
    gone.token = 1
    done = []
    while begun := desk.take_up(monday + timedelta(days=9)):
        ((ends, worker, task),) = begun
        done.append((task.case.n, (ends - monday) // timedelta(minutes=1)))
        worker.busy = False
    assert done == [(3, 10), (1, 70), (2, 90)]
    late = monday + timedelta(hours=13)  # Nine in the evening: half an hour is left of the day.
    desk.offer(desks.Task(case(5), "look", 0, 1800, late))
    ((ends, worker, _task),) = desk.take_up(monday + timedelta(days=9))
    assert ends == monday + timedelta(days=1, minutes=-30)
    assert worker.busy_s == (10 + 60 + 20 + 60) * 60


@pytest.mark.parametrize("status", [1, 3, 130])
def test_a_command_that_leaves_with_a_status_gives_it_to_the_shell(monkeypatch, status):
    def leave() -> None:
        raise click.exceptions.Exit(status)

    monkeypatch.setitem(cli.gridgov.commands, "leave", click.Command("leave", callback=leave))
    monkeypatch.setattr(sys, "argv", ["gridgov", "leave"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == status
