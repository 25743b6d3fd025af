"""A push service for tests: real HTTPS on loopback, and a phone that reads what comes."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

import h11
import http_ece
import httpcore
import trio
import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bouncer.push.outside import Outside

HOST = "push.example.net"


def unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def padded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Phone:
    """A client's keys, as its system makes them."""

    def __init__(self, name: str = "phone") -> None:
        self.name = name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.secret = b"sixteen  octets!"

    @property
    def endpoint(self) -> str:
        return f"https://{HOST}/{self.name}"

    @property
    def p256dh(self) -> str:
        raw = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return unpadded(raw)

    @property
    def auth(self) -> str:
        return unpadded(self.secret)

    @property
    def registers(self) -> str:
        return f"WEBPUSH REGISTER {self.endpoint} p256dh={self.p256dh};auth={self.auth}"

    def reads(self, body: bytes) -> str:
        """By another library than the bouncer's own code."""
        clear = http_ece.decrypt(
            body, private_key=self.key, auth_secret=self.secret, version="aes128gcm"
        )
        return bytes(clear).decode()


@dataclass
class Pushed:
    """A request that came: its path, its headers by lower-case name, its body."""

    path: str
    headers: dict[str, str]
    body: bytes

    def signer(self, origin: str = f"https://{HOST}") -> str:
        """The key that has signed it for this origin, by RFC 8292."""
        scheme, _, rest = self.headers["authorization"].partition(" ")
        assert scheme == "vapid"
        values = dict(item.strip().split("=", 1) for item in rest.split(","))
        signed, _, signature = values["t"].rpartition(".")
        head, claims = (json.loads(padded(part)) for part in signed.split("."))
        assert head == {"typ": "JWT", "alg": "ES256"}
        assert claims["aud"] == origin
        assert claims["sub"].startswith("mailto:")
        raw = padded(signature)
        r, s = (int.from_bytes(half, "big") for half in (raw[:32], raw[32:]))
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), padded(values["k"]))
        public.verify(encode_dss_signature(r, s), signed.encode(), ec.ECDSA(SHA256()))
        return values["k"]


@dataclass
class PushService:
    """Answers with the next of `statuses`, then 201; with `silent` never."""

    authority: trustme.CA = field(default_factory=trustme.CA)
    port: int = 0
    pushed: list[Pushed] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    silent: bool = False
    location: str = ""  # of a redirect
    _news: trio.Event = field(default_factory=trio.Event)

    @property
    def trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context

    async def receives(self, number: int) -> Pushed:
        """Wait until so many have come; the last of them."""
        with trio.fail_after(10):
            while len(self.pushed) < number:
                await self._news.wait()
        return self.pushed[number - 1]

    async def serve(self, stream: trio.abc.Stream) -> None:
        connection = h11.Connection(h11.SERVER)
        request: h11.Request | None = None
        body = b""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError):
            while True:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    connection.receive_data(await stream.receive_some(65_536))
                elif isinstance(event, h11.Request):
                    request = event
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    break
                else:
                    return
            assert request is not None
            headers = {name.decode(): value.decode() for name, value in request.headers}
            self.pushed.append(Pushed(request.target.decode(), headers, body))
            self._news.set()
            self._news = trio.Event()
            if self.silent:
                await trio.sleep_forever()
            status = self.statuses.pop(0) if self.statuses else 201
            more = [("Location", self.location)] if self.location else []
            answer = h11.Response(status_code=status, headers=[("Content-Length", "0"), *more])
            await stream.send_all(connection.send(answer) + connection.send(h11.EndOfMessage()))
        await trio.aclose_forcefully(stream)


class Towards(httpcore.AsyncNetworkBackend):
    """Takes every connection to one port of this machine, and notes the address meant."""

    def __init__(self, port: int) -> None:
        self.meant: list[tuple[str, int]] = []
        self._port = port
        self._network = httpcore.TrioBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.meant.append((host, port))
        return await self._network.connect_tcp(
            "127.0.0.1", self._port, timeout, local_address, socket_options
        )


def outside(
    port: int, addresses: Callable[[str], list[str]] = lambda _host: ["9.9.9.9"]
) -> Outside:
    """The way to public hosts, whose names stand for `addresses`, but for the last step."""

    async def resolve(host: str, _port: int) -> list[str]:
        return addresses(host)

    return Outside(resolve, Towards(port))


@asynccontextmanager
async def push_service() -> AsyncIterator[PushService]:
    service = PushService()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    service.authority.issue_cert(HOST, "localhost").configure_cert(context)
    async with trio.open_nursery() as nursery:
        serve = partial(
            trio.serve_ssl_over_tcp, service.serve, 0, context, host="127.0.0.1",
            https_compatible=True,
        )  # fmt: skip
        listeners = await nursery.start(serve)
        service.port = listeners[0].transport_listener.socket.getsockname()[1]
        yield service
        nursery.cancel_scope.cancel()
