"""The server's end of SASL: one client's exchanges, up to the attempt somebody must check.

Sources: IRCv3 sasl-3.1; the mechanisms are in `bouncer.irc.sasl`.
"""

from __future__ import annotations

from bouncer.irc.login import Login
from bouncer.irc.registration.attempts import (
    Attempt,
    ExternalAttempt,
    PlainAttempt,
    ScramAttempt,
    ScramLookup,
)
from bouncer.irc.sasl import (
    SCRAM,
    Chunks,
    SaslError,
    ScramKeys,
    ScramServer,
    authenticate,
    parse_plain,
    scram_login,
)
from bouncer.irc.wire import Message


class ClientSasl:
    """`mechanism` is '' between exchanges. Methods raise SaslError; then `reset`."""

    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self.reset()

    def reset(self) -> None:
        self.mechanism = ""
        self._chunks = Chunks()
        self._client_first = b""
        self._login = Login("")
        self._scram: ScramServer | None = None
        self._proven = False

    def begin(self, mechanism: str) -> None:
        self.reset()
        self.mechanism = mechanism

    def feed(self, chunk: str) -> list[Message] | Attempt:
        """Take one AUTHENTICATE parameter: what to send, or what to check."""
        response = self._chunks.feed(chunk)
        if response is None:
            return []
        match self.mechanism:
            case "PLAIN":
                login, password = parse_plain(response)
                return PlainAttempt(Login.parse(login), password)
            case "EXTERNAL":
                return self._external(response)
            case _:
                return self._scram_step(response)

    def scram_keys(self, keys: ScramKeys) -> list[Message]:
        """Go on with the keys that a ScramLookup wanted."""
        self._scram = ScramServer(self._client_first, keys)
        return authenticate(self._scram.first)

    def _external(self, response: bytes) -> Attempt:
        if not self.fingerprint:
            raise SaslError("SASL EXTERNAL wants a client certificate, and none was shown")
        identity = response.decode("utf-8", "replace")
        return ExternalAttempt(Login.parse(identity), self.fingerprint)

    def _scram_step(self, response: bytes) -> list[Message] | Attempt:
        if self._scram is None:
            self._client_first = response
            self._login = Login.parse(scram_login(response))
            return ScramLookup(self._login)
        if self._proven:  # the client's empty answer to our server-final
            return ScramAttempt(self._login, proven=True)
        try:
            final = self._scram.check(response)
        except SaslError:
            return ScramAttempt(self._login, proven=False)
        self._proven = True
        return authenticate(final)


MECHANISMS = frozenset({"PLAIN", "EXTERNAL", SCRAM})
