"""A renewed certificate is served by itself; ops hear of one that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from bouncer.tls import selfsigned
from bouncer.tls.contexts import ServerTls
from bouncer.tls.renewals import WATCH_S, Renewals


def renew(folder: Path, *, key: str = "k.pem") -> tuple[Path, Path]:
    chain = folder / "c.pem"
    selfsigned.make(chain, folder / key, ["irc.example.net"])
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
