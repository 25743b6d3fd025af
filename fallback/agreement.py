"""Whether the voters' files agree where they must: told with each greeting, looked at by all. Pure.

The place and what is announced stand in each voter's own file, never in the roster, so nothing but
the voters themselves can notice that one of them was set otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from fallback.config import Config, NetworkConfig
from fallback.findings import Finding, fail, warn
from fallback.gossip import MAX_PLACES, SettingsSaid


def our_settings(config: Config, k: int) -> SettingsSaid:
    """What this voter says of its file; `k` is the roster's where there is one."""
    networks = config.network[:MAX_PLACES]
    places = {network.name: place_digest(network) for network in networks}
    return SettingsSaid(k, config.announce_home, places)


def place_digest(network: NetworkConfig) -> str:
    """Names lobby and room without telling them: a witness need not know the room."""
    place = f"{network.lobby}\n{network.room}".casefold()
    return hashlib.blake2s(place.encode(), digest_size=8).hexdigest()


def about_settings(ours: SettingsSaid, theirs: Mapping[str, SettingsSaid]) -> Iterator[Finding]:
    """What is not equal, of the voters that have told theirs."""
    for name, said in theirs.items():
        if said.announce_home != ours.announce_home:
            here, there = _toml(ours.announce_home), _toml(said.announce_home)
            yield fail(
                f"announce_home is {here} here and {there} at {name}",
                "make it equal on all voters, or nobody announces the home server's absence",
            )
        if said.k != ours.k:
            yield warn(f"quorum {ours.k} here and {said.k} at {name}", "has it the newest roster?")
        for network in sorted(ours.places.keys() & said.places.keys()):
            if ours.places[network] != said.places[network]:
                yield fail(
                    f"{name} meets elsewhere on {network}",
                    "make lobby and room equal in both files: people must find one place",
                )
        if ours.places and said.places and not ours.places.keys() & said.places.keys():
            yield warn(
                f"{name} and we have no network in common",
                "give networks the same name in all files, as the roster has it",
            )


def _toml(value: bool) -> str:
    return "true" if value else "false"
