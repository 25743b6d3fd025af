"""Effects that write to the store, and so must be waited for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from bouncer.hub import keeping
from bouncer.session.effects import (
    ChangeChannel,
    Effect,
    ForgetChannel,
    KeepMark,
    Redact,
    RememberCasemapping,
    RememberChannel,
    RememberLogin,
    RenameChannel,
)
from storage.records import Channel
from storage.store import Store

Errand = Callable[[], Awaitable[None]]


def errand_of(effect: Effect, store: Store, network_id: int) -> Errand | None:
    """How a session's wish is kept; None for an effect that is no such wish."""
    match effect:
        case RememberChannel(name, key):
            channel = Channel(network_id, name, key=key)
            return partial(keeping.remember_channel, store, channel)
        case ChangeChannel(name, detached, detached_id, attached_id):
            of_it = {"detached": detached, "detached_id": detached_id, "attached_id": attached_id}
            return partial(keeping.change_channel, store, network_id, name, **of_it)
        case RenameChannel(name, new):
            return partial(keeping.rename_channel, store, network_id, name, new)
        case ForgetChannel(name):
            return partial(keeping.forget_channel, store, network_id, name)
        case RememberLogin(login, password):
            logs_in = {"sasl_login": login, "sasl_password": password}
            return partial(keeping.change_network, store, network_id, **logs_in)
        case RememberCasemapping(token):
            return partial(keeping.remember_casemapping, store, network_id, token)
        case KeepMark(target, key, value):
            return partial(keeping.keep_mark, store, network_id, target, key, value)
        case Redact(target, msgid):
            return partial(keeping.redact, store, network_id, target, msgid)
        case _:
            return None
