"""Certificates: made, served, asked for, replaced, and spoken of in time."""

from __future__ import annotations

import datetime
import ssl
import warnings
from pathlib import Path

import pytest
import trio
import trio.testing
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bouncer import config
from bouncer.tls import certificates, selfsigned
from bouncer.tls import contexts as tls
from bouncer.tls.certificates import DAY_S, Certificate, CertificateFault, Standing, Told, Urgency
from bouncer.tls.stream import Context, SpokeNoTls, shake_hands

SAN = x509.SubjectAlternativeName.oid
YEAR = datetime.timedelta(days=365)


def a_config(folder: Path) -> config.Config:
    return config.parse({"data_dir": str(folder), "server_name": "irc.example.net"}, folder / "x")


def a_pair(folder: Path, name: str, now: datetime.datetime | None = None) -> tuple[Path, Path]:
    pair = folder / f"{name}.pem", folder / f"{name}.key"
    selfsigned.make(*pair, [name], now)
    return pair


async def talk(
    server: Context, client: ssl.SSLContext, name: str | None = None
) -> tuple[str, bytes]:
    """One exchange over `server`: the fingerprint it saw, and what the client heard back."""
    near, far = trio.testing.memory_stream_pair()
    seen = heard = None

    async def serve() -> None:
        nonlocal seen
        stream = await shake_hands(far, server, server_side=True)
        seen = tls.peer_fingerprint(stream)
        data = b""
        while len(data) < 100_000:
            data += await stream.receive_some()
        await stream.send_all(data[::-1])
        assert await stream.receive_some() == b""
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        stream = trio.SSLStream(near, client, server_hostname=name)
        await stream.send_all(b"ab" * 50_000)
        heard = b""
        while len(heard) < 100_000:
            heard += await stream.receive_some()
        await stream.aclose()
    assert seen is not None
    return seen, heard


def any_server() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def test_the_self_signed_certificate_is_good_for_the_names_clients_use(
    tmp_path: Path,
) -> None:
    server = tls.server_tls(a_config(tmp_path))
    client = ssl.create_default_context(cafile=str(server.certificate))
    for name in ("irc.example.net", "localhost", "127.0.0.1"):
        assert await talk(server.context(False), client, name) == ("", b"ba" * 50_000)
    assert server.key.stat().st_mode & 0o777 == 0o600


def test_the_self_signed_certificate_is_made_once(tmp_path: Path) -> None:
    first = tls.server_tls(a_config(tmp_path)).served.fingerprint
    assert tls.server_tls(a_config(tmp_path)).served.fingerprint == first


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("kind", ["none", "unknown", "expired"])
async def test_every_client_certificate_reaches_the_login(
    tmp_path: Path, kind: str, version: ssl.TLSVersion
) -> None:
    server = tls.server_tls(a_config(tmp_path))
    client = any_server()
    client.maximum_version = version
    expected = ""
    if kind != "none":
        long_ago = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
        pair = a_pair(tmp_path, "alice", long_ago if kind == "expired" else None)
        client.load_cert_chain(*pair)
        expected = certificates.read(pair[0]).fingerprint
    assert await talk(server.context(True), client) == (expected, b"ba" * 50_000)


async def test_an_asking_listener_survives_a_client_that_vanishes(tmp_path: Path) -> None:
    server = tls.server_tls(a_config(tmp_path))
    near, far = trio.testing.memory_stream_pair()
    await near.send_all(b"\x16\x03\x01\x00")
    await near.aclose()
    with pytest.raises(trio.BrokenResourceError) as broken:
        await shake_hands(far, server.context(True), server_side=True)
    assert isinstance(broken.value.__cause__, ssl.SSLEOFError)


async def test_an_asking_listener_survives_rubbish(tmp_path: Path) -> None:
    server = tls.server_tls(a_config(tmp_path))
    near, far = trio.testing.memory_stream_pair()
    await near.send_all(b"NICK alice\r\nUSER alice 0 * :alice\r\n")
    with pytest.raises(SpokeNoTls):
        await shake_hands(far, server.context(True), server_side=True)


@pytest.mark.parametrize("asking", [True, False])
async def test_who_speaks_another_tls_is_told_by_an_alert(asking: bool, tmp_path: Path) -> None:
    server = tls.server_tls(a_config(tmp_path)).context(asking)
    client = any_server()
    client.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        client.minimum_version = client.maximum_version = ssl.TLSVersion.TLSv1_1
    near, far = trio.testing.memory_stream_pair()

    async def serve() -> None:
        with pytest.raises(trio.BrokenResourceError):
            await shake_hands(far, server, server_side=True)
        await far.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        with pytest.raises(trio.BrokenResourceError) as broken:
            await trio.SSLStream(near, client).do_handshake()
    assert "alert protocol version" in str(broken.value.__cause__).lower()


