"""Login in every form that bouncer users expect, by real clients: irssi, WeeChat, the irc library.

`user`, `user/network`, `user/network@client`, `user@client/network`, "by SASL PLAIN, SASL
SCRAM-SHA-256, SASL EXTERNAL (client certificate, known by its fingerprint),
`PASS user/network:password`, or `PASS password` with `USER user/network`". Each cell talks, leaves,
and comes back for what it missed: the delta, once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.site import CHANNEL, Site, site, unstamped
from tests.real.certificates import Certificate, make
from tests.real.chatclient import Account, ChatClient
from tests.real.irssi import irssi
from tests.real.libclient import LibClient, libclient
from tests.real.muster import PASSWORD
from tests.real.needs import require
from tests.real.ports import free_port
from tests.real.process import until
from tests.real.weechat import weechat

pytestmark = pytest.mark.outage

SHOW_S = 20.0
TERMINAL_CLIENTS = {"irssi": irssi, "weechat": weechat}
Person = ChatClient | LibClient

FORMS = {
    "pass, user/network": {"password": f"alice/work:{PASSWORD}"},
    "pass, user/network@client": {"password": f"alice/work@desk:{PASSWORD}"},
    "pass, user@client/network": {"password": f"alice@desk/work:{PASSWORD}"},
    "pass alone, USER user/network": {"password": PASSWORD, "username": "alice/work"},
    "plain, user/network": {"sasl": ("alice/work", PASSWORD)},
    "plain, user/network@client": {"sasl": ("alice/work@desk", PASSWORD)},
    "plain, user@client/network": {"sasl": ("alice@desk/work", PASSWORD)},
    "scram, user/network@client": {
        "sasl": ("alice/work@desk", PASSWORD),
        "sasl_mechanism": "scram-sha-256",
    },
    "external, USER user/network": {
        "sasl": ("", ""),
        "sasl_mechanism": "external",
        "username": "alice/work",
    },
}
# irssi 1.4.3 and the library have no SCRAM; the library knows one mechanism, and logs in by SASL
# with what it says in PASS.
LACKING = {
    "irssi": ("scram",),
    "library": ("scram", "external"),
    "weechat": (),
}
CELLS = [
    (client, form)
    for client, lacks in LACKING.items()
    for form in FORMS
    if not form.startswith(lacks or "-")
]


@asynccontextmanager
async def company(folder: Path, own: Certificate | None = None) -> AsyncIterator[tuple[Site, int]]:
    """Alice's bouncer with a listener that asks for certificates; its port."""
    port = free_port()
    listen = f'[[listen]]\naddress = "127.0.0.1:{port}"\nclient_certs = true\n'
    async with site(folder, tables=listen) as here:
        if own is not None:
            await here.bouncer.cli("certfp", "add", "alice", own.sha256)
        yield here, port


@asynccontextmanager
async def started(client: str, home: Path, account: Account) -> AsyncIterator[Person]:
    if client == "library":
        with libclient(account) as person:
            yield person
    else:
        async with TERMINAL_CLIENTS[client](home, account) as terminal:
            yield terminal


async def shows(person: Person, text: str) -> None:
    """It may have come as backlog, with its time in front."""
    await until(lambda: text in unstamped(person.texts(CHANNEL)), SHOW_S, f"{text!r} in {CHANNEL}")


def answers(person: Person) -> str:
    """What BouncerServ said; a client in a terminal logs notices where it likes."""
    if isinstance(person, LibClient):
        return "\n".join(person.texts("BouncerServ"))
    logs = (path for path in (person.home / "logs").rglob("*") if path.is_file())
    return "\n".join([person.terminal.screen(), *(path.read_text() for path in logs)])


async def ends(person: Person) -> None:
    person.quit()
    await person.gone()


@pytest.mark.parametrize(("client", "form"), CELLS, ids=[" by ".join(cell) for cell in CELLS])
async def test_a_real_client_logs_in(tmp_path: Path, client: str, form: str) -> None:
    require("ngircd", *(() if client == "library" else ("tmux", client)))
    own = make(tmp_path, "own")
    async with company(tmp_path, own) as (here, port):
        account = Account("127.0.0.1", port, "alice", tls=True, **FORMS[form])  # type: ignore[arg-type]
        if form.startswith("external"):
            account = replace(account, certificate=own)
        if client == "library" and account.sasl:
            login, password = account.sasl
            account = replace(account, sasl=(login, ""), password=password)
        async with started(client, tmp_path / "home", account) as person:
            await here.bob_says("hello alice")
            await shows(person, "hello alice")
            person.message(CHANNEL, f"hello by {form}")
            await here.bob.hears("PRIVMSG", CHANNEL, f"hello by {form}", source="alice!*")
            await ends(person)
        missed = ["missed one", "missed two"]
        await here.bob_says(*missed)
        async with started(client, tmp_path / "home", account) as person:
            await here.bob_says("welcome back")
            await shows(person, "welcome back")
            texts = unstamped(person.texts(CHANNEL))
            if client != "library":  # whose memory is of this visit alone
                assert texts[:2] == ["hello alice", f"hello by {form}"]
                texts = texts[2:]
            assert texts == [*missed, "welcome back"]
            await ends(person)


@pytest.mark.parametrize("client", LACKING)
async def test_a_user_alone_is_for_commands(tmp_path: Path, client: str) -> None:
    """ "`user` alone is a control connection"."""
    require("ngircd", *(() if client == "library" else ("tmux", client)))
    async with company(tmp_path) as (here, port):
        account = Account("127.0.0.1", port, "alice", tls=True, password=f"alice:{PASSWORD}")
        async with started(client, tmp_path / "home", account) as person:
            if isinstance(person, LibClient):
                await person.happens("welcome")
            else:
                await person.terminal.shows("commands alone", within_s=SHOW_S)
            person.message("BouncerServ", "network list")
            await until(lambda: "irc+insecure://" in answers(person), SHOW_S, "BouncerServ answers")
        await here.bob.sync()
        assert not here.bob.all("PRIVMSG", source="alice!*")


@pytest.mark.parametrize("client", ["irssi", "weechat", "library"])
@pytest.mark.parametrize("certificate", ["known", "unknown", "expired"])
async def test_a_self_signed_certificate_is_judged_by_its_fingerprint(
    tmp_path: Path, client: str, certificate: str
) -> None:
    """ "none, known, unknown, expired certificates all reach the login, where the fingerprint
    decides". The library has no EXTERNAL: its certificate alone, beside USER, is its login."""
    require("ngircd", *(() if client == "library" else ("tmux", client)))
    own = make(tmp_path, "own", days=-3 if certificate == "expired" else 30)
    async with company(tmp_path, None if certificate == "unknown" else own) as (here, port):
        account = Account(
            "127.0.0.1", port, "alice", tls=True, certificate=own, username="alice/work",
            sasl=None if client == "library" else ("", ""), sasl_mechanism="external",
        )  # fmt: skip
        async with started(client, tmp_path / "home", account) as person:
            if certificate != "unknown":
                await here.bob_says("let in")
                await shows(person, "let in")
                return
            if isinstance(person, LibClient):
                await person.happens("disconnect")  # and so it has nowhere to speak
            else:
                await person.terminal.shows("certificate", within_s=20)
                person.message(CHANNEL, "let me in")
            await here.bob_says("nobody there")
            assert "nobody there" not in unstamped(person.texts(CHANNEL))
            assert not here.bob.all("PRIVMSG", source="alice!*")
