"""What a voter logs in with and pushes by: read from its files when it begins."""

from __future__ import annotations

from fallback.config import Config, NetworkConfig
from fallback.lock import Fault
from fallback.networks.ourselves import Secrets
from fallback.push import Hook, read_hook


def read_secrets(network: NetworkConfig) -> Secrets:
    """The password and certificate of a network. Raises Fault."""
    secret = Secrets()
    try:
        if network.password_file:
            secret.password = network.password_file.read_text("utf-8").strip()
        if network.certificate:
            secret.certificate = network.certificate.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise Fault(f"{network.name}: {error}") from None
    return secret


def read_hooks(config: Config) -> list[Hook]:
    """The push hooks with their tokens. Raises Fault."""
    try:
        return [read_hook(hook) for hook in config.push]
    except (OSError, UnicodeDecodeError) as error:
        raise Fault(f"push: {error}") from None


def can_be_read(config: Config) -> bool:
    """Whether all of them are there."""
    try:
        for network in config.network:
            read_secrets(network)
        read_hooks(config)
    except Fault:
        return False
    return True
