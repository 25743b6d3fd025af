"""The Ansible role names what there is: units, places, settings, the project's parts.

That it works is seen by tests/outage/test_role.py.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bouncer import place
from fallback import config as fallback_config

yaml = pytest.importorskip("yaml", reason="needs PyYAML: pip install --editable '.[dev]'")

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
ANSIBLE = DEPLOY / "ansible"
ROLE = ANSIBLE / "roles" / "muster"
FILES = sorted(ANSIBLE.rglob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
HOSTS = yaml.safe_load((ANSIBLE / "inventory.yml").read_text())["all"]["children"]


def read(name: str) -> Any:
    return yaml.safe_load((ROLE / name).read_text())


def test_every_file_is_yaml() -> None:
    assert all(yaml.safe_load(path.read_text()) for path in FILES)


def test_the_units_run_what_the_role_installs() -> None:
    fixed = read("vars/main.yml")
    systems = {"bouncer": place.SYSTEM, "fallback": fallback_config.SYSTEM}
    for role, unit in fixed["muster_units"].items():
        text = (DEPLOY / f"{unit}.service").read_text()
        [start] = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
        program = "bouncer" if role == "bouncer" else "fallback"
        path = f"{fixed['muster_etc']}/{program}.toml"
        assert start == f"{fixed['muster_venv']}/bin/{program} run --config {path}"
        assert systems[program] == Path(path)
        assert "WantedBy=multi-user.target\n" in text  # by this the role sees that it is enabled
    assert {f"{unit}.service" for unit in fixed["muster_units"].values()} == {
        path.name for path in DEPLOY.glob("*.service")
    }


def test_the_folders_that_end_the_making_of_places_are_the_last() -> None:
    """ "Make them" is done again until this folder is there."""
    made = re.findall(r"^d (\S+)", (DEPLOY / "tmpfiles.d/muster.conf").read_text(), re.MULTILINE)
    assert made[-1] == f"{read('vars/main.yml')['muster_etc']}/tls"


def test_every_setting_is_described() -> None:
    described = read("meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    assert described.keys() == read("defaults/main.yml").keys() | {"muster_role"}
    assert set(described["muster_role"]["choices"]) == set(read("vars/main.yml")["muster_units"])
    extras = PROJECT["project"]["optional-dependencies"].keys() - {"dev"}
    assert set(described["muster_extras"]["choices"]) == extras
    document = (ROOT / "docs" / "deployment.md").read_text()
    assert set(re.findall(r"^\| `(muster_\w+)`", document, re.MULTILINE)) == described.keys()


def test_what_is_installed_is_the_project() -> None:
    fixed = read("vars/main.yml")
    found = PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    code = {"pyproject.toml"} | {each.rstrip("*") for each in found}
    assert set(fixed["muster_code"]) == code
    assert set(fixed["muster_papers"]) == {"LICENSE", PROJECT["project"]["readme"]}


def test_the_name_to_replace_stands_in_the_hook_once() -> None:
    [name] = re.findall(r"replace\('([^']+)'", (ROLE / "tasks/configuration.yml").read_text())
    assert (DEPLOY / "certbot" / "muster.sh").read_text().count(name) == 1


def test_the_example_is_the_quickstarts() -> None:
    quickstart = (ROOT / "docs" / "quickstart.md").read_text()
    for group in HOSTS.values():
        for host, settings in group["hosts"].items():
            [row] = re.findall(rf"^\| `{re.escape(host)}` .*$", quickstart, re.MULTILINE)
            assert settings["muster_role"] in row
            assert settings.get("ansible_host", "") in row
    sample = tomllib.loads((DEPLOY / "examples" / "bouncer.toml").read_text())
    assert HOSTS["bouncers"]["hosts"]["irc.example.net"]["muster_config"] == sample
