"""What a voter's configuration names on this host: is it there, ours alone, and good for a while?

No network and no voter is needed for it: what can be known before the first start.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from cryptography import x509

from fallback.config import MOVED_FOR_DAYS, Config, NetworkConfig
from fallback.findings import Finding, fail, ok, warn
from fallback.networks.wording import lately_moved
from fallback.push import Hook

CERTIFICATE_DAYS = 14


def about_file(config: Config, hooks: Sequence[Hook | Exception]) -> list[Finding]:
    """The configuration, which was read, and the files that it names; `hooks` as they were read."""
    well = ok(f"{config.source} is well formed")
    return [well, *about_secrets(config), *about_tokens(config, hooks)]


def about_secrets(config: Config) -> Iterator[Finding]:
    for network in config.network:
        for path in (network.password_file, network.certificate):
            if path is None:
                continue
            try:
                mode = path.stat().st_mode
            except OSError as error:
                yield fail(f"{network.name}: {path}: {error.strerror}", "correct the path")
                continue
            yield from about_readers(network.name, path, mode)
        if not network.account:
            yield warn(
                f"{network.name}: no account",
                "register one: without it the nick and the channels can be taken",
            )
        if network.owner == NetworkConfig.model_fields["owner"].default:
            yield warn(f"{network.name}: no owner", "say who runs the bot: networks ask")
        yield from about_certificate(network)
        yield from about_move(network)


def about_certificate(network: NetworkConfig) -> Iterator[Finding]:
    if network.certificate is None:
        return
    with suppress(OSError, ValueError):
        ends = x509.load_pem_x509_certificate(network.certificate.read_bytes()).not_valid_after_utc
        days, todo = (ends - datetime.now(UTC)).days, "renew it; tell services its new fingerprint"
        if days < 0:
            yield fail(f"{network.name}: its client certificate has ended", todo)
        elif days < CERTIFICATE_DAYS:
            yield warn(f"{network.name}: its client certificate ends soon", f"in {days}d; {todo}")
        else:
            yield ok(f"{network.name}: client certificate until {ends:%Y-%m-%d}")


def about_move(network: NetworkConfig) -> Iterator[Finding]:
    """A changed place, and for how long the former one is named, too."""
    if network.moved is None:
        return
    last = network.moved + timedelta(days=MOVED_FOR_DAYS)
    if lately_moved(network, time.time()):
        yield ok(f"{network.name}: the former place is announced, too, until {last}")
    else:
        todo = "remove moved, former_lobby and former_room"
        yield warn(f"{network.name}: the former place is not announced on {date.today()}", todo)


def about_tokens(config: Config, hooks: Sequence[Hook | Exception]) -> Iterator[Finding]:
    for number, (place, hook) in enumerate(zip(config.push, hooks, strict=True), 1):
        if isinstance(hook, Exception):
            yield fail(f"push[{number}]: {hook}", "correct token_file")
        elif place.token_file:
            mode = place.token_file.stat().st_mode
            yield from about_readers(f"push[{number}]", place.token_file, mode)


def about_readers(whose: str, path: Path, mode: int) -> Iterator[Finding]:
    """Whether a secret is everybody's; its group may read it, for a service's files have one."""
    if mode & 0o007:
        yield warn(f"{whose}: everybody may read {path}", f"chmod 640 {path}")
