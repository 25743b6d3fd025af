"""Commands about users, staff and what proves who they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from bouncer.control import readers
from bouncer.control.actors import OPERATOR, Actor, Door
from bouncer.control.grammar import ControlError
from bouncer.control.registry import dispatch
from bouncer.control.users import MAX_CERTIFICATES
from bouncer.mesh import proofs
from bouncer.mesh.roster import Credential
from storage import accounts
from tests.bouncer.control.cases import (
    ALICE,
    CERT,
    LIBERA,
    SSH,
    STAFF,
)
from tests.bouncer.desks import Noted, open_desk


async def test_the_last_admin_stays(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        for line in (ALICE, "user add boss --admin"):
            await dispatch(line, OPERATOR, desk)
        for line in ("user remove boss", "user set boss --admin no", "user set boss --enabled no"):
            with pytest.raises(ControlError, match="would leave no admin"):
                await dispatch(line, OPERATOR, desk)
        assert "boss: admin, 0 networks" in await dispatch("user list", OPERATOR, desk)


@pytest.mark.parametrize(
    "text",
    [
        CERT,
        CERT.upper(),
        f"sha256:{CERT}",
        "sha256 Fingerprint=" + ":".join(["AB"] * 32),
        "SHA256 Fingerprint=" + ":".join(["AB"] * 32),
        ":".join(["ab"] * 32),
    ],
)
def test_fingerprints_are_read_as_programs_print_them(text: str) -> None:
    assert readers.fingerprint(text) == CERT
    assert readers.certfp(text) == CERT


@pytest.mark.parametrize("text", ["d1" * 20, "SHA1 Fingerprint=" + ":".join(["D1"] * 20)])
def test_a_person_s_fingerprint_may_be_the_one_that_oftc_tells(text: str) -> None:
    assert readers.certfp(text) == "d1" * 20
    with pytest.raises(ValueError, match="SHA-256"):
        readers.fingerprint(text)
    with pytest.raises(ValueError, match="40"):
        readers.certfp(text + "0")


async def test_what_says_who_somebody_is_says_it_of_one_person(tmp_path: Path) -> None:
    """Else an agent takes the one for the other, who may be an admin."""
    async with open_desk(tmp_path) as desk:
        mine = f"--account libera Alice --certfp {CERT}"
        await dispatch(f"staff add alice {mine}", OPERATOR, desk)
        await dispatch(f"staff set alice --role db {mine}", OPERATOR, desk)  # one's own again
        await dispatch("staff add bob --account oftc alice", OPERATOR, desk)
        with pytest.raises(ControlError, match="account alice on libera is alice's already"):
            await dispatch("staff set bob --account Libera alice", OPERATOR, desk)
        with pytest.raises(ControlError, match="certificate is alice's already"):
            await dispatch(f"staff add carol --certfp {CERT}", OPERATOR, desk)


async def test_a_user_is_one_person_s(tmp_path: Path) -> None:
    """Else the ops bot takes the one for the other, who may be an admin."""
    async with open_desk(tmp_path) as desk:
        for line in (ALICE, "staff add alice --user alice --admin true", "staff add bob"):
            await dispatch(line, OPERATOR, desk)
        await dispatch("staff set alice --user Alice", OPERATOR, desk)  # one's own again
        for line in ("staff set bob --user ALICE", "staff add carol --user alice"):
            with pytest.raises(ControlError, match="user alice is alice's already"):
                await dispatch(line, OPERATOR, desk)


async def test_who_gets_a_removed_user_s_name_is_not_taken_for_them(tmp_path: Path) -> None:
    async with open_desk(tmp_path, live := Noted()) as desk:
        for line in (ALICE, "staff add al --user alice --admin true", "staff add bob"):
            await dispatch(line, OPERATOR, desk)
        live.rosters = 0
        assert await dispatch("user remove Alice", OPERATOR, desk) == [
            "user alice removed, with networks, channels and history",
            "al stays on the roster, without a user",
        ]
        assert live.rosters == 1
        await dispatch(ALICE, OPERATOR, desk)
        with pytest.raises(ControlError, match="status is for staff"):
            await dispatch("status", Actor(Door.SERVICE, user="alice"), desk)


async def test_one_certificate_of_a_person_is_taken_away_and_no_other_key(tmp_path: Path) -> None:
    second = "cd" * 32
    async with open_desk(tmp_path, live := Noted()) as desk:
        await dispatch(f"{STAFF} --ssh-key {SSH} --certfp {CERT} --certfp {second}", OPERATOR, desk)
        assert await dispatch("staff certfp alice", OPERATOR, desk) == [CERT, second]
        known = (await desk.store.read(accounts.get_staff, "alice")).keys
        live.rosters = 0
        await dispatch(f"staff certfp alice --remove {CERT.upper()}", OPERATOR, desk)
        left = (await desk.store.read(accounts.get_staff, "alice")).keys
        assert left == tuple(pair for pair in known if pair[1] != CERT)
        assert live.rosters == 1, "the voters are told"
        with pytest.raises(ControlError, match="alice has no such certificate; `staff certfp"):
            await dispatch(f"staff certfp alice --remove {CERT}", OPERATOR, desk)
        await dispatch(f"staff certfp alice --remove {second}", OPERATOR, desk)
        [none] = await dispatch("staff certfp alice", OPERATOR, desk)
        assert "`staff set alice --certfp FINGERPRINT` adds one" in none


async def test_recovery_codes_are_kept_as_hashes_and_replaced(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await dispatch(f"{STAFF} --ssh-key {SSH}", OPERATOR, desk)
        first = (await dispatch("staff codes alice", OPERATOR, desk))[1:]
        second = (await dispatch("staff codes alice", OPERATOR, desk))[1:]
        person = await desk.store.read(accounts.get_staff, "alice")
    kept = [Credential("recovery", public) for kind, public in person.keys if kind == "recovery"]
    assert len(kept) == 10
    assert all(proofs.matching_code(code, kept) for code in second)
    assert not any(proofs.matching_code(code, kept) for code in first)
    assert [kind for kind, _ in person.keys].count("ssh") == 1
    assert not any(code in str(person) for code in second)


async def test_an_rsa_key_is_refused_at_enrolment(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        with pytest.raises(ControlError, match="enrol Ed25519"):
            await dispatch("staff add bob --ssh-key 'ssh-rsa AAAA bob'", OPERATOR, desk)


async def test_an_authenticator_app_is_enrolled_once_shown_and_can_be_forgotten(
    tmp_path: Path,
) -> None:
    async with open_desk(tmp_path) as desk:
        await dispatch(STAFF, OPERATOR, desk)
        [_, _, uri] = await dispatch("staff set alice --totp", OPERATOR, desk)
        [held] = [
            public
            for kind, public in (await desk.store.read(accounts.get_staff, "alice")).keys
            if kind == "totp"
        ]
        assert uri.startswith("otpauth://totp/Muster%3Aalice?")
        assert f"secret={held}" in uri
        [line] = await dispatch("staff list", OPERATOR, desk)
        assert "1 authenticator app" in line
        assert held not in line
        await dispatch("staff set alice --no-totp", OPERATOR, desk)
        assert not (await desk.store.read(accounts.get_staff, "alice")).keys
        [said, _, second] = await dispatch("staff add bob --totp", OPERATOR, desk)
        assert "on the roster" in said
        assert second != uri


@pytest.mark.parametrize("mark", ["", "-- "])
async def test_what_is_run_as_a_user_keeps_its_options_and_quotes(
    mark: str, tmp_path: Path
) -> None:
    async with open_desk(tmp_path) as desk:
        await dispatch(ALICE, OPERATOR, desk)
        line = f"user run alice {mark}network add --realname 'Al  Ice' home ircs://irc.home.example"
        await dispatch(line, OPERATOR, desk)
        [network] = await desk.store.read(accounts.list_networks)
    assert network.realname == "Al  Ice"


@pytest.mark.parametrize("name", ["jürgen", "ü" * 64])
async def test_a_certificate_is_made_for_any_name(name: str, tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await dispatch(f"user add {name} --password secret", OPERATOR, desk)
        await dispatch(f"network add {name} home ircs://irc.home.example", OPERATOR, desk)
        [made, *_] = await dispatch(f"certfp generate {name} home", OPERATOR, desk)
    assert made == "a certificate for home is made and shown to it from now on"


async def test_who_shows_a_certificate_takes_it_from_who_has_only_named_it(tmp_path: Path) -> None:
    """Networks tell everybody the fingerprints of their users' certificates."""
    live = Noted()
    alice, bob = (Actor(Door.SERVICE, user=name) for name in ("alice", "bob"))
    async with open_desk(tmp_path, live) as desk:

        async def whose() -> str:
            user = await desk.store.read(accounts.user_by_certificate, CERT)
            assert user is not None
            return user.name

        for line in (ALICE, "user add bob --password pw"):
            await dispatch(line, OPERATOR, desk)
        await dispatch(f"certfp add {CERT}", bob, desk)
        with pytest.raises(ControlError, match="another user has named this certificate") as told:
            await dispatch(f"certfp add {CERT}", alice, desk)
        assert "connect as alice with it and the password, and say this again" in str(told.value)
        with pytest.raises(ControlError, match="bob has named this certificate already"):
            await dispatch(f"certfp add alice {CERT}", OPERATOR, desk)
        assert await whose() == "bob"
        live.shown.add(("alice", CERT))
        (said,) = await dispatch(f"certfp add {CERT} --label laptop", alice, desk)
        assert said.endswith(", and bob no more")
        assert await whose() == "alice"
        with pytest.raises(ControlError, match="known already; `certfp list` shows yours"):
            await dispatch(f"certfp add {CERT}", alice, desk)
        with pytest.raises(ControlError, match="another user has named this certificate"):
            await dispatch(f"certfp add {CERT}", bob, desk)


