"""What the set-up rests on: every package pinned and hashed, every setting described, steps that remember rightly."""

import dataclasses
import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from gridgov.config import ROOT, Config

PINS = ["requirements.txt", "tests/requirements.txt", "gridgov/frontend/requirements.txt"]


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / ".ci")
    module = importlib.import_module("steps")
    monkeypatch.setattr(module, "MARKS", str(tmp_path / "marks"))
    return module


@pytest.mark.parametrize("name", PINS)
def test_every_package_is_pinned_with_hashes_and_no_place_to_get_it_from(name):
    text = (ROOT / name).read_text()
    entries = [
        part for part in text.replace("\\\n", " ").splitlines() if part and not part.lstrip().startswith("#")
    ]
    assert entries
    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []
    assert "://" not in text


def test_every_name_that_is_wanted_is_pinned():
    for name in PINS:
        folder = (ROOT / name).parent
        pinned = {
            line.partition("==")[0].lower().replace("_", "-")
            for line in (ROOT / name).read_text().splitlines()
        }
        for line in (folder / "requirements.in").read_text().splitlines():
            wanted = (
                line.partition("#")[0].partition("<")[0].partition("[")[0].strip().lower().replace("_", "-")
            )
            assert wanted in pinned | {""} or wanted.startswith("-c "), (
                f"{wanted} of {folder}: run `make lock`"
            )


def test_every_setting_is_described():
    text = (ROOT / "docs" / "configure.md").read_text()
    fields = [f"`GRIDGOV_{field.name.upper()}`" for field in dataclasses.fields(Config)]
    assert [name for name in fields if name not in text] == []


def test_a_step_is_done_only_with_its_mark_and_its_product(steps, tmp_path):
    product = tmp_path / "product"
    product.touch()
    assert not steps.up_to_date("step", "inputs", str(product))
    steps.mark("step", "inputs")
    assert steps.up_to_date("step", "inputs", str(product))
    assert not steps.up_to_date("step", "other inputs", str(product))
    product.unlink()
    assert not steps.up_to_date("step", "inputs", str(product))


def test_a_step_that_fails_shows_what_it_said_and_is_refused(steps, capsys):
    with pytest.raises(steps.Refused, match=r"Broken: .* failed with status 3"):
        steps.step("Broken", [sys.executable, "-c", "print('the reason'); raise SystemExit(3)"])
    assert "the reason" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_what_the_set_up_started_ends_with_it(tmp_path, number):
    child_program = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"
    argv = [sys.executable, "-c", child_program, str(tmp_path / "pid")]
    program = (
        "import signal, steps\n"
        "for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, steps.interrupted)\n"
        f"steps.step('Long', {argv!r})\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / ".ci")}
    parent = subprocess.Popen([sys.executable, "-c", program], env=environment)
    end = time.monotonic() + 20
    while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text()):
        assert time.monotonic() < end
        time.sleep(0.02)
    parent.send_signal(number)
    assert parent.wait(20) != 0
    child = Path("/proc") / (tmp_path / "pid").read_text()
    while child.exists() and (child / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < end
        time.sleep(0.02)
