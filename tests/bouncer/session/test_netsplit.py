"""A split of the network, as clients see it that know batches and as all others do."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.bouncer.session.dialogue import Dialogue

SPLIT = [
    ":bob!b@h QUIT :irc.hub.net irc.leaf.net",
    ":irc.test PONG irc.test x",
    ":carl!c@h QUIT :irc.hub.net irc.leaf.net",
]


def company(caps: Iterable[str] = ()) -> Dialogue:
    """Two clients on #ops, with bob and carl there: the second knows batches."""
    talk = Dialogue()
    talk.connect(*caps)
    talk.joined("#ops")
    talk.says(":bob!b@h JOIN #ops", ":carl!c@h JOIN #ops")
    talk.attach(1, ())
    talk.attach(2, {"batch"})
    return talk


def test_who_goes_with_a_server_goes_in_one_batch() -> None:
    """batch: "The netsplit batch type … contains QUITs"; RFC 1459 4.1.6: "the quit message is
    composed of the names of two servers involved, separated by a space." """
    talk = company()
    talk.says(*SPLIT)
    assert talk.seen(1) == [SPLIT[0], SPLIT[2]]
    opening, bob, carl, closing = talk.seen(2)
    reference = opening.split()[2].removeprefix("+")
    assert opening == f":muster.test BATCH +{reference} netsplit irc.hub.net irc.leaf.net"
    assert [bob, carl] == [f"@batch={reference} {line}" for line in (SPLIT[0], SPLIT[2])]
    assert closing == f":muster.test BATCH -{reference}"
    assert [row.text for row in talk.events[-2:]] == [":irc.hub.net irc.leaf.net"] * 2


def test_the_network_s_own_batch_says_what_it_is_also_of_joins() -> None:
    talk = company(["batch"])
    talk.says(
        ":irc.test BATCH +x netsplit a b",
        "@batch=x :bob!b@h QUIT :*.net *.split",
        "@batch=x :carl!c@h QUIT :*.net *.split",
        ":irc.test BATCH -x",
        ":irc.test BATCH +y netjoin a b",
        "@batch=y :bob!b@h JOIN #ops",
        "@batch=y :carl!c@h JOIN #ops",
        ":irc.test BATCH -y",
    )
    one, two = [line.split()[2][1:] for line in talk.down[2] if " BATCH +" in line]
    assert talk.seen(2) == [
        f":muster.test BATCH +{one} netsplit a b",
        f"@batch={one} :bob!b@h QUIT :*.net *.split",
        f"@batch={one} :carl!c@h QUIT :*.net *.split",
        f":muster.test BATCH -{one}",
        f":muster.test BATCH +{two} netjoin a b",
        f"@batch={two} :bob!b@h JOIN #ops",
        f"@batch={two} :carl!c@h JOIN #ops",
        f":muster.test BATCH -{two}",
    ]
    assert not any("BATCH" in line or "batch=" in line for line in talk.seen(1))


def test_two_splits_at_once_are_two_batches() -> None:
    talk = company()
    talk.says(SPLIT[0], ":carl!c@h QUIT :irc.hub.net irc.other.net")
    kinds = [line.split()[3:] for line in talk.seen(2) if " BATCH +" in line]
    assert kinds == [
        ["netsplit", "irc.hub.net", "irc.leaf.net"],
        ["netsplit", "irc.hub.net", "irc.other.net"],
    ]


@pytest.mark.parametrize(
    "line",
    [":bob!b@h QUIT :Quit: irc.hub.net irc.leaf.net", ":bob!b@h QUIT :good bye", ":bob!b@h QUIT",
     ":dan!d@h JOIN #ops", "@batch=x :bob!b@h QUIT :a.b c.d"],
)  # fmt: skip
def test_who_goes_or_comes_alone_is_in_no_batch(line: str) -> None:
    talk = company(["batch"])
    talk.says(":irc.test BATCH +x example.org/other", line)
    assert not any("BATCH" in seen or "batch=" in seen for seen in talk.seen(2))
    assert len(talk.seen(1)) == 1


def test_who_gets_another_host_while_others_go_is_not_of_the_split() -> None:
    """chghost: "servers SHOULD send fallback messages to simulate the client reconnecting": that is
    no split."""
    talk = company()
    talk.says(SPLIT[0], ":carl!c@h CHGHOST c elsewhere")
    _, bob, *moved, _ = talk.seen(2)
    assert bob.startswith("@batch=")
    assert moved == [":carl!c@h QUIT :Changing host", ":carl!c@elsewhere JOIN #ops"]
