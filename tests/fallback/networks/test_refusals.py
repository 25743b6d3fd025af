"""What a numeric refuses, by whom it names and whether we are there."""

from __future__ import annotations

import pytest

from bouncer.irc.state import NetworkState
from bouncer.irc.wire import Message
from fallback.networks.refusals import LONGEST_S, MUTED_S, TOO_FAST_S, What, read_refusal


def state() -> NetworkState:
    seen = NetworkState("fb")
    for line in (":s 001 fb :hello", ":s 005 fb CHANTYPES=# :ok", ":fb!f@h JOIN #lobby"):
        seen.receive(Message.parse(line))
    return seen


@pytest.mark.parametrize(
    ("line", "what", "wait_s"),
    [
        ("433 fb wanted :Nickname is already in use", What.NICK, MUTED_S),
        ("437 fb wanted :Nick/channel is temporarily unavailable", What.NICK, MUTED_S),
        ("437 fb #lobby :Cannot change nickname while banned on channel", What.NICK, MUTED_S),
        ("437 fb #room :Nick/channel is temporarily unavailable", What.ENTRY, MUTED_S),
        ("480 fb #room :Cannot join channel (+j) - throttle exceeded", What.ENTRY, MUTED_S),
        ("439 fb #room :Target change too fast. Please wait 9 seconds.", What.ENTRY, 9.0),
        ("477 fb #room :Cannot join channel (+r)", What.ENTRY, MUTED_S),
        ("477 fb #lobby :You need to identify to speak", What.SPEECH, MUTED_S),
        ("404 fb #lobby :Cannot send to nick/channel", What.SPEECH, MUTED_S),
        ("415 fb #lobby :Cannot send message to channel (+R)", What.SPEECH, MUTED_S),
        ("707 fb #lobby :Targets changing too fast, message dropped", What.SPEECH, TOO_FAST_S),
        ("707 fb al :Targets changing too fast, message dropped", What.TOO_MANY, TOO_FAST_S),
        ("439 fb al :Message target change too fast. Please wait 86 seconds", What.TOO_MANY, 86.0),
        ("439 fb al :Please wait 99999 seconds", What.TOO_MANY, LONGEST_S),
        ("716 fb al :is in +g mode (server-side ignore)", What.PERSON, MUTED_S),
        ("717 fb al :has been informed that you messaged them.", What.PERSON, MUTED_S),
        ("486 fb al :You must log in to message this user", What.PERSON, MUTED_S),
        ("401 fb al :No such nick/channel", What.PERSON, MUTED_S),
    ],
)
def test_a_numeric_says(line: str, what: What, wait_s: float) -> None:
    refusal = read_refusal(Message.parse(f":s {line}"), state())
    assert refusal is not None
    assert (refusal.what, refusal.wait_s) == (what, wait_s)


@pytest.mark.parametrize(
    "line", ["404", "707 fb", "401 fb #gone :No such channel", "716", "353 fb = #lobby :fb", "439"]
)
def test_what_names_nobody_refuses_nothing(line: str) -> None:
    assert read_refusal(Message.parse(f":s {line}"), state()) is None
