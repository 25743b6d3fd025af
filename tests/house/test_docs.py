"""The documents say what is: tables of keys against the models, links against the files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from bouncer import config as bouncer
from bouncer import place
from fallback import config as fallback
from fallback.timings import DEFAULTS, NAMES
from tests.house import documents

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*.md"))]
CONFIGURATION = ROOT / "docs" / "configuration.md"
MODELS: dict[str, type[BaseModel]] = {
    "bouncer: top level": bouncer.Config,
    "bouncer: `[database]`": bouncer.Database,
    "bouncer: `[tls]`": bouncer.Tls,
    "bouncer: `[[listen]]`": bouncer.Listen,
    "bouncer: `[limits]`": bouncer.Limits,
    "bouncer: `[user_defaults]`": bouncer.UserDefaults,
    "bouncer: `[history]`": bouncer.History,
    "bouncer: `[ops]`": bouncer.Ops,
    "bouncer: `[ident]`": bouncer.Ident,
    "bouncer: `[mesh]`": bouncer.Mesh,
    "fallback: top level": fallback.Config,
    "fallback: `[[network]]`": fallback.NetworkConfig,
    "fallback: `[[push]]`": fallback.PushConfig,
    "fallback: `[[landmark]]`": fallback.Landmark,
}
TIMINGS = "fallback: `[timings]`"


def written(section: str) -> dict[str, str]:
    """key -> default, as the table of that section writes them; each row has a meaning."""
    text = CONFIGURATION.read_text()
    _, _, rest = text.partition(f"### {section}\n")
    body = re.split(r"^##", rest, maxsplit=1, flags=re.MULTILINE)[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.+) \|$", body, flags=re.MULTILINE)
    return {key: default for key, default, meaning in rows if meaning.strip()}


def as_written(value: Any) -> str:
    """A default as the document writes it."""
    if value is PydanticUndefined:
        return "must be given"
    match value:
        case None:
            return "none"
        case bool():
            return f"`{str(value).lower()}`"
        case str() | Path():
            return f'`"{value}"`'
        case tuple():
            return "`[]`"
    return f"`{value}`"


@pytest.mark.parametrize("section", MODELS)
def test_every_key_is_documented_with_its_default(section: str) -> None:
    fields = {
        name: field for name, field in MODELS[section].model_fields.items() if name != "source"
    }
    found = written(section)
    assert list(found) == list(fields)
    for name, field in fields.items():
        default = field.get_default(call_default_factory=True)
        assert found[name] == (
            "below" if is_table(section, name, default) else as_written(default)
        ), name


@pytest.mark.parametrize("module", [bouncer, fallback], ids=["bouncer", "fallback"])
def test_every_table_of_the_files_is_documented(module: ModuleType) -> None:
    tables = {
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, bouncer.Table) and each is not bouncer.Table
    }
    assert tables <= set(MODELS.values())


def is_table(section: str, name: str, default: object) -> bool:
    """Whether a key of bouncer.toml is a table, with a section and defaults of its own."""
    named = section == "bouncer: top level" and name in ("listen", "ops")
    return named or isinstance(default, BaseModel)


def test_every_timing_is_documented_with_its_default() -> None:
    found = written(TIMINGS)
    assert found.pop("profile") == '`"default"`'
    assert set(found) == set(NAMES)
    for name, default in found.items():
        value = getattr(DEFAULTS, NAMES[name])
        shown = f'`"{value.value}"`' if name == "solo" else f"`{value:g}`"
        assert default == shown, name


def test_the_places_of_the_files_are_documented() -> None:
    text = CONFIGURATION.read_text()
    for name in (place.VARIABLE, fallback.VARIABLE):
        assert f"`${name}`" in text
    for path in (place.SYSTEM, fallback.SYSTEM):
        assert f"`{path}`" in text


@pytest.mark.parametrize(
    ("path", "printed"),
    [
        (documents.DECIDERS, documents.deciders),
        (documents.SUPPORT, documents.support),
        (documents.GROUPS, documents.groups),
    ],
    ids=["deciders", "support", "groups"],
)
def test_what_is_printed_from_the_code_is_fresh(path: Path, printed: Callable[[], str]) -> None:
    said = f"{path.name} is old; write it anew: .venv/bin/python -m tests.house.documents"
    assert path.read_text() == printed(), said


def links(document: Path) -> Iterator[str]:
    """Where a document points to, within the project."""
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if not re.match(r"[a-z]+:", target):
            yield target


def anchors(document: Path) -> set[str]:
    """The names that a document's headings can be linked by."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in links(document):
        name, _, anchor = target.partition("#")
        path = document.parent / name if name else document
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), target
