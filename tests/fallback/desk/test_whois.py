"""Accounts and certificates that a network tells only who asks by WHOIS, as OFTC."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from fallback.networks.outgoing import Priority
from tests.fallback.desk.test_reception import CERTFP, open_scene
from tests.fallback.voters import until


async def test_where_accounts_are_not_told_whois_is_asked(tmp_path: Path) -> None:
    """OFTC: 307 says that the nick is identified; the account is the nick."""
    async with open_scene(tmp_path) as scene:
        await scene.joins("bobacct")
        await scene.says("bobacct", "claim bob")
        assert await scene.ircd.hears("WHOIS") == "WHOIS bobacct"
        await scene.ircd.says(":irc.test 307 fb-fra bobacct :user has identified to services")
        assert await scene.ircd.hears("INVITE") == "INVITE bobacct #room"


async def test_who_logs_in_after_a_claim_is_found_by_the_next(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        await scene.joins("bobacct")
        await scene.says("bobacct", "claim bob")
        await scene.ircd.hears("WHOIS bobacct")
        await scene.is_told("bobacct", "challenge ")
        await scene.says("bobacct", "claim bob")  # to one who types again at once nothing is new
        await scene.is_told("bobacct", "challenge ")
        assert [line for line in scene.ircd.heard if "WHOIS" in line] == ["WHOIS bobacct"]
        scene.agent.reception.front.whois_again_s = 0.0  # some time has passed
        await scene.says("bobacct", "claim bob")
        await scene.ircd.hears("WHOIS bobacct")
        await scene.ircd.says(":irc.test 307 fb-fra bobacct :user has identified to services")
        assert await scene.ircd.hears("INVITE") == "INVITE bobacct #room"


async def test_a_flood_of_claims_keeps_nobodys_invitation_waiting(tmp_path: Path) -> None:
    """ "replies round-robin by source" """
    async with open_scene(tmp_path) as scene:
        await scene.joins("bo")
        outgoing = scene.agent.announcers["pub"].outgoing
        outgoing.every_s = 3600.0
        for number in range(100):
            await scene.ircd.says(f":n{number}!n@{number}.example PRIVMSG fb-fra :claim alice")
        await scene.says("bo", f"claim bob {scene.codes['bob'].pop()}")
        await until(lambda: outgoing._lines[Priority.VERIFY])
        assert str(outgoing.take(math.inf)) == "INVITE bo #room"


@pytest.mark.parametrize("told", [CERTFP, CERTFP.upper()])
async def test_a_client_certificate_that_the_network_tells_is_enough(
    told: str, tmp_path: Path
) -> None:
    """ "WHOIS 307/276 on OFTC": its fingerprints are SHA-1."""
    async with open_scene(tmp_path) as scene:
        for who in ("eve", "da"):
            await scene.joins(who)
            await scene.says(who, "claim dave")
            assert await scene.ircd.hears("WHOIS") == f"WHOIS {who}"
        other = "0" + CERTFP[1:]
        for who, shown in (("eve", other), ("da", told)):
            words = f"has client certificate fingerprint {shown}"
            await scene.ircd.says(f":irc.test 276 fb-fra {who} :{words}")
        assert await scene.ircd.hears("INVITE") == "INVITE da #room"
        assert "dave is da (account)" in await scene.ircd.hears("PRIVMSG #room")
