"""What the words of control commands may be: each reader gives a value or says what is wanted."""

from __future__ import annotations

import re

from bouncer.address import is_ip
from bouncer.connections.dial import ServerAddress
from bouncer.connections.socks import Proxy
from bouncer.control.grammar import Reader
from bouncer.durations import seconds_of
from bouncer.irc.wire import Message, ProtocolError

MAX_NAME = 64
MAX_MASK = 200
MAX_HOST = 253  # of a name, as the DNS has them
MAX_TEXT = 400  # octets of a realname or quit message that still fits a line of IRC
MAX_RATE = 1000.0  # lines per second
_YES = {"true", "on", "yes", "1"}
_NO = {"false", "off", "no", "0"}
_PIN = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


def name(text: str) -> str:
    """The name of a user, network, client or voter: it stands in logins, so no marks of those.
    What cannot be seen would make it look like another, in the roster too."""
    if len(text) > MAX_NAME:
        raise ValueError(f'"{text[:20]}…" is no name: it is longer than {MAX_NAME} characters')
    if not text or not text.isprintable() or re.search(r"[\s/@*?!,:]", text):
        raise ValueError(f'"{text}" is no name; take letters, digits, "-", "_" or "."')
    return text


def nick(text: str) -> str:
    if len(text) > MAX_NAME:
        raise ValueError(f'"{text[:20]}…" is no nick: it is longer than {MAX_NAME} characters')
    if not text or not text.isprintable() or re.search(r"[\s!@*?,:#&]", text):
        raise ValueError(f'"{text}" is no nick')
    if text[0].isdigit() or text[0] == "-":
        raise ValueError(f'"{text}" is no nick: it begins with a digit or "-"')
    return text


def nick_or_none(text: str) -> str:
    return nick(text) if text else ""


def line(text: str) -> str:
    """A text that has to fit into one line of IRC."""
    if re.search(r"[\r\n\0]", text) or len(text.encode("utf-8", "surrogatepass")) > MAX_TEXT:
        raise ValueError(f"it must be one line of at most {MAX_TEXT} octets")
    return text


def said(text: str) -> str:
    """A line with something in it."""
    if not text.strip():
        raise ValueError("it is empty")
    return line(text)


def irc_line(text: str) -> str:
    """A message of IRC as a client sends it."""
    try:
        Message.parse(line(text))
    except ProtocolError as error:
        raise ValueError(str(error)) from None
    return text


def word(text: str) -> str:
    """A text without spaces, as a parameter in the middle of a line of IRC."""
    if re.search(r"[\s\0]", text) or text[:1] == ":":
        raise ValueError(f'"{text}" must be one word')
    return line(text)


def secret(text: str) -> str:
    """A password that fits into a line."""
    if not text:
        raise ValueError("it is empty")
    return line(text)


def login(text: str) -> str:
    """An account of a network's services."""
    if not text:
        raise ValueError("it is empty; `sasl reset` logs in no more")
    return word(text)


def key(text: str) -> str:
    """A channel's key; '' for none. One JOIN names several, with commas between them."""
    if "," in text:
        raise ValueError(f'"{text}" is no key: it holds a comma')
    return word(text)


def mask(text: str) -> str:
    """`nick`, `user@host` or `nick!user@host`, with `*` and `?`."""
    if not 0 < len(text) <= MAX_MASK or re.search(r"[\s,\0]", text):
        raise ValueError(f'"{text}" is no mask; write a nick, or as "*!*@host.example"')
    return text


def duration(text: str) -> int:
    """Seconds: `90s`, `15m`, `1h30m`, `2.5h`, `2d`, or a bare number of seconds; 0 for never."""
    if text.isascii() and text.isdecimal() and len(text) <= 9:
        return int(text)
    if (seconds := seconds_of(text)) is None:
        raise ValueError(f'"{text}" is no duration; write 90s, 15m, 6h or 2d')
    return round(seconds)


def yes_no(text: str) -> bool:
    if text.casefold() in _YES:
        return True
    if text.casefold() in _NO:
        return False
    raise ValueError(f'"{text}" is neither true nor false')


def yes_no_default(text: str) -> bool | None:
    """true, false, or `default`: as the wider setting says."""
    return None if text.casefold() == "default" else yes_no(text)


