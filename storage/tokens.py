"""The tokens of a message in the search index that are not its words. Pure.

They begin with a private-use character. FTS5's `unicode61` takes it for a letter; no word of a
message holds it, for the index leaves all of its kind out of texts.
"""

from __future__ import annotations

from storage.words import fold_nick

MARK = "\ue000"
VERSION = 4  # of what is a token or a word: an index of another version is built anew
_MSGID_TAIL = 8  # characters of a msgid in the index; whoever looks one up compares the rest


def network_token(network_id: int) -> str:
    return f"{MARK}n{network_id}"


def buffer_token(buffer_id: int) -> str:
    return f"{MARK}b{buffer_id}"


def sender_token(nick: str) -> str:
    return f"{MARK}s{fold_nick(nick).encode().hex()}"


def msgid_token(msgid: str) -> str:
    return f"{MARK}m{msgid[-_MSGID_TAIL:].encode().hex()}"
