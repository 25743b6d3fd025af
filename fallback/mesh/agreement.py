"""Whether the voters' files agree where they must: told with each greeting, looked at by all. Pure.

What stands in each voter's own file and never in the roster nothing but the voters themselves can
notice to be set otherwise: the place, what is announced, and the waits that their machines share.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from fallback.config import Config, NetworkConfig
from fallback.findings import Finding, fail, warn
from fallback.mesh.gossip import MAX_PLACES, SettingsSaid
from fallback.timings import NAMES, Solo

# What every voter must have alike, and what happens else.
OF_VOTERS = {
    "suspect": "one voter still counts the primary as heard that another counts as silent",
    "declare": "a cut is announced only when the slowest voter has seen it",
    "service_down": "a crash is announced only when the slowest voter has seen it",
    "announce_home": "nobody announces the home server's absence",
}
# Every agent, besides: witnesses open no incident and speak nowhere.
OF_AGENTS = {
    "vote_ttl": "one agent counts a vote that has ended for another",
    "rank_stagger": "two agents may speak at once",
    "speaker_lease": "one agent may speak while another still does",
    "solo": "it hangs on which agent is alone whether an admin is asked first",
    "solo_after": "it hangs on which agent is alone when it speaks",
    "primary_back_notice": "one agent says that the primary is back and another does not",
    "auto_standdown": "the shortest ends the incident for all",
    "announce_nicks": "it hangs on which agent speaks whether anyone may read the nicks",
}
# Each voter's own: how steady its machine is, and what bounds `suspect` in its file. The quorum is
# compared by itself, for the roster's replaces the file's.
OWN = frozenset({"heartbeat", "self_stall", "k"})
_OUTSIDE_TIMINGS = frozenset({"announce_home", "announce_nicks"})
_OF_PROFILE = frozenset({"suspect", "declare"})


def our_settings(config: Config, k: int) -> SettingsSaid:
    """What this voter says of its file; `k` is the roster's where there is one."""
    networks = config.network[:MAX_PLACES]
    places = {network.name: place_digest(network) for network in networks}
    names = [*OF_VOTERS, *(OF_AGENTS if config.role == "agent" else ())]
    return SettingsSaid(k, places, {name: _written(config, name) for name in names})


def place_digest(network: NetworkConfig) -> str:
    """Names lobby and room without telling them: a witness need not know the room."""
    place = f"{network.lobby}\n{network.room}".casefold()
    return hashlib.blake2s(place.encode(), digest_size=8).hexdigest()


def about_settings(ours: SettingsSaid, theirs: Mapping[str, SettingsSaid]) -> Iterator[Finding]:
    """What is not equal, of the voters that have told theirs."""
    for name, said in theirs.items():
        for setting, otherwise in (OF_VOTERS | OF_AGENTS).items():
            here, there = ours.settings.get(setting), said.settings.get(setting)
            if here is not None and there is not None and here != there:
                yield fail(
                    f"{setting} is {here} here and {there} at {name}",
                    f"make it equal {_where(setting)} of all voters and restart them, "
                    f"or {otherwise}",
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


def _written(config: Config, setting: str) -> str:
    """The value in force, always in one form: "5min" and 300 are equal."""
    if setting in _OUTSIDE_TIMINGS:
        value = getattr(config, setting)
    else:
        value = getattr(config.waits(), NAMES[setting])
    match value:
        case bool():
            return "true" if value else "false"
        case Solo():
            return value.value
        case str():
            return value
    return f"{value:.10g}s"


def _where(setting: str) -> str:
    if setting in _OUTSIDE_TIMINGS:
        return "in fallback.toml"
    also = " (where profile sets it, too)" if setting in _OF_PROFILE else ""
    return f"under [timings]{also} in fallback.toml"
