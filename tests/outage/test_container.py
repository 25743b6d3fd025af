"""The image, built by its file from this machine's own packages, and what runs in it.

No registry is asked: a root of the packages that the file names stands for Debian's image, and what
pip would fetch lies in a folder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.real.debian import small_root
from tests.real.lab import lab
from tests.real.needs import NETNS, require
from tests.real.netns import connected
from tests.real.process import Program, found
from tests.real.wheels import wheelhouse

pytestmark = [pytest.mark.outage, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
CONTAINERFILE = ROOT / "deploy/container/Containerfile"
EXAMPLES = ROOT / "deploy/examples"
BUILD_S = 300.0
START_S = 30.0
# As deploy/container/compose.yaml has it run: nothing but the volumes can be written.
ENTER = """
root=$1 data=$2; shift 2
mount --make-rprivate /
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
for volume in $VOLUMES; do mount --bind "$data$volume" "$root$volume"; done
mount -o remount,bind,ro "$root"
exec chroot --userspec="$RUN_AS" "$root" "$@"
"""


@dataclass
class Image:
    """What was built: `root` is its file system, `config` what it says of itself."""

    root: Path
    config: dict[str, Any]

    @property
    def volumes(self) -> list[str]:
        return sorted(self.config["Volumes"])

    def words(self, data: Path, command: list[str]) -> list[str]:
        """The words by which `command` runs in it, as the first process."""
        apart = [found("unshare"), "--mount", "--pid", "--fork", "--kill-child=KILL", "--"]
        clean = ["env", "-i", *self.config["Env"]]
        words = [*apart, "sh", "-ec", ENTER, "sh", self.root, data, *clean, *command]
        return [str(word) for word in words]

    def environment(self) -> dict[str, str]:
        return {"VOLUMES": " ".join(self.volumes), "RUN_AS": str(self.config["User"])}


class Builder:
    """buildah with a store of its own, which builds as docker and podman do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def does(self, *words: str | Path) -> str:
        """One command of it; what it printed."""
        place = [f"--root={self.folder}/store", f"--runroot={self.folder}/run"]
        done = subprocess.run(
            [found("buildah"), *place, *words],
            capture_output=True,
            text=True,
            timeout=BUILD_S,
            check=False,
            env={**os.environ, "BUILDAH_ISOLATION": "chroot"},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def base(self) -> str:
        """A stand-in for Debian's image, in which the packages to install are already."""
        container = self.does("from", "scratch")
        place = Path(self.does("mount", container))
        small_root(place, installed_by_it())
        apt = place / "usr/local/bin/apt-get"
        apt.parent.mkdir(parents=True, exist_ok=True)
        apt.write_text("#!/bin/sh\n")
        apt.chmod(0o755)
        self.does("commit", "--quiet", "--rm", container, "localhost/base")
        return "localhost/base"

    def image(self) -> Image:
        wheels = self.folder / "wheels"
        wheels.mkdir()
        wheelhouse(wheels)
        pip = ["--env=PIP_NO_INDEX=1", "--env=PIP_FIND_LINKS=/wheels"]
        how = ["--pull-never", "--format=docker", f"--volume={wheels}:/wheels:ro", *pip]
        base = f"--build-arg=BASE={self.base()}"
        self.does("build", *how, base, "--tag=muster", f"--file={CONTAINERFILE}", ROOT)
        told = json.loads(self.does("inspect", "--type=image", "muster"))
        container = self.does("from", "--pull-never", "muster")
        return Image(Path(self.does("mount", container)), told["Docker"]["config"])


@contextmanager
def built(folder: Path) -> Iterator[Image]:
    """The image, while the block runs."""
    builder = Builder(folder)
    try:
        yield builder.image()
    finally:
        builder.does("rm", "--all")  # unmounts them, too


def installed_by_it() -> list[str]:
    """The Debian packages that the Containerfile names."""
    lines = re.findall(r"apt-get install ([^&\n]*)", CONTAINERFILE.read_text())
    return [word for line in lines for word in line.split() if word[0] not in "-\\"]


async def test_the_image_serves_as_bouncer_and_as_voter(tmp_path: Path) -> None:
    require("buildah", "dpkg", "ip", "mount", "nft", "nsenter", "setpriv", "unshare", NETNS)
    with built(tmp_path) as image, lab() as net:
        no_bytecode_is_lost(image)
        data, netns = volumes(image, tmp_path), net.host("home").netns
        configured = image.root / "etc/muster"
        shutil.copy(EXAMPLES / "bouncer.toml", configured)
        async with running(image, data, image.config["Cmd"], netns, tmp_path / "log") as program:
            await program.listens(partial(connected, "127.0.0.1", 6697, netns, 1), START_S)
        (configured / "bouncer.toml").unlink()
        missing = run(image, data, image.config["Cmd"], netns)
        assert (missing.returncode, "bouncer.toml: no such file" in missing.stderr) == (2, True)

        key = run(image, data, ["fallback", "key"], netns)
        assert key.stdout.startswith("muster1:"), key
        shutil.copy(EXAMPLES / "fallback-witness.toml", configured / "fallback.toml")
        async with running(image, data, ["fallback", "run"], netns, tmp_path / "voter"):
            pass


def volumes(image: Image, folder: Path) -> Path:
    """Where the data is kept, as a runtime fills new volumes from the image."""
    for volume in image.volumes:
        inside, outside = image.root / volume[1:], folder / "data" / volume[1:]
        shutil.copytree(inside, outside)
        owner = inside.stat()
        assert owner.st_uid != 0
        os.chown(outside, owner.st_uid, owner.st_gid)
    return folder / "data"


def no_bytecode_is_lost(image: Image) -> None:
    """Each file has its own, which is taken without a look at the file (PEP 552)."""
    [site] = (image.root / "opt/muster/lib").glob("python3.*/site-packages")
    sources = [path for name in ("bouncer", "trio") for path in (site / name).rglob("*.py")]
    assert sources
    for source in sources:
        [compiled] = (source.parent / "__pycache__").glob(f"{source.stem}.cpython-*.pyc")
        assert int.from_bytes(compiled.read_bytes()[4:8], "little") == 0b01


def run(
    image: Image, data: Path, command: list[str], netns: str
) -> subprocess.CompletedProcess[str]:
    words = [found("nsenter"), f"--net=/run/netns/{netns}", "--", *image.words(data, command)]
    environment = {**os.environ, **image.environment()}
    return subprocess.run(
        words, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@asynccontextmanager
async def running(
    image: Image, data: Path, command: list[str], netns: str, log: Path
) -> AsyncIterator[Program]:
    """A container: healthy while the block runs, and ended well by TERM."""
    kind, line = image.config["Healthcheck"]["Test"]
    assert kind == "CMD-SHELL"
    healthy = ["sh", "-c", line]
    assert run(image, data, healthy, netns).returncode != 0
    words = image.words(data, command)
    with Program(words, log=log, netns=netns, env=image.environment()) as program:
        deadline = trio.current_time() + START_S
        while run(image, data, healthy, netns).returncode != 0:
            assert program.running, program.output
            assert trio.current_time() < deadline, program.output
            await trio.sleep(0.2)
        yield program
        # What a runtime does: to the first process inside, which the kernel shields from signals
        # that it does not ask for (pid_namespaces(7)).
        children = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text()
        os.kill(int(children), signal.SIGTERM)
        assert await program.ended(10) == 0, program.output
