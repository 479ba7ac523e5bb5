"""The check with the killings, in short; and the proof that it would notice: without a safeguard it must fail."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
COUNTS = ("faults_missed", "faults_doubled", "faults_lost_notices", "faults_notices_twice")


def check(*arguments: str) -> tuple[int, dict[str, int]]:
    """Run bench/faults.py. Returns its exit status and what it counted."""
    argv = [sys.executable, "-m", "bench.faults", *arguments]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=600)
    counted = dict(line.split() for line in done.stdout.splitlines())
    assert counted, done.stderr[-2000:]
    return done.returncode, {name: int(value) for name, value in counted.items()}


@pytest.mark.slow
def test_nothing_is_missed_doubled_or_lost_while_everything_is_killed():
    status, found = check("--timers", "1000", "--seed", "8")
    assert {name: found[name] for name in COUNTS} == dict.fromkeys(COUNTS, 0)
    assert status == 0
    assert found["fired"] + found["void"] >= 1000
    assert found["kills"] > 20
    assert found["dead"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("broken", "seen"),
    [("fence", "faults_doubled"), ("lock", "faults_doubled"), ("idempotency", "faults_notices_twice"),
     ("lease", "faults_lost_notices")],
)  # fmt: skip
def test_without_a_safeguard_the_check_fails(broken, seen):
    status, found = check("--timers", "300", "--break", broken)
    assert status == 1
    assert found[seen] > 0
