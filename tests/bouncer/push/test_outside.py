"""Requests to hosts that others named go to public addresses alone."""

from __future__ import annotations

import gc
from functools import partial

import pytest
import trio

from bouncer.push.outside import NotPublic, PostFault, is_public, post, resolve
from tests.real.pushservice import HOST, PushService, Towards, outside, push_service

URL = f"https://{HOST}/x"


PUBLIC = ["9.9.9.9", "2620:fe::fe", "64:ff9b::9.9.9.9", "::ffff:9.9.9.9"]
INSIDE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1",
    "169.254.169.254", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1",
    "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1",
    "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254", "2002:7f00:1::1", "2002:a00:1::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe", "nobody",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC + INSIDE)
def test_which_addresses_are_public(address: str) -> None:
    assert is_public(address) == (address in PUBLIC)


async def send(service: PushService, *names: list[str], within_s: float = 5.0) -> int:
    """POST where the name stands for the first list, later for the next ones."""
    told = iter(names)
    network = outside(service.port, lambda _host: next(told)) if names else outside(service.port)
    return await post(
        URL, {"TTL": "1"}, b"body", network=network, context=service.trust, within_s=within_s
    )


async def test_a_public_host_is_reached_by_its_name() -> None:
    async with push_service() as service:
        network = outside(service.port)
        status = await post(
            URL, {"TTL": "1"}, b"body", network=network, context=service.trust, within_s=5
        )
        assert status == 201
        (pushed,) = service.pushed
        assert (pushed.path, pushed.body) == ("/x", b"body")
        assert pushed.headers["host"] == HOST
        assert pushed.headers["ttl"] == "1"
        assert isinstance(network._network, Towards)
        assert network._network.meant == [("9.9.9.9", 443)]


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["9.9.9.9", "10.0.0.1"], ["::ffff:127.0.0.1"], ["fd00::1"]]
)
async def test_a_name_for_an_address_inside_is_refused(addresses: list[str]) -> None:
    async with push_service() as service:
        with pytest.raises(NotPublic, match="not public"):
            await send(service, addresses)
        assert service.pushed == []


async def test_a_name_that_means_something_else_a_moment_later_is_asked_once() -> None:
    """DNS rebinding: what was checked is what is connected to."""
    async with push_service() as service:
        answers = iter([["9.9.9.9"], ["127.0.0.1"]])
        network = outside(service.port, lambda _host: next(answers))
        await post(URL, {}, b"", network=network, context=service.trust, within_s=5)
        assert isinstance(network._network, Towards)
        assert network._network.meant == [("9.9.9.9", 443)]
        with pytest.raises(NotPublic):  # and the next request is checked anew
            await post(URL, {}, b"", network=network, context=service.trust, within_s=5)
        assert len(service.pushed) == 1


async def test_redirects_are_not_followed() -> None:
    async with push_service() as service:
        service.statuses, service.location = [307], "https://127.0.0.1/inside"
        assert await send(service) == 307
        assert len(service.pushed) == 1


async def test_a_host_that_never_answers_has_its_time() -> None:
    async with push_service() as service:
        service.silent = True
        with pytest.raises(PostFault, match="did not answer"):
            await send(service, within_s=0.3)


async def test_a_handshake_that_is_given_up_leaves_no_connection() -> None:
    ended = trio.Event()

    async def deaf(stream: trio.SocketStream) -> None:
        while await stream.receive_some():
            pass
        ended.set()

    async with push_service() as service, trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, deaf, 0, host="127.0.0.1"))
        network = outside(listeners[0].socket.getsockname()[1])
        gc.disable()  # which would close it, late
        try:
            with pytest.raises(PostFault, match="did not answer"):
                await post(URL, {}, b"", network=network, context=service.trust, within_s=0.2)
            with trio.fail_after(5):
                await ended.wait()
        finally:
            gc.enable()
        nursery.cancel_scope.cancel()


async def test_a_certificate_that_is_not_trusted_is_a_fault() -> None:
    async with push_service() as service, push_service() as other:
        with pytest.raises(PostFault):
            await post(URL, {}, b"", network=outside(service.port), context=other.trust, within_s=5)
        assert service.pushed == []


async def test_an_address_is_its_own_answer() -> None:
    assert await resolve("127.0.0.1", 443) == ["127.0.0.1"]
