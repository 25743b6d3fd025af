"""Documents that are printed from the code: `python -m tests.house.documents` writes them anew."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from bouncer.control.actors import OPERATOR, Actor, Door, Permission
from bouncer.control.registry import COMMANDS as CONTROL
from bouncer.control.znc import WORDS
from bouncer.irc.caps import DOWNSTREAM_OFFERED, Offer
from bouncer.session.from_client import COMMANDS, forward, refused
from fallback.tables import Row, Table

ROOT = Path(__file__).parents[2]
DECIDERS = ROOT / "docs" / "deciders.md"
SUPPORT = ROOT / "docs" / "support.md"
_QUESTIONS = {
    "watch": "Can I hear the bouncer? One per voter.",
    "incident": "Is it an outage for all of us? One per agent.",
    "speaker": "Do I say it? One per agent and public network.",
    "claims": "Who is this? One per handle, network and connection.",
}
_HEAD = """\
# The deciders' tables

Printed from the code by `python -m tests.house.documents`; a test compares.
[ARCHITECTURE.md](../ARCHITECTURE.md) says how a table is read. A is an authenticated heartbeat, B
anything of the primary that answered; k is the quorum. *Added* marks what the first design lacks.
"""


def deciders() -> str:
    """docs/deciders.md as the tables are now."""
    parts = [_HEAD]
    for name, question in _QUESTIONS.items():
        table = importlib.import_module(f"fallback.{name}.rows").TABLE
        parts.append(f"\n## {name.capitalize()}\n\n{question} [{name}/rows.py](")
        parts[-1] += f"../fallback/{name}/rows.py)\n\n{_table(table)}"
    return "".join(parts)


def _table(table: Table[Any, Any]) -> str:
    every = {state.name for row in table.rows for state in row.states} - {"BOOTING"}
    lines = ["| state | event [guard] | next | action |", "|---|---|---|---|"]
    return "\n".join([*lines, *(_line(row, every) for row in table.rows)]) + "\n"


def _line(row: Row[Any, Any], every: set[str]) -> str:
    names = {state.name for state in row.states}
    others = sorted(every - names)
    states = ", ".join(sorted(names))
    if not others:
        states = "any"
    elif len(others) < len(names) and len(names) > 3:
        states = f"any but {', '.join(others)}"
    when, _, then = row.says.partition(" | ")
    added = f" *Added: {row.hole}.*" if row.hole else ""
    return f"| {states} | {when} | {row.to.name if row.to else 'same'} | {then}{added} |"


_SUPPORT_HEAD = """\
# What Muster understands

Printed from the code by `python -m tests.house.documents`; a test compares. soju is as its
documents describe it; ZNC is the 1.8 of Debian 12, as its `CAP LS` answers.

## Capabilities

To the client. *Where the network has it*: passed through, offered by CAP NEW once the network is
known to have it.

| capability | Muster | soju | ZNC |
|---|---|---|---|
"""
_COMMANDS_HEAD = """
## IRC commands

What a client may send. *Forwarded*: to the network, as it is; answers go to the client that asked.
Every command that is not listed is forwarded too. Too few parameters are answered by 461.

| command | what becomes of it |
|---|---|
"""
_CONTROL_HEAD = """
## Control commands

To `BouncerServ` (or `*status`), by `bouncer ctl` on the host, and, those marked *ops*, as `!word`
in the ops channel. Words may be abbreviated. On the host there is no "me": there the user
is named, as in `bouncer network list alice`.

| command | for | ops | what it does |
|---|---|---|---|
"""
_ZNC_HEAD = """
## ZNC's words

Said to `*status` or `BouncerServ`, whatever their case. `{network}` is the network you speak from.

| word | what it is here |
|---|---|
"""
_YES, _NO, _PASSED = "yes", "no", "where the network has it"
_MINE, _SENT, _REFUSED = "handled by the bouncer", "forwarded", "refused (but BATCH for multiline)"


def _each(value: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), value)


# Peers: what each offers. Not in the table: not offered.
_SOJU = {
    **_each(
        _YES,
        """server-time message-tags batch echo-message labeled-response standard-replies cap-notify
        multi-prefix invite-notify setname draft/chathistory draft/event-playback draft/read-marker
        draft/no-implicit-names draft/pre-away draft/extended-isupport draft/message-redaction
        draft/metadata-2 soju.im/bouncer-networks soju.im/bouncer-networks-notify soju.im/read
        soju.im/search soju.im/no-implicit-names soju.im/account-required soju.im/webpush""",
    ),
    **_each(
        _PASSED,
        "away-notify account-notify account-tag extended-join chghost extended-monitor",
    ),
    "sasl": "PLAIN, EXTERNAL, OAUTHBEARER",
    "draft/multiline": "partly",
}
_ZNC = {
    **_each(
        _YES,
        """server-time batch echo-message cap-notify multi-prefix userhost-in-names
        znc.in/self-message znc.in/server-time-iso""",
    ),
    **_each(_PASSED, "away-notify account-notify account-tag extended-join"),
    "sasl": "PLAIN, EXTERNAL, by module",
    "znc.in/playback": "by module",
}


def support() -> str:
    """docs/support.md: capabilities, IRC commands and control commands as they are now."""
    caps = [
        f"| `{name}` | {_offer(offer)} | {_SOJU.get(name, _NO)} | {_ZNC.get(name, _NO)} |"
        for name, offer in DOWNSTREAM_OFFERED.items()
    ]
    return "\n".join(
        [
            _SUPPORT_HEAD + "\n".join(caps),
            _COMMANDS_HEAD + _irc(),
            _CONTROL_HEAD + _control(),
            _ZNC_HEAD + _znc(),
            "",
        ]
    )


def _offer(offer: Offer) -> str:
    if offer.told and not offer.served:
        return "off by default: `sts_days`"
    if not offer.served:
        return "not yet"
    return _PASSED if offer.needs else f"{_YES}: {offer.value}" if offer.value else _YES


def _irc() -> str:
    fates: dict[str, list[str]] = {_MINE: [], _SENT: [], _REFUSED: []}
    for name, row in sorted(COMMANDS.items()):
        fate = _SENT if row.handler is forward else _REFUSED if row.handler is refused else _MINE
        fates[fate].append(f"`{name}`")
    return "\n".join(f"| {', '.join(names)} | {fate} |" for fate, names in fates.items())


def _control() -> str:
    fors = {
        Permission.ANYONE: "all",
        Permission.USER: "users",
        Permission.STAFF: "staff",
        Permission.ADMIN: "admins",
    }
    lines = []
    for row in CONTROL:
        usage = row.usage(OPERATOR if Door.SERVICE not in row.doors else _ME).replace("|", "\\|")
        ops = "ops" if Door.OPS in row.doors else ""
        lines.append(f"| `{usage}` | {fors[row.permission]} | {ops} | {row.help} |")
    return "\n".join(lines)


def _znc() -> str:
    meanings = [
        (word.name, f"`{' '.join(word.becomes)}`" if word.becomes else word.says) for word in WORDS
    ]
    return "\n".join(f"| `{name}` | {meaning} |" for name, meaning in meanings)


_ME = Actor(Door.SERVICE, user="me")

if __name__ == "__main__":
    DECIDERS.write_text(deciders())
    SUPPORT.write_text(support())
