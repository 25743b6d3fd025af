"""docs/support.md, printed from the code's tables and from what is promised."""

from __future__ import annotations

import re
from pathlib import Path

from bouncer.control.actors import OPERATOR, Actor, Door, Permission
from bouncer.control.registry import COMMANDS as CONTROL
from bouncer.control.soju import FLAGS
from bouncer.control.znc import WORDS
from bouncer.irc.caps import DOWNSTREAM_OFFERED, UPSTREAM_WANTED, Offer
from bouncer.session.from_client import COMMANDS, forward, refused
from tests.house.operation import OPERATION
from tests.house.peers import FROM_NETWORKS, NO, PASSED, SOJU, TO_CLIENTS, YES, ZNC
from tests.house.promises import CLIENTS, NETWORKS, Promise
from tests.mutants.__main__ import PATCHES, marker

COMPLAINTS = Path(__file__).parents[1] / "complaints"
COMPLAINT = re.compile(r'def (test_[cb]\d+_\w+)\([^)]*\) -> None:\n    """(.*?)"""', re.DOTALL)
PROMISED = (
    ("To the client", CLIENTS),
    ("To the network", NETWORKS),
    ("Users and operators", OPERATION),
)
_HEAD = """\
# What Muster understands

Printed from the code by `python -m tests.house.documents`; a test compares. soju is as its
documents describe it; ZNC is the 1.8 of Debian 12, as its `CAP LS` answers.

What stands as "–" its documents do not say. *Shown by* names tests;
those of capabilities quote the sentence of the specification.

## Capabilities for clients

*Where the network has it*: passed through, offered by CAP NEW once the network is known to have it.

| capability | Muster | soju | ZNC | shown by |
|---|---|---|---|---|
"""
_ASKED_HEAD = """
## Capabilities of networks

What is asked of every network; one that a server does not know costs only itself. `sasl` is asked
for where there is a login. soju asks for much the same, ZNC for a third of it.

| capability | what it is then for, shown by |
|---|---|
"""
_PROMISED_HEAD = """\
| | Muster | soju | ZNC | in | shown by |
|---|---|---|---|---|---|
"""
_COMPLAINTS_HEAD = """
## What people complain of in other bouncers

Each has a test, and each fix a mutant that takes it away and turns that test red (`make mutants`).

| complaint | here | shown by | mutants |
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
is named, as in `bouncer network list alice`. Staff are the people of the roster, known by their
user of the bouncer or, in the ops channel, by their account too; its admins are those with `staff
set --admin true`. Admins, those with `user set --admin true`, may say everything.

| command | for | ops | what it does |
|---|---|---|---|
"""
_ZNC_HEAD = """
## ZNC's words

Said to `*status` or `BouncerServ`, whatever their case. `{network}` is the network you speak from.

| word | what it is here |
|---|---|
"""
_SOJU_HEAD = """
## soju's flags

Behind the commands above, which answer to soju's words too: `create`, `update`, `delete`, `status`.
The network may be left out by who speaks from it, but for `network remove`.

| commands | flags (and what they are here, where it has another name) |
|---|---|
"""
_MINE, _SENT, _REFUSED = "handled by the bouncer", "forwarded", "refused (but BATCH for multiline)"


def support() -> str:
    """docs/support.md: what there is beside soju's and ZNC's, then the code's tables."""
    return "\n".join(
        [
            _HEAD + _offered(),
            _ASKED_HEAD + _asked(),
            *(f"\n## {title}\n\n{_PROMISED_HEAD}{_promised(rows)}" for title, rows in PROMISED),
            _COMPLAINTS_HEAD + _complained(),
            _COMMANDS_HEAD + _irc(),
            _CONTROL_HEAD + _control(),
            _SOJU_HEAD + _soju_flags(),
            _ZNC_HEAD + _znc(),
            "",
        ]
    )


def _offered() -> str:
    return "\n".join(
        f"| `{name}` | {_offer(offer)} | {SOJU.get(name, NO)} | {ZNC.get(name, NO)} "
        f"| {_tests(TO_CLIENTS[name])} |"
        for name, offer in DOWNSTREAM_OFFERED.items()
    )


def _offer(offer: Offer) -> str:
    if not offer.served:
        return "off by default: `sts_days`"
    return PASSED if offer.needs else f"{YES}: {offer.value}" if offer.value else YES


def _asked() -> str:
    return "\n".join(f"| `{name}` | {_tests(FROM_NETWORKS[name])} |" for name in UPSTREAM_WANTED)


def _promised(rows: list[Promise]) -> str:
    return "\n".join(
        f"| {row.what} | {row.muster} | {row.soju} | {row.znc} | {_code(row.code)} "
        f"| {_tests(row.shown)} |"
        for row in rows
    )


def _complained() -> str:
    found = {}
    for path in COMPLAINTS.glob("test_*.py"):
        for name, said in COMPLAINT.findall(path.read_text()):
            complaint, _, good = " ".join(said.split()).partition(" Good: ")
            if not good:
                complaint, good = (
                    "Otherwise in others, as a test suite of servers found.",
                    complaint,
                )
            found[name] = f"| {complaint} | {good} | `{name}` | {_mutants(name)} |"
    numbered = sorted(found, key=lambda name: (name[5] == "b", name))
    return "\n".join(found[name] for name in numbered)


def _mutants(test: str) -> str:
    return ", ".join(
        f"`{patch.stem}`"
        for patch in sorted(PATCHES.glob("*.patch"))
        if test.startswith(marker(patch))
    )


def _tests(names: str) -> str:
    return ", ".join(f"`{name}`" for name in names.split())


def _code(place: str) -> str:
    module, _, name = place.partition(":")
    return f"[`{name}`](../{module.replace('.', '/')}.py)"


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
        Permission.ORDERS: "roster's admins",
        Permission.ADMIN: "admins",
    }
    lines = []
    for row in CONTROL:
        usage = row.usage(OPERATOR if Door.SERVICE not in row.doors else _ME).replace("|", "\\|")
        ops = "ops" if Door.OPS in row.doors else ""
        lines.append(f"| `{usage}` | {fors[row.permission]} | {ops} | {row.help} |")
    return "\n".join(lines)


def _soju_flags() -> str:
    return "\n".join(
        f"| `{'`, `'.join(flags.commands)}` | "
        + ", ".join(
            f"`{name}`" if meaning == f"-{name}" else f"`{name}` (`{meaning}`)"
            for name, meaning in flags.means
        )
        + "".join(f"; `{name}`: {text}" for name, text in flags.says)
        + " |"
        for flags in FLAGS
    )


def _znc() -> str:
    lines = []
    for word in WORDS:
        command = " ".join(each or "''" for each in word.becomes)
        lines.append(f"| `{word.name}` | {f'`{command}`' if command else word.says} |")
    return "\n".join(lines)


_ME = Actor(Door.SERVICE, user="me")