def rate(text: str) -> float | None:
    """Lines per second, 0 for no limit, or `default`."""
    if text.casefold() == "default":
        return None
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f'"{text}" is no number of lines per second') from None
    if not 0 <= value <= MAX_RATE:
        raise ValueError(f"write 0 (no limit) to {MAX_RATE:g} lines per second")
    return value


def count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ValueError(f'"{text}" is no whole number')
    return int(text)


def uri(text: str) -> str:
    """A network's address. Raises AddressError, which is a ValueError."""
    if text.startswith("irc+unix://"):  # soju's form
        text = "unix:" + text.removeprefix("irc+unix://")
    address = ServerAddress.parse(text)
    if len(address.host) > MAX_HOST or re.search(r"[\s\0-\x1f\x7f]", address.host):
        raise ValueError(f"a host's name has at most {MAX_HOST} characters, and no spaces")
    if not address.path and "@" in text:  # it would be shown to whoever lists networks
        raise ValueError(
            "an address holds no login; say it by --sasl-plain LOGIN --password PASSWORD"
        )
    return text


def channel(text: str) -> str:
    if not text or text[0] not in "#&+!" or re.search(r"[\s,\a\0]", text) or len(text) > 200:
        raise ValueError(f'"{text}" is no channel; write it with its "#", quoted')
    return text


def channels(text: str) -> tuple[tuple[str, str], ...]:
    """`#a,#b key,#c`: channels with their keys, '' where there is none."""
    pairs = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name_, _, key = part.partition(" ")
        pairs.append((channel(name_), word(key.strip())))
    return tuple(pairs)


def pin(text: str) -> str:
    """The fingerprint of a server's certificate; '' trusts the system's store again."""
    plain = text.casefold().replace(" ", "")
    head, colon, tail = plain.partition(":")
    if not colon or head not in ("sha256", "sha512"):
        head, tail = "sha256", plain
    pinned = f"{head}:{tail.replace(':', '')}"
    if plain and not _PIN.fullmatch(pinned):
        raise ValueError("write sha256: and 64 hex digits, or sha512: and 128")
    return pinned if plain else ""


def fingerprint(text: str) -> str:
    """SHA-256 of a client certificate, as openssl and clients print it: `sha256 Fingerprint=AB:…`
    or with `sha256:` before it, or bare."""
    plain = re.sub(r"^(.*=|sha-?256:)|[:\s]", "", text.strip().casefold())
    if not re.fullmatch(r"[0-9a-f]{64}", plain):
        raise ValueError(
            "write the certificate's SHA-256, 64 hex digits; "
            "`openssl x509 -noout -fingerprint -sha256 -in FILE` prints it"
        )
    return plain


def certfp(text: str) -> str:
    """The fingerprint of a person's certificate as their networks tell it: SHA-256, or SHA-1, which
    OFTC has."""
    plain = re.sub(r"^(.*=|sha-?(?:1|256):)|[:\s]", "", text.strip().casefold())
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", plain):
        raise ValueError("write the certificate's SHA-256, 64 hex digits, or its SHA-1, 40")
    return plain


def proxy(text: str) -> str:
    """A SOCKS5 proxy's address; '' for none."""
    if text:
        Proxy.parse(text)
    return line(text)


def source_address(text: str) -> str:
    """An address of this machine to connect from; '' leaves the choice to the system."""
    if text and not is_ip(text):
        raise ValueError(f'"{text}" is no IP address')
    return text


def endpoint(text: str) -> str:
    """host:port of a voter."""
    host, colon, port = text.rpartition(":")
    bracketed = host[:1] == "[" and host[-1:] == "]"
    if not colon or not host or (":" in host and not bracketed) or re.search(r"\s", text):
        raise ValueError(f'"{text}" is no address; write host:port, or [v6]:port')
    if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ValueError(f'"{port}" is no port; write 1 to 65535')
    try:
        host.encode("idna")
    except UnicodeError:
        raise ValueError(f'"{host}" is no name that DNS knows') from None
    return text


def one_of(*choices: str) -> Reader:
    """One of a few words, or the beginning of it."""

    def read(text: str) -> str:
        found = [choice for choice in choices if choice.startswith(text.casefold())]
        if not text or len(found) != 1:
            raise ValueError(f'"{text}" is not one of {", ".join(choices)}')
        return found[0]

    return read
