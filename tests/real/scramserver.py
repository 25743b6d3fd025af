"""A server that knows SASL SCRAM-SHA-256 and nothing else: no services in Debian have it.

It shares no code with the bouncer: hashes and HMACs of the standard library, by RFC 5802 section 3
and RFC 7677. `lies` makes it sign as one does who has the client's proof but not the server's key.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

NAME = "scram.example.net"
SALT, ITERATIONS = b"sixteen octets!!", 4096


@dataclass
class ScramPeer:
    """The server's side of one exchange."""

    password: str
    salt: bytes = SALT
    iterations: int = ITERATIONS
    nonce: str = "servernonce"
    lies: bool = False
    user: str = ""
    verified: bool = False
    _so_far: str = ""
    _nonce: str = ""

    def first(self, client_first: str) -> str:
        """`n,,n=user,r=nonce` -> `r=nonces,s=salt,i=iterations`."""
        binding, authzid, bare = client_first.split(",", 2)
        assert (binding, authzid) == ("n", "")
        fields = _fields(bare)
        self.user = fields["n"].replace("=2C", ",").replace("=3D", "=")
        self._nonce = fields["r"] + self.nonce
        answer = f"r={self._nonce},s={b64encode(self.salt).decode()},i={self.iterations}"
        self._so_far = f"{bare},{answer}"
        return answer

    def final(self, client_final: str) -> str:
        """`c=biws,r=nonces,p=proof` -> `v=signature`, or an error."""
        without_proof, _, proof = client_final.rpartition(",p=")
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), self.salt, self.iterations)
        stored = hashlib.sha256(_hmac(salted, "Client Key")).digest()
        signed = f"{self._so_far},{without_proof}"
        signature = _hmac(stored, signed)
        key = bytes(a ^ b for a, b in zip(b64decode(proof), signature, strict=True))
        fields = _fields(without_proof)
        right = fields == {"c": b64encode(b"n,,").decode(), "r": self._nonce}
        self.verified = right and hashlib.sha256(key).digest() == stored
        if not self.verified:
            return "e=invalid-proof"
        server_key = b"not the key" if self.lies else _hmac(salted, "Server Key")
        return f"v={b64encode(_hmac(server_key, signed)).decode()}"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _fields(text: str) -> dict[str, str]:
    return dict(field.split("=", 1) for field in text.split(","))


@dataclass
class ScramServer:
    """`heard` is every line of every connection; `peers` the exchanges that were begun."""

    port: int
    password: str
    lies: bool = False
    heard: list[str] = field(default_factory=list)
    peers: list[ScramPeer] = field(default_factory=list)
    joined: trio.Event = field(default_factory=trio.Event)

    async def serve(self, stream: trio.SocketStream) -> None:
        data = b""
        try:
            while chunk := await stream.receive_some(4096):
                *lines, data = (data + bytes(chunk)).split(b"\r\n")
                for line in lines:
                    self.heard.append(line.decode())
                    answers = self._answers(line.decode())
                    await stream.send_all("".join(f"{each}\r\n" for each in answers).encode())
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    def _answers(self, line: str) -> list[str]:
        words = line.split(" ")
        match words:
            case ["CAP", "LS", *_]:
                return [f":{NAME} CAP * LS :sasl=SCRAM-SHA-256"]
            case ["CAP", "REQ", *names]:
                return [f":{NAME} CAP * ACK {' '.join(names)}"]
            case ["AUTHENTICATE", "SCRAM-SHA-256"]:
                self.peers.append(ScramPeer(self.password, lies=self.lies))
                return ["AUTHENTICATE +"]
            case ["AUTHENTICATE", "*"]:
                return [f":{NAME} 906 * :SASL authentication aborted"]
            case ["AUTHENTICATE", answer]:
                return self._exchange(answer)
            case ["CAP", "END"]:
                return [f":{NAME} 001 alice :Welcome", f":{NAME} 422 alice :no MOTD"]
            case ["JOIN", name]:
                self.joined.set()
                return [f":alice!a@h JOIN {name}", f":{NAME} 366 alice {name} :End"]
            case ["PING", token]:
                return [f":{NAME} PONG {NAME} {token}"]
        return []

    def _exchange(self, answer: str) -> list[str]:
        peer = self.peers[-1]
        if answer == "+":  # nothing more from a client that is content with our signature
            if not peer.verified:
                return [f":{NAME} 904 * :SASL authentication failed"]
            return [
                f":{NAME} 900 * alice!a@h {peer.user} :You are now logged in as {peer.user}",
                f":{NAME} 903 * :SASL authentication successful",
            ]
        text = b64decode(answer).decode()
        said = peer.final(text) if peer.user else peer.first(text)
        if said.startswith("e="):
            return [f":{NAME} 904 * :SASL authentication failed"]
        return [f"AUTHENTICATE {b64encode(said.encode()).decode()}"]


@asynccontextmanager
async def scram_server(password: str, *, lies: bool = False) -> AsyncIterator[ScramServer]:
    """Serve on a free port in this process."""
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        server = ScramServer(listeners[0].socket.getsockname()[1], password, lies)
        nursery.start_soon(trio.serve_listeners, server.serve, listeners)
        yield server
        nursery.cancel_scope.cancel()
