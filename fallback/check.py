"""The preflight, see run_check."""

from __future__ import annotations

from fallback.config import Config


def run_check(config: Config) -> int:
    del config
    return 0
