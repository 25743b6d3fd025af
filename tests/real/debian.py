"""A small root of this machine's own Debian packages: what an image can be built on, without a
registry."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

MERGED = ("bin", "lib", "lib64", "sbin")  # links into /usr since Debian 12
LEFT_OUT = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/", "/usr/share/info/")
# What every Debian image has, as far as building needs it.
ALWAYS = ["base-files", "base-passwd", "coreutils", "dash", "findutils", "libc-bin", "passwd"]
DEPENDS = (
    "apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts"
    " --no-breaks --no-replaces --no-enhances"
)


def small_root(folder: Path, packages: list[str]) -> None:
    """Fill an empty folder with the packages and all that they depend on, as they are here.

    Raises CalledProcessError for a package that is not installed.
    """
    asked = [*ALWAYS, *packages]
    named = re.findall(r"^\w\S*$", _told([*DEPENDS.split(), *asked]), re.MULTILINE)
    states = _told(["dpkg-query", "--show", "--showformat=${Package} ${Status}\n"])
    here = set(re.findall(r"^(\S+) install ok installed$", states, re.MULTILINE))
    listed = _told(["dpkg", "--listfiles", *asked, *sorted(here & set(named))])
    wanted = {
        str(Path(line).parent.resolve() / Path(line).name)
        for line in listed.splitlines()
        if line.startswith("/") and line[1:] not in (".", *MERGED) and not line.startswith(LEFT_OUT)
    }
    # Python's own bytecode, without which each start takes seconds.
    wanted |= {
        str(compiled)
        for path in map(Path, [each for each in wanted if each.endswith(".py")])
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc")
    }
    for name in MERGED:
        (folder / "usr" / name).mkdir(parents=True)
        (folder / name).symlink_to(f"usr/{name}")
    pack = "tar --create --no-recursion --ignore-failed-read --directory=/ --files-from=-"
    subprocess.run(
        f"{pack} 2>/dev/null | tar --extract --directory={shlex.quote(str(folder))}",
        input="".join(f"{path[1:]}\n" for path in sorted(wanted)),
        shell=True,
        text=True,
        check=True,
    )
    # What packages make as they are installed.
    for name in ("passwd", "group"):
        shutil.copy(folder / f"usr/share/base-passwd/{name}.master", folder / "etc" / name)


def _told(words: list[str]) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout
