"""How the words of a control command are read: arguments by place, options by name.

A row of the registry says what it takes; this module reads words against it, and every refusal
names what is wrong and shows the usage.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from bouncer.control.actors import Actor, Door

_NO_CHANNEL = ("CHANNEL is missing", "needs CHANNELS")
_SHORT = re.compile("-[a-z][a-z-]*")
# What stands quoted in a line, and an apostrophe within a word.
_QUOTED = re.compile(r"""\\.|"(?:\\.|[^"\\])*"|(?<=[^\W_])'(?=[^\W_])|'[^']*'""")

Reader = Callable[[str], Any]  # text -> value; raises ValueError whose text says what is wanted


class ControlError(Exception):
    """A command that was not carried out. Its text is the answer, one line."""


class WrongUse(ControlError):
    """The words were not understood; nothing was tried."""


def nothing_to_change(command: str) -> WrongUse:
    """For a command whose options say what is to change, given none."""
    return WrongUse(f"nothing to change; name an option, `help {command}` lists them")


class NotAllowed(ControlError):
    """Understood, and not for whoever asked."""


@dataclass(frozen=True, slots=True)
class Argument:
    """A word by its place. `rest` takes all that follow, as one text. `literal` joins all that
    follow to a text of its own: options in it are not for the command it is given to.

    `here` is a network: who speaks from one may leave it out and means that one. `default` makes
    it of the texts of other arguments that were given by name.
    """

    name: str
    read: Reader = str
    optional: bool = False
    rest: bool = False
    literal: Callable[[Sequence[str]], str] | None = None
    here: bool = False
    default: Callable[[Mapping[str, str]], str] | None = None

    @property
    def usage(self) -> str:
        shown = f"{self.name}…" if self.rest or self.literal else self.name
        return f"[{shown}]" if self.optional else shown


@dataclass(frozen=True, slots=True)
class Option:
    """A word by its name, with as many values as `values` has names.

    `field` is what it changes in the record, where it is as simple as that. `many` may be given
    several times and reads as a tuple. With two values or more it reads as a tuple of texts.
    """

    flag: str
    values: tuple[str, ...]
    help: str
    read: Reader = str
    field: str = ""
    many: bool = False

    @property
    def usage(self) -> str:
        return " ".join((self.flag, *self.values)) + ("…" if self.many else "")


