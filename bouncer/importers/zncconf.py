"""ZNC's configuration and the small files of its modules. Pure parsers.

Sources: ZNC 1.8/1.9, src/Config.cpp (sections and keys), src/ZNCString.cpp (MCString's escapes),
modules/sasl.cpp, nickserv.cpp, perform.cpp (what they store).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from bouncer.importers.texts import text_of

_OPEN = re.compile(r"<(\w+)(?:\s+([^>]*))?>")
_CLOSE = re.compile(r"</(\w+)>")
_ESCAPE = re.compile(r"%([0-9a-fA-F]{1,2});")


class BadConfig(ValueError):
    """znc.conf is not what ZNC would read; the text names the line."""


@dataclass(slots=True)
class Section:
    """`<Kind name>` with its keys (each may come several times) and the sections in it."""

    kind: str = ""
    name: str = ""
    values: dict[str, list[str]] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)

    def get(self, key: str, default: str = "") -> str:
        """The last value of a key, whatever its case."""
        found = self.values.get(key.lower())
        return found[-1] if found else default

    def all(self, key: str) -> list[str]:
        return self.values.get(key.lower(), [])

    def is_true(self, key: str, *, default: bool = False) -> bool:
        value = self.get(key)
        return value.lower() in ("true", "1", "yes", "on") if value else default

    def inner(self, kind: str) -> list[Section]:
        return [section for section in self.sections if section.kind == kind.lower()]

    def modules(self) -> set[str]:
        return {words[0] for value in self.all("LoadModule") if (words := value.split())}

    def arguments(self, module: str) -> str:
        """What a module is loaded with; '' for nothing."""
        for value in self.all("LoadModule"):
            name, _, rest = value.strip().partition(" ")
            if name == module:
                return rest.strip()
        return ""


def parse_config(text: str) -> Section:
    """The whole file as one section. Raises BadConfig."""
    root = Section()
    stack = [root]
    in_comment = False
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if in_comment or line.startswith("/*"):
            in_comment = not line.endswith("*/")
            continue
        if not line or line.startswith(("//", "#")):
            continue
        opening, closing = _OPEN.fullmatch(line), _CLOSE.fullmatch(line)
        if closing:
            if len(stack) == 1 or stack[-1].kind != closing[1].lower():
                raise BadConfig(f"line {number}: </{closing[1]}> closes nothing")
            stack.pop()
        elif opening:
            section = Section(opening[1].lower(), (opening[2] or "").strip())
            stack[-1].sections.append(section)
            stack.append(section)
        else:
            key, equals, value = line.partition("=")
            if not equals:
                raise BadConfig(f"line {number}: {line[:40]!r} is neither a section nor a setting")
            stack[-1].values.setdefault(key.strip().lower(), []).append(value.strip())
    if len(stack) > 1:
        raise BadConfig(f"<{stack[-1].kind} {stack[-1].name}> is never closed")
    return root


def parse_registry(text: str) -> dict[str, str]:
    """A module's `.registry`: escaped key and value per line."""
    found = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key:
            found[_unescape(key)] = _unescape(value)
    return found


def _unescape(text: str) -> str:
    def octet(match: re.Match[str]) -> str:
        return chr(int(match[1], 16))

    return text_of(_ESCAPE.sub(octet, text).encode("latin-1", "replace"))


def parse_server(text: str) -> tuple[str, str]:
    """`host [+]port [password]` -> (our URI, password). `+` means TLS; what is no port is 6667."""
    host, port, password = (*text.split()[:3], "", "", "")[:3]
    if host.startswith("unix:"):
        return host, port
    tls = port.startswith("+")
    host = f"[{host}]" if ":" in host else host
    scheme = "ircs" if tls else "irc+insecure"
    number = port.lstrip("+")
    fits = number.isascii() and number.isdecimal() and 0 < int(number[:6]) < 65536
    return f"{scheme}://{host}:{number if fits else 6667}", password


def parse_password(user: Section) -> tuple[str, str, str]:
    """(method in lower case, hash, salt) of a user; ('', '', '') where none is readable."""
    for section in user.inner("Pass"):
        return section.get("Method").lower(), section.get("Hash"), section.get("Salt")
    value = user.get("Pass")  # before 1.0: `method#hash#salt#`, or the password in the plain
    parts = value.split("#")
    if len(parts) >= 3:
        return parts[0].strip().lower(), parts[1], parts[2]
    return ("plain", value, "") if value else ("", "", "")
