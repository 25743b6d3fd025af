"""The words that ZNC's users know, said to `*status`: each becomes a command of the registry.

`{network}` is the network they speak from, `{rest}` what follows the word. A row without a command
explains what takes its place here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bouncer.control.actors import Actor, Door
from bouncer.control.grammar import ControlError, WrongUse

HERE, REST = "{network}", "{rest}"


@dataclass(frozen=True, slots=True)
class Word:
    """`becomes` are the words of a command; without them, `says` is the answer.

    What follows an `as_typed` one is a text with its quotation marks, as ZNC has it: not words.
    """

    name: str
    becomes: tuple[str, ...] = ()
    says: str = ""
    as_typed: bool = False


def _word(name: str, becomes: str, *, as_typed: bool = False) -> Word:
    return Word(name, tuple(becomes.split()), as_typed=as_typed)


def _words(names: str, says: str) -> tuple[Word, ...]:
    return tuple(Word(name, says=says) for name in names.split())


_ONE_ADDRESS = "a network has one address; `network set NETWORK URI` changes it"
_SOURCE = "each network has its own; `network set NETWORK --source ADDRESS` sets it"

WORDS = (
    _word("ListNetworks", "network list"),
    _word("AddNetwork", "network add {rest}"),
    _word("DelNetwork", "network remove {rest}"),
    _word("Connect", "network set {network} --enabled true"),
    _word("Disconnect", "network set {network} --enabled false"),
    _word("SetNick", "network set {network} --nick {rest}"),
    _word("Quote", "network quote {network} {rest}", as_typed=True),
    _word("ListChans", "channel list {network}"),
    _word("AddChan", "channel add {network} {rest}"),
    _word("JoinChan", "channel add {network} {rest}"),
    _word("DelChan", "channel remove {network} {rest}"),
    _word("Attach", "channel set {network} {rest} --detached false"),
    _word("Detach", "channel set {network} {rest} --detached true"),
    _word("EnableChan", "channel set {network} {rest} --enabled true"),
    _word("DisableChan", "channel set {network} {rest} --enabled false"),
    _word("ListClients", "client list"),
    _word("AddIgnore", "ignore add {network} {rest}"),
    _word("ListIgnores", "ignore list {network}"),
    _word("DelIgnore", "ignore remove {network} {rest}"),
    _word("SetPassword", "user passwd --password {rest}"),
    _word("ListUsers", "user list"),
    _word("AddUser", "user add {rest}"),
    _word("DelUser", "user remove {rest}"),
    _word("Broadcast", "server notice {rest}", as_typed=True),
    _word("Rehash", "server reload"),
    _word("Uptime", "server status"),
    _word("ListAllUserNetworks", "user list"),
    _word("AddTrustedServerFingerprint", "network set {network} --pin {rest}"),
    Word("DelTrustedServerFingerprint", ("network", "set", HERE, "--pin", "")),
    _word("SetBindHost", "network set {network} --source {rest}"),
    Word("ClearBindHost", ("network", "set", HERE, "--source", "")),
    *_words("SetUserBindHost ClearUserBindHost ShowBindHost", _SOURCE),
    Word("ListTrustedServerFingerprints", says="a network has one, `network set --pin` sets it"),
    Word("JumpNetwork", says="a connection stays on its network; log in as USER/NETWORK instead"),
    Word(
        "MoveNetwork", says="networks stay with their users; `user run NAME network add` adds one"
    ),
    Word("Jump", says=_ONE_ADDRESS),
    *_words("AddServer DelServer", _ONE_ADDRESS),
    Word("ListServers", says="a network has one address; `network list` shows it"),
    Word("ListNicks", says="your client knows who is there: NAMES, or WHO, asks for it"),
    Word("Topics", says="your client has the topics; TOPIC asks for one"),
    *_words("MoveChan SwapChans", "the order of channels is your client's"),
    Word("SaveConfig", says="nothing to save: every change is kept when it is made"),
    Word("PlayBuffer", says="history is played when you connect; CHATHISTORY fetches more"),
    *_words(
        "ClearBuffer ClearAllBuffers ClearAllChannelBuffers ClearAllQueryBuffers",
        "playing back moves on by itself; nothing needs to be cleared",
    ),
    Word(
        "SetBuffer",
        says="history is kept by age and size: --keep-age, --keep-size of `channel set`",
    ),
    *_words(
        "ListMods ListAvailMods LoadMod UnloadMod ReloadMod UpdateMod",
        "there are no modules: what ZNC has in them is built in, see `help`",
    ),
    *_words(
        "ShowMOTD SetMOTD AddMOTD ClearMOTD",
        "the MOTD is the network's; `server notice TEXT` says something to everybody",
    ),
    *_words("ListPorts AddPort DelPort", "where to listen stands in bouncer.toml, `[[listen]]`"),
    *_words("Shutdown Restart", "the service manager of the host stops and starts the bouncer"),
    Word("Traffic", says="not counted here; `server status` tells what is connected"),
    Word("Version", says="this is Muster, which knows ZNC's words; `help` lists its own"),
)
_BY_NAME = {word.name.casefold(): word for word in WORDS}


def typed(line: str, actor: Actor) -> list[str] | None:
    """The words of a line whose last one is a text as it was typed; None for any other line."""
    word = _word_of(line.split(maxsplit=1), actor)
    if word is None or not word.as_typed:
        return None
    names_network = HERE in word.becomes and not actor.network
    return line.split(maxsplit=2 if names_network else 1)


def _word_of(words: Sequence[str], actor: Actor) -> Word | None:
    return _BY_NAME.get(words[0].casefold()) if words and actor.door is Door.SERVICE else None


def translated(words: Sequence[str], actor: Actor) -> Sequence[str]:
    """The words of the registry for a word of ZNC's; any others as they are.

    Raises ControlError with what explains a word that has no counterpart, or lacks something.
    """
    word = _word_of(words, actor)
    if word is None:
        return words
    if not word.becomes:
        raise ControlError(f"{word.name}: {word.says}")
    rest = list(words[1:])
    if REST in word.becomes and not rest:
        shown = {HERE: actor.network or "NETWORK", REST: "…"}
        here = " ".join(shown.get(each, each) for each in word.becomes)
        raise WrongUse(f"{word.name}: say what; it is `{here}` here")
    if HERE in word.becomes and not actor.network:
        if not rest:
            raise WrongUse(f"{word.name}: say which network, or log in to one as USER/NETWORK")
        actor = Actor(actor.door, actor.user, actor.admin, network=rest.pop(0))
    out: list[str] = []
    for each in word.becomes:
        out += rest if each == REST else [actor.network if each == HERE else each]
    return out
