"""Who a client says it is: `user`, `user/network`, `user/network@client`, `user@client/network`.

Both orders are in use: the first is soju's, the second ZNC's. Total: any text gives a Login.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_PART = 100  # characters of one part; a longer one is cut and so is nobody's name

_MARKS = re.compile("[/@]")


class Login(NamedTuple):
    """A bouncer user, the network meant and the name of the client; None where not said."""

    user: str
    network: str | None = None
    client: str | None = None

    @classmethod
    def parse(cls, text: str) -> Login:
        """Read a login. An empty part counts as not said; after both parts the rest belongs to
        the last one, so that no text is accepted as something it does not spell."""
        mark = _MARKS.search(text)
        if mark is None:
            return cls(text[:MAX_PART])
        user, rest = text[: mark.start()], text[mark.end() :]
        if mark[0] == "/":
            network, _, client = rest.partition("@")
        else:
            client, _, network = rest.partition("/")
        return cls(user[:MAX_PART], network[:MAX_PART] or None, client[:MAX_PART] or None)

    def __str__(self) -> str:
        network = "" if self.network is None else f"/{self.network}"
        client = "" if self.client is None else f"@{self.client}"
        return f"{self.user}{network}{client}"
