"""Logs: to stderr in either form, and without the variables that hold secrets."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SCRIPT = """
import structlog
from bouncer import logs
logs.set_up({form!r}, quiet={quiet}, waits={waits})
log = structlog.get_logger("x")
def login(password):
    raise RuntimeError("no such luck")
log.info("serving", address="127.0.0.1:6697")
try:
    login("hunter" + str(1 + 1))
except RuntimeError:
    log.exception("failed")
log.warning("disconnected", reason="\\x1b[2Jgone", nick="a\\u202eb")
import logging
logging.getLogger("storage.writer").error("the disk is %s", "full")
"""


def logged(form: str, *, quiet: bool = False, waits: bool = True) -> str:
    script = SCRIPT.format(form=form, quiet=quiet, waits=waits)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    return done.stderr


@pytest.mark.parametrize("waits", [True, False], ids=["waits", "waits not"])
def test_json_is_one_object_a_line(waits: bool) -> None:
    lines = logged("json", waits=waits).splitlines()
    first, second, odd, third = [json.loads(line) for line in lines]
    assert (first["event"], first["level"]) == ("serving", "info")
    assert first["address"] == "127.0.0.1:6697"
    assert first["timestamp"].endswith("Z")
    assert second["exception"][0]["exc_type"] == "RuntimeError"
    assert odd["reason"] == "\x1b[2Jgone"
    assert (third["event"], third["level"]) == ("the disk is full", "error")
    assert (third["logger"], third["timestamp"][-1]) == ("storage.writer", "Z")


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_shows_no_variables(form: str) -> None:
    text = logged(form)
    assert "no such luck" in text
    assert "hunter2" not in text


def test_a_terminal_is_sent_no_control_characters() -> None:
    """They come from networks and clients, and would be obeyed."""
    text = logged("console")
    assert r"\x1b[2Jgone" in text
    assert r"a\u202eb" in text
    assert all(line.isprintable() for line in text.splitlines())


def test_quiet_keeps_to_what_is_wrong() -> None:
    text = logged("console", quiet=True)
    assert "serving" not in text
    assert "failed" in text
