"""SASL over IRC: PLAIN, EXTERNAL, SCRAM-SHA-256, from both ends, and the 400-octet chunks.

Sources: IRCv3 sasl-3.1 and 3.2; RFC 4616 (PLAIN), RFC 4422 (EXTERNAL), RFC 5802 and 7677 (SCRAM).
Pure but for the random nonces. Whatever the other side sends ends in a value or a SaslError.
scramp is loaded by whoever needs it first, or by `load_scram`: no start should wait for it.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from secrets import token_bytes
from typing import TYPE_CHECKING, NamedTuple, Protocol

from bouncer.irc.wire import Message

if TYPE_CHECKING:
    from scramp import ScramClient

CHUNK = 400  # "then split to 400-byte chunks": sasl-3.1
MAX_RESPONSE = 16 * CHUNK  # octets of base64 in one response; SCRAM needs some 300
MAX_ITERATIONS = 200_000  # of a server's SCRAM; more would hold up everybody for the time it takes
ITERATIONS = 10_000  # of our own users' verifiers; at least 4096: RFC 7677 section 4
SALT = 16  # octets
SCRAM = "SCRAM-SHA-256"
MECHANISMS = ("SCRAM-SHA-256", "PLAIN", "EXTERNAL")


class SaslError(Exception):
    """The exchange cannot go on. The text is for the user; `too_long` asks for a 905."""

    def __init__(self, text: str, *, too_long: bool = False) -> None:
        super().__init__(text)
        self.too_long = too_long


def authenticate(data: bytes) -> list[Message]:
    """A response as AUTHENTICATE lines; empty is '+', and so is what follows a full last chunk."""
    text = b64encode(data).decode()
    chunks = [text[start : start + CHUNK] for start in range(0, len(text), CHUNK)]
    if len(text) % CHUNK == 0:
        chunks.append("+")
    return [Message("AUTHENTICATE", (chunk,)) for chunk in chunks]


class Chunks:
    """Collects the AUTHENTICATE lines of one response."""

    def __init__(self) -> None:
        self._text = ""

    def feed(self, chunk: str) -> bytes | None:
        """The whole response with its last chunk, None before. Raises SaslError."""
        text = self._text + ("" if chunk == "+" else chunk)
        if len(chunk) > CHUNK or len(text) > MAX_RESPONSE:
            self._text = ""
            raise SaslError("SASL message too long", too_long=True)
        if len(chunk) == CHUNK:
            self._text = text
            return None
        self._text = ""
        try:
            return b64decode(text, validate=True)
        except ValueError as error:
            raise SaslError("SASL message is not base64") from error


def load_scram() -> None:
    """Load scramp, which takes 20 ms. For a thread, once nobody waits for the start."""
    import scramp  # noqa: F401


# --- our end, towards a network ---


class SaslLogin(NamedTuple):
    """How to log in to a network. No `mechanism`: SCRAM where the server has it, else PLAIN."""

    mechanism: str = ""
    login: str = ""
    password: str = ""

    def mechanisms(self, listed: Sequence[str]) -> list[str]:
        """What to try in turn; `listed` is what the server names, empty when it names nothing."""
        if self.mechanism:
            usable = [self.mechanism.upper()] if self.mechanism.upper() in MECHANISMS else []
        else:
            usable = [SCRAM, "PLAIN"] if self.password else ["EXTERNAL"]
        known = {name.upper() for name in listed}
        return [name for name in usable if not known or name in known]


class Mechanism(Protocol):
    """One exchange. `respond` raises SaslError; `proven` says that all has been said and checked
    that the mechanism wants; `told` that the credentials have left."""

    told: bool
    proven: bool

    def respond(self, challenge: bytes) -> bytes: ...


class _OneAnswer:
    def __init__(self, answer: bytes) -> None:
        self.told = self.proven = False
        self._answer = answer

    def respond(self, _challenge: bytes) -> bytes:
        if self.told:
            raise SaslError("the network asks for more than the mechanism has")
        self.told = self.proven = True
        return self._answer


class _Scram:
    """Challenges in turn: nothing, server-first, server-final."""

    def __init__(self, login: str, password: str, nonce: str | None) -> None:
        from scramp import ScramClient, ScramException

        self.told = self.proven = False
        self._steps = 0
        try:
            self._client: ScramClient = ScramClient([SCRAM], login, password, c_nonce=nonce)
        except (ScramException, ValueError) as error:
            raise SaslError(f"this login cannot be used with {SCRAM}") from error

    def respond(self, challenge: bytes) -> bytes:
        from scramp import ScramException

        self._steps += 1
        try:
            return self._next(challenge.decode())
        except (ScramException, ValueError, KeyError) as error:
            raise SaslError(f"{SCRAM} failed: {error}") from error

    def _next(self, challenge: str) -> bytes:
        if self._steps == 1:
            return str(self._client.get_client_first()).encode()
        if self._steps == 2:
            if _iterations(challenge) > MAX_ITERATIONS:
                raise SaslError(f"the network wants more than {MAX_ITERATIONS} iterations")
            self._client.set_server_first(challenge)
            self.told = True
            return str(self._client.get_client_final()).encode()
        if self._steps == 3:
            self._client.set_server_final(challenge)  # raises unless the server knows the secret
            self.proven = True
            return b""
        raise SaslError("the network asks for more than the mechanism has")


def _iterations(server_first: str) -> int:
    for part in server_first.split(","):
        if part.startswith("i="):
            text = part[2:]
            if not (text.isascii() and text.isdecimal() and len(text) <= 9):
                raise SaslError(f"{SCRAM} failed: no iteration count")
            return int(text)
    return 0


def mechanism(name: str, login: SaslLogin, nonce: str | None = None) -> Mechanism:
    """A fresh exchange by one of MECHANISMS. Raises SaslError for a login it cannot carry."""
    if name == "PLAIN":
        fields = ("", login.login, login.password)
        return _OneAnswer("\0".join(fields).encode("utf-8", "replace"))
    if name == "EXTERNAL":
        return _OneAnswer(b"")  # no authorization identity: the certificate says who we are
    return _Scram(login.login, login.password, nonce)


# --- the bouncer's end, towards a client ---


def parse_plain(response: bytes) -> tuple[str, str]:
    """Login and password. Raises SaslError; an authorization identity other than the login's is
    refused, for nobody acts as somebody else here."""
    fields = response.decode("utf-8", "replace").split("\0")
    if len(fields) != 3 or not fields[1]:
        raise SaslError("SASL PLAIN wants an identity, a login and a password")
    identity, login, password = fields
    if identity not in ("", login):
        raise SaslError("SASL authentication failed: the identities differ")
    return login, password


_KEYS = re.compile(r"SCRAM-SHA-256\$(\d{1,9}):([\w+/=]+)\$([\w+/=]+):([\w+/=]+)", re.ASCII)


class ScramKeys(NamedTuple):
    """What the bouncer keeps to check SCRAM-SHA-256; the password cannot be had from it.

    As text `SCRAM-SHA-256$iterations:salt$stored_key:server_key`, octets in base64 (the form of
    RFC 5803).
    """

    salt: bytes
    stored_key: bytes
    server_key: bytes
    iterations: int

    @classmethod
    def of(
        cls, password: str, salt: bytes | None = None, iterations: int = ITERATIONS
    ) -> ScramKeys:
        """Derive them. Raises ValueError for a password that SASLprep (RFC 4013) forbids."""
        from scramp import ScramException, ScramMechanism

        try:
            salt = salt or token_bytes(SALT)
            made = ScramMechanism(SCRAM).make_auth_info(password, iterations, salt)
        except ScramException as error:
            raise ValueError(str(error)) from error
        return cls(*made)

    @classmethod
    def fake(cls, secret: bytes, user: str) -> ScramKeys:
        """Keys for a user there is not: the same at each try, so that it does not show."""

        def part(name: bytes) -> bytes:
            return hmac.digest(secret, name + b"\0" + user.encode("utf-8", "replace"), "sha256")

        return cls(part(b"salt")[:SALT], part(b"stored"), part(b"server"), ITERATIONS)

    @classmethod
    def parse(cls, text: str) -> ScramKeys:
        """Raises ValueError."""
        form = _KEYS.fullmatch(text)
        if form is None:
            raise ValueError(f"not the keys of {SCRAM}: {text[:16]!r}")
        salt, stored_key, server_key = (b64decode(part) for part in form.group(2, 3, 4))
        return cls(salt, stored_key, server_key, int(form[1]))

    def __str__(self) -> str:
        salt, stored, server = (b64encode(part).decode() for part in self[:3])
        return f"{SCRAM}${self.iterations}:{salt}${stored}:{server}"


def scram_login(client_first: bytes) -> str:
    """The login a client-first message names: its keys are wanted for the answer."""
    for part in client_first.decode("utf-8", "replace").split(",")[2:]:
        if part.startswith("n="):
            return part[2:].replace("=2C", ",").replace("=3D", "=")
    raise SaslError(f"{SCRAM} failed: no user name")


class ScramServer:
    """The bouncer's end of one SCRAM-SHA-256 exchange."""

    def __init__(self, client_first: bytes, keys: ScramKeys, nonce: str | None = None) -> None:
        """Raises SaslError, as every method does."""
        from scramp import ScramException, ScramMechanism

        try:
            auth_info = (keys.salt, keys.stored_key, keys.server_key, keys.iterations)
            server = ScramMechanism(SCRAM).make_server(lambda _user: auth_info, s_nonce=nonce)
            server.set_client_first(client_first.decode())
            self.first = str(server.get_server_first()).encode()
        except (ScramException, ValueError, KeyError) as error:
            raise SaslError(f"{SCRAM} failed: {error}") from error
        self._server = server

    def check(self, client_final: bytes) -> bytes:
        """The server-final message when the client has proven the password. Raises SaslError."""
        from scramp import ScramException

        try:
            self._server.set_client_final(client_final.decode())
            return str(self._server.get_server_final()).encode()
        except (ScramException, ValueError, KeyError) as error:
            raise SaslError("SASL authentication failed") from error
