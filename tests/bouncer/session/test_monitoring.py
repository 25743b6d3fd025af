"""MONITOR and WHOX for clients, on networks that have them and on networks that have neither."""

from __future__ import annotations

import pytest

from bouncer.irc.wire import Message
from bouncer.session.events import Connected, Lost, Tick
from bouncer.session.monitoring import ISON_MS
from tests.bouncer.session.dialogue import Dialogue

PLAIN = "CHANTYPES=# PREFIX=(ov)@+"
MONITOR = PLAIN + " MONITOR=100 WHOX"


def said(talk: Dialogue, client: int = 1) -> list[tuple[str, ...]]:
    """(command, parameters…)"""
    return [(m.command, *m.params) for m in map(Message.parse, talk.seen(client))]


def sent(talk: Dialogue) -> list[str]:
    return [line for line in talk.heard() if line.split()[0] in ("MONITOR", "ISON", "WHO")]


def here(caps: str = "", isupport: str = MONITOR) -> Dialogue:
    talk = Dialogue()
    talk.connect(caps, isupport)
    talk.attach(1, ())
    talk.attach(2, ())
    talk.heard()
    return talk


def test_monitor_is_one_list_for_all_clients() -> None:
    """monitor: "If any of the targets being added are online, the server will generate
    RPL_MONONLINE numerics [...] If any of the targets being added are offline, the server will
    generate RPL_MONOFFLINE numerics" """
    talk = here()
    talk.types(1, "MONITOR + carol,dave")
    assert sent(talk) == ["MONITOR + carol,dave"]
    talk.says(":irc.test 730 * :carol!c@h", ":irc.test 731 * dave")
    assert said(talk) == [("730", "me", "carol!c@h"), ("731", "me", "dave")]
    assert said(talk, 2) == []
    talk.types(2, "MONITOR + Carol,dave,erin")
    assert sent(talk) == ["MONITOR + erin"]
    assert said(talk, 2) == [("730", "me", "carol!c@h"), ("731", "me", "dave")]
    talk.says(":irc.test 731 me carol")
    assert said(talk) == [("731", "me", "carol")]
    assert said(talk, 2) == [("731", "me", "carol")]


def test_a_target_leaves_the_list_with_the_last_who_watches_it() -> None:
    """monitor: "Removes the given list of targets [...] No output will be returned" """
    talk = here()
    talk.types(1, "MONITOR + carol")
    talk.types(2, "MONITOR + carol,dave")
    sent(talk)
    talk.types(1, "MONITOR - carol")
    assert sent(talk) == []
    talk.types(2, "MONITOR C")
    assert sent(talk) == ["MONITOR - carol,dave"]
    assert said(talk) == said(talk, 2) == []
    talk.types(1, "MONITOR + erin")
    sent(talk)
    talk.leaves(1)
    assert sent(talk) == ["MONITOR - erin"]


def test_the_list_and_the_status_are_the_clients_own() -> None:
    """monitor: "All output will use RPL_MONLIST, and the output will be terminated with
    RPL_ENDOFMONLIST" """
    talk = here()
    talk.types(1, "MONITOR + carol,bob")
    talk.says(":irc.test 731 me carol", ":irc.test 730 me bob!b@h")
    talk.seen(1)
    talk.types(1, "MONITOR L", "MONITOR S")
    assert said(talk) == [
        ("732", "me", "carol,bob"),
        ("733", "me", "End of MONITOR list"),
        ("730", "me", "bob"),
        ("731", "me", "carol"),
    ]
    talk.types(2, "MONITOR L")
    assert said(talk, 2) == [("733", "me", "End of MONITOR list")]


def test_a_full_list_is_said() -> None:
    """monitor: 734 "is used to indicate to a client that their monitor list is full" """
    talk = here()
    for start in range(0, 120, 20):
        names = ",".join(f"n{n}" for n in range(start, start + 20))
        talk.types(1, f"MONITOR + {names}")
    full = [line for line in said(talk) if line[0] == "734"]
    assert full == [("734", "me", "100", names, "Monitor list is full.")]
    assert "MONITOR=100" in " ".join(talk.attach(3))


def test_the_list_is_given_to_each_new_connection() -> None:
    talk = here()
    talk.types(1, "MONITOR + carol")
    talk.says(":irc.test 730 me carol!c@h")
    talk.event(Lost("reset"))
    talk.seen(1)
    talk.heard()
    talk.event(Connected(tls=False))
    talk.says(
        ":irc.test 001 me :Welcome",
        f":irc.test 005 me {MONITOR} :are supported by this server",
        ":irc.test 422 me :no MOTD",
    )
    assert sent(talk) == ["MONITOR + carol"]
    talk.says(":irc.test 731 me carol")
    assert ("731", "me", "carol") in said(talk)