def test_reload_serves_the_new_certificate(tmp_path: Path) -> None:
    server = tls.ServerTls(*a_pair(tmp_path, "irc"))
    old = server.served.fingerprint
    assert server.reload() is False
    a_pair(tmp_path, "irc")
    assert server.on_disk().fingerprint != old
    assert server.reload() is True
    assert server.served.fingerprint != old


@pytest.mark.parametrize("harm", ["half a file", "another key", "gone", "no key"])
def test_an_unusable_new_certificate_changes_nothing(tmp_path: Path, harm: str) -> None:
    server = tls.ServerTls(*a_pair(tmp_path, "irc"))
    served, context = server.served, server.context(False)
    match harm:
        case "half a file":
            server.certificate.write_bytes(server.certificate.read_bytes()[:200])
        case "another key":
            server.key.write_bytes(a_pair(tmp_path, "other")[1].read_bytes())
        case "gone":
            server.certificate.unlink()
        case "no key":
            server.key.write_text("nothing here\n")
    with pytest.raises(CertificateFault, match=str(tmp_path)):
        server.reload()
    assert server.served == served
    assert server.context(False) is context


def lasting(days: float) -> Certificate:
    return Certificate(Path("/etc/muster/irc.pem"), "aa", 0.0, days * DAY_S, ())


@pytest.mark.parametrize(
    ("lifetime_days", "left_days", "expected"),
    [
        # "Warn when less than a third of the lifetime (minus 2 days) is left, urgently under
        # 15 %, daily in the last 3 days."
        (90, 28.1, Urgency.FINE),
        (90, 27.9, Urgency.RENEW),
        (90, 13.6, Urgency.RENEW),
        (90, 13.4, Urgency.URGENT),
        (90, 3.1, Urgency.URGENT),
        (90, 2.9, Urgency.LAST_DAYS),
        (90, 0, Urgency.EXPIRED),
        (90, 91, Urgency.NOT_YET),
        (6, 2.1, Urgency.FINE),
        (6, 1.9, Urgency.LAST_DAYS),
    ],
)
def test_the_thresholds(lifetime_days: float, left_days: float, expected: Urgency) -> None:
    now = (lifetime_days - left_days) * DAY_S
    assert certificates.urgency(lasting(lifetime_days), now) is expected


def test_each_threshold_is_said_once_and_the_last_days_daily() -> None:
    certificate, told, said = lasting(90), None, []
    for hour in range(91 * 24):
        now = hour * 3600.0
        if certificates.due(certificate, now, told):
            level = certificates.urgency(certificate, now)
            told = Told(certificate.fingerprint, level, now)
            said.append((hour // 24, level.name))
    assert said == [
        (62, "RENEW"),
        (76, "URGENT"),
        (87, "LAST_DAYS"),
        (88, "LAST_DAYS"),
        (89, "LAST_DAYS"),
        (90, "EXPIRED"),
    ]


def test_an_acknowledged_one_is_said_again_only_when_it_gets_worse() -> None:
    certificate = lasting(90)
    told = Told(certificate.fingerprint, Urgency.LAST_DAYS, 87 * DAY_S, acked_by="alice")
    assert not certificates.due(certificate, 89 * DAY_S, told)
    assert certificates.due(certificate, 91 * DAY_S, told)


def test_renewed_but_not_reloaded_is_not_called_unrenewed() -> None:
    served, now = lasting(90), 80 * DAY_S
    fresh = Certificate(served.path, "bb", now, now + 90 * DAY_S, ())
    assert "renewed but not reloaded" in certificates.sentence(Standing(served, fresh), now)
    assert "not renewed" in certificates.sentence(Standing(served, served), now)
    assert certificates.sentence(Standing(fresh, fresh), now) == ""
    assert "expired" in certificates.sentence(Standing(served, served), 91 * DAY_S)


class ReplacedAfterRead(type(Path())):  # type: ignore[misc]  # the class that this system has
    """The key of a pair, which somebody replaces when it has been read for the second time."""

    reads = 0

    def read_bytes(self) -> bytes:
        data = super().read_bytes()
        type(self).reads += 1
        if self.reads == 2:
            selfsigned.make(self.with_suffix(".pem"), Path(self), ["new.example.net"])
        return data


def test_a_pair_replaced_while_it_is_loaded_is_loaded_again(tmp_path: Path) -> None:
    chain, key = a_pair(tmp_path, "server")
    old = certificates.read(chain).fingerprint
    served = tls.ServerTls(chain, ReplacedAfterRead(key))
    assert served.served.fingerprint == old
    assert served.on_disk().fingerprint != old
    assert served.reload()


def test_a_certificate_with_broken_extensions_is_a_fault_like_others(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([]), datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + YEAR)
        .add_extension(x509.UnrecognizedExtension(SAN, b"\x30\x03\x82\x05x"), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain = tmp_path / "chain.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    with pytest.raises(CertificateFault, match="extensions cannot be read"):
        certificates.read(chain)
