"""A client that negotiates nothing and knows RFC 1459 alone, from its first line on."""

from __future__ import annotations

import re
from pathlib import Path

from bouncer.irc.wire import MAX_LINE, Message
from tests.complaints.venue import (
    MODERN,
    PASSWORD,
    SERVER,
    Client,
    FakeNetwork,
    Muster,
    running_bouncer,
    running_network,
    until,
)

CLOCK = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] "
# RFC 1459 section 4 and 6, and 005, which every server in use sends and old clients skip
KNOWN = {"JOIN", "NICK", "NOTICE", "PART", "PONG", "PRIVMSG", "QUIT", "MODE", "TOPIC", "ERROR"}


class ModernNetwork(FakeNetwork):
    """One with all that a client may be spared."""

    CAPS = (
        "account-notify account-tag away-notify batch chghost extended-join message-tags "
        "multi-prefix server-time setname standard-replies userhost-in-names"
    )

    def answers(self, message: Message) -> list[str]:
        match message.command, message.params:
            case "CAP", ("LS", *_):
                return [f":irc.test CAP * LS :{self.CAPS}"]
            case "CAP", ("REQ", caps):
                return [f":irc.test CAP me ACK :{caps}"]
            case "JOIN", (name, *_):
                return [
                    f":me!user@host JOIN {name} acct :Me",
                    f":irc.test 353 me = {name} :@+me!user@host @+bob!b@h",
                    f":irc.test 366 me {name} :End",
                ]
        return super().answers(message)


async def comes(muster: Muster, name: str) -> Client:
    """In the way of 1993: no CAP at all."""
    client = muster.stranger()
    await client.says(f"PASS alice/net@{name}:{PASSWORD}", "NICK al", "USER al 0 * :Al")
    muster._nursery.start_soon(client.read)
    await client.hears(" 366 ")
    await until(lambda: all(each.live for each in muster.session.clients.by_id.values()))
    return client


async def test_a_client_that_negotiates_nothing_is_served_well(tmp_path: Path) -> None:
    """RFC 1459 section 2.3: "these messages shall not exceed 512 characters in length, counting all
    characters including the trailing CR-LF"; 2.4: "The numeric reply must be sent as one message
    consisting of the sender prefix, the three digit numeric, and the target of the reply." """
    network = ModernNetwork()
    async with running_network(network), running_bouncer(tmp_path, network) as muster:
        # it is greeted, and learns who is where
        desk = await comes(muster, "desk")
        shown = [Message.parse(line) for line in desk.lines]
        numerics = [m.command for m in shown if m.command.isdigit()]
        assert numerics[:4] == ["001", "002", "003", "004"]
        assert {m.params[0] for m in shown if m.command.isdigit()} == {"me"}
        (names,) = [m.params[3] for m in shown if m.command == "353"]
        assert sorted(names.split()) == ["@bob", "@me"]

        # what is said and done reaches it in words it knows
        await network.says(
            "@time=2026-01-02T03:04:05.678Z;msgid=x;account=b :bob!b@h PRIVMSG #ops :hello",
            ":bob!b@h AWAY :lunch",
            ":bob!b@h ACCOUNT bobby",
            ":bob!b@h SETNAME :Bob",
            "@+typing=active :bob!b@h TAGMSG #ops",
            ":irc.test BATCH +1 netjoin a b",
            "@batch=1 :carol!c@h JOIN #ops caz :Carol",
            ":irc.test BATCH -1",
            ":bob!b@h CHGHOST b cloak",
            ":irc.test NOTE * NEWS :Maintenance at noon",
            ":carol!c@h TOPIC #ops :new topic",
        )
        await desk.hears(":carol!c@h TOPIC #ops :new topic")
        assert ":bob!b@h PRIVMSG #ops :hello" in desk.lines
        assert ":carol!c@h JOIN #ops" in desk.lines
        assert ":irc.test NOTICE me :Maintenance at noon" in desk.lines, desk.lines[-8:]

        # it speaks, and its own words come back to nobody but the others
        other = await muster.client("alice/net@other", MODERN)
        await desk.says("PRIVMSG #ops :mine", "PRIVMSG BouncerServ :network list", "PING x")
        await other.hears("PRIVMSG #ops :mine")
        await desk.hears(f":{SERVER} PONG {SERVER} x")
        await desk.hears("net: ")
        await other.says("PRIVMSG #ops :from the other")
        await desk.hears("PRIVMSG #ops :from the other")
        assert not [line for line in desk.lines if line.endswith(":mine")]
        await desk.says("JOIN #ops", "NAMES #ops", "WHO #ops", "AWAY :out", "AWAY")
        await until(lambda: sum(" 366 " in line for line in desk.lines) >= 3)

        # it leaves, and comes back to what it has missed: once, with the time, in lines that fit
        await muster.gone(desk)
        long = "word " * 95
        await network.says(f":bob!b@h PRIVMSG #ops :{long}end")
        await network.says(f":bob!b@h PRIVMSG #ops :\x01ACTION {long}ends\x01")
        await other.hears("ends\x01")
        again = await comes(muster, "desk")
        await again.hears("ends\x01")
        plain, acted = [], []
        for text in again.texts:
            acting = text.removeprefix("\x01ACTION ").removesuffix("\x01")
            (plain if acting == text else acted).append(acting)
        for pieces, end in ((plain, "end"), (acted, "ends")):
            assert len(pieces) == 2
            assert "".join(re.sub(f"^{CLOCK}", "", piece) for piece in pieces) == f"{long}{end}"
            assert all(re.match(CLOCK, piece) for piece in pieces)
        for line in (*desk.lines, *again.lines):
            message = Message.parse(line)
            assert line[0] != "@"
            assert message.command in KNOWN or message.command.isdigit(), line
            assert len(line.encode()) + 2 <= MAX_LINE, line
