"""Where the configuration and the data directory are. Standard library only.

The admin socket's client needs nothing else, and reading the whole configuration costs it more
time than the command itself; config.py validates, this module only finds.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "MUSTER_CONFIG"
HERE = Path("bouncer.toml")
SYSTEM = Path("/etc/muster/bouncer.toml")
ZERO_CONFIG_DATA = Path("var")
SOCKET = "bouncer.sock"
MAX_SOCKET_PATH = 107  # octets of a unix socket's path: unix(7)


class Misplaced(ValueError):
    """The configuration that was named cannot be used. Its text is the user's message."""


def find_config(option: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The file to read: --config, $MUSTER_CONFIG, ./bouncer.toml, /etc/muster/bouncer.toml.

    None when there is none, which means zero configuration. A file that was named and is missing
    is a mistake and raises Misplaced; the two that are only looked for may be missing.
    """
    named = option or (Path(environ[VARIABLE]) if environ.get(VARIABLE) else None)
    if named is not None:
        if not is_there(named):
            origin = "--config" if option else f"${VARIABLE}"
            if named.is_dir():
                raise Misplaced(f"{named}: a directory; write {named / HERE.name} in {origin}")
            raise Misplaced(f"{named}: no such file; correct {origin}, or leave it out")
        return named
    return next((path for path in (HERE, SYSTEM) if is_there(path)), None)


def is_there(path: Path) -> bool:
    """Whether a configuration file is there. Raises Misplaced where one may not even look; but a
    working directory that is closed to us (root's home, after `sudo -u muster`) holds none."""
    try:
        return path.is_file()
    except PermissionError:
        if not path.is_absolute():
            return False
        raise Misplaced(
            f"{path}: not yours to read; run this as the service's user, or as root"
        ) from None


def read_toml(path: Path) -> dict[str, object]:
    """The tables of `path`. Raises Misplaced with one line that names the file and the place."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise Misplaced(f"{path}: {error.strerror}; make it readable") from None
    except UnicodeDecodeError:
        raise Misplaced(f"{path}: is not UTF-8; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise Misplaced(f"{path}: is not TOML: {error}; correct that line") from None


def data_dir(path: Path | None, tables: Mapping[str, object]) -> Path:
    """The data directory of a configuration; a relative one stands beside the file."""
    if path is None:
        return ZERO_CONFIG_DATA.resolve()
    written = tables.get("data_dir")
    folder = written if isinstance(written, str) and written else str(ZERO_CONFIG_DATA)
    return (path.resolve().parent / folder).resolve()


def admin_socket(option: Path | None = None) -> Path:
    """Where a running bouncer with this configuration listens for control commands."""
    path = find_config(option)
    return short_enough(data_dir(path, read_toml(path) if path else {}) / SOCKET)


def short_enough(path: Path) -> Path:
    """The path of a socket. Raises Misplaced for one that no system takes."""
    if (octets := len(os.fsencode(path))) > MAX_SOCKET_PATH:
        raise Misplaced(
            f"data_dir: {path} is too long for a socket, {octets} octets of {MAX_SOCKET_PATH}; "
            "name a shorter directory"
        )
    return path
