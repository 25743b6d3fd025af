"""Claims and commands in an open incident, as dialogues with a scripted network."""

from __future__ import annotations

import base64
import math
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from bouncer.irc.wire import Message
from bouncer.login import totp
from bouncer.mesh.proofs import org_name, signing_command, ssh_credential
from fallback import claims, incident
from fallback.app import Voter
from fallback.desk.proving import TOTP_TRIES
from tests.fallback.broken import break_ssh_keygen
from tests.fallback.ircd import Ircd, open_ircd
from tests.fallback.voters import open_site, until

TOTP = totp.new_credential()
CERTFP = "d15ea5e0" * 5


def app_shows(agent: Voter, steps: int = 0) -> str:
    """What the authenticator app shows now, or some steps from now."""
    counter = int(agent.pulse.now() // totp.STEP_S) + steps
    return totp.hotp(base64.b32decode(TOTP.public), counter)


@dataclass
class Scene:
    """One agent in an incident opened by hand, alice (an admin) and bob on the roster."""

    ircd: Ircd
    agent: Voter
    codes: dict[str, list[str]]
    ssh_key: Path

    async def says(self, who: str, text: str, *, to: str = "fb-fra", tags: str = "") -> None:
        await self.ircd.says(f"{tags}:{who}!{who}@{who}.example PRIVMSG {to} :{text}")

    def verified(self) -> dict[str, str]:
        """Whom the agent knows now: handle -> nick."""
        return {c.handle: c.nick for c in self.agent.conduct.desk.claims if c.handle}

    async def joins(self, who: str, channel: str = "#lobby") -> None:
        await self.ircd.says(f":{who}!{who}@{who}.example JOIN {channel}")

    async def is_told(self, who: str, start: str = "") -> str:
        return await self.ircd.hears(f"NOTICE {who} :{start}")

    async def proves_by_code(self, who: str, handle: str) -> None:
        await self.says(who, f"claim {handle} {self.codes[handle].pop()}")
        await self.ircd.hears(f"INVITE {who} #room")

    async def proves_by_key(self, who: str, handle: str) -> str:
        """The whole ssh dialogue; the signed text."""
        await self.says(who, f"claim {handle}")
        text = (await self.is_told(who, "challenge ")).partition("challenge ")[2]
        command = (await self.is_told(who, "sign it")).partition("the result: ")[2]
        command = command.replace("~/.ssh/id_ed25519", str(self.ssh_key))
        done = await trio.run_process(["sh", "-c", command], capture_stdout=True)
        await self.says(who, f"proof {done.stdout.decode()}")
        await self.ircd.hears(f"INVITE {who} #room")
        return text


@asynccontextmanager
async def open_scene(tmp_path: Path, *, opened: bool = True) -> AsyncIterator[Scene]:
    key = tmp_path / "id"
    await trio.run_process(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
    public = ssh_credential(key.with_suffix(".pub").read_text()).public
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        alice = {"admin": True, "accounts": (("pub", "AliceAcct"),), "nicks": (("pub", "alice"),)}
        codes = {
            "alice": await site.employs("alice", more=(("ssh", public),), **alice),
            "bob": await site.employs("bob", accounts=(("pub", "bobacct"),)),
            "dave": await site.employs(
                "dave", admin=True, more=((TOTP.kind, TOTP.public), ("certfp", CERTFP))
            ),
            "carol": await site.employs("carol", admin=True, accounts=(("pub", "carolacct"),)),
        }
        agent = await site.starts(await site.pairs("fra", ircd=ircd))
        await site.beats()
        await ircd.welcomes("fb-fra")
        await ircd.lets_in("fb-fra", "#lobby", "#room", op=True)
        await until(lambda: agent.roster and agent.announcers["pub"].joined)
        if opened:
            agent.conduct.put(incident.Declared("alice"))
            await ircd.hears("PRIVMSG #room", within_s=15)
        yield Scene(ircd, agent, codes, key)


async def test_an_ssh_signature_verifies_and_is_good_once(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        await scene.joins("al")
        text = await scene.proves_by_key("al", "alice")
        assert "net=pub nick=al nonce=fra-" in text
        assert "alice is al (ssh)" in await scene.ircd.hears("PRIVMSG #room")
        proof = next(
            line for line in reversed(await signed_again(scene, text)) if line.startswith("U1NI")
        )
        await scene.joins("eve")
        await scene.says("eve", f"proof {proof}")
        assert "claim HANDLE" in await scene.is_told("eve")
        await scene.says("eve", "claim alice")
        await scene.is_told("eve", "challenge ")
        await scene.says("eve", f"proof {proof}")
        assert "NOT VERIFIED" in await scene.is_told("eve", "NOT")


async def test_a_proof_that_cannot_be_checked_just_now_counts_neither_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, path = tmp_path / "broken", os.environ["PATH"]
    broken.mkdir()
    break_ssh_keygen(broken)
    async with open_scene(tmp_path) as scene:
        await scene.joins("al")
        await scene.says("al", "claim alice")
        text = (await scene.is_told("al", "challenge ")).partition("challenge ")[2]
        proof = "".join(await signed_again(scene, text))
        monkeypatch.setenv("PATH", f"{broken}:{path}")
        for _ in range(3):
            await scene.says("al", f"proof {proof}")
            assert "cannot check" in await scene.is_told("al", "I cannot")
        assert "exec format error" in scene.agent.hearing.notes.last
        monkeypatch.setenv("PATH", path)
        await scene.says("al", f"proof {proof}")
        await scene.ircd.hears("INVITE al #room")


async def signed_again(scene: Scene, text: str) -> list[str]:
    """The same signature an eavesdropper would have."""
    org = org_name(str(scene.agent.config.primary_key))
    command = signing_command(text, org).replace("~/.ssh/id_ed25519", str(scene.ssh_key))
    done = await trio.run_process(["sh", "-c", command], capture_stdout=True)
    return done.stdout.decode().split()


async def test_an_account_needs_no_word(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        await scene.ircd.says(":bo!b@host JOIN #lobby bobacct :Bob")
        assert await scene.ircd.hears("INVITE") == "INVITE bo #room"
        assert "bob is bo (account)" in await scene.ircd.hears("PRIVMSG #room")


async def test_an_account_tag_on_a_private_line_is_enough(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        await scene.says("bo", "help", tags="@account=BobAcct ")
        assert await scene.ircd.hears("INVITE") == "INVITE bo #room"


async def test_the_right_nick_proves_nothing(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        await scene.joins("alice")
        for text in ("status", "roster", "standdown"):
            await scene.says("alice", text)
            told = await scene.is_told("alice")
            assert "alice=" not in told
        await scene.ircd.hears_nothing("INVITE", for_s=0.5)
        assert scene.agent.reception.person("pub", "alice") is None


async def test_unknown_handles_are_answered_like_known_ones(tmp_path: Path) -> None:
    """S9: "unknown handles get the same answers as known ones"."""
    async with open_scene(tmp_path) as scene:
        answers = []
        for who, handle in (("eve", "bob"), ("eva", "nobody")):
            await scene.joins(who)
            await scene.says(who, f"claim {handle}")
            challenge = await scene.is_told(who, "challenge ")
            await scene.says(who, f"claim {handle} aaaa-bbbb-cccc-dddd")
            answers.append((len(challenge), await scene.is_told(who, "NOT")))
        assert answers[0][0] == answers[1][0]
        assert answers[0][1].partition(":")[2] == answers[1][1].partition(":")[2]


async def test_the_third_bad_code_locks_the_connection_and_nobody_else(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        await scene.joins("eve")
        for _ in range(3):
            await scene.says("eve", "claim bob aaaa-bbbb-cccc-dddd")
            told = await scene.is_told("eve", "NOT")
        assert "wait ten minutes" in told
        await scene.says("eve", f"claim bob {scene.codes['bob'][0]}")
        assert "wait ten minutes" in await scene.is_told("eve", "NOT")
        await scene.joins("bo")
        await scene.proves_by_code("bo", "bob")


async def test_a_verified_person_is_followed_through_nick_and_lost_at_quit(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        await scene.joins("bo")
        await scene.proves_by_code("bo", "bob")
        await scene.joins("bo", "#room")
        await scene.ircd.says(":bo!bo@bo.example NICK bob_")
        assert "bob is bob_ now" in await scene.ircd.hears("PRIVMSG #room :bob is bob_")
        await scene.ircd.says(":bob_!bo@bo.example QUIT :gone")
        await scene.joins("bob_")
        await until(lambda: scene.agent.reception.person("pub", "bob_") is None)


async def test_who_comes_in_under_a_verified_nick_from_another_host_is_a_stranger(
    tmp_path: Path,
) -> None:
    """FALLBACK: "A nick is never proof." No QUIT reaches us of who shares no channel with us."""
    async with open_scene(tmp_path) as scene:
        await scene.proves_by_code("bo", "bob")  # in private; then the connection ends
        await scene.ircd.says(":bo!eve@elsewhere.example JOIN #room")
        await scene.ircd.says(":bo!eve@elsewhere.example PRIVMSG #room :!roster")
        assert "NOT VERIFIED" in await scene.is_told("bo", "NOT")
        await until(lambda: not scene.agent.reception.person("pub", "bo"))


async def test_two_admins_vouch_and_it_gives_no_admin_rights(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        await scene.ircd.says(":al!a@h JOIN #room AliceAcct :A", ":ca!c@h JOIN #room carolacct :C")
        await scene.ircd.hears("PRIVMSG #room :alice is al")
        await scene.joins("bo")
        await scene.says("al", "!vouch bo bob", to="#room")
        assert "two admins" in await scene.is_told("al", "vouched")
        await scene.says("ca", "!vouch bo bob", to="#room")
        assert await scene.ircd.hears("INVITE") == "INVITE bo #room"
        await scene.joins("bo", "#room")
        await scene.says("bo", "!standdown", to="#room")
        assert "for admins" in await scene.is_told("bo", "this")


async def test_a_code_does_not_open_destructive_commands(tmp_path: Path) -> None:
    """FALLBACK: "Destructive commands need an ssh or account proof, never a recovery code"."""
    async with open_scene(tmp_path) as scene:
        await scene.joins("al")
        await scene.proves_by_code("al", "alice")
        await scene.says("al", "standdown")
        assert "a code or a vouch is not enough" in await scene.is_told("al", "this needs")
        await scene.proves_by_key("al", "alice")
        await scene.says("al", "standdown")
        assert "closing in 60s" in await scene.is_told("al", "closing")
        await scene.says("al", "hold 10min")
        assert "held until" in await scene.is_told("al", "held")


async def test_verify_tells_who_a_nick_is(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        await scene.joins("bo")
        await scene.joins("eve")
        await scene.proves_by_code("bo", "bob")
        await scene.joins("bo", "#room")
        await scene.says("bo", "!verify bo", to="#room")
        assert "bo = bob via code, " in await scene.is_told("bo", "bo =")
        await scene.says("bo", "!verify eve", to="#room")
        assert "eve: NOT VERIFIED" in await scene.is_told("bo", "eve")


async def test_without_an_incident_nothing_is_claimed_and_nothing_burned(tmp_path: Path) -> None:
    async with open_scene(tmp_path, opened=False) as scene:
        await scene.joins("bo")
        await scene.says("bo", f"claim bob {scene.codes['bob'][0]}")
        assert "no incident is open" in await scene.is_told("bo")
        scene.agent.conduct.put(incident.Declared("alice"))
        await scene.ircd.hears("PRIVMSG", within_s=15)
        await scene.says("bo", f"claim bob {scene.codes['bob'][0]}")
        assert await scene.ircd.hears("INVITE") == "INVITE bo #room"


async def test_a_flood_of_claims_delays_no_verification_of_others(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        flood = [
            f":n{number}!x@h{number} PRIVMSG fb-fra :claim bob aaaa-bbbb-cccc-dddd"
            for number in range(10_000)
        ]
        await scene.ircd.says(*flood)
        scene.agent.announcers["pub"].say(("#lobby",), "still here", 0)  # type: ignore[arg-type]
        await scene.ircd.hears("PRIVMSG #lobby :still here", within_s=3)
        assert len(scene.agent.announcers["pub"].outgoing) < 2000


async def test_hostile_lines_of_all_kinds_break_nothing(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        for text in (
            "claim", "proof", "claim a b c d e f", "!", "proof \x00\x01", "claim " + "x" * 400,
            "vouch", "hold", "hold forever", "verify", "roster \x03\x02", "\x01VERSION\x01",
        ):  # fmt: skip
            await scene.says("eve", text)
            await scene.says("eve", f"!{text}", to="#room")
        await scene.ircd.says(
            ":eve!e@h NICK", ":eve QUIT", ":eve!e@h PART", ":x KICK #room", ":eve!e@h ACCOUNT",
            ":irc.test 354 a b", ":irc.test 307 fb", ":irc.test 330", ":eve!e@h CHGHOST",
        )  # fmt: skip
        await scene.joins("bo")
        await scene.proves_by_code("bo", "bob")


async def test_what_waits_for_a_nick_does_not_reach_who_takes_it_next(tmp_path: Path) -> None:
    """Lines wait for their turn; meanwhile the nick may have changed hands."""
    async with open_scene(tmp_path, opened=False) as scene:
        announcer = scene.agent.announcers["pub"]
        announcer.outgoing.every_s = 3600.0  # after the first line all others wait
        scene.agent.conduct.put(incident.Declared("alice"))
        await scene.ircd.hears("PRIVMSG", within_s=15)
        await scene.joins("al")
        await scene.says("al", f"claim alice {scene.codes['alice'].pop()}")
        await until(lambda: "alice" in scene.verified())
        await scene.ircd.says(":al!al@al.example QUIT :train")
        await scene.joins("al")
        await scene.joins("bo")
        await scene.says("bo", f"claim bob {scene.codes['bob'].pop()}")
        await until(lambda: "bob" in scene.verified())
        await scene.ircd.says(":bo!bo@bo.example NICK bobby")
        await until(lambda: scene.verified().get("bob") == "bobby")
        waiting = iter(lambda: announcer.outgoing.take(math.inf), None)
        invitations = [line for line in waiting if line.command == "INVITE"]
        assert invitations == [Message("INVITE", ("bobby", "#room"))]


async def test_an_app_s_code_verifies_once_and_is_burned_for_all_agents(tmp_path: Path) -> None:
    """RFC 6238 5.2: "the verifier MUST NOT accept the second attempt of the OTP"."""
    async with open_scene(tmp_path) as scene:
        code = app_shows(scene.agent)
        await scene.says("dave", f"claim dave {code}")
        await scene.ircd.hears("INVITE dave #room")
        await scene.says("mallory", f"claim dave {code}")
        assert "NOT VERIFIED" in await scene.is_told("mallory")
        burned = totp.matching(code, [TOTP], scene.agent.pulse.now())
        assert burned in scene.agent.incidents.all_burned("spent")  # what a restart reads
        assert burned in scene.agent.conduct.desk.spent


async def test_an_app_s_code_that_another_agent_burned_or_said_in_public_is_worth_nothing(
    tmp_path: Path,
) -> None:
    async with open_scene(tmp_path) as scene:
        elsewhere, spilled = app_shows(scene.agent), app_shows(scene.agent, 1)
        burned = totp.matching(elsewhere, [TOTP], scene.agent.pulse.now())
        assert burned is not None
        scene.agent.conduct.put_claim(claims.PeerSpent("hel", burned))
        await scene.says("eve", f"my code is {spilled}", to="#lobby")
        for code in (elsewhere, spilled):
            await scene.says("dave", f"claim dave {code}")
            assert "NOT VERIFIED" in await scene.is_told("dave")


async def test_guessing_an_app_s_code_is_throttled_and_locks_no_other_proof(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        wrong = next(f"{n:06}" for n in range(9) if not totp.matching(f"{n:06}", [TOTP], 0))
        for number in range(TOTP_TRIES):
            await scene.says(f"m{number}", f"claim dave {wrong}")
            assert "NOT VERIFIED" in await scene.is_told(f"m{number}")
        await scene.says("dave", f"claim dave {app_shows(scene.agent)}")
        assert "NOT VERIFIED" in await scene.is_told("dave")
        await scene.proves_by_code("dave", "dave")


async def test_an_order_carries_its_admin_s_proof_for_the_audit(tmp_path: Path) -> None:
    """§3, Trust: "the order carries the admin's proof in the journal"."""
    async with open_scene(tmp_path) as scene:
        text = await scene.proves_by_key("alice", "alice")
        await scene.says("alice", "!standdown all is well", to="#room")
        await scene.is_told("alice", "closing in 60s; !hold to stop")
        await until(lambda: scene.agent.relay.lines())
        [(kept, order)] = scene.agent.relay.lines()
        assert kept.checked == "ssh signature good"
        assert (order.admin, order.shown, order.why) == ("alice", text, "all is well")
        assert order.signature
        shown = [line for line in scene.agent.status() if line.startswith("order !standdown")]
        assert "of alice" in shown[0]
        assert "ssh signature good" in shown[0]
