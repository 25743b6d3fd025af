"""soju.im/webpush: who registers, and what is worth a push. Sentences are its document's."""

from __future__ import annotations

from pathlib import Path

import pytest

from bouncer.irc.wire import Message
from bouncer.session.effects import Push
from bouncer.session.events import Attached, CapsChanged, SubscriptionGone
from bouncer.session.marks import Noted
from bouncer.session.session import Session
from bouncer.session.webpush import MAX_CALLED, WebPush, is_endpoint
from storage import subscriptions
from storage.records import Network, Subscription
from tests.bouncer.session.dialogue import MODERN, Dialogue
from tests.bouncer.session.stored import Stored, stored
from tests.real.pushservice import Phone
from tests.storage import noted

CAP = "soju.im/webpush"
PHONE = MODERN | {CAP, "draft/read-marker"}
KEY = "BJxKDX8b"  # of the bouncer; what it is does not matter here


def keyed(talk: Dialogue) -> None:
    talk.session.webpush = WebPush((), KEY)


def called(talk: Dialogue) -> list[str]:
    """What has been pushed since the last look."""
    pushed = [each.line for each in talk.others if isinstance(each, Push)]
    talk.others = [each for each in talk.others if not isinstance(each, Push)]
    return pushed


async def registered(talk: Stored, phone: Phone | None = None, client: int = 1) -> None:
    keyed(talk)
    talk.connect()
    talk.attach(client, PHONE)
    assert len(await talk.ask(client, (phone or Phone()).registers)) == 1


# --- registering ---


def test_the_key_is_advertised_to_those_that_have_the_capability() -> None:
    """ "If the server supports Voluntary Application Server Identification (VAPID) and the client
    has enabled the `soju.im/webpush` capability, the server MUST advertise its public key in the
    `VAPID` ISUPPORT token."""
    talk = Dialogue()
    keyed(talk)
    talk.connect(isupport="CHANTYPES=# VAPID=theirs")
    assert f" VAPID={KEY} " in " ".join(talk.attach(1, PHONE))
    assert "VAPID" not in " ".join(talk.attach(2, MODERN))
    talk.event(CapsChanged(2, frozenset(PHONE)))
    assert f" VAPID={KEY} " in " ".join(talk.seen(2))
    talk.event(CapsChanged(2, frozenset(PHONE | {"batch"})))
    assert talk.seen(2) == []


async def test_a_subscription_is_made_and_ended(tmp_path: Path) -> None:
    """ "If the registration is successful, the server MUST reply with a `WEBPUSH REGISTER` message:
    WEBPUSH REGISTER <endpoint>" … "If the unregistration is successful, the server MUST echo back
    the `WEBPUSH UNREGISTER` message."""
    phone = Phone()
    async with stored(tmp_path) as talk:
        keyed(talk)
        talk.connect()
        talk.attach(1, PHONE | {"labeled-response"})
        said = await talk.ask(1, f"@label=r {phone.registers}")
        assert said == [f"@label=r :muster.test WEBPUSH REGISTER {phone.endpoint}"]
        (kept,) = await talk.store.read(noted.subscriptions, talk.network.id)
        assert (kept.endpoint, kept.p256dh, kept.auth) == (
            phone.endpoint,
            phone.p256dh,
            phone.auth,
        )
        talk.says(":bob!b@h PRIVMSG me :psst")
        assert len(called(talk)) == 1
        lower = f"webpush unregister {phone.endpoint}"  # "It has a case-insensitive subcommand"
        said = await talk.ask(1, lower)
        assert said == [f":muster.test WEBPUSH UNREGISTER {phone.endpoint}"]
        assert await talk.store.read(noted.subscriptions, talk.network.id) == []
        talk.says(":bob!b@h PRIVMSG me :psst")
        assert called(talk) == []
        # "Servers MUST silently ignore `UNREGISTER` commands for non-existing subscriptions."
        assert await talk.ask(1, lower) == said


async def test_the_same_endpoint_replaces(tmp_path: Path) -> None:
    """ "Servers MUST replace any previous subscription with the same `<endpoint>`."""
    old, new = Phone(), Phone()
    async with stored(tmp_path) as talk:
        await registered(talk, old)
        (first,) = await talk.store.read(noted.subscriptions, talk.network.id)
        await talk.ask(1, new.registers)
        (kept,) = await talk.store.read(noted.subscriptions, talk.network.id)
        assert kept.p256dh == new.p256dh
        talk.event(SubscriptionGone(first))  # a late word about the old one
        talk.says(":bob!b@h PRIVMSG me :psst")
        (push,) = [each for each in talk.others if isinstance(each, Push)]
        assert push.subscription == kept
        talk.event(SubscriptionGone(kept))
        talk.others.clear()
        talk.says(":bob!b@h PRIVMSG me :psst")
        assert called(talk) == []


