"""Why the protocol core is our own: the `irc` library beside it, on lines as servers send them.

Each test shows the library's way first. One that fails here means that the library has become
right, and that our own code may be looked at again. Where it is right, its names are used.
"""

from __future__ import annotations

import pytest
from irc.client import NickMask, ServerConnection, _rfc_1459_command_regexp
from irc.events import numeric
from irc.features import FeatureSet
from irc.message import Arguments
from irc.modes import parse_channel_modes
from irc.strings import IRCFoldedCase

from bouncer.irc import numerics
from bouncer.irc.casemap import CaseMapping
from bouncer.irc.isupport import ISupport
from bouncer.irc.modes import parse_modes
from bouncer.irc.wire import LineReader, Message


def test_it_drops_tokens_without_a_value() -> None:
    words = ["me", "WHOX", "SAFELIST", "NETWORK=Example", "are supported by this server"]
    features = FeatureSet()
    features.load(words)
    assert not hasattr(features, "whox")
    isupport = ISupport()
    isupport.update(words)
    assert isupport.whox
    assert "SAFELIST" in isupport.tokens


def test_it_raises_on_tokens_a_server_may_send() -> None:
    for token in ("TARGMAX=PRIVMSG", "PREFIX=", "PREFIX=@+", "MAXLIST=b:x", ""):
        words = ["me", token, "are supported by this server"]
        ISupport().update(words)
    for token in ("TARGMAX=PRIVMSG", "PREFIX=@+", "MAXLIST=b:x", ""):
        with pytest.raises((ValueError, IndexError)):
            FeatureSet().load(["me", token, "are supported by this server"])


def test_it_folds_case_by_unicode() -> None:
    assert IRCFoldedCase("straße").casefold() == "strasse"  # another nick
    assert IRCFoldedCase("Ä").lower() == "ä"
    for mapping in CaseMapping:
        assert mapping.fold("straße") == "straße"
        assert mapping.fold("Ä") == "Ä"


def test_it_splits_parameters_at_any_space_of_unicode() -> None:
    assert list(Arguments.from_group("#c\u3000d \x1dnick :why")) == ["#c", "d", "nick", "why"]
    assert Message.parse("KICK #c\u3000d \x1dnick :why").params == ("#c\u3000d", "\x1dnick", "why")


def test_it_gives_mode_arguments_to_the_wrong_letters() -> None:
    # On a network with +f (forward, or flood limits), an operator is taken for its argument.
    assert parse_channel_modes("+fo #other alice") == [["+", "f", None], ["+", "o", "#other"]]
    isupport = ISupport()
    isupport.update(["me", "CHANMODES=beI,k,fl,imnpst", "are supported by this server"])
    assert parse_modes(isupport, ["+fo", "#other", "alice"]) == [
        (True, "f", "#other"),
        (True, "o", "alice"),
    ]


def test_it_reads_modes_without_a_sign_as_nothing() -> None:
    assert parse_channel_modes("b") == []
    assert parse_modes(ISupport(), ["b"]) == [(True, "b", None)]


def test_an_empty_line_stops_it() -> None:
    match = _rfc_1459_command_regexp.match("")
    assert match is None or match.group("command") is None  # and process_data goes on with it
    assert LineReader().feed(b"\r\n\r\n") == []


def test_its_line_buffer_has_no_bound() -> None:
    theirs, ours = ServerConnection.buffer_class(), LineReader()
    for _ in range(20):
        theirs.feed(b"x" * 4096)
        ours.feed(b"x" * 4096)
    assert len(theirs.buffer) == 20 * 4096
    assert len(ours._rest) <= ours.limit


def test_it_splits_masks_as_we_do() -> None:
    mask = NickMask("alice!a@host.example")
    assert (mask.nick, mask.user, mask.host) == ("alice", "a", "host.example")
    assert Message("JOIN", ("#c",), "alice!a@host.example").nick == mask.nick


def test_our_numerics_bear_the_names_the_library_knows() -> None:
    known = {
        name: code for name, code in vars(numerics).items() if name.startswith(("RPL_", "ERR_"))
    }
    assert len(set(known.values())) == len(known)
    agreeing = [
        name
        for name, code in known.items()
        if code in numeric and str(numeric[code]) == name.partition("_")[2].lower()
    ]
    assert 4 * len(agreeing) > 3 * len(known)
    assert numerics.name_of("433") == "nicknameinuse"
    assert numerics.name_of("999") == "999"
