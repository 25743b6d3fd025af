"""The `bouncer` command. What a command does not need is not imported for it.

`bouncer ctl` and the control commands are words for the registry, which reads them where the
store is: here they are only carried. Exit codes: 0 done, 1 failed, 2 wrong use or configuration.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from bouncer.cli.commands import OWN, Own, help_text
from bouncer.cli.groups import GROUPS

DONE, FAILED, WRONG_USE = 0, 1, 2


class Exit(Exception):
    """End with this code; the text, if any, goes to stderr."""

    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(text)
        self.code = code


def told(error: OSError) -> str:
    """What the operator is told of a file of the bouncer's own."""
    if not error.strerror:
        return str(error)
    place = f"{error.filename}: " if error.filename else ""
    what_to_do = "; chown it to the bouncer's user" if isinstance(error, PermissionError) else ""
    return f"{place}{error.strerror}{what_to_do}"


def main(argv: Sequence[str] | None = None) -> int:
    """The console script. Returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _main(words)
    except Exit as end:
        for line in str(end).splitlines():
            print(f"bouncer: {line}", file=sys.stderr)
        return end.code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `bouncer user list | head -1`
        sys.stderr.close()
        return FAILED


def _main(words: list[str]) -> int:
    if not words or words[0] in ("--help", "-h") or words == ["help"]:
        print(help_text(), end="")
        return DONE if words else WRONG_USE
    if words == ["--version"]:
        from importlib.metadata import version

        print(f"Muster {version('muster')}")
        return DONE
    config, words = take_config(words)
    if words[:1] == ["help"] and words[1:]:  # as answers of the registry name it
        words = [*words[1:], "--help"]
    if not words:
        raise Exit(WRONG_USE, "say what to do; `bouncer --help` lists the commands")
    for own in OWN:
        if tuple(words[: len(own.words)]) == own.words:
            return _carry_out(own, words[len(own.words) :], config)
    if words[0] in GROUPS:
        return int(part("remote").control(words, config))
    import difflib

    near = difflib.get_close_matches(words[0], {*GROUPS, *(own.words[0] for own in OWN)}, n=1)
    hint = f"did you mean `bouncer {near[0]}`?" if near else "see `bouncer --help`"
    raise Exit(WRONG_USE, f"there is no command {words[0]!r}; {hint}")


def _carry_out(own: Own, words: list[str], config: Path | None) -> int:
    module, _, function = own.function.partition(":")
    if own.name == "run":
        import gc
        import signal

        gc.disable()  # a start makes what stays; `app.run` enables it then
        # Until it is listened for it would end us, and systemd takes that for a clean end.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    code = getattr(part(module), function)(words, config)
    assert isinstance(code, int)
    return code


def part(name: str) -> ModuleType:
    """A module of `bouncer.cli` with all that it imports, as fast as that can be."""
    import gc
    import importlib

    # pydantic would look for some in every package that is installed.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    collects = gc.isenabled()
    gc.disable()  # all of it stays
    try:
        return importlib.import_module(f"bouncer.cli.{name}")
    finally:
        if collects:
            gc.enable()


def are(words: Sequence[str], *command: str) -> bool:
    """Whether they begin with this command of the registry, whose words may be abbreviated."""
    given = words[: len(command)]
    return len(given) == len(command) and all(
        word and name.startswith(word.lower()) for word, name in zip(given, command, strict=True)
    )


def line_at(words: Sequence[str], named: int = 1) -> int | None:
    """Where the line of IRC begins that ends these words; None for a command without one. `named`
    of them name the user."""
    if are(words, "user", "run"):
        begins = line_at(words[3:], 0)
        return None if begins is None else 3 + begins
    if not named and words and words[0].casefold() == "quote":  # as ZNC has it
        return 2
    return named + 3 if are(words, "network", "quote") else None


def own_words(words: Sequence[str], named: int = 1) -> int:
    """How many words are the command's own: what follows the network's name in `network quote` is
    a line of IRC, whatever its words look like."""
    start = int(words[:1] == ["ctl"])
    begins = line_at(words[start:], named)
    return len(words) + 1 if begins is None else start + begins


def take_config(words: list[str]) -> tuple[Path | None, list[str]]:
    """The value of --config, wherever it stands, and the words without it."""
    left: list[str] = []
    config = None
    rest = list(words)
    while rest:
        if len(left) >= own_words(left):
            return config, left + rest
        word = rest.pop(0)
        if word == "--":
            return config, [*left, word, *rest]
        if word == "--config":
            if not rest:
                raise Exit(WRONG_USE, "--config needs a file: --config /etc/muster/bouncer.toml")
            config = Path(rest.pop(0))
        elif word.startswith("--config="):
            config = Path(word.removeprefix("--config="))
        else:
            left.append(word)
    return config, left
