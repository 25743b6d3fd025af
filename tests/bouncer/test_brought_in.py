"""An import as a process: it can be repeated, and goes on where it was stopped."""

from __future__ import annotations

from pathlib import Path

from tests.bouncer.test_transfer import bouncer, rows_of, running, site, url_of
from tests.real.disk import resize_disk, small_disk

__all__ = ["site"]


def znc_logs(folder: Path) -> Path:
    """Where a ZNC of one user has logged a channel."""
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "znc.conf").write_text(
        "<User alice>\nNick = alice\nAdmin = true\nLoadModule = log\n<Network home>\n"
        "Server = 127.0.0.1 1\nIRCConnectEnabled = false\n<Chan #ops>\n</Chan>\n</Network>\n"
        "<Pass password>\nHash = 00\nMethod = SHA256\nSalt = pepper\n</Pass>\n</User>\n"
    )
    logs = folder / "users" / "alice" / "moddata" / "log" / "home" / "#ops"
    logs.mkdir(parents=True)
    return logs


async def test_a_znc_is_imported_once(site: Path) -> None:
    folder = site / "znc"
    logs = znc_logs(folder)
    lines = [f"[00:00:{n // 10:02}] <bob> line {n}\n" for n in range(300)]
    (logs / "2024-05-01.log").write_text("".join(lines))
    said = bouncer(site, "import", "znc", str(folder))
    assert said.startswith("1 users, 1 networks, 1 channels, 0 clients and 300 messages came in\n")
    (logs / "2024-05-02.log").write_text("[10:00:00] <bob> the next day\n")
    said = bouncer(site, "import", "znc", str(folder))
    assert said.startswith("0 users, 0 networks, 0 channels, 0 clients and 1 messages came in\n")
    texts = [row.text for row in await rows_of(url_of(site), site, "home")]
    assert sorted(texts) == sorted([*(f"line {n}" for n in range(300)), "the next day"])
    with running(site):
        assert "is running" in bouncer(site, "import", "znc", str(folder), expect=1)
    assert "cannot be read" in bouncer(site, "import", "znc", str(site / "gone"), expect=1)


async def test_an_import_that_finds_no_room_goes_on_when_there_is_some(site: Path) -> None:
    logs = znc_logs(site / "znc")
    texts = [f"line {n} {'x' * 300}" for n in range(28_000)]
    for day in range(28):
        lines = [
            f"[{n // 60:02}:{n % 60:02}:00] <bob> {texts[day * 1000 + n]}\n" for n in range(1000)
        ]
        (logs / f"2024-05-{day + 1:02}.log").write_text("".join(lines))
    data = site / "data"
    data.mkdir()
    with small_disk(data, "8m"):
        said = bouncer(site, "import", "znc", str(site / "znc"), expect=1)
        assert "bouncer: the import is not complete: the database has no room" in said
        assert "the disk is full" in bouncer(site, "import", "znc", str(site / "znc"), expect=1)
        resize_disk(data, "100m")
        said = bouncer(site, "import", "znc", str(site / "znc"))
        assert " and 28,000 messages" not in said, "some had come in"
        assert sorted(row.text for row in await rows_of(url_of(site), site, "home")) == sorted(
            texts
        )
