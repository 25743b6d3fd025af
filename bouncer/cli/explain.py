"""The registry's words as they are on the command line. Standard library only: a running bouncer
knows the registry, and need not be waited for."""

from __future__ import annotations

import re

from bouncer.cli.commands import OWN
from bouncer.cli.outside import LINE, MAY_HOLD_ONE, STDIN

# Secrets and key files come in otherwise on the command line: see outside.outside_words.
_HERE = (
    (re.compile(r"--((server-)?password)( PASSWORD)?(?![-\w])"), r"--\1-stdin"),
    (re.compile("--ssh-key KEY"), "--ssh-key FILE"),
    (re.compile("LOGIN PASSWORD"), "LOGIN [--password-stdin]"),
    (re.compile(r"`help\b"), "`bouncer help"),
)


def explained(words: list[str], lines: list[str]) -> list[str]:
    """What to show of the registry's help for these words."""
    beside = [
        f"{own.name} {own.usage}: {own.help}" for own in OWN if own.words[:-1] == (*words,) != ()
    ]
    shown = [
        line if line.startswith((" ", "`")) else f"bouncer {line}"
        for line in map(here, (*lines, *beside))
    ]
    if piped := [flag for flag in MAY_HOLD_ONE if any(f"  {flag} " in line for line in lines)]:
        shown.append(f"  {', '.join(f'{flag}{STDIN}' for flag in piped)}: by standard input")
    if len(lines) == 1 and "LINE…" in lines[0]:
        shown.append(f"  {LINE} for LINE: by standard input")
    return shown


def here(line: str) -> str:
    """A usage or a complaint of the registry, in what can be typed here."""
    for there, typed in _HERE:
        line = there.sub(typed, line)
    return line