PHONES_KEYS = Phone().registers.split(" ", 3)[3]
REFUSED = {
    "WEBPUSH REGISTER": "REGISTER *",
    "WEBPUSH REGISTER https://push.example.net/x": "REGISTER https://push.example.net/x",
    f"WEBPUSH REGISTER https://push.example.net/x {PHONES_KEYS} more": (
        "REGISTER https://push.example.net/x"
    ),
    "WEBPUSH REGISTER https://push.example.net/x p256dh=AAAA;auth=AAAA": (
        "REGISTER https://push.example.net/x"
    ),
    f"WEBPUSH REGISTER http://push.example.net/x {PHONES_KEYS}": (
        "REGISTER http://push.example.net/x"
    ),
    f"WEBPUSH REGISTER https://127.0.0.1/x {PHONES_KEYS}": "REGISTER https://127.0.0.1/x",
    "WEBPUSH UNREGISTER": "UNREGISTER *",
    "WEBPUSH UNREGISTER https://push.example.net/x more": ("UNREGISTER https://push.example.net/x"),
    "WEBPUSH DANCE": "DANCE *",
    "WEBPUSH :": "* *",
}


@pytest.mark.parametrize(("line", "context"), REFUSED.items())
def test_what_is_wrong_is_said(line: str, context: str) -> None:
    """ "If the server receives a syntactically invalid `WEBPUSH` command, e.g., an unknown
    subcommand, missing parameters, excess parameters, or parameters that cannot be parsed, the
    `INVALID_PARAMS` error code SHOULD be returned: FAIL WEBPUSH INVALID_PARAMS <command>
    <endpoint> <message>"."""
    talk = Dialogue()
    keyed(talk)
    talk.connect()
    talk.attach(1, PHONE)
    talk.types(1, line)
    (answer,) = talk.seen(1)
    assert answer.startswith(f":muster.test FAIL WEBPUSH INVALID_PARAMS {context} :")
    assert talk.others == [] or not any(isinstance(each, Push) for each in talk.others)


async def test_what_cannot_be_kept_is_said(tmp_path: Path) -> None:
    """ "If the server cannot fullfill a client command due to an internal error, the
    `INTERNAL_ERROR` error code SHOULD be returned". One user has so many and no more."""
    async with stored(tmp_path) as talk:
        await registered(talk)
        for number in range(subscriptions.MOST - 1):
            await talk.ask(1, Phone(f"old{number}").registers)
        (answer,) = await talk.ask(1, Phone("new").registers)
        endpoint = Phone("new").endpoint
        assert answer.startswith(f":muster.test FAIL WEBPUSH INTERNAL_ERROR REGISTER {endpoint} :")
        talk.says(":bob!b@h PRIVMSG me :psst")
        assert len(called(talk)) == subscriptions.MOST
        (answer,) = await talk.ask(1, Phone("old1").registers)  # a known one is replaced
        assert answer == f":muster.test WEBPUSH REGISTER {Phone('old1').endpoint}"


def test_without_a_network_there_is_nothing_to_be_called_for() -> None:
    talk = Dialogue(network=Network(1, "", ""), channels=())
    keyed(talk)
    talk.down[1] = []
    talk.event(Attached(1, "", "me", frozenset(PHONE), 0, autoplay=False))
    talk.seen(1)
    phone = Phone()
    talk.types(1, phone.registers)
    (answer,) = talk.seen(1)
    assert f"FAIL WEBPUSH INTERNAL_ERROR REGISTER {phone.endpoint} :" in answer


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://push.example.net/a?b=c", True),
        ("https://push.example.net:8443/a", True),
        ("https://9.9.9.9/a", True),
        ("http://push.example.net/a", False),
        ("https://push/a", False),
        ("https://localhost/a", False),
        ("https://printer.local/a", False),
        ("https://10.0.0.1/a", False),
        ("https://[::1]/a", False),
        ("https://[::ffff:127.0.0.1", False),
        ("https://me:secret@push.example.net/a", False),
        ("https://push.example.net:x/a", False),
        ("https://pusch.example.net/ä", False),
        ("https://push.example.net/\x07", False),
        ("/etc/passwd", False),
        ("", False),
    ],
)
def test_an_endpoint_is_an_https_url_of_a_public_host(url: str, good: bool) -> None:
    assert is_endpoint(url) == good


# --- what is pushed ---


async def test_private_messages_and_highlights_are_pushed(tmp_path: Path) -> None:
    """ "Each push notification MUST contain exactly one IRC message as the payload, without the
    final CRLF." … "Servers MUST NOT drop the `msgid` tag if present."""
    async with stored(tmp_path) as talk:
        keyed(talk)
        talk.connect(caps="message-tags server-time")
        talk.attach(1, PHONE)
        await talk.ask(1, Phone().registers)
        time = "time=2026-01-02T03:04:05.678Z"
        talk.says(f"@{time};msgid=m1 :bob!b@h PRIVMSG me :psst")
        talk.says(f"@{time};msgid=m2 :bob!b@h PRIVMSG #ops :Me: look")
        assert called(talk) == [
            f"@{time};msgid=m1 :bob!b@h PRIVMSG me :psst",
            f"@{time};msgid=m2 :bob!b@h PRIVMSG #ops :Me: look",
        ]
        talk.says(
            ":bob!b@h PRIVMSG #ops :mess in the menu",
            ":bob!b@h NOTICE me :for robots",
            ":bob!b@h NOTICE #ops :me",
            ":me!user@host PRIVMSG bob :said elsewhere",
            ":irc.test PRIVMSG me :a server",
            ":bob!b@h PRIVMSG me :\x01VERSION\x01",
        )
        assert called(talk) == []
        talk.types(1, "PRIVMSG #ops :me myself")
        assert called(talk) == []


