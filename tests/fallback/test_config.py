"""fallback.toml: read whole or not at all, every fault a line that says what to do."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.config import ConfigError
from bouncer.mesh.keys import MeshKey
from fallback.config import Config, find, load, parse, read_duration, read_timings
from fallback.incident import Kind
from fallback.networks import wording
from fallback.timings import Solo, Timings
from fallback.watch import Verdict

GOOD: dict[str, object] = {
    "name": "fra",
    "data_dir": "state",
    "primary": ["ircs://192.0.2.1:6697", "[2001:db8::1]:6697"],
    "primary_key": str(MeshKey(b"o" * 32).public),
    "mesh": "[::]:6690",
}
NETWORK: dict[str, object] = {
    "name": "libera",
    "addresses": ["ircs://irc.libera.chat"],
    "nick": "fb",
    "lobby": "#lobby",
    "room": "#room",
}


def read(folder: Path = Path("/etc/muster"), **changes: object) -> Config:
    return parse(GOOD | changes, folder / "fallback.toml")


def test_relative_paths_stand_beside_the_file(tmp_path: Path) -> None:
    config = read(tmp_path, network=[NETWORK | {"account": "fb", "password_file": "pw"}])
    assert config.data_dir == tmp_path / "state"
    assert config.network[0].password_file == tmp_path / "pw"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "a b"}, "is not a name"),
        ({"primary": ["ircs://irc.example.net"]}, "write the IP address"),
        ({"primary": []}, "primary: is empty"),
        ({"primary_key": "ssh-ed25519 AAAA"}, "a mesh key looks like"),
        ({"mesh": "6690"}, "has no port"),
        ({"metrics": "0.0.0.0:9000"}, "write 127.0.0.1:PORT"),
        ({"role": "chief"}, "write 'agent' or 'witness'"),
        ({"landmarks": 3, "landmark": [{"kind": "dns", "address": "9.9.9.9:53"}]}, "never be"),
        ({"role": "witness", "network": [NETWORK]}, "a witness never speaks"),
        ({"network": [NETWORK, NETWORK]}, "is there twice"),
        ({"network": [NETWORK | {"room": "#lobby"}]}, "same channel"),
        ({"network": [NETWORK | {"room": "#Lobby"}]}, "same channel"),
        ({"landmark": [{"kind": "dns", "address": "9.9.9.9:53"}] * 3}, "is there twice"),
        ({"network": [NETWORK | {"lobby": "lobby"}]}, 'write it with its "#"'),
        ({"timings": {"declare": 5}}, "these must rise"),
        ({"timings": {"vote_ttl": "1s"}}, "vote_ttl must be more than 1s"),
        ({"timings": {"self_stall": "0.5s"}}, "self_stall must be more than 0.5s"),
        ({"timings": {"suspect": "soon"}}, "is not a duration"),
        ({"timings": {"supect": 5}}, "is not known here"),
        ({"timings": {"k": 9}}, "write 1 to 5"),
        ({"colour": "red"}, "is not known here"),
    ],
)
def test_a_fault_says_where_it_is_and_what_to_do(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(**changes)
    assert any(said in fault for fault in caught.value.faults), caught.value.faults
    assert all(fault.startswith("/etc/muster/fallback.toml: ") for fault in caught.value.faults)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        read(name="", mesh="x", colour="red")
    assert len(caught.value.faults) == 3


def test_without_a_file_it_says_where_one_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="bouncer agent add"):
        find(None, {})
    with pytest.raises(ConfigError, match="no such file"):
        find(tmp_path / "missing.toml", {})
    (tmp_path / "fallback.toml").write_text("name = [")
    with pytest.raises(ConfigError, match="is not TOML"):
        load()


def test_timings_have_the_specification_s_names() -> None:
    """FALLBACK: "heartbeat 1s · suspect 10s · declare 20s · (fast profile 6s/12s)"."""
    assert read_timings({}) == Timings()
    changed = read_timings({"primary_back_notice": "5s", "auto_standdown": "1min", "solo": "ask"})
    assert changed.primary_back_notice_s == 5
    assert changed.auto_standdown_s == 60
    assert changed.solo is Solo.ASK
    fast = read_timings({"profile": "fast"})
    assert (fast.suspect_s, fast.declare_s) == (6, 12)


@given(st.text(max_size=20) | st.floats() | st.integers() | st.booleans() | st.none())
def test_any_value_is_a_duration_or_a_fault(value: object) -> None:
    try:
        seconds = read_duration("x", value)
    except ValueError:
        return
    assert seconds > 0


# -- a changed place ----------------------------------------------------------------------------


@pytest.mark.parametrize(("day", "both"), [(1, True), (15, True), (16, False)])
def test_a_changed_place_is_announced_with_the_old_one_for_14_days(day: int, both: bool) -> None:
    """FALLBACK: "Changing the place announces old and new for 14 days"."""
    place = read(network=[NETWORK | {"moved": date(2026, 1, 1), "former_room": "#old"}]).network[0]
    now = 1_767_225_600.0 + (day - 1) * 86_400  # 2026-01-01 and on
    assert wording.lately_moved(place, now) is both


def test_a_line_names_the_place_and_never_a_cause() -> None:
    place = read(network=[NETWORK]).network[0]
    line = wording.announcement("0199.fra", Kind.QUORUM, Verdict.SITE, 1_767_225_600.0, place)
    assert line.endswith("Primary unreachable from here since 00:00Z. Meet: #room. /msg me help")
    drill = wording.announcement("0199.fra", Kind.DRILL, Verdict.SITE, 0.0, place)
    assert drill.startswith("[DRILL] ")
    solo = wording.announcement("0199.fra", Kind.SOLO, Verdict.SITE, 0.0, place)
    assert "[single observer]" in solo


@given(st.text(max_size=40))
def test_every_incident_has_a_short_name(incident_id: str) -> None:
    assert len(wording.short_name(incident_id)) == 2
