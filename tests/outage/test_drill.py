"""`make drill` tells the outage, ends with a table, and its exit code says what happened."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.outage import drill
from tests.outage.story import StepFailed, Story
from tests.real import needs

ROOT = Path(__file__).parents[2]


@pytest.mark.outage
@pytest.mark.timeout(600)
def test_the_whole_outage_is_green_and_announced_in_time() -> None:
    needs.require(*drill.PROGRAMS)
    done = subprocess.run(
        [sys.executable, "-m", "tests.outage.drill"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    announced = re.search(r"cut -> announced +\| +([\d.]+) s", done.stdout)
    assert announced
    assert float(announced[1]) <= 30, done.stdout
    for moment in ("detected", "all found"):
        assert re.search(rf"cut -> {moment} +\| +[\d.]+ s", done.stdout), done.stdout
    assert re.search(r"^\d\d:\d\d:\d\dZ", done.stdout), "time stamps"


def test_what_is_missing_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """ "says so with exit 2 and one line to install them"."""
    assert drill.main(programs=("no-such-ircd", "no-such-nft")) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "apt install no-such-ircd no-such-nft" in said


def test_a_step_that_is_not_observed_fails_the_story() -> None:
    story = Story(io.StringIO())
    with pytest.raises(StepFailed, match=r"not observed: the sun rises(.|\n)*it was dark"):  # noqa: SIM117
        with story.step("the sun rises"):
            raise AssertionError("it was dark")
    assert story.steps == 0


def test_the_table_shows_what_was_seen_and_what_was_not() -> None:
    out = io.StringIO()
    story = Story(out)
    story.marks = {"cut": 100.0, "announced": 121.25, "healed": 130.0, "closed": 150.0}
    drill.report(story)
    assert re.search(r"cut -> announced +\| 21\.2 s +\| <= 30 s", out.getvalue())
    assert re.search(r"cut -> all found +\| not seen", out.getvalue())