@pytest.mark.parametrize("isupport", [PLAIN])
def test_a_network_without_monitor_is_asked_by_ison(isupport: str) -> None:
    talk = here("", isupport)
    assert "MONITOR=100" in " ".join(talk.attach(3, ()))
    talk.types(1, "MONITOR + carol,dave,bob")
    assert said(talk) == [("730", "me", "bob")]  # bob is in our channel
    assert sent(talk) == ["ISON :carol dave"]
    talk.says(":irc.test 303 me :Carol")
    assert said(talk) == [("730", "me", "Carol"), ("731", "me", "dave")]
    assert said(talk, 2) == []
    talk.says(":dave!d@h JOIN #ops")
    assert ("730", "me", "dave!d@h") in said(talk)
    talk.says(":dave!d@h NICK david", ":bob!b@h QUIT :bye")
    assert [line for line in said(talk) if line[0] in ("730", "731")] == [
        ("731", "me", "dave"),
        ("731", "me", "bob"),
    ]
    talk.now_ms += ISON_MS
    talk.event(Tick())
    assert sent(talk) == ["ISON :carol dave bob"]
    talk.says(":irc.test 303 me :bob")
    assert sorted(said(talk)) == [("730", "me", "bob"), ("731", "me", "carol")]


def test_a_clients_own_ison_stays_its_own() -> None:
    talk = here("", PLAIN)
    talk.types(1, "MONITOR + carol")
    talk.types(2, "ISON carol")
    talk.says(":irc.test 303 me :", ":irc.test 303 me :carol")
    assert said(talk) == [("731", "me", "carol")]
    assert said(talk, 2) == [("303", "me", "carol")]


def test_whom_a_client_watches_before_the_network_has_told_its_case_mapping() -> None:
    """Until then names are folded as RFC 1459 says: there `alice[m]` is `alice{m}`."""
    talk = Dialogue()
    talk.attach(1, ())
    talk.types(1, "MONITOR + alice[m]")
    talk.connect(isupport=MONITOR + " CASEMAPPING=ascii")
    talk.says(":irc.test 730 me :alice[m]!a@b")
    assert ("730", "me", "alice[m]!a@b") in said(talk)
    talk.types(1, "MONITOR - alice[m]", "MONITOR L")
    assert sent(talk) == ["MONITOR - alice[m]"]
    assert said(talk) == [("733", "me", "End of MONITOR list")]


def test_an_answer_to_our_ison_may_name_nothing_at_all() -> None:
    talk = here("", PLAIN)
    talk.types(1, "MONITOR + carol")
    talk.says(":irc.test 303")
    assert said(talk) == [("731", "me", "carol")]


def test_where_the_networks_list_is_full_ison_helps() -> None:
    talk = here()
    talk.types(1, "MONITOR + carol,dave")
    sent(talk)
    talk.says(":irc.test 734 me 1 dave :Monitor list is full.")
    assert sent(talk) == ["ISON dave"]
    talk.says(":irc.test 303 me :dave")
    assert said(talk) == [("730", "me", "dave")]
    talk.passes(ISON_MS)  # and again, for nobody else tells that he goes
    assert sent(talk) == ["ISON dave"]
    talk.says(":irc.test 303 me :")
    assert said(talk) == [("731", "me", "dave")]


def test_who_is_watched_is_told_of_by_extended_monitor_alone() -> None:
    """extended-monitor: "If away-notify is also enabled, the client will get AWAY notifications for
    monitored nicks." """
    talk = here("away-notify extended-monitor")
    both = {"away-notify", "extended-monitor"}
    for client, caps in ((3, both), (4, both), (5, {"away-notify"})):
        talk.attach(client, caps)
    talk.types(3, "MONITOR + carol")
    talk.types(5, "MONITOR + carol")
    talk.seen(3)
    talk.says(":carol!c@h AWAY :lunch", ":bob!b@h AWAY :in our channel")
    assert said(talk, 3) == [("AWAY", "lunch"), ("AWAY", "in our channel")]
    assert said(talk, 4) == said(talk, 5) == [("AWAY", "in our channel")]


# --- WHO ---


def test_whox_is_answered_from_what_we_know() -> None:
    """whox: "Servers MUST send the fields in the order specified above. Servers MUST include in
    their reply all of the standard fields requested by the client, and MUST NOT add any additional
    field not requested by the client." """
    talk = here("away-notify extended-join userhost-in-names", PLAIN)
    assert " WHOX " in " ".join(talk.attach(3, ()))
    talk.says(
        ":carol!c@h JOIN #ops caz :Carol C",
        ":irc.test 353 me = #ops :@me!user@host bob!b@h",
        ":irc.test 352 me #ops user host irc.test me H@ :0 Me",
        ":bob!b@h AWAY :lunch",
    )
    talk.seen(1)
    talk.types(1, "WHO #ops %afnt,42", "WHO carol %cuhnr")
    assert sent(talk) == []
    assert said(talk) == [
        ("354", "me", "42", "me", "H@", "0"),
        ("354", "me", "42", "bob", "G", "0"),
        ("354", "me", "42", "carol", "H", "caz"),
        ("315", "me", "#ops", "End of WHO list"),
        ("354", "me", "*", "c", "h", "carol", "Carol C"),
        ("315", "me", "carol", "End of WHO list"),
    ]
    talk.types(1, "WHO #ops %nr")
    assert sent(talk) == ["WHO #ops"]  # nobody has told bob's realname


