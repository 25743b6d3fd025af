"""Who asks for a control command, as the door has established it, and what they may do."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Door(enum.Enum):
    """Where a command came in."""

    SOCKET = "socket"  # the command line: the machine's operator, nobody's user
    SERVICE = "service"  # a user's message to the service nick
    OPS = "ops"  # `!word` in the ops channel


class Permission(enum.IntEnum):
    """Who may use a command."""

    ANYONE = 0
    USER = 1  # a user of the bouncer, about their own things; admins about everybody's
    STAFF = 2  # somebody of the roster
    ORDERS = 3  # an admin of the roster, whose orders the voters take; or of the bouncer
    ADMIN = 4  # an admin of the bouncer


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, as the door has established it. A nick is never proof."""

    door: Door
    user: str = ""  # the bouncer's user; "" for the operator, and for staff without an account
    admin: bool = False
    staff: bool = False
    orders: bool = False  # an admin of the roster
    network: str = ""  # the user's network that they speak from, "" for none
    handle: str = ""  # their entry on the roster, where the door knows it
    proof: str = ""  # by what the door knows them: "account bobby on home", for the record
    waits: bool = False  # for as long as it takes: nobody's next command is behind theirs

    @property
    def mark(self) -> str:
        """What a command begins with at their door."""
        return "!" if self.door is Door.OPS else ""

    @property
    def name(self) -> str:
        """What to call them in an answer or a journal."""
        return self.handle or self.user or "operator"

    @property
    def known_by(self) -> str:
        """How it is known who they are, for a journal."""
        login = f"login of {self.user}" if self.user else "the machine's operator"
        return self.proof or login

    def may(self, permission: Permission) -> bool:
        match permission:
            case Permission.ANYONE:
                return True
            case Permission.USER:
                return bool(self.user) or self.admin
            case Permission.STAFF:
                return self.staff or self.admin
            case Permission.ORDERS:
                return self.orders or self.admin
        return self.admin


OPERATOR = Actor(Door.SOCKET, admin=True, waits=True)

EVERYWHERE = frozenset(Door)
