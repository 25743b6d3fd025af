"""All that `bouncer` can be told, as tables: its own commands, and the registry's by their groups.

Both what a word does and `bouncer --help` come from here; nothing is imported for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from bouncer.cli.groups import GROUPS
from bouncer.control.about import ABOUT

WIDTH = 48  # of a command, with what it is for beside it; for a longer one that stands below


@dataclass(frozen=True, slots=True)
class Own:
    """A command that is none of the registry's. `function` is in a module of `bouncer.cli`."""

    words: tuple[str, ...]
    usage: str
    help: str
    function: str

    @property
    def name(self) -> str:
        return " ".join(self.words)


OWN = (
    Own(
        ("run",),
        "[--config FILE] [--log-format console|json]",
        "serve; with no configuration at all, from ./var on 127.0.0.1:6697 (TLS) and :6667",
        "serve:run",
    ),
    Own(
        ("check",),
        "[--config FILE]",
        "say what is wrong with configuration, database, certificates and addresses",
        "serve:check",
    ),
    Own(
        ("history", "export"),
        "USER NETWORK [TARGET] --out PATH [--format text|json]",
        "write what was said as log files or JSON lines",
        "transfer:export",
    ),
    Own(("history", "backup"), "FILE", "copy the SQLite database while serving", "transfer:backup"),
    Own(
        ("history", "move"),
        "URL",
        "move everything to another database (PostgreSQL)",
        "transfer:move",
    ),
    Own(
        ("history", "rekey"),
        "[--forget]",
        "seal stored passwords with a new key, or forget what a lost one has sealed",
        "transfer:rekey",
    ),
    Own(
        ("import",),
        "znc DIR | soju FILE",
        "bring users, networks, channels and logs of another bouncer",
        "transfer:import_",
    ),
    Own(
        ("ctl",),
        "WORDS…",
        "the same as without it, only for a running bouncer: `bouncer ctl network list alice`",
        "remote:ctl",
    ),
)

_HEAD = """\
Muster's bouncer: it holds a team's IRC connections and keeps what was said.

"""
_BETWEEN = """
These act at once when the bouncer runs, else on its database:

"""
_TAIL = """
A first network:
  bouncer user add alice
  bouncer network add alice libera ircs://irc.libera.chat --nick alice --join '#muster,#ops'

`bouncer network --help` explains a group, `bouncer network add --help` a command.
The configuration is looked for in --config, $MUSTER_CONFIG, ./bouncer.toml and
/etc/muster/bouncer.toml. Passwords are read from standard input, or asked for at a terminal:
--password-stdin. `bouncer --version` says which release this is.
"""


def help_text() -> str:
    own = [f"  bouncer {each.name} {each.usage}\n      {each.help}" for each in OWN]
    groups = [
        _beside(f"  bouncer {name} {'|'.join(GROUPS[name])}".rstrip(), about)
        for name, about in ABOUT.items()
    ]
    return "\n".join([_HEAD + "\n".join(own), _BETWEEN + "\n".join(groups), _TAIL])


def _beside(command: str, about: str) -> str:
    if len(command) <= WIDTH:
        return f"{command:{WIDTH}}  {about}"
    return f"{command}\n{'':{WIDTH}}  {about}"
