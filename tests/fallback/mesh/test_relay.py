"""Orders between agents: checked by what can be checked, kept with the proof, acted on once."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bouncer.mesh.heartbeat import (
    MAX_BODY,
    MAX_PROOF,
    DatagramFault,
    Kind,
    OrderGiven,
    read_order,
    sign_statement,
    write_order,
)
from bouncer.mesh.keys import MeshKey
from bouncer.mesh.proofs import challenge, namespace, ssh_credential
from bouncer.mesh.roster import Member, Roster, Voter
from fallback import incident
from fallback.export import journal_lines
from fallback.incident import IncidentState, Tombstone
from fallback.journal import Journal
from fallback.mesh.relay import GIVE_UP_S, Relay, Shown
from fallback.mesh.repeating import Repeating
from storage.incidents import Incidents
from tests.fallback.broken import break_ssh_keygen
from tests.fallback.voters import until

SITE, FRA, AMS, HEL = (MeshKey(letter * 32) for letter in (b"s", b"f", b"a", b"h"))
NOW = 1_700_000_000.0
INCIDENT = f"{int(NOW * 1000):012x}.ams"
ORG = "0123456789ab"


@dataclass
class Wire:
    """What goes to the other agents."""

    sent: list[tuple[str, Kind, bytes]] = field(default_factory=list)
    others: tuple[str, ...] = ("ams",)

    def send(self, name: str, kind: Kind, body: bytes) -> None:
        self.sent.append((name, kind, body))


@dataclass
class Post:
    """The relay of agent fra."""

    relay: Relay
    wire: Wire
    roster: Roster
    path: Path
    events: list[object] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    own: IncidentState = field(default_factory=lambda: replace(IncidentState("fra"), id=INCIDENT))

    async def takes(self, order: OrderGiven, *, key: MeshKey = AMS, age_s: float = 0.0) -> None:
        """An order from the mesh, looked at to its end."""
        before = len(self.events) + len(self.told)
        assert self.relay.take(write_order(age_s, sign_statement(key, Kind.ORDER, order)))
        await until(lambda: len(self.events) + len(self.told) > before)


@asynccontextmanager
async def open_post(tmp_path: Path, ssh: str = "") -> AsyncIterator[Post]:
    alice = Member("alice", admin=True, accounts={"pub": "AliceAcct"})
    if ssh:
        alice = replace(alice, keys=(ssh_credential(ssh),))
    roster = Roster(
        str(SITE.public),
        1,
        round(NOW * 1000),
        voters=(
            Voter("ams", str(AMS.public), "192.0.2.1:1"),
            Voter("fra", str(FRA.public), "192.0.2.2:1"),
            Voter("hel", str(HEL.public), "192.0.2.3:1", "witness"),
        ),
        staff=(alice, Member("bob", accounts={"pub": "bob"})),
    )
    wire, incidents = Wire(), Incidents(tmp_path / "fallback.db")
    repeating = Repeating(wire, lambda: None)  # type: ignore[arg-type]
    journal = Journal(incidents, "fra", "boot", lambda: NOW)
    holder: list[Post] = []
    relay = Relay(
        FRA,
        me="fra",
        org=ORG,
        primary_key=SITE.public,
        now=lambda: NOW,
        roster=lambda: holder[0].roster,
        state=lambda: holder[0].own,
        journal=journal,
        repeating=repeating,
        others=lambda: ["ams"],
        put=lambda event: holder[0].events.append(event),
        revoked=lambda evidence, admin: holder[0].events.append((evidence, admin)),
        tell_ops=lambda text: holder[0].told.append(text),
    )
    holder.append(Post(relay, wire, roster, tmp_path / "fallback.db"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(journal.run)
        nursery.start_soon(relay.run)
        yield holder[0]
        nursery.cancel_scope.cancel()
    incidents.close()


def by_account(**changes: object) -> OrderGiven:
    order = OrderGiven(
        "standdown:1", "standdown", "alice", 0, "account", "ams", "pub", "AliceAcct", why="all well"
    )
    return replace(order, **changes)  # type: ignore[arg-type]


async def sign(tmp_path: Path, text: str) -> tuple[str, str]:
    """A fresh public key, and its real signature over the text."""
    key = tmp_path / "id"
    await trio.run_process(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
    command = ["ssh-keygen", "-Y", "sign", "-q", "-n", namespace(ORG), "-f", str(key)]
    done = await trio.run_process(command, stdin=text.encode(), capture_stdout=True)
    body = [line for line in done.stdout.decode().splitlines() if "--" not in line]
    return key.with_suffix(".pub").read_text(), "".join(body)


async def test_an_order_by_account_is_acted_on_once_and_kept(tmp_path: Path) -> None:
    async with open_post(tmp_path) as post:
        await post.takes(by_account(), age_s=3.0)
        assert post.events == [incident.StanddownOrdered("alice", NOW - 3)]
        post.relay.take(write_order(9.0, sign_statement(AMS, Kind.ORDER, by_account())))
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert len(post.events) == 1, "repeated until received"
        [(kept, said)] = post.relay.lines()
        assert (said.why, said.agent) == ("all well", "ams")
        assert "ams's word" in kept.checked


async def test_an_ssh_signature_is_checked_again_by_who_receives_the_order(tmp_path: Path) -> None:
    text = challenge(INCIDENT, "pub", "al", "ams-0011")
    public, signature = await sign(tmp_path, text)
    good = by_account(by="ssh", shown=text, signature=signature)
    async with open_post(tmp_path, public) as post:
        await post.takes(replace(good, id="standdown:good"))
        assert len(post.events) == 1
        assert post.relay.lines()[-1][0].checked == "ssh signature good"
        for number, bad in enumerate(
            (
                replace(good, shown=text.replace("al ", "bo ")),
                replace(good, shown=text.replace("ams-", "hel-")),
                replace(good, where="other"),
                replace(good, admin="bob"),
                replace(good, shown="fallback1 whatever"),
            )
        ):
            await post.takes(replace(bad, id=f"standdown:{number}"))
        post.own = replace(post.own, tombstones=(Tombstone(INCIDENT, False, NOW),))
        await post.takes(replace(good, id="standdown:late"))
        assert len(post.events) == 1
        assert len(post.told) == 6
        assert "is over" in post.told[-1]
        kept = [json.loads(line) for line in journal_lines(post.path)]
        assert [each["signature"] for each in kept] == [signature], "for the audit afterwards"
        assert base64.b64decode(kept[0]["statement"])


async def test_an_order_whose_signature_cannot_be_checked_yet_waits_and_is_acted_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = challenge(INCIDENT, "pub", "al", "ams-0011")
    public, signature = await sign(tmp_path, text)
    signed = by_account(by="ssh", shown=text, signature=signature, id="standdown:signed")
    broken = tmp_path / "broken"
    broken.mkdir()
    program = break_ssh_keygen(broken)
    async with open_post(tmp_path, public) as post:
        post.relay.check_again_s = 0.01
        monkeypatch.setenv("PATH", f"{broken}:{os.environ['PATH']}")
        await post.takes(signed)
        assert "waits to be checked: exec format error" in post.told[0]
        await post.takes(by_account(id="standdown:other"))
        assert len(post.events) == 1, "others do not wait for it"
        program.unlink()
        await until(lambda: len(post.events) == 2)
        assert len(post.told) == 1
        assert post.relay.lines()[-1][0].checked == "ssh signature good"


async def test_an_order_that_can_never_be_checked_is_given_up_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = challenge(INCIDENT, "pub", "al", "ams-0011")
    public, signature = await sign(tmp_path, text)
    async with open_post(tmp_path, public) as post:
        monkeypatch.setenv("PATH", str(tmp_path))
        await post.takes(by_account(by="ssh", shown=text, signature=signature), age_s=GIVE_UP_S + 1)
        assert "was never checked: there is no ssh-keygen" in post.told[0]
        assert not post.events


@pytest.mark.parametrize(
    "change",
    [
        {"admin": "bob", "shown": "bob"},
        {"admin": "nobody"},
        {"shown": "mallory"},
        {"where": "elsewhere"},
    ],
)
async def test_what_the_roster_does_not_bear_out_is_refused_and_told(
    change: dict[str, object], tmp_path: Path
) -> None:
    async with open_post(tmp_path) as post:
        await post.takes(by_account(**change))
        assert post.events == []
        assert "refused" in post.told[0]
        assert "ams" in post.told[0], "which agent said so"


async def test_nobody_signs_for_another_and_a_witness_not_at_all(tmp_path: Path) -> None:
    async with open_post(tmp_path) as post:
        for order, key in (
            (by_account(), HEL),
            (by_account(agent="hel"), HEL),
            (by_account(agent=""), AMS),
            (by_account(agent="nobody"), AMS),
        ):
            with pytest.raises(DatagramFault):
                post.relay.take(write_order(0.0, sign_statement(key, Kind.ORDER, order)))
        await post.takes(
            by_account(agent="", by="bouncer", shown="account bobby on home"), key=SITE
        )
        assert len(post.events) == 1


async def test_an_order_is_passed_on_as_it_was_signed(tmp_path: Path) -> None:
    """An agent that cannot hear the first one hears it from the second."""
    async with open_post(tmp_path) as post:
        post.relay.give("hold", "alice", Shown("account", "pub", "AliceAcct"), for_s=600.0)
        await until(lambda: post.events)
        [held] = post.events
        assert held == incident.HeldOrdered("alice", NOW, NOW + 600)
        post.relay.pass_on(held)
        [(name, kind, body)] = post.wire.sent
        assert (name, kind) == ("ams", Kind.ORDER)
        age_s, statement = read_order(body)
        with closing(sqlite3.connect(post.path)) as connection, connection:
            [kept] = connection.execute("SELECT statement FROM orders").fetchone()
        assert (age_s, statement) == (0.0, kept)


async def test_a_declaration_is_known_after_a_restart_until_a_closing_overtakes_it(
    tmp_path: Path,
) -> None:
    async with open_post(tmp_path) as post:
        assert not post.relay.declared()
        post.relay.give("declare", "alice", Shown("account", "pub", "AliceAcct"))
        await until(lambda: post.events)
        assert post.wire.sent, "told at once"
    async with open_post(tmp_path) as post:
        assert post.relay.declared()
        post.own = replace(post.own, tombstones=(Tombstone(INCIDENT, True, NOW + 1),))
        assert not post.relay.declared()


async def test_a_revocation_is_told_and_told_again_also_after_a_restart(tmp_path: Path) -> None:
    """Until a closing overtakes it; who has heard of it keeps it in their own file."""
    async with open_post(tmp_path) as post:
        post.relay.give("revoke", "alice", Shown("account", "pub", "AliceAcct"), evidence="e" * 32)
        await until(lambda: post.events)
        assert post.events == [("e" * 32, "alice")]
        [told] = post.wire.sent
        assert told[:2] == ("ams", Kind.ORDER)
    async with open_post(tmp_path) as post:
        post.relay.act_again(tell_revoked=False)
        assert post.events == [("e" * 32, "alice")], "killed before the desk had it"
        assert not post.wire.sent
        post.relay.act_again(tell_revoked=True)
        assert post.wire.sent == [told], "as it was signed"
        post.own = replace(post.own, tombstones=(Tombstone(INCIDENT, True, NOW + 1),))
        post.relay.act_again(tell_revoked=True)
        assert len(post.wire.sent) == 1


async def test_a_revocation_heard_before_the_incident_counts_once_it_is_open(
    tmp_path: Path,
) -> None:
    async with open_post(tmp_path) as post:
        opened, post.own = post.own, replace(post.own, id="")
        await post.takes(by_account(id="revoke:1", order="revoke", evidence="e" * 32))
        post.events.clear()
        post.relay.act_again(tell_revoked=False)
        assert post.events == []
        post.own = opened
        post.relay.act_again(tell_revoked=False)
        assert post.events == [("e" * 32, "alice")]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=1150))
def test_any_body_is_an_order_or_refused(body: bytes) -> None:
    with pytest.raises(DatagramFault):
        read_order(body[:72])
    with suppress(DatagramFault):
        read_order(body)


def test_the_longest_order_fits_one_datagram() -> None:
    longest = OrderGiven(
        "i" * 64, "standdown", "a" * 32, 2**42, "ssh", "v" * 32, "n" * 32,
        challenge("0" * 12 + "." + "v" * 32, "n" * 32, "k" * 30, "v" * 32 + "-" + "0" * 12),
        "s" * MAX_PROOF, "w" * 100, 43200.0,
    )  # fmt: skip
    revocation = replace(longest, order="revoke", why="", for_s=0.0, evidence="e" * 32)
    for order in (longest, revocation):
        assert len(write_order(1.0, sign_statement(AMS, Kind.ORDER, order))) <= MAX_BODY


async def test_words_in_any_script_fit_as_well(tmp_path: Path) -> None:
    """Else nothing could be said to the other agents any more, after a restart either."""
    async with open_post(tmp_path) as post:
        shown = Shown("account", "pub", "AliceAcct", "s" * MAX_PROOF)
        post.relay.give("declare", "alice", shown, why="\N{HORSE FACE}\x03" * 50)
        await until(lambda: post.wire.sent)
        [(name, kind, body)] = post.wire.sent
        assert (name, kind) == ("ams", Kind.ORDER)
        assert len(body) <= MAX_BODY
        assert post.relay.lines()[-1][1].why.startswith("\N{HORSE FACE}")
