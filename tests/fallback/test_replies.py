"""What an agent writes to people: to few unasked, its roster's age, which nick to take back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bouncer.mesh.roster import HARD_STALE_S, STALE_S
from fallback import incident
from fallback.desk.frontdesk import MAX_UNASKED
from fallback.networks import wording
from tests.fallback.desk.test_reception import CERTFP, Scene, open_scene
from tests.fallback.ircd import open_ircd
from tests.fallback.voters import open_site, until

DAY_S = 86400.0


def age(scene: Scene, age_s: float) -> None:
    """The link has been gone for so long."""
    assert scene.agent.roster is not None
    issued_ms = round((scene.agent.pulse.now() - age_s) * 1000)
    scene.agent.rosters.held = replace(scene.agent.roster, issued_ms=issued_ms)


async def test_at_most_eight_people_are_written_to_unasked(tmp_path: Path) -> None:
    """ "private messages to at most 8 people unasked": an account alone is no question."""
    async with open_scene(tmp_path) as scene:
        ircd = scene.ircd
        for number in range(MAX_UNASKED + 2):
            await ircd.says(f":bo{number}!b@h{number} JOIN #lobby bobacct :B")
            await ircd.hears(f"INVITE bo{number} #room")
        await scene.says("dave", f"claim dave {scene.codes['dave'][0]}")
        await scene.is_told("dave", "verified")  # who asks is answered, whoever came before
        told = [line.split()[1] for line in ircd.heard if line.startswith("NOTICE bo")]
        assert told == [f"bo{number}" for number in range(MAX_UNASKED)]


async def test_a_roster_of_a_month_ago_says_so_and_believes_accounts_no_more(
    tmp_path: Path,
) -> None:
    """ "Hard-stale after 30 d: the place is still announced, only ssh and recovery proofs count,
    replies say how old it is." """
    async with open_scene(tmp_path) as scene:
        age(scene, HARD_STALE_S + DAY_S)
        await scene.ircd.says(":bo!b@h JOIN #lobby bobacct :B")
        await scene.says("bo", "claim bob nonsense")
        assert "31d old" in await scene.is_told("bo", "NOT VERIFIED")
        await scene.says("bo", "roster")
        assert "31d old" in await scene.is_told("bo", "NOT VERIFIED")
        await scene.joins("da")
        await scene.says("da", "claim dave")
        await scene.ircd.hears("WHOIS da")
        words = f"has client certificate fingerprint {CERTFP}"
        await scene.ircd.says(f":irc.test 276 fb-fra da :{words}")
        await scene.proves_by_key("al", "alice")
        assert "31d old" in await scene.is_told("al", "verified")
        await scene.says("dave", f"claim dave {scene.codes['dave'][0]}")
        assert "31d old" in await scene.is_told("dave", "verified")
        # A vouch counts no more, not even by an admin with the right key.
        await scene.joins("al", "#room")
        await scene.says("al", "!vouch bo bob", to="#room")
        assert "not vouched for (the roster here is 31d old" in await scene.is_told("al")
        invited = {line.split()[1] for line in scene.ircd.heard if line.startswith("INVITE")}
        assert invited == {"al", "dave"}, "neither by account nor by certificate"


@pytest.mark.parametrize("where", ["room", "lobby"])
async def test_the_temporary_nicks_are_said_where_the_team_wants_them(
    where: str, tmp_path: Path
) -> None:
    """ "Room, at opening: the temp nick of each person on call. … A team that wants the nicks in
    the open sets announce_nicks = "lobby"." """
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        await site.employs("alice", oncall=1, nicks=(("pub", "alice"),))
        await site.employs("bob")
        config = await site.pairs("fra", ircd=ircd)
        agent = await site.starts(config.model_copy(update={"announce_nicks": where}))
        await site.beats()
        await ircd.welcomes("fb-fra")
        await ircd.lets_in("fb-fra", "#lobby", "#room", op=True)
        await until(lambda: agent.roster and agent.announcers["pub"].joined)
        agent.conduct.put(incident.Declared("alice"))
        line = await ircd.hears("PRIVMSG #room :on call", within_s=15)
        assert line.endswith("alice -> alice"), "and bob is not on call"
        if where == "lobby":
            assert "alice -> alice" in await ircd.hears("PRIVMSG #lobby :on call")
        said = [line for line in ircd.heard if "PRIVMSG #lobby" in line and "alice" in line]
        assert bool(said) is (where == "lobby")


async def test_a_roster_of_two_days_ago_is_a_warning_and_no_more(tmp_path: Path) -> None:
    """ "Stale after 24 h: warn." """
    async with open_scene(tmp_path) as scene:
        age(scene, STALE_S * 2)
        await scene.ircd.says(":bo!b@h JOIN #lobby bobacct :B")
        assert await scene.is_told("bo") == "NOTICE bo :verified, invited to #room"
        assert any("stale" in line for line in scene.agent.status())


async def test_who_is_verified_is_told_how_to_get_the_nick_back(tmp_path: Path) -> None:
    """ "The dead bouncer's ghosts hold the usual nicks for minutes: tell people REGAIN"."""
    async with open_scene(tmp_path) as scene:
        await scene.joins("alice")  # somebody without an account: a ghost, or not
        await until(lambda: scene.agent.announcers["pub"].state.user_named("alice"))
        await scene.proves_by_key("al", "alice")
        advice = await scene.is_told("al", "please use")
        assert "/nick alice_" in advice
        assert "/msg NickServ REGAIN alice" in advice


async def test_a_nick_held_by_one_s_own_account_is_only_to_be_regained(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        await scene.ircd.says(":alice!a@ghost JOIN #lobby AliceAcct :A")
        await scene.ircd.hears("INVITE alice")
        await scene.proves_by_key("al", "alice")
        assert "/msg NickServ REGAIN alice" in await scene.is_told("al", "please take")


@pytest.mark.parametrize("held", [True, False])
def test_no_advice_names_a_nick_that_is_not_meant(held: bool) -> None:
    assert "bob" not in wording.ask_nick("alice", held=held)


async def test_status_full_is_for_staff_and_fits_a_few_lines(tmp_path: Path) -> None:
    """ "one line unless asked for more"."""
    async with open_scene(tmp_path) as scene:
        await scene.says("eve", "status full")
        assert "is open" in await scene.is_told("eve")
        await scene.proves_by_code("al", "alice")
        await scene.says("al", "status")
        assert "self-check" not in await scene.is_told("al", "watch ")
        await scene.says("al", "status full")
        assert "heartbeat" in await scene.is_told("al", "agent fra: ")
        assert len([line for line in scene.ircd.heard if line.startswith("NOTICE eve")]) == 1
