"""A renewed certificate is served by itself; ops hear of one that cannot be."""

from __future__ import annotations

import datetime
import time
from pathlib import Path

import pytest
import trio
import trio.testing
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from structlog.testing import capture_logs

from bouncer.tls import certificates, selfsigned
from bouncer.tls.certificates import CertificateFault
from bouncer.tls.contexts import ServerTls
from bouncer.tls.renewals import WATCH_S, Renewals


def renew(
    folder: Path, *, key: str = "k.pem", now: datetime.datetime | None = None
) -> tuple[Path, Path]:
    chain = folder / "c.pem"
    selfsigned.make(chain, folder / key, ["irc.example.net"], now)
    return chain, folder / "k.pem"


@pytest.fixture
def clock() -> trio.testing.MockClock:
    return trio.testing.MockClock()


async def test_ops_hear_once_of_a_renewed_certificate_that_cannot_be_served(
    tmp_path: Path, clock: trio.testing.MockClock
) -> None:
    """Nobody looks into the log until the old one has expired."""
    told: list[str] = []
    tls = ServerTls(*renew(tmp_path))
    old = tls.served.fingerprint
    renewals = Renewals(tls, told.append)

    async def look() -> None:
        clock.jump(WATCH_S)
        await trio.testing.wait_all_tasks_blocked()

    with capture_logs() as logged:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(renewals.watch)
            await trio.testing.wait_all_tasks_blocked()
            renew(tmp_path, key="other.pem")  # its key was not copied
            await look()
            assert told == [], "the key may come a moment later"
            for _ in range(3):
                await look()
            (said,) = told
            assert said.startswith("certificate on disk cannot be served, the old one goes on: ")
            assert f"{tmp_path}/k.pem: is not the key of" in said
            assert [each["event"] for each in logged] == ["certificate not reloaded"]
            assert tls.served.fingerprint == old
            renew(tmp_path)
            await look()
            assert tls.served.fingerprint != old
            assert [each["event"] for each in logged][1:] == ["certificate reloaded"]
            assert len(told) == 1
            nursery.cancel_scope.cancel()


async def test_ops_hear_of_a_certificate_that_nobody_renews_until_somebody_does(
    tmp_path: Path, clock: trio.testing.MockClock
) -> None:
    told: list[str] = []
    long_ago = datetime.datetime.now(datetime.UTC) - datetime.timedelta(
        days=selfsigned.LIFETIME_DAYS - 2
    )
    tls = ServerTls(*renew(tmp_path, now=long_ago))
    renewals = Renewals(tls, told.append)

    async def look() -> None:
        clock.jump(WATCH_S)
        await trio.testing.wait_all_tasks_blocked()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(renewals.watch)
        await trio.testing.wait_all_tasks_blocked()
        (said,) = told
        assert f"until {certificates.day(tls.served.not_after)}" in said
        await look()
        assert told == [said], "once a day"
        assert renewals.acknowledge("alice") == said
        renew(tmp_path)
        await look()
        assert tls.served.left_s(time.time()) > 3600 * 24 * 365
        assert renewals.acknowledge("alice") == ""
        nursery.cancel_scope.cancel()
    assert told == [said]


async def test_a_chain_with_other_issuers_is_served_too(
    tmp_path: Path, clock: trio.testing.MockClock
) -> None:
    """The same certificate, and an intermediate one that clients need to trust it."""
    chain, key = renew(tmp_path)
    tls = ServerTls(chain, key)
    old, context = tls.served, tls.context(client_certs=False)
    (tmp_path / "ca").mkdir()
    issuer, _ = renew(tmp_path / "ca")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Renewals(tls, lambda _text: None).watch)
        await trio.testing.wait_all_tasks_blocked()
        assert tls.context(client_certs=False) is context, "nothing has changed"
        chain.write_bytes(chain.read_bytes() + issuer.read_bytes())
        clock.jump(WATCH_S)
        await trio.testing.wait_all_tasks_blocked()
        assert tls.context(client_certs=False) is not context
        assert tls.served.fingerprint == old.fingerprint
        assert len(tls.served.issuers) == 1
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("k.pem", "k.pem: holds no PEM private key"),
        ("c.pem", "c.pem: holds no PEM certificate; name the full chain"),
    ],
)
def test_what_is_on_disk_and_cannot_be_served_is_not_called_good(
    broken: str, why: str, tmp_path: Path
) -> None:
    """A restart would fail, and nobody would have been told."""
    tls = ServerTls(*renew(tmp_path))
    renewals = Renewals(tls, lambda _text: None)

    def said() -> str:
        standing = renewals.standing()
        assert standing is not None
        return certificates.sentence(standing, time.time())

    assert said() == ""
    whole = (tmp_path / broken).read_bytes()
    (tmp_path / broken).write_text("-----BEGIN")
    assert said().startswith(f"certificate on disk cannot be served: {tmp_path}/{why}. ")
    assert f"Still served is the one until {certificates.day(tls.served.not_after)} (" in said()
    (tmp_path / broken).write_bytes(whole)
    assert said() == ""


def test_an_rsa_key_that_signs_wrongly_is_not_served(tmp_path: Path) -> None:
    """Looking at the key would take a third of a second; the trial handshake shows it, too."""
    chain, key = renew(tmp_path)
    numbers = rsa.generate_private_key(65537, 2048).private_numbers()
    wrong = rsa.RSAPrivateNumbers(
        numbers.p, numbers.q, numbers.d ^ 2, numbers.dmp1 ^ 2, numbers.dmq1, numbers.iqmp,
        numbers.public_numbers,
    ).private_key(unsafe_skip_rsa_key_validation=True)  # fmt: skip
    name, start = x509.Name([]), datetime.datetime.now(datetime.UTC)
    public, end = numbers.public_numbers.public_key(), start + datetime.timedelta(days=9)
    made = x509.CertificateBuilder(name, name, public, 1, start, end).sign(
        numbers.private_key(), hashes.SHA256()
    )
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    plain = serialization.NoEncryption()
    key.write_bytes(wrong.private_bytes(serialization.Encoding.PEM, form, plain))
    with pytest.raises(CertificateFault, match=str(chain)):
        ServerTls(chain, key)


async def test_what_is_acknowledged_before_ops_have_heard_it_is_not_said(
    tmp_path: Path, clock: trio.testing.MockClock
) -> None:
    """Who has seen it by `cert` need not wait for the next look."""
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=3700)
    selfsigned.make(tmp_path / "c.pem", tmp_path / "k.pem", ["irc.example.net"], start)
    told: list[str] = []
    renewals = Renewals(ServerTls(tmp_path / "c.pem", tmp_path / "k.pem"), told.append)
    assert renewals.acknowledge("alice").startswith("certificate expired")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(renewals.watch)
        for _ in range(3):
            await trio.testing.wait_all_tasks_blocked()
            clock.jump(WATCH_S)
        assert told == []
        nursery.cancel_scope.cancel()
    renew(tmp_path)
    assert renewals.tls is not None
    renewals.tls.reload()
    assert renewals.acknowledge("alice") == ""