@dataclass(frozen=True, slots=True)
class Short:
    """A word with a single dash: what it becomes, an option (`--nick`) or an argument (`NAME`);
    or what is said of one that has no meaning here."""

    becomes: str = ""
    says: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One command as it was given: by whom, about whose things, and with what."""

    actor: Actor
    owner: str = ""  # whose things it is about; "" where a command is about nobody's
    values: Mapping[str, Any] = field(default_factory=dict)  # arguments by their names
    options: Mapping[str, Any] = field(default_factory=dict)  # by their flags
    changes: Mapping[str, Any] = field(default_factory=dict)  # options by field of the record
    switched: Mapping[str, str] = field(
        default_factory=dict
    )  # true, off or default, by their flags

    def __getitem__(self, name: str) -> Any:
        """The argument `name`; None where it is optional and was left out."""
        return self.values.get(name)

    def option(self, flag: str, default: Any = None) -> Any:
        return self.options.get(flag, default)

    @property
    def given(self) -> list[str]:
        """Which options there are, for an answer that says what was changed; of a switch, how."""
        return [
            f"{flag.removeprefix('--')} {self.switched.get(flag, '')}".rstrip()
            for flag in sorted(self.options)
            if flag != "--user"
        ]


def split_line(line: str, *, spoken: bool = False) -> list[str]:
    """The words of a line, quoted as in a shell; where people speak, the apostrophe of `it's` is
    none of its quotation marks. Raises WrongUse."""
    if spoken:
        line = _QUOTED.sub(lambda found: "\\'" if found[0] == "'" else found[0], line)
    try:
        return shlex.split(line)
    except ValueError:
        raise WrongUse(
            "a quotation mark is not closed; close it, or write a backslash before it"
        ) from None


def read_words(
    words: Sequence[str],
    arguments: Sequence[Argument],
    options: Sequence[Option],
    *,
    actor: Actor,
    name: str,
    usage: str,
    short: Mapping[str, Short] = MappingProxyType({}),
) -> Request:
    """Read `words` (those after the command's own). Raises WrongUse, its text ends with `usage`."""

    def wrong(text: str) -> WrongUse:
        if text.endswith(_NO_CHANNEL) and actor.door is Door.SOCKET:
            text += "; what begins with # is a comment to a shell, so quote it: '#ops'"
        more = f"; `help {name}` explains more" if "[OPTIONS]" in usage else ""
        return WrongUse(f"{name}: {text}; usage: {usage}{more}")

    given = _Given()
    given.sort(words, options, short, wrong, arguments)
    given.place_here(arguments, actor.network)
    by_place, by_name = given.by_place, given.by_name
    values: dict[str, Any] = {}
    for argument in arguments:
        if argument.name in by_name:
            text = by_name[argument.name]
        elif by_place:
            text = " ".join(by_place) if argument.rest else by_place.pop(0)
            by_place = [] if argument.rest else by_place
        elif argument.default is not None and (made := argument.default(by_name)):
            text = made
        elif argument.optional:
            continue
        else:
            raise wrong(f"{argument.name} is missing")
        values[argument.name] = _read(argument.read, text, argument.name, wrong)
    if strange := by_name.keys() - values.keys():
        raise wrong(f"{strange.pop()} is not for you to say")
    if by_place:
        raise wrong(f'"{by_place[0]}" is one word too many; quote a text that holds spaces')
    read: dict[str, Any] = {}
    changes: dict[str, Any] = {}
    switched: dict[str, str] = {}
    for option, texts in given.options:
        value = _value(option, texts, wrong)
        if option.many:
            value = (*read.get(option.flag, ()), value)
        elif option.flag in read:
            raise wrong(f"{option.flag} is there twice")
        read[option.flag] = value
        if option.field:
            changes[option.field] = value
        if texts and (value is None or isinstance(value, bool)):
            switched[option.flag] = texts[0]
    return Request(actor, "", values, read, changes, switched)


@dataclass(slots=True)
class _Given:
    """Words by place, arguments by name, and each option with the texts of its values."""

    by_place: list[str] = field(default_factory=list)
    by_name: dict[str, str] = field(default_factory=dict)
    options: list[tuple[Option, list[str]]] = field(default_factory=list)

    def sort(
        self,
        words: Sequence[str],
        options: Sequence[Option],
        short: Mapping[str, Short],
        wrong: Callable[[str], WrongUse],
        arguments: Sequence[Argument],
    ) -> None:
        left = list(words)
        literal = arguments[-1].literal if arguments else None
        while left:
            if literal is not None and len(self.by_place) == len(arguments) - 1:
                self.by_place.append(literal(left[left[0] == "--" :]))
                return
            word = left.pop(0)
            if word == "--":
                self.by_place += left
                return
            flag, equals, value = word.partition("=")
            meaning = flag
            if not word.startswith("--"):
                if not short or not _SHORT.fullmatch(flag):
                    self.by_place.append(word)
                    continue
                meaning = _meaning(flag, short, wrong)
            if equals:
                left.insert(0, value)
            if meaning.isupper():
                if not left:
                    raise wrong(f"{flag} needs {meaning}")
                self.by_name[meaning] = left.pop(0)
                continue
            option = _option(meaning, options, wrong)
            switched = meaning != flag and not option.values and left[:1] in (["true"], ["false"])
            if switched and left.pop(0) == "false":
                continue
            if len(left) < len(option.values):
                raise wrong(f"{option.flag} needs {' and '.join(option.values)}")
            self.options.append((option, [left.pop(0) for _ in option.values]))

    def place_here(self, arguments: Sequence[Argument], network: str) -> None:
        """Fill in the network spoken from, where one is left out."""
        wanted = [each for each in arguments if not each.optional and each.name not in self.by_name]
        for argument in wanted:
            if argument.here and network and len(self.by_place) < len(wanted):
                self.by_name[argument.name] = network


def _meaning(flag: str, short: Mapping[str, Short], wrong: Callable[[str], WrongUse]) -> str:
    known = short.get(flag)
    if known is None:
        raise wrong(f"there is no {flag} here; put -- before a word that begins with a dash")
    if known.says:
        raise wrong(f"{flag}: {known.says}")
    return known.becomes


def _option(flag: str, options: Sequence[Option], wrong: Callable[[str], WrongUse]) -> Option:
    """The option called `flag`, or the only one that begins so."""
    exact = [option for option in options if option.flag == flag]
    found = exact or [option for option in options if option.flag.startswith(flag)]
    if len(found) == 1:
        return found[0]
    if found:
        raise wrong(f"{flag} may be {' or '.join(option.flag for option in found)}")
    near = difflib.get_close_matches(flag, [option.flag for option in options], n=1)
    raise wrong(f"there is no {flag} here" + (f", did you mean {near[0]}?" if near else ""))


def _value(option: Option, texts: list[str], wrong: Callable[[str], WrongUse]) -> Any:
    if not texts:
        return True
    if len(texts) > 1:
        return tuple(texts)
    return _read(option.read, texts[0], option.flag, wrong)


def _read(read: Reader, text: str, what: str, wrong: Callable[[str], WrongUse]) -> Any:
    try:
        return read(text)
    except ValueError as error:
        raise wrong(f"{what}: {error}") from None
