"""The container files name what there is: the programs' places, ports and commands, the project's
parts. That they work is seen by tests/outage/test_container.py."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bouncer import config as bouncer_config
from bouncer import place
from bouncer.cli.commands import OWN
from bouncer.cli.groups import GROUPS
from fallback import cli as fallback_cli
from fallback import config as fallback_config

yaml = pytest.importorskip("yaml", reason="needs PyYAML: pip install --editable '.[dev]'")

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "container"
EXAMPLES = ROOT / "deploy" / "examples"
FILE = FOLDER / "Containerfile"
KNOWN = {
    "bouncer": {own.words[0] for own in OWN} | set(GROUPS),
    "fallback": set(fallback_cli.COMMANDS),
}


def instructions(name: str) -> list[str]:
    """What follows each instruction of this name in the Containerfile."""
    whole = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", FILE.read_text(), flags=re.MULTILINE))
    return re.findall(rf"^{name} +(.*)$", whole, flags=re.MULTILINE)


def composed() -> dict[str, Any]:
    made = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    assert isinstance(made, dict)
    return made


def known(command: str) -> bool:
    program, *words = command.split()
    return words[words[0] == "ctl"] in KNOWN[program]


def data_dirs() -> set[Path]:
    voters = [EXAMPLES / f"fallback-{role}.toml" for role in ("agent", "witness")]
    found = {fallback_config.load(path).data_dir for path in voters}
    return found | {bouncer_config.load(EXAMPLES / "bouncer.toml").data_dir}


def test_the_data_is_in_volumes_that_are_the_users_own() -> None:
    [volumes] = instructions("VOLUME")
    assert {Path(each) for each in json.loads(volumes)} == data_dirs()
    made = re.findall(
        r"install -d -m 0700 -o muster -g muster (.*?) *(?:&|$)", FILE.read_text(), re.M
    )
    assert {Path(each) for each in made[0].split()} == data_dirs()
    assert instructions("USER") == ["muster"]


def test_the_ports_are_those_of_the_samples() -> None:
    [exposed] = instructions("EXPOSE")
    clients = {
        f"{listen.address.port}/tcp"
        for listen in bouncer_config.load(EXAMPLES / "bouncer.toml").listen
        if listen.address.host != "127.0.0.1"
    }
    port = fallback_config.load(EXAMPLES / "fallback-agent.toml").mesh.port
    assert set(exposed.split()) == clients | {f"{port}/tcp", f"{port}/udp"}


def test_what_is_installed_is_the_project() -> None:
    """The parts that are copied, and no others reach the builder."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {
        each.rstrip("*") for each in project["tool"]["setuptools"]["packages"]["find"]["include"]
    }
    copied = [each.split()[:-1] for each in instructions("COPY") if not each.startswith("--from")]
    parts = {part for each in copied for part in each}
    assert parts == packages | {"pyproject.toml", "LICENSE", project["project"]["readme"]}
    allowed = (FOLDER / "Containerfile.dockerignore").read_text()
    assert set(re.findall(r"^!(.+)$", allowed, re.MULTILINE)) == parts
    extras = set(project["project"]["optional-dependencies"])
    assert set(re.findall(r"/src\[(\w+)\]", FILE.read_text())) <= extras


def test_the_commands_are_the_programs() -> None:
    [health] = re.findall(r"CMD (.*)$", instructions("HEALTHCHECK")[0])
    commands = health.split(" || ")
    commands += [" ".join(json.loads(each)) for each in instructions("CMD")]
    commands += [" ".join(service["command"]) for service in composed()["services"].values()]
    assert [each for each in commands if not known(each)] == []
    # In the form without a shell, the program is the first process and hears the signals.
    assert len(instructions("CMD")) == 1


def test_the_configurations_are_where_the_programs_look() -> None:
    assert f"{place.VARIABLE}={place.SYSTEM}" in instructions("ENV")[0].split()
    bouncer, agent = composed()["services"].values()
    sample, where, *_ = bouncer["volumes"][0].split(":")
    assert ((FOLDER / sample).resolve(), Path(where)) == (EXAMPLES / "bouncer.toml", place.SYSTEM)
    assert Path(agent["volumes"][0].split(":")[1]) == fallback_config.SYSTEM


def test_each_service_keeps_its_data_and_builds_the_same_image() -> None:
    made = composed()
    for service in made["services"].values():
        build = service["build"]
        assert (FOLDER / build["context"]).resolve() == ROOT
        assert ROOT / build["dockerfile"] == FILE
        volume, where = service["volumes"][1].split(":")
        assert volume in made["volumes"]
        assert Path(where) in data_dirs()
        assert service["networks"].keys() <= made["networks"].keys()
