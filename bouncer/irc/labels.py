"""Answering a labelled command: one line, or one batch, or ACK, carries the label.

Source: IRCv3 labeled-response. "Servers MUST include the tag in exactly one logical message."
"""

from __future__ import annotations

from collections.abc import Sequence

from bouncer.irc.batch import wrap
from bouncer.irc.wire import Message, format_tags

MAX_LABEL = 64  # octets: labeled-response, tag value


def label_of(message: Message) -> str:
    """The label of a command, '' without one or with one that is too long."""
    if "label=" not in message.raw_tags:
        return ""
    label = message.tags.get("label", "")
    return label if len(label.encode("utf-8", "replace")) <= MAX_LABEL else ""


def labelled(label: str, messages: Sequence[Message], source: str, reference: str) -> list[Message]:
    """The whole answer to a command, labelled. `reference` names a batch if one is needed.

    A single line is not wrapped; an answer that is one batch already is labelled at its opening.
    """
    if not messages:
        return [with_label(Message("ACK", (), source), label)]
    if len(messages) == 1 or is_one_batch(messages):
        return [with_label(messages[0], label), *messages[1:]]
    return wrap(reference, "labeled-response", (), messages, source, {"label": label})


def label_lines(label: str, lines: Sequence[str], source: str, reference: str) -> list[str]:
    """The same of lines; those inside of a batch, a page of history, are not looked at."""
    ends = [Message.parse(line) for line in (*lines[:1], *lines[1:][-1:])]
    if len(ends) == 2 and is_one_batch(ends):
        return [str(with_label(ends[0], label)), *lines[1:]]
    messages = [Message.parse(line) for line in lines]
    return [str(message) for message in labelled(label, messages, source, reference)]


def with_label(message: Message, label: str) -> Message:
    raw = format_tags({"label": label})
    rest = message.raw_tags
    return message._replace(raw_tags=f"{raw};{rest}" if rest else raw)


def is_one_batch(messages: Sequence[Message]) -> bool:
    """Whether the first line opens a batch that the last one closes."""
    first, last = messages[0], messages[-1]
    return (
        first.command == last.command == "BATCH"
        and first.params[0][:1] == "+"
        and last.params[0] == "-" + first.params[0][1:]
    )
