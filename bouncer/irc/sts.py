"""What a server says of how it wants to be connected to. Source: IRCv3 sts."""

from __future__ import annotations

from typing import NamedTuple

MAX_DURATION_S = 10 * 365 * 86_400  # a longer one is cut
MAX_PORT = 65_535


class Policy(NamedTuple):
    """`port` is where TLS is spoken, `duration_s` for how long nothing else may be; None where the
    server has not said it, or not as a number."""

    duration_s: int | None = None
    port: int | None = None

    @classmethod
    def parse(cls, value: str) -> Policy:
        """Read the capability's value. "Clients MUST ignore every token with a key that they don't
        understand." """
        duration_s = port = None
        for token in value.split(","):
            key, _, text = token.partition("=")
            number = int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else None
            if key == "duration" and number is not None:
                duration_s = min(number, MAX_DURATION_S)
            elif key == "port" and number is not None and 0 < number <= MAX_PORT:
                port = number
        return cls(duration_s, port)

    def __str__(self) -> str:
        return f"duration={self.duration_s},port={self.port}"
