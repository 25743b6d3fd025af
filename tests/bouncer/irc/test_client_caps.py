"""CAP with a client, and what may come before registration. Quotes: IRCv3
capability-negotiation."""

from __future__ import annotations

from bouncer.irc.caps import UPSTREAM_WANTED, offered
from bouncer.irc.registration import DownstreamRegistration
from bouncer.irc.wire import MAX_LINE, Message
from tests.bouncer.irc.newcomer import NICK_AND_USER, OFFERED, SERVER, Client, registered


def test_cap_ls_without_a_version_has_no_values_and_one_line() -> None:
    """
    "If a client has not indicated support for CAP LS 302 features, the server MUST NOT send
    these new features to the client."""
    caps = {f"vendor.example/capability-number-{n}": "value" for n in range(60)}
    client = Client({"sasl": "PLAIN"} | caps)
    (line,) = client.says("CAP LS")
    assert line.startswith("CAP * LS :sasl vendor.example/capability-number-0 ")
    assert "=" not in line
    assert len(line) <= MAX_LINE


def test_an_old_client_is_listed_what_it_may_know() -> None:
    """What does not fit into its one line are drafts, and extensions of clients that say 302."""
    client = Client(offered(UPSTREAM_WANTED))
    (line,) = client.says("CAP LS")
    left_out = set(offered(UPSTREAM_WANTED)) - set(line.partition(" :")[2].split(" "))
    assert left_out
    assert all(name.startswith(("draft/", "soju.im/")) for name in left_out)


def test_cap_ls_302_takes_lines_as_it_needs() -> None:
    caps = {f"vendor.example/capability-number-{n}": "value" for n in range(60)}
    client = Client(caps)
    *first, last = client.us.receive(Message.parse("CAP LS 307"))
    assert first
    assert isinstance(last, Message)
    listed = []
    for line in first:
        assert isinstance(line, Message)
        assert line.params[:3] == ("*", "LS", "*")
        assert len(line.encode()) <= MAX_LINE
        listed += line.params[3].split(" ")
    listed += last.params[2].split(" ")
    assert listed == [f"{name}=value" for name in caps]


def test_a_server_without_capabilities_says_so() -> None:
    """Spec: "If no capabilities are available, an empty parameter MUST be sent."""
    assert Client({}).says("CAP LS 302", "CAP LS", "CAP LIST") == [
        "CAP * LS :", "CAP * LS :", "CAP * LIST :",
    ]  # fmt: skip


def test_a_request_is_taken_whole_or_not_at_all() -> None:
    client = Client()
    client.says("CAP LS")
    assert client.says("CAP REQ :server-time nonsense") == ["CAP * NAK :server-time nonsense"]
    assert client.us.caps == set()
    assert client.says("CAP REQ server-time batch") == ["CAP * ACK :server-time batch"]
    assert client.says("CAP REQ :-batch -invite-notify") == ["CAP * ACK :-batch -invite-notify"]
    assert client.us.caps == {"server-time"}
    assert client.says("CAP LIST") == ["CAP * LIST :server-time"]
    assert client.says("CAP REQ :") == ["CAP * ACK :"]


def test_cap_notify_comes_with_302_and_stays() -> None:
    """
    "When CAP version 302 is enabled, the client also implicitly indicates support for the
    cap-notify capability"."""
    client = Client()
    client.says("CAP LS 302", "CAP LS")
    assert client.us.caps == {"cap-notify"}
    assert client.says("CAP REQ -cap-notify") == ["CAP * NAK :-cap-notify"]
    client = Client()
    client.says("CAP LS", "CAP REQ cap-notify")
    assert client.says("CAP REQ -cap-notify") == ["CAP * ACK :-cap-notify"]


def test_wrong_cap_commands() -> None:
    client = Client()
    assert client.says("CAP FOO") == ["410 * FOO :Invalid CAP command"]
    assert client.says("CAP :a b") == ["410 * a_b :Invalid CAP command"]
    assert client.says("CAP") == ["461 * CAP :Not enough parameters"]


def test_after_registration_replies_name_the_nick() -> None:
    """
    "The server MUST accept the CAP command at any time, including after registration."""
    client = registered()
    client.us.nick = "al2"
    assert client.says("CAP LIST") == ["CAP al2 LIST :"]
    assert client.says("CAP FOO") == ["410 al2 FOO :Invalid CAP command"]
    assert client.says("CAP END", "JOIN #c") == []
    assert client.says("PASS x", *NICK_AND_USER) == ["462 al2 :You may not reregister"] * 2


def test_what_is_offered_may_change() -> None:
    client = registered("CAP LS 302", "CAP REQ :away-notify batch")
    assert client.told([*client.us.change_offer(OFFERED)]) == []
    new = {k: v for k, v in OFFERED.items() if k != "away-notify"} | {"chghost": "", "x/y": "v"}
    assert client.told([*client.us.change_offer(new)]) == [
        "CAP al NEW :chghost x/y=v",
        "CAP al DEL :away-notify",
    ]
    assert "away-notify" not in client.us.caps
    assert client.says("CAP REQ chghost") == ["CAP al ACK :chghost"]


def test_a_client_that_does_not_know_new_and_del_is_told_nothing() -> None:
    """
    "The NEW subcommand MUST ONLY be sent to clients that have negotiated CAP version 302 or
    enabled the cap-notify capability." The same of DEL."""
    client = registered("CAP LS", "CAP REQ away-notify")
    assert client.us.change_offer({"sasl": ""}) == []
    assert client.us.caps == set()


def test_away_before_registration() -> None:
    client = Client()
    assert client.says("AWAY :lunch") == ["451 * :You have not registered"]
    client.says("CAP LS 302", "CAP REQ draft/pre-away")
    assert client.says("AWAY :lunch") == ["306 * :You have been marked as being away"]
    assert client.us.away == "lunch"


def test_isupport_before_registration() -> None:
    """
    "the server MUST accept ISUPPORT commands before connection registration completes", in a
    draft/isupport batch where batch is enabled: extended-isupport."""
    table = offered()
    client = Client()
    client.us = DownstreamRegistration(SERVER, table, "", {"CHATHISTORY": "100", "WHOX": None})
    assert client.says("ISUPPORT") == ["451 * :You have not registered"]
    client.says("CAP LS 302", "CAP REQ draft/extended-isupport")
    told = "005 * CHATHISTORY=100 WHOX :are supported by this server"
    assert client.says("ISUPPORT") == [told]
    client.says("CAP REQ batch")
    assert client.says("ISUPPORT") == [
        "BATCH +isupport draft/isupport",
        f"@batch=isupport :{SERVER} {told}",
        "BATCH -isupport",
    ]
