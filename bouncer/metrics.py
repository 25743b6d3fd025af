"""Figures for Prometheus, on loopback: its text format 0.0.4, made by hand.

A dozen gauges need no registry: they are read from what is there when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog
import trio

from bouncer.address import Address, refused

REQUEST_S = 5.0
MAX_REQUEST = 8_192

log = structlog.get_logger("metrics")
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def gauges(values: Mapping[str, float]) -> str:
    """One gauge for each name."""
    return "".join(
        f"# TYPE {name} gauge\n{name} {float(value):.15g}\n" for name, value in values.items()
    )


def family(name: str, kind: str, label: str, values: Mapping[str, float]) -> str:
    """One metric with a value for each value of a label; '' where there is none."""
    if not values:
        return ""
    lines = [
        f'{name}{{{label}="{key.translate(_ESCAPES)}"}} {float(value):.15g}\n'
        for key, value in values.items()
    ]
    return f"# TYPE {name} {kind}\n" + "".join(lines)


async def serve(
    address: Address,
    text: Callable[[], str],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """`GET /metrics` and nothing else. Raises OSError, its text for the operator, where it cannot
    be listened on `address`."""

    async def answer(stream: trio.SocketStream) -> None:
        with trio.move_on_after(REQUEST_S):
            try:
                request = b""
                while b"\r\n\r\n" not in request and len(request) < MAX_REQUEST:
                    data = await stream.receive_some(1024)
                    if not data:
                        break
                    request += data
                found = request.startswith(b"GET /metrics ")
                body = text().encode() if found else b"try /metrics\n"
                head = (
                    f"HTTP/1.1 {'200 OK' if found else '404 Not Found'}\r\n"
                    "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                    f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                )
                await stream.send_all(head.encode() + body)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
            except Exception:  # the task's border: figures are worth nobody's connection
                log.exception("figures not told")
            finally:
                await trio.aclose_forcefully(stream)

    try:
        listeners = await trio.open_tcp_listeners(address.port, host=address.host)
    except OSError as error:
        raise OSError(f"metrics: {refused(address, error)}") from None
    task_status.started()
    await trio.serve_listeners(answer, list(listeners))
