"""The `bouncer` command. What a command does not need is not imported for it.

`bouncer ctl` and the control commands are words for the registry, which reads them where the
store is: here they are only carried. Exit codes: 0 done, 1 failed, 2 wrong use or configuration.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

DONE, FAILED, WRONG_USE = 0, 1, 2
# Each begins a command of the registry.
CONTROL_WORDS = (
    *("user", "network", "channel", "client", "certfp", "sasl", "ignore", "agent", "staff"),
    *("server", "history", "status", "roster", "cert", "ack", "maintenance", "standdown", "hold"),
)

HELP = """\
Muster's bouncer: it holds a team's IRC connections and keeps what was said.

  bouncer run [--config FILE] [--log-format console|json]
      serve; with no configuration at all, from ./var on 127.0.0.1:6697 (TLS) and :6667
  bouncer check [--config FILE]
      say what is wrong with configuration, database, certificates and addresses

  bouncer user add|set|passwd|list|remove …        who may log in
  bouncer network add|set|list|remove USER …       where they are connected
  bouncer channel add|set|list|remove USER …       which channels they are in
  bouncer sasl|ignore …                            their logins there, and whom they do not hear
  bouncer client set|list USER …                   how each of their clients is served
  bouncer certfp add|list|remove USER …            client certificates that log in
  bouncer staff add|set|list|certfp|remove|codes … the people of the roster
  bouncer agent add|list|remove …                  the voters that watch from outside
  bouncer history stats USER · history prune
  bouncer server status|notice|reload · bouncer status · bouncer roster · bouncer cert|ack
  bouncer maintenance now|start|end|list · bouncer standdown|hold
      all of these act at once when the bouncer runs, else on its database
  bouncer history export USER NETWORK [TARGET] --out PATH [--format text|json]
      write what was said as log files or JSON lines
  bouncer history backup FILE
      copy the SQLite database while serving
  bouncer history move URL · bouncer history rekey
      move everything to another database (PostgreSQL); seal passwords with a new key
  bouncer import znc DIR | soju FILE
      bring users, networks, channels and logs of another bouncer
  bouncer ctl WORDS…
      the same, only for a running bouncer: `bouncer ctl network list alice`

A first network:
  bouncer user add alice
  bouncer network add alice libera ircs://irc.libera.chat --nick alice --join '#muster,#ops'

`bouncer network --help` explains a group, `bouncer network add --help` a command.
The configuration is looked for in --config, $MUSTER_CONFIG, ./bouncer.toml and
/etc/muster/bouncer.toml. Passwords are read from standard input: --password-stdin.
"""


class Exit(Exception):
    """End with this code; the text, if any, goes to stderr."""

    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(text)
        self.code = code


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
        print(HELP, end="")
        return DONE if words else WRONG_USE
    config, words = take_config(words)
    if words[:1] == ["help"] and words[1:]:  # as answers of the registry name it
        words = [*words[1:], "--help"]
    match words:
        case []:
            raise Exit(WRONG_USE, "say what to do; `bouncer --help` lists the commands")
        case ["import", *rest]:
            from bouncer.cli import transfer

            return transfer.import_(rest, config)
        case ["history", "export", *rest]:
            from bouncer.cli import transfer

            return transfer.export(rest, config)
        case ["history", "backup", *rest]:
            from bouncer.cli import transfer

            return transfer.backup(rest, config)
        case ["history", "move", *rest]:
            from bouncer.cli import transfer

            return transfer.move(rest, config)
        case ["history", "rekey", *rest]:
            from bouncer.cli import transfer

            return transfer.rekey(rest, config)
        case ["ctl", *line]:
            from bouncer.cli import remote

            return remote.ctl(line, config)
        case [first, *_] if first in CONTROL_WORDS:
            from bouncer.cli import remote

            return remote.control(words, config)
        case ["run" | "check" as command, *rest]:
            import gc
            import os
            import signal

            if command == "run":
                gc.disable()  # a start makes what stays; `app.run` enables it then
                # Until it is listened for it would end us, and systemd takes that for a clean end.
                signal.signal(signal.SIGHUP, signal.SIG_IGN)
            # pydantic would look for some in every package that is installed.
            os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
            from bouncer.cli import serve

            return serve.run(rest, config) if command == "run" else serve.check(rest, config)
        case [first, *_]:
            import difflib

            known = (*CONTROL_WORDS, "run", "check", "ctl", "import")
            near = difflib.get_close_matches(first, known, n=1)
            hint = f"did you mean `bouncer {near[0]}`?" if near else "see `bouncer --help`"
            raise Exit(WRONG_USE, f"there is no command {first!r}; {hint}")
    return WRONG_USE


def are(words: Sequence[str], *command: str) -> bool:
    """Whether they begin with this command of the registry, whose words may be abbreviated."""
    given = words[: len(command)]
    return len(given) == len(command) and all(
        word and name.startswith(word.lower()) for word, name in zip(given, command, strict=True)
    )


def own_words(words: Sequence[str]) -> int:
    """How many words are the command's own: what follows the network's name in `network quote` is
    a line of IRC, whatever its words look like."""
    start = int(words[:1] == ["ctl"])
    return start + 4 if are(words[start:], "network", "quote") else len(words) + 1


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
