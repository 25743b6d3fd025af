"""What the store hands out: frozen values, one class per thing that is kept.

An `id` of 0 means "not stored yet". Secrets are plain text here; `accounts` seals them on the way
to disk. Limits of retention are None where the wider setting counts (channel < network < user).
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who logs in. `password_hash` is argon2id (or an imported scheme), `scram` the
    SCRAM-SHA-256 verifier; '' where there is none."""

    name: str
    id: int = 0
    admin: bool = False
    enabled: bool = True
    password_hash: str = ""
    scram: str = ""
    nick: str = ""
    realname: str = ""
    auto_away: bool | None = None  # None: as [user_defaults] says
    autoplay: bool | None = None
    keep_age_s: int | None = None
    keep_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """One IRC network of one user. `uri` is `ircs://host[:port]` and its kin.

    `certificate` is PEM, certificate and private key together; `fingerprint` pins the server's
    certificate (`sha256:hex`) instead of the trust store; `rate` is lines per second, 0 for no
    limit, None for the server-wide setting; `casemapping` is how it folded names when it last told,
    '' where it never has.
    """

    user_id: int
    name: str
    uri: str
    id: int = 0
    nick: str = ""
    ident: str = ""
    realname: str = ""
    password: str = ""
    sasl_mechanism: str = ""
    sasl_login: str = ""
    sasl_password: str = ""
    sasl_required: bool = False
    certificate: str = ""
    fingerprint: str = ""
    source_address: str = ""
    proxy: str = ""
    connect_commands: tuple[str, ...] = ()
    enabled: bool = True
    auto_away: bool | None = None
    rate: float | None = None
    casemapping: str = ""
    keep_age_s: int | None = None
    keep_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel that a network's session is to be in. `detached` hides it from clients, who have
    seen nothing of it since message `detached_id`; or they had not till `attached_id`;
    `relay_detached`, `reattach_on`, `detach_on` are '' (default), none, highlight or message."""

    network_id: int
    name: str
    id: int = 0
    key: str = ""
    enabled: bool = True
    detached: bool = False
    detached_id: int = 0
    attached_id: int = 0
    relay_detached: str = ""
    reattach_on: str = ""
    detach_on: str = ""
    detach_after_s: int = 0
    always_notify: bool = False
    keep_age_s: int | None = None
    keep_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """A client's own cursor: everything up to message `delivered_id` has reached it. `seen_ms`
    is when it was last known to be there; 0 for never."""

    network_id: int
    name: str
    id: int = 0
    delivered_id: int = 0
    autoplay: bool | None = None
    seen_ms: int = 0


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where one client wants to be called by Web Push, when it hears nothing else. `p256dh` and
    `auth` are its keys in base64url, `caps` the capabilities with which it registered."""

    network_id: int
    endpoint: str
    p256dh: str
    auth: str = field(repr=False)
    id: int = 0
    caps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Certificate:
    """A client certificate that logs its user in, known by its SHA-256 (lower case hex)."""

    user_id: int
    fingerprint: str
    id: int = 0
    label: str = ""


@dataclass(frozen=True, slots=True)
class Agent:
    """A voter: an off-site process, by its public key. `position` is its rank."""

    name: str
    address: str
    key: str
    id: int = 0
    role: str = "agent"
    position: int = 0


@dataclass(frozen=True, slots=True)
class Staff:
    """A person of the roster. `nicks` and `accounts` are (network, name) pairs in order of
    preference, `keys` (kind, public part or hash) pairs with kind ssh, certfp, recovery or totp."""

    handle: str
    id: int = 0
    display: str = ""
    role: str = ""
    oncall: int = 0  # 0: not on call; else the order
    admin: bool = False
    user: str = ""
    nicks: tuple[tuple[str, str], ...] = ()
    accounts: tuple[tuple[str, str], ...] = ()
    keys: tuple[tuple[str, str], ...] = ()
