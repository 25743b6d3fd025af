"""Who may speak to us on the mesh, and what of it is new. Pure; time is an argument.

Each process draws a nonce at its start and learns those of its peers from datagrams that echo its
own. A datagram that echoes something else is authentic but may be a recording: it has no effect
but one short HELLO, from which an honest peer learns our nonce. One from an earlier boot of its
sender makes us draw another nonce: a recording is void then, and who lives proves itself anew. So
who ran a second process with a peer's key for a while does not leave the first one unheard.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from bouncer.mesh.heartbeat import NO_NONCE, Kind, PeerWindow, open_sealed, seal
from bouncer.mesh.keys import KeyFault, MeshKey, PublicKey

RENEW_GAP_S = 5.0  # between two nonces that were drawn for an earlier boot's sake
HELLO_GAP_S = 0.1  # between two HELLOs to one peer, so that recordings cost us nothing


class Heard(NamedTuple):
    """An authentic datagram. Only a `fresh` one may have an effect; send `reply` if it is there. A
    `copy` is of the peer's present boot, and came before: by another way, or from who recorded it.
    """

    peer: str
    kind: Kind
    body: bytes
    fresh: bool
    reply: bytes = b""
    copy: bool = False


@dataclass
class _Peer:
    name: str
    public: PublicKey
    pair_key: bytes
    window: PeerWindow = field(default_factory=PeerWindow)
    hello_at: float = float("-inf")
    farewell: bytes = b""  # it is a peer no more: all that it hears from us


class Peers:
    """The peers by name, with the sealing of this process. `draw_nonce` gives 8 random octets."""

    def __init__(self, key: MeshKey, draw_nonce: Callable[[], bytes]) -> None:
        self._key = key
        self._draw_nonce = draw_nonce
        self.nonce = draw_nonce()
        self._sequence = 0
        self._renewed_at = float("-inf")
        self._by_name: dict[str, _Peer] = {}
        self._pair_keys: dict[bytes, bytes] = {}
        self._by_id: dict[bytes, _Peer] = {}

    def replace(
        self, publics: Mapping[str, PublicKey], gone: Mapping[PublicKey, bytes] | None = None
    ) -> None:
        """Know exactly these peers; whoever is missing is a stranger from now on.

        What is known of a key that stays is kept. Our own key and bad keys are left out. `gone`:
        strangers that may not know it, and the DISMISSED that answers whatever they say.
        """
        known = {peer.public: peer for peer in self._by_name.values()}
        self._by_name = {}
        for name, public in publics.items():
            peer = known.get(public) or self._meet(name, public)
            if peer is not None:
                peer.name = name
                self._by_name[name] = peer
        strangers = [self._meet("", public, word) for public, word in (gone or {}).items()]
        self._by_id = {peer.public.key_id: peer for peer in strangers if peer is not None}
        self._by_id |= {peer.public.key_id: peer for peer in self._by_name.values()}
        self._pair_keys = {key_id: peer.pair_key for key_id, peer in self._by_id.items()}

    def _meet(self, name: str, public: PublicKey, farewell: bytes = b"") -> _Peer | None:
        if public == self._key.public:
            return None
        try:
            return _Peer(name, public, self._key.pair_key(public), farewell=farewell)
        except KeyFault:
            return None

    @property
    def names(self) -> list[str]:
        return list(self._by_name)

    def public(self, name: str) -> PublicKey:
        return self._by_name[name].public

    def nonce_of(self, name: str) -> bytes:
        """The nonce of the peer's present boot; zeros until it is proven."""
        peer = self._by_name.get(name)
        return peer.window.nonce if peer else NO_NONCE

    def seal(self, name: str, kind: Kind, body: bytes = b"") -> bytes:
        """A datagram to one peer. Raises KeyError for a stranger, ValueError when too big."""
        peer = self._by_name[name]
        return self._seal(peer, kind, peer.window.nonce, body)

    def greet(self, name: str) -> bytes:
        """A HELLO as to one whose nonce is not known: it is always answered."""
        return self._seal(self._by_name[name], Kind.HELLO, NO_NONCE)

    def receive(self, data: bytes, now: float) -> Heard:
        """Read what came. Raises DatagramFault when it is from no peer of ours."""
        datagram = open_sealed(data, self._pair_keys)
        peer = self._by_id[datagram.sender_id]
        if peer.farewell:
            return Heard("", datagram.kind, b"", False, self._dismiss(peer, datagram.nonce, now))
        if peer.window.full:
            self._renew_nonce()
        if peer.window.accepts(datagram, self.nonce):
            return Heard(peer.name, datagram.kind, datagram.body, True)
        retired = peer.window.is_retired(datagram, self.nonce)
        if retired and now - self._renewed_at >= RENEW_GAP_S:
            self._renewed_at = now
            self._renew_nonce()
        reply = b""
        if datagram.echo != self.nonce and now - peer.hello_at >= HELLO_GAP_S:
            peer.hello_at = now
            reply = self._seal(peer, Kind.HELLO, datagram.nonce)
        copy = (datagram.echo, datagram.nonce) == (self.nonce, peer.window.nonce)
        return Heard(peer.name, datagram.kind, datagram.body, False, reply, copy)

    def _dismiss(self, peer: _Peer, nonce: bytes, now: float) -> bytes:
        if now - peer.hello_at < HELLO_GAP_S:
            return b""
        peer.hello_at = now
        return self._seal(peer, Kind.DISMISSED, nonce, peer.farewell)

    def _seal(self, peer: _Peer, kind: Kind, echo: bytes, body: bytes = b"") -> bytes:
        self._sequence += 1
        return seal(
            peer.pair_key,
            self._key.public.key_id,
            kind,
            nonce=self.nonce,
            echo=echo,
            sequence=self._sequence,
            body=body,
        )

    def _renew_nonce(self) -> None:
        """With a new nonce all recordings are void, and what was retired can be forgotten."""
        self.nonce = self._draw_nonce()
        for peer in self._by_name.values():
            peer.window = PeerWindow()
