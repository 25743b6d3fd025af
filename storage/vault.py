"""Secrets on disk: sealed by a key file where there is one, marked as plain where there is none.

Fernet (AES-128-CBC with HMAC-SHA256) of the cryptography package. Several keys may be given, the
newest first: it seals, each of them opens, so that keys can be rotated while serving.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from storage import keyfile
from storage.errors import Unusable

_SEALED = "fernet:"
_PLAIN = "plain:"


def is_sealed(stored: str) -> bool:
    """Whether it takes a key to open this."""
    return stored.startswith(_SEALED)


class Vault:
    """Seals and opens texts. `key` holds one base64 key per line, or is None."""

    def __init__(self, key: bytes | None) -> None:
        self._fernet: MultiFernet | None = None
        if key is None:
            return
        try:
            self._fernet = MultiFernet([Fernet(line) for line in key.split()])
        except ValueError:
            raise Unusable("the key file does not hold Fernet keys") from None

    def seal(self, secret: str) -> str:
        """The form to be stored; '' stays ''."""
        if not secret:
            return ""
        if self._fernet is None:
            return _PLAIN + secret
        return _SEALED + self._fernet.encrypt(secret.encode()).decode()

    def open(self, stored: str) -> str:
        """The secret again. Raises Unusable where the key is missing or another one."""
        if stored.startswith(_PLAIN):
            return stored[len(_PLAIN) :]
        if not is_sealed(stored):
            return stored
        if self._fernet is None:
            raise Unusable(
                "the database holds sealed passwords and no key file is given; put it back"
            )
        try:
            return self._fernet.decrypt(stored[len(_SEALED) :]).decode()
        except InvalidToken:
            raise Unusable(
                "the key file does not open the stored passwords; put back the one they were "
                "sealed with (secrets.key), or give them up: `bouncer history rekey --forget`"
            ) from None


def new_key() -> bytes:
    """A fresh key, as one line of a key file."""
    return Fernet.generate_key() + b"\n"


def load_key(path: Path) -> bytes:
    """Read the key file; make it (mode 0600) where it does not exist. Raises Unusable for a file
    that holds none, and OSError where it cannot be made."""
    keyfile.make(path, new_key)
    return read_key(path)


def read_key(path: Path) -> bytes:
    """Read the key file. Raises Unusable for one that holds none, OSError."""
    key = path.read_bytes()
    try:
        Vault(key)
    except Unusable:
        raise Unusable(
            f"{path}: holds no Fernet keys (44 characters of base64, one a line); "
            "put your copy of it back, or, without one, move it away"
        ) from None
    return key


def add_key(path: Path) -> bytes:
    """Begin a rotation: put a new key before the old ones; the file's new content.

    Then open the store with it, run `backup.seal_anew`, and `drop_old_keys`. Interrupted anywhere,
    the file holds what opens every secret.
    """
    return _replace(path, new_key() + path.read_bytes())


def drop_old_keys(path: Path) -> bytes:
    """End a rotation: only the newest key stays."""
    return _replace(path, path.read_bytes().split()[0] + b"\n")


def _replace(path: Path, content: bytes) -> bytes:
    keyfile.replace(path, content)
    return content
