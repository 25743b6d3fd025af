"""One family of errors; the text of each is what the user is told."""

from __future__ import annotations


class StorageError(Exception):
    """Something the store cannot do. The text is a sentence for the user."""


class AlreadyThere(StorageError):
    """A name that is taken."""


class NotFound(StorageError):
    """A name nobody has."""


class Unusable(StorageError):
    """The database cannot be opened as it is: wrong URL, newer release, damaged, no driver,
    another key file."""


class OutOfReach(StorageError):
    """The database cannot be opened now, and later it may: locked, no room, its server away."""


class Taken(OutOfReach):
    """Another bouncer serves from the database, since this one had lost it for a moment."""


class NotWritten(StorageError):
    """Writing is not possible now (disk full, read-only, locked, gone): `why`."""

    def __init__(self, why: str) -> None:
        super().__init__(f"nothing was changed: {why}")
        self.why = why
