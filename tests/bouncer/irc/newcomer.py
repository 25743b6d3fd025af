"""A client that registers with the bouncer, as a dialogue."""

from __future__ import annotations

from collections.abc import Mapping

from bouncer.irc.caps import offered
from bouncer.irc.registration import Attempt, DownstreamRegistration
from bouncer.irc.sasl import authenticate
from bouncer.irc.wire import Message

SERVER = "bouncer.example"
OFFERED = offered({"away-notify"})
FINGERPRINT = "ab" * 32


class Client:
    """What a client says, and what the bouncer answers; attempts wait in `asked`."""

    def __init__(self, caps: dict[str, str] | None = None, fingerprint: str = "") -> None:
        self.us = DownstreamRegistration(SERVER, OFFERED if caps is None else caps, fingerprint)
        self.asked: list[Attempt] = []

    def says(self, *lines: str) -> list[str]:
        return [
            answer for line in lines for answer in self.told(self.us.receive(Message.parse(line)))
        ]

    def told(self, output: list[Message | Attempt]) -> list[str]:
        self.asked += [item for item in output if not isinstance(item, Message)]
        return [
            str(item).removeprefix(f":{SERVER} ") for item in output if isinstance(item, Message)
        ]

    def accepted(self, user: str, networks: Mapping[str, str] | None = None) -> list[str]:
        return self.told(self.us.accept(user, networks))

    def refused(self, text: str = "") -> list[str]:
        return self.told(self.us.refuse(text))


def plain(login: str, password: str, identity: str = "") -> str:
    return str(authenticate(f"{identity}\0{login}\0{password}".encode())[0])


NICK_AND_USER = ("NICK al", "USER al 0 * :Alice A")


def registered(*lines: str) -> Client:
    client = Client()
    client.says(*lines, "PASS alice:pw", *NICK_AND_USER)
    if not client.asked:
        client.says("CAP END")
    client.accepted("alice")
    assert client.us.complete
    return client
