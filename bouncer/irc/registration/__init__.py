"""The handshake that begins every connection, in both roles: ours to a network, a client's to us.

Sources: RFC 1459 section 4.1, RFC 2812 section 3.1, IRCv3 capability-negotiation, sasl-3.1.
"""

from bouncer.irc.registration.attempts import (
    Attempt,
    ExternalAttempt,
    PlainAttempt,
    ScramAttempt,
    ScramLookup,
)
from bouncer.irc.registration.downstream import DownstreamRegistration
from bouncer.irc.registration.upstream import Failure, Identity, UpstreamRegistration
from bouncer.irc.sasl import SaslLogin, ScramKeys

__all__ = [
    "Attempt",
    "DownstreamRegistration",
    "ExternalAttempt",
    "Failure",
    "Identity",
    "PlainAttempt",
    "SaslLogin",
    "ScramAttempt",
    "ScramKeys",
    "ScramLookup",
    "UpstreamRegistration",
]
