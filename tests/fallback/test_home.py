""" "HOME (bouncer up, home IRC server down: ops notice; announced only if configured)"."""

from __future__ import annotations

from pathlib import Path

import pytest

from fallback import incident, speaker, voter, watch
from fallback.actions import TellOps
from fallback.incident import Kind, Line
from fallback.networks import wording
from fallback.timings import Timings
from fallback.watch import Phase, Verdict
from tests.fallback.dialogue import T0
from tests.fallback.ircd import open_ircd
from tests.fallback.voters import open_site, until

GOOD = watch.SelfCheck(5, 5)
PEER = "hel"


class Story:
    """One agent, and another voter that sees the same; heartbeats come every second."""

    def __init__(self, *, announced: bool) -> None:
        timings = Timings(announce_home=announced)
        self.now = T0
        self.actions: list[voter.Action] = []
        state = voter.agent("fra", 0, ("pub",), timings)
        self.state, _ = voter.start(state, voter.Kept(armed=True), T0)
        for event in (speaker.NetworkJoined(), speaker.TombstonesFetched()):
            self.hears(voter.ForNetwork("pub", event))

    def hears(self, event: voter.Event) -> None:
        self.state, actions = voter.step(self.state, event, self.now)
        self.actions += actions

    def goes_on(self, seconds: int, *, home_down: bool) -> None:
        for _ in range(seconds):
            self.now += 1
            self.hears(watch.Heartbeat("b", self.now, home_down=home_down))
            for action in list(self.actions[-20:]):
                if isinstance(action, watch.Vote) and self.state.watch.phase in watch.DOWN:
                    said = incident.VoteHeard(PEER, action.verdict, action.silent_from, False)
                    self.hears(said)
            self.hears(GOOD)
            self.hears(voter.Tick())

    def did(self, kind: type) -> list[voter.Action]:
        return [action for action in self.actions if isinstance(action, kind)]


def test_unless_configured_ops_are_told_and_nobody_votes() -> None:
    story = Story(announced=False)
    story.goes_on(300, home_down=True)
    assert story.state.watch.phase is Phase.WATCHING
    assert len(story.did(TellOps)) == 1
    assert not story.did(watch.Vote)


def test_a_second_absence_is_told_again() -> None:
    story = Story(announced=False)
    for _ in range(2):
        story.goes_on(60, home_down=True)
        story.goes_on(1, home_down=False)
    assert len(story.did(TellOps)) == 2


def test_a_short_absence_is_nobody_s_business() -> None:
    story = Story(announced=True)
    for _ in range(5):
        story.goes_on(40, home_down=True)
        story.goes_on(5, home_down=False)
    assert not story.did(TellOps)
    assert not story.did(watch.Vote)


def test_configured_it_is_announced_and_recovers_like_any_other() -> None:
    story = Story(announced=True)
    story.goes_on(20, home_down=False)
    story.goes_on(47, home_down=True)
    own = story.state.incident
    assert own is not None
    assert (own.kind, own.verdict) == (Kind.QUORUM, Verdict.HOME)
    assert own.silent_from == T0 + 20, "the last heartbeat that knew the home server up"
    assert len(story.did(speaker.Announce)) == 1
    story.goes_on(62, home_down=False)
    assert [said.line for said in story.did(incident.Say)] == [Line.BACK]  # type: ignore[union-attr]
    story.goes_on(300, home_down=False)
    assert story.state.incident is not None
    assert not story.state.incident.id
    assert len(story.did(speaker.Announce)) == 1


def test_one_voter_that_sees_it_so_announces_nothing() -> None:
    """S1: k fresh votes, whatever they say."""
    story = Story(announced=True)
    story.hears(incident.VotersKnown(frozenset({PEER})))
    for second in range(1, 90):
        story.now = T0 + second
        story.hears(watch.Heartbeat("b", story.now, home_down=True))
        story.hears(incident.VoterShows(PEER, story.now))  # it is not configured so
        story.hears(GOOD)
    assert story.did(watch.Vote)
    assert not story.did(speaker.Announce)


def test_then_the_site_goes_too_and_the_weaker_verdict_is_said() -> None:
    story = Story(announced=True)
    story.goes_on(46, home_down=True)
    votes = [vote.verdict for vote in story.did(watch.Vote)]  # type: ignore[union-attr]
    assert set(votes) == {Verdict.HOME}
    for _ in range(12):
        story.now += 1
        story.hears(GOOD)
        story.hears(voter.Tick())
    assert story.state.watch.phase is Phase.DOWN_SITE
    assert story.did(watch.Vote)[-1].verdict is Verdict.SITE  # type: ignore[union-attr]


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_its_line(verdict: Verdict) -> None:
    """ "Wording is "unreachable from here since 11:45Z", never "down", never a cause"."""
    place = open_place()
    line = wording.announcement("0018bcfe5680.fra", Kind.QUORUM, verdict, T0, place)
    assert "nreachable from " in line
    assert "down" not in line
    back = wording.later("0018bcfe5680.fra", Kind.QUORUM, Line.BACK, T0, verdict)
    assert ("Home server" in line) == ("Home server" in back) == (verdict is Verdict.HOME)


def open_place() -> wording.NetworkConfig:
    return wording.NetworkConfig.model_validate(
        {
            "name": "pub",
            "addresses": ["ircs://irc.test"],
            "nick": "fb",
            "lobby": "#lobby",
            "room": "#room",
        }
    )


async def test_from_the_bouncer_s_word_to_the_lobby(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        fra = (await site.pairs("fra", ircd=ircd)).model_copy(update={"announce_home": True})
        hel = (await site.pairs("hel", role="witness")).model_copy(update={"announce_home": True})
        beacon = await site.beats()
        agent, _ = await site.starts(fra), await site.starts(hel)
        await ircd.welcomes("fb-fra")
        await ircd.lets_in("fb-fra", "#lobby", "#room", op=True)
        await until(lambda: beacon.summary().count("=OK") == 2)
        site.home = "down"
        line = await ircd.hears("PRIVMSG #lobby", within_s=20)
        assert "Home server unreachable" in line
        assert any("HOME: " in said for said in agent.status())
        await until(lambda: any("HOME: " in told for told in site.told))
