"""The packages that Muster needs, as wheels: an installation is tried without a package index.

They are made of what is installed beside these tests. What builds Muster itself is not among that,
and is fetched.
"""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).parents[2]


def wheelhouse(folder: Path) -> Path:
    """Fill a folder for pip's --find-links."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"]
    wanted += project["project"]["optional-dependencies"]["postgres"]
    for found in _needed(wanted):
        _pack(found, folder)
    fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
    subprocess.run([*fetch, *project["build-system"]["requires"]], check=True, timeout=120)
    return folder


def _needed(requirements: list[str]) -> list[Distribution]:
    """Whatever of it, and of what it needs, is installed; where it is, its markers hold."""
    found: dict[str, Distribution] = {}
    waiting = list(requirements)
    while waiting:
        match = re.match(r"([\w.-]+)(?:\[(.*?)\])?", waiting.pop())
        assert match
        name, extras = match[1].lower(), re.split(r"[, ]+", match[2] or "")
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue
        for each in found[name].requires or ():
            extra = re.search(r"extra == .(\w+)", each)
            if not extra or extra[1] in extras:
                waiting.append(each)
    return list(found.values())


def _pack(found: Distribution, folder: Path) -> None:
    """A wheel as it was before it was installed, less the commands it brought."""
    files = [file for file in found.files or () if ".." not in file.parts]
    kept = [file for file in files if file.suffix != ".pyc" and file.name != "RECORD"]
    [record] = [file for file in files if file.name == "RECORD"]
    tags = re.findall(r"^Tag: (.+)$", found.read_text("WHEEL") or "", re.MULTILINE)
    name = re.sub(r"[-_.]+", "_", found.metadata["Name"])
    place = folder / f"{name}-{found.version}-{_joined(tags)}.whl"
    rows = io.StringIO()
    csv.writer(rows).writerows([str(file), "", ""] for file in [*kept, record])
    with zipfile.ZipFile(place, "w") as wheel:
        for file in kept:
            wheel.write(str(file.locate()), str(file))
        wheel.writestr(str(record), rows.getvalue())


def _joined(tags: list[str]) -> str:
    """Several tags as a file's name has them: python.python-abi.abi-platform.platform."""
    return "-".join(
        ".".join(dict.fromkeys(part)) for part in zip(*(t.split("-") for t in tags), strict=True)
    )
