"""What newer clients ask of the bouncer, live, before a real ngIRCd, which has none of it."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.site import CHANNEL, site

CAPS = (
    "batch", "message-tags", "server-time", "labeled-response", "echo-message", "draft/chathistory",
    "draft/read-marker", "draft/metadata-2",
)  # fmt: skip
LOGIN = "alice/work@desk"


async def test_history_is_asked_for_by_msgid_and_comes_labelled(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        said = [f"line {n}" for n in range(30)]
        await here.bob_says(*said)
        async with here.bouncer.attached(LOGIN, caps=CAPS) as alice:
            await alice.sync()
            assert alice.texts(CHANNEL) == []
            await alice.says(f"@label=one CHATHISTORY LATEST {CHANNEL} * 10")
            opening = await alice.hears("BATCH", "+*", "chathistory", CHANNEL)
            assert opening.tags["label"] == "one"
            await alice.hears("BATCH", "-" + opening.params[0][1:])
            assert alice.texts(CHANNEL) == said[-10:]
            oldest = alice.all("PRIVMSG", CHANNEL)[0].tags["msgid"]
            alice.forget()
            await alice.says(f"CHATHISTORY BEFORE {CHANNEL} msgid={oldest} 100")
            await alice.hears("BATCH", "-*")
            assert alice.texts(CHANNEL)[-20:] == said[:20]


async def test_what_is_read_and_pinned_outlives_the_bouncer(tmp_path: Path) -> None:
    marker = "timestamp=2026-01-02T03:04:05.678Z"
    async with site(tmp_path) as here:
        async with here.bouncer.attached(LOGIN, caps=CAPS) as alice:
            await alice.says(f"MARKREAD {CHANNEL} {marker}")
            await alice.hears("MARKREAD", CHANNEL, marker)
            await alice.says(f"METADATA {CHANNEL} SET soju.im/pinned 1")
            await alice.hears("761", "alice", CHANNEL, "soju.im/pinned", "*", "1")
            await alice.sync()
        here.bouncer.kill()
        await here.bouncer.start()
        await here.held()
        async with here.bouncer.attached("alice/work@phone", caps=CAPS) as alice:
            await alice.has_heard("MARKREAD", CHANNEL, marker)
            await alice.says("METADATA * SUB soju.im/pinned")
            await alice.hears("METADATA", CHANNEL, "soju.im/pinned", "*", "1")


async def test_monitor_whox_and_labels_on_a_network_without_them(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.bouncer.attached(LOGIN, caps=CAPS) as alice:
        await alice.has_heard("366", "alice", CHANNEL)
        await alice.says("MONITOR + bob,carol")
        await alice.hears("730", "alice", "bob*")
        await alice.hears("731", "alice", "carol")
        await alice.says(f"@label=w WHO {CHANNEL} %tna,7")
        opening = await alice.hears("BATCH", "+*", "labeled-response")
        assert opening.tags["label"] == "w"
        await alice.hears("354", "alice", "7", "*", "0")
        await alice.hears("315")
        await alice.says("@label=p PRIVMSG bob :hello", "@label=x WHOIS nobody")
        echo = await alice.hears("PRIVMSG", "bob", "hello")
        assert echo.tags["label"] == "p"
        await here.bob.hears("PRIVMSG", "bob", "hello")
        opening = await alice.hears("BATCH", "+*", "labeled-response")
        assert opening.tags["label"] == "x"
        await alice.hears("401", "alice", "nobody")
        await alice.hears("318", "alice", "nobody")
