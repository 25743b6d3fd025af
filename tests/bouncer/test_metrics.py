"""Figures in Prometheus' text format, read over a real socket."""

from __future__ import annotations

import trio
import trio.testing
from structlog.testing import capture_logs

from bouncer import metrics
from bouncer.address import Address
from tests.real.ports import free_port


def test_the_format() -> None:
    assert metrics.gauges({"a": 1, "b": 2.5}) == "# TYPE a gauge\na 1\n# TYPE b gauge\nb 2.5\n"
    exact = {"id": 123_456_789, "left_seconds": 7_776_000.125}
    assert "id 123456789\n" in metrics.gauges(exact)
    assert "left_seconds 7776000.125\n" in metrics.gauges(exact)
    said = metrics.family("n", "gauge", "state", {'a"b\\': 3})
    assert said == '# TYPE n gauge\nn{state="a\\"b\\\\"} 3\n'
    assert metrics.family("n", "gauge", "state", {}) == ""


async def ask(port: int, path: str) -> str:
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = b""
        async for data in stream:
            answer += data
    return answer.decode()


async def test_metrics_and_nothing_else_is_served() -> None:
    port = free_port()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(metrics.serve, Address("127.0.0.1", port), lambda: "up 1\n")
        await trio.testing.wait_all_tasks_blocked()
        found = await ask(port, "/metrics")
        assert found.startswith("HTTP/1.1 200 OK\r\n")
        assert found.endswith("\r\n\r\nup 1\n")
        assert (await ask(port, "/secrets.key")).startswith("HTTP/1.1 404")
        nursery.cancel_scope.cancel()


async def test_a_figure_that_cannot_be_had_ends_nothing_else() -> None:
    port = free_port()
    told = iter((None, "up 1\n"))

    def text() -> str:
        said = next(told)
        assert said is not None
        return said

    async with trio.open_nursery() as nursery:
        await nursery.start(metrics.serve, Address("127.0.0.1", port), text)
        with capture_logs() as logged:
            assert await ask(port, "/metrics") == ""
        assert [each["event"] for each in logged] == ["figures not told"]
        assert (await ask(port, "/metrics")).endswith("up 1\n")
        nursery.cancel_scope.cancel()