async def test_a_push_speaks_the_dialect_of_who_registered(tmp_path: Path) -> None:
    """ "The messages follow the same capabilities and the same `RPL_ISUPPORT` as when the client
    registered for Web Push notifications."""
    async with stored(tmp_path) as talk:
        keyed(talk)
        talk.connect(caps="message-tags server-time account-tag")
        talk.attach(1, {CAP})
        await talk.ask(1, Phone("plain").registers)
        talk.says("@time=2026-01-02T03:04:05.678Z;msgid=m1;account=b :bob!b@h PRIVMSG me :psst")
        assert called(talk) == [":bob!b@h PRIVMSG me :psst"]


async def test_tags_that_find_no_room_are_left_out_but_the_msgid(tmp_path: Path) -> None:
    """ "Because of size limits on the payload of push notifications, servers MAY drop some or all
    message tags from the original message."""
    async with stored(tmp_path) as talk:
        keyed(talk)
        talk.connect(caps="message-tags server-time")
        talk.attach(1, PHONE)
        await talk.ask(1, Phone().registers)
        tags = f"time=2026-01-02T03:04:05.678Z;msgid=m1;+x={'y' * 4_000}"
        talk.says(f"@{tags} :bob!b@h PRIVMSG me :psst")
        (line,) = called(talk)
        assert line == "@time=2026-01-02T03:04:05.678Z;msgid=m1 :bob!b@h PRIVMSG me :psst"
        talk.says(f"@msgid={'m' * 8_000} :bob!b@h PRIVMSG me :psst")
        assert called(talk) == []


async def test_muted_blocked_and_ignored_ones_are_not_pushed(tmp_path: Path) -> None:
    async with stored(tmp_path) as talk:
        await registered(talk)
        for line, who in {
            "METADATA bob SET soju.im/muted 1": "bob",
            "METADATA eve SET soju.im/blocked 1": "eve",
        }.items():
            talk.types(1, line)
            talk.says(f":{who}!x@h PRIVMSG me :psst")
            assert called(talk) == []
        talk.types(1, "METADATA bob SET soju.im/muted 0")
        talk.says(":bob!b@h PRIVMSG me :psst")
        assert len(called(talk)) == 1


async def test_an_invitation_is_pushed(tmp_path: Path) -> None:
    async with stored(tmp_path) as talk:
        await registered(talk)
        talk.says(":bob!b@h INVITE me #room", ":bob!b@h INVITE eve #ops")
        (line,) = called(talk)
        assert Message.parse(line)[:3] == ("INVITE", ("me", "#room"), "bob!b@h")


async def test_what_was_read_is_pushed_once_and_only_where_it_was_called_for(
    tmp_path: Path,
) -> None:
    async with stored(tmp_path) as talk:
        await registered(talk)
        talk.connect(caps="message-tags server-time")
        talk.says(
            "@time=2019-01-04T14:33:26.123Z;msgid=m1 :bob!b@h PRIVMSG me :psst",
            "@time=2019-01-04T14:35:00.000Z;msgid=m2 :bob!b@h PRIVMSG me :psst again",
        )
        called(talk)
        await talk.ask(1, "MARKREAD #ops timestamp=2019-01-04T15:00:00.000Z")
        await talk.ask(1, "MARKREAD bob timestamp=2019-01-04T14:33:26.123Z")
        assert called(talk) == []  # nobody was called there; there is more to read
        await talk.ask(1, "MARKREAD bob timestamp=2019-01-04T14:35:00.000Z")
        assert called(talk) == [
            ":muster.test MARKREAD bob timestamp=2019-01-04T14:35:00.000Z",
        ]
        await talk.ask(1, "MARKREAD bob timestamp=2019-01-04T14:36:00.000Z")
        assert called(talk) == []


async def test_only_so_many_conversations_are_remembered(tmp_path: Path) -> None:
    async with stored(tmp_path) as talk:
        await registered(talk)
        for number in range(MAX_CALLED + 5):
            talk.says(f":n{number}!x@h PRIVMSG me :psst")
        assert len(talk.session.webpush._called) == MAX_CALLED


def test_the_session_begins_with_the_subscriptions_of_the_store() -> None:
    talk = Dialogue()
    noted = Noted({}, {}, [Subscription(1, "https://push.example.net/x", "p", "a", 7, ("batch",))])
    session = Session(talk.network, (), server_name="s", new_id=talk.session.new_id, noted=noted)
    assert session.webpush.wanted
    assert "auth" not in repr(noted)
