"""Batches: wrapping lines for a client, and knowing which of a network's lines belong together.

Source: IRCv3 batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from bouncer.irc.wire import Message

MAX_OPEN = 64  # batches of a network open at once; full: the oldest is forgotten
MAX_REFERENCE = 100  # characters
_NO_TAGS: Mapping[str, str] = MappingProxyType({})


def wrap(
    reference: str,
    kind: str,
    params: Iterable[str],
    messages: Iterable[Message],
    source: str,
    tags: Mapping[str, str] = _NO_TAGS,
) -> list[Message]:
    """The messages as one batch; `tags` go on its opening. Lines of an inner batch stay in it."""
    opening = Message("BATCH", (f"+{reference}", kind, *params), source).with_tags(tags)
    closing = Message("BATCH", (f"-{reference}",), source)
    return [opening, *inside(reference, messages), closing]


def inside(reference: str, messages: Iterable[Message]) -> Iterator[Message]:
    for message in messages:
        if _tag(message, "batch") or _closes_a_batch(message):
            yield message
        else:
            raw = f"batch={reference}"
            rest = message.raw_tags
            yield message._replace(raw_tags=f"{raw};{rest}" if rest else raw)


def _closes_a_batch(message: Message) -> bool:
    return message.command == "BATCH" and bool(message.params) and message.params[0][:1] == "-"


def _tag(message: Message, name: str) -> str:
    return message.tags.get(name, "") if f"{name}=" in message.raw_tags else ""


class Batch(NamedTuple):
    """An open batch of a network. `label` is that of the outermost batch that has one."""

    reference: str
    kind: str
    params: tuple[str, ...]
    label: str = ""
    parent: Batch | None = None


class OpenBatches:
    """Feed every message; get the batch it belongs to. Holds no lines, only what is open."""

    def __init__(self) -> None:
        self._open: dict[str, Batch] = {}

    def __len__(self) -> int:
        return len(self._open)

    def receive(self, message: Message) -> Batch | None:
        """The batch of this message: for a BATCH the one that it opens or closes."""
        if message.command == "BATCH":
            return self._on_batch(message)
        reference = _tag(message, "batch")
        return self._open.get(reference) if reference else None

    def _on_batch(self, message: Message) -> Batch | None:
        reference = message.params[0] if message.params else ""
        sign, reference = reference[:1], reference[1:]
        if sign == "-":
            return self._open.pop(reference, None)
        if sign != "+" or len(message.params) < 2 or not 0 < len(reference) <= MAX_REFERENCE:
            return None
        parent = self._open.get(_tag(message, "batch"))
        if parent is not None and _depth(parent) >= MAX_OPEN:
            parent = None
        label = _tag(message, "label") or (parent.label if parent else "")
        batch = Batch(reference, message.params[1], message.params[2:], label, parent)
        self._open.pop(reference, None)
        if len(self._open) >= MAX_OPEN:
            del self._open[next(iter(self._open))]
        self._open[reference] = batch
        return batch


def _depth(batch: Batch | None) -> int:
    depth = 0
    while batch is not None:
        depth, batch = depth + 1, batch.parent
    return depth
