"""Networks as attributes: what is told adds up. Quotes: soju.im/bouncer-networks."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bouncer.irc.bouncer_networks import WRITABLE, Networks, changed, listed, parse
from bouncer.irc.standard_replies import Refused
from bouncer.irc.wire import Message, parse_tags

values = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
attributes = st.dictionaries(
    st.sampled_from(["name", "state", "host", "port", "error", "realname"]), values, min_size=1
)
networks = st.dictionaries(st.sampled_from(["1", "2", "3"]), attributes)


def told(model: dict[str, dict[str, str]], messages: list[Message]) -> None:
    """What a client makes of what it hears."""
    for message in (Message.parse(str(message)) for message in messages):
        subcommand, netid, text = message.params
        assert (message.command, subcommand) == ("BOUNCER", "NETWORK")
        if text == "*":
            del model[netid]
            continue
        known = model.setdefault(netid, {})
        for name, value in parse_tags(text).items():
            # "An attribute without a value means that the attribute has been removed."
            known.pop(name, None) if not value else known.update({name: value})


@given(st.lists(networks, min_size=2, max_size=6))
def test_who_adds_up_what_is_told_knows_how_things_stand(history: list[Networks]) -> None:
    model: dict[str, dict[str, str]] = {}
    told(model, listed(history[0], "muster.test", ""))
    for before, after in pairwise(history):
        told(model, changed(before, after, "muster.test"))
        assert model == after


@given(networks)
def test_what_has_not_changed_is_not_told(now: Networks) -> None:
    """ "The notification SHOULD NOT contain attributes that haven't been updated." """
    assert changed(now, now, "muster.test") == []


@given(st.lists(st.text(max_size=20), max_size=4))
def test_whatever_is_asked_is_understood_or_refused(params: list[str]) -> None:
    try:
        asked = parse(params)
    except Refused as refused:
        line = refused.reply("muster.test")
    else:
        line = Message("BOUNCER")
        assert set(getattr(asked, "attributes", {})) <= set(WRITABLE)
    assert line.encode()