@pytest.mark.parametrize(
    "told",
    [
        ":irc.test 352 me #ops b h irc.test bob HB :0 Bob",
        ":irc.test 335 me bob :is a bot",
    ],
)
def test_a_bot_has_its_flag(told: str) -> None:
    """bot-mode: "When a RPL_WHOREPLY (352) numeric is returned for a bot, the character used as
    the value of the ISUPPORT BOT token is returned in the flags (alongside H|G)." """
    talk = here("away-notify extended-join", PLAIN + " BOT=B")
    talk.says(":bob!b@h JOIN #ops * :Bob", told)
    talk.seen(1)
    talk.types(1, "WHO bob %nf")
    assert said(talk)[0] == ("354", "me", "bob", "HB")


@pytest.mark.parametrize(
    ("asked", "plainly"),
    [
        ("WHO #ops %nf", "WHO #ops"),  # who has gone meanwhile, nobody has told
        ("WHO bob %cuhsnfdar", "WHO bob"),
        ("WHO bob %ns", "WHO bob"),  # whose server need not be ours
        ("WHO bob %nd", "WHO bob"),
        ("WHO #ops o%n", "WHO #ops o"),
    ],
)
def test_what_changes_untold_is_asked_of_the_network(asked: str, plainly: str) -> None:
    """Clients ask again and again who is away, where no away-notify tells them. RFC 2812: "If the
    "o" parameter is passed only operators are returned"."""
    talk = here("userhost-in-names", PLAIN)
    talk.says(
        ":irc.test 352 me #ops user host irc.test me H@ :0 Me",
        ":irc.test 352 me #ops b h hub.test bob H :2 Bob",
    )
    talk.types(1, asked)
    assert sent(talk) == [plainly]


def test_whox_is_made_of_the_networks_plain_who() -> None:
    """whox: "Servers MUST NOT send RPL_WHOREPLY replies." """
    talk = here("account-notify", PLAIN)
    talk.says(":bob!b@h ACCOUNT bobby")
    talk.types(1, "WHO #elsewhere %tnar,7")
    assert sent(talk) == ["WHO #elsewhere"]
    talk.says(
        ":irc.test 352 me #elsewhere b h irc.test bob H :0 Bob B",
        ":irc.test 315 me #elsewhere :End",
    )
    assert said(talk) == [
        ("354", "me", "7", "bob", "bobby", "Bob B"),
        ("315", "me", "#elsewhere", "End"),
    ]
    assert said(talk, 2) == []


def test_a_network_with_whox_is_asked() -> None:
    talk = here()
    talk.types(1, "WHO #ops %na", "WHO bob")
    assert sent(talk) == ["WHO #ops %na", "WHO bob"]


# --- numerics ---


def test_numerics_carry_the_clients_nick_and_never_a_star() -> None:
    """monitor: "the server may send "*" instead of the nick": some clients take that for nobody."""
    talk = here()
    talk.says(":irc.test 329 * #ops 1700000000")
    assert said(talk) == [("329", "me", "#ops", "1700000000")]


def test_away_keeps_its_text() -> None:
    talk = here()
    talk.types(1, "AWAY :Gone to lunch.  Back in 5")
    assert "AWAY :Gone to lunch.  Back in 5" in talk.heard()


def test_no_client_hears_answers_to_what_it_did_not_ask() -> None:
    talk = here()
    talk.types(1, "JOIN #new", "MODE #new")
    talk.joined("#new")
    talk.says(":irc.test 324 me #new +nt", ":irc.test 329 me #new 1700000000")
    assert [line[0] for line in said(talk)] == ["JOIN", "353", "366", "324", "329"]
    assert [line[0] for line in said(talk, 2)] == ["JOIN", "353", "366"]


@pytest.mark.parametrize("isupport", ["CHANTYPES=#", "CHANTYPES=# MONITOR=100"])
def test_who_is_seen_to_be_here_is_told_of_once(isupport: str) -> None:
    """IRCv3 monitor, RPL_MONONLINE: "used to indicate to a client that either a target has just
    become online, or that a target they have added to their monitor list is online"."""
    talk = Dialogue()
    talk.connect(isupport=isupport)
    talk.attach(1, ())
    talk.types(1, "MONITOR + bob")
    talk.says(":irc.test 730 me :bob!b@h", ":bob!b@h JOIN #ops")
    assert [line for line in talk.seen(1) if " 730 " in line] == [":muster.test 730 me bob"]
    talk.says(":irc.test 731 me :bob")
    assert [line for line in talk.seen(1) if " 731 " in line] == [":muster.test 731 me bob"]
