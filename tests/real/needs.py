"""What a test needs from this machine. One function decides: skip here, fail where CI is set.

A run in CI has installed everything (.ci/run), so that there a missing program is a broken build
and not a reason to look away.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache

import pytest

# program -> the Debian package that brings it
PACKAGES = {
    "ansible-playbook": "ansible-core",
    "atheme-services": "atheme-services",
    "bash": "bash",
    "buildah": "buildah",
    "inspircd": "inspircd",
    "ip": "iproute2",
    "irssi": "irssi",
    "make": "make",
    "mkfs.ext4": "e2fsprogs",
    "mount": "mount",
    "nft": "nftables",
    "ngircd": "ngircd",
    "nsenter": "util-linux",
    "openssl": "openssl",
    "setpriv": "util-linux",
    "setsid": "util-linux",
    "ssh-keygen": "openssh-client",
    "systemctl": "systemd",
    "systemd-analyze": "systemd",
    "tmux": "tmux",
    "unshare": "util-linux",
    "weechat": "weechat-curses",
    "znc": "znc",
}

# program -> how to get it where its package conflicts with another that is needed
APART = {
    "ircd-hybrid": "apt install libltdl7 && apt-get download ircd-hybrid"
    " && dpkg -x ircd-hybrid_*.deb / (its package conflicts with ngircd's)",
}

# Servers live in sbin, which is not on every user's PATH.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])

NETNS = "netns"  # asked for like a program: the right to make network namespaces


def program(name: str) -> str | None:
    """The absolute path of a program, or None."""
    return shutil.which(name, path=SEARCH_PATH)


def missing(*names: str) -> list[str]:
    """One line for each of the `names` that this machine lacks; each says how to get it."""
    faults = []
    if NETNS in names:
        reason = namespaces_refused()
        if reason:
            faults.append(reason)
    absent = {name for name in names if name != NETNS and not program(name)}
    faults += [APART[name] for name in sorted(absent & APART.keys())]
    packages = sorted({PACKAGES.get(name, name) for name in absent - APART.keys()})
    if packages:
        faults.append(install_line(packages))
    return faults


def install_line(packages: list[str]) -> str:
    """The one line that installs these Debian packages."""
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}apt install {' '.join(packages)}"


@cache
def namespaces_refused() -> str | None:
    """Why network namespaces cannot be made here, or None."""
    if sys.platform != "linux":
        return "network namespaces need Linux"
    if os.geteuid() != 0:
        return "network namespaces need root: run it with sudo"
    ip, nft = program("ip"), program("nft")
    if not ip or not nft:
        return None  # said by the packages' own line
    name = f"mt{os.getpid()}-try"
    made = subprocess.run([ip, "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"network namespaces are refused here: {made.stderr.strip()}"
    try:
        filtered = subprocess.run(
            [ip, "netns", "exec", name, nft, "add", "table", "inet", "cut"],
            capture_output=True,
            text=True,
            check=False,
        )
        return f"nft is refused here: {filtered.stderr.strip()}" if filtered.returncode else None
    finally:
        subprocess.run([ip, "netns", "del", name], check=False)


def become_root_of_our_own(words: list[str]) -> None:
    """Without root, run `words` as root of a user namespace with a /run of its own, where the
    kernel allows it; comes back only where root is not needed or not to be had so."""
    unshare = program("unshare")
    if sys.platform != "linux" or os.geteuid() == 0 or unshare is None:
        return
    line = [unshare, "--user", "--map-root-user", "--net", "--mount", "--"]
    if subprocess.run([*line, "true"], capture_output=True, check=False).returncode:
        return
    mounted = 'mount -t tmpfs tmpfs /run && exec "$@"'  # `ip netns` keeps its names in /run
    os.execv(unshare, [*line, "sh", "-c", mounted, "sh", *words])


@cache
def user_namespaces_work() -> bool:
    """Whether programs can be started under another user's name (unshare --user)."""
    unshare = program("unshare")
    if sys.platform != "linux" or unshare is None:
        return False
    words = [unshare, "--user", "--map-user=65534", "--map-group=65534", "--", "true"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def require(*names: str) -> None:
    """Go on only where all `names` are there: skip the test (which fails it where CI is set)."""
    faults = missing(*names)
    if faults:
        pytest.skip("; ".join(faults))


def skip_is_a_fault(reason: str) -> bool:
    """Whether a test that skips for this reason fails: in CI, for all that can be installed."""
    kernel = ("Skipped: this machine", "Skipped: this kernel", "this machine", "this kernel")
    return bool(os.environ.get("CI")) and not reason.startswith(kernel)