async def test_an_empty_password_is_not_taken_for_a_wish_to_have_one_made(tmp_path: Path) -> None:
    """As where a script's variable is empty: nobody is locked out by it."""
    async with open_desk(tmp_path) as desk:
        await dispatch(ALICE, OPERATOR, desk)
        before = await desk.store.read(accounts.get_user, "alice")
        for line in ("user passwd alice --password ''", "user add bob --password ''"):
            with pytest.raises(ControlError, match="the password is empty"):
                await dispatch(line, OPERATOR, desk)
        assert await desk.store.read(accounts.list_users) == [before]


async def test_a_large_team_s_roster_is_in_lines_that_irc_takes(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        for number in range(60):
            await dispatch(f"staff add person{number:02} --role r{number}", OPERATOR, desk)
        lines = await dispatch("roster", OPERATOR, desk)
        assert len(lines) == 2
        assert max(map(len, lines)) <= 400
        said = [each for line in lines for each in line.split("; ")]
        assert said == [f"person{number:02}=?" for number in range(60)]
        [none] = await dispatch("staff list x", OPERATOR, desk)
        assert none == "nobody on the roster with role x"


async def test_certificates_and_named_clients_are_bounded(tmp_path: Path) -> None:
    alice = Actor(Door.SERVICE, user="alice")
    async with open_desk(tmp_path) as desk:
        for line in (ALICE, LIBERA):
            await dispatch(line, OPERATOR, desk)
        for number in range(MAX_CERTIFICATES):
            await dispatch(f"certfp add {number:064x}", alice, desk)
        with pytest.raises(ControlError, match=r"alice has 100 certificates already; `certfp rem"):
            await dispatch(f"certfp add {CERT}", alice, desk)
        for number in range(accounts.MAX_CLIENT_NAMES):
            await dispatch(f"client set c{number} --autoplay off", alice, desk)
        await dispatch("client set c7 --autoplay on", alice, desk)
        with pytest.raises(ControlError, match="200 clients are known on libera already"):
            await dispatch("client set another --autoplay off", alice, desk)
