"""The announcement on the operators' own topics: beside the line, once, tried a few times."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from bouncer.config import ConfigError
from fallback import check, files
from fallback.app import Voter
from fallback.config import PushConfig
from fallback.push import TRIES, Call, Hook, Pusher, read_hook, try_hooks
from tests.fallback.ircd import open_ircd
from tests.fallback.test_check import config, said
from tests.fallback.voters import open_site, until
from tests.real.pushservice import PushService, Towards, push_service

TITLE = "[DRILL] [fallback k7] libera"
LINE = "[DRILL] [fallback k7] Primary unreachable from here since 11:45Z. Meet: #räume."


def topic(service: PushService, path: str = "topic", token: str = "") -> Hook:
    return Hook(f"https://localhost:{service.port}/{path}", token)


async def test_the_line_is_posted_with_a_title_and_the_token() -> None:
    async with push_service() as service, trio.open_nursery() as nursery:
        pusher = Pusher([topic(service, token="t0ken")], service.trust)
        nursery.start_soon(pusher.run)
        pusher.put(Call(TITLE, LINE, lambda: True))
        pushed = await service.receives(1)
        assert pushed.path == "/topic"
        assert pushed.body.decode() == LINE
        assert pushed.headers["title"] == TITLE
        assert pushed.headers["authorization"] == "Bearer t0ken"
        assert pushed.headers["content-type"] == "text/plain; charset=utf-8"
        assert "t0ken" not in repr(pusher.hooks)
        assert "topic" not in repr(pusher.hooks)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("status", [503, 429])
async def test_it_is_tried_again(status: int) -> None:
    async with push_service() as service, trio.open_nursery() as nursery:
        service.statuses = [status]
        pusher = Pusher([topic(service)], service.trust)
        nursery.start_soon(pusher.run)
        pusher.put(Call(TITLE, LINE, lambda: True))
        await service.receives(2)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("status", "still"), [(403, True), (307, True), (503, False)])
async def test_where_it_is_of_no_use_it_is_not_tried_again(status: int, still: bool) -> None:
    """A refusal is final; and "tried again while SPEAKING" ends with speaking."""
    async with push_service() as service, trio.open_nursery() as nursery:
        service.statuses = [status]
        pusher = Pusher([topic(service)], service.trust)
        await pusher._push(pusher.hooks[0], Call(TITLE, LINE, lambda: still))
        assert len(service.pushed) == 1
        nursery.cancel_scope.cancel()


async def test_a_hook_that_hangs_holds_up_no_other() -> None:
    async with push_service() as silent, push_service() as service, trio.open_nursery() as nursery:
        silent.silent = True
        hooks = [topic(silent), topic(service)]
        silent.authority.configure_trust(trust := service.trust)
        pusher = Pusher(hooks, trust)
        nursery.start_soon(pusher.run)
        for number in range(3):
            pusher.put(Call(TITLE, str(number), lambda: True))
        await service.receives(3)
        await silent.receives(3)  # and has answered none
        for _ in range(1_000):
            pusher.put(Call(TITLE, LINE, lambda: True))  # never waits, never raises
        nursery.cancel_scope.cancel()


async def test_the_tries_have_an_end(autojump_clock: trio.testing.MockClock) -> None:
    assert autojump_clock is not None
    network = Towards(1)  # where nobody listens
    pusher = Pusher([Hook("https://push.example.net/x")], network=network)
    await pusher._push(pusher.hooks[0], Call(TITLE, LINE, lambda: True))
    assert len(network.meant) == TRIES


# --- the configuration, and the preflight ---


@pytest.mark.parametrize(
    ("push", "fault"),
    [
        ({"url": "http://ntfy.example.net/x"}, "push[1].url: is no https URL"),
        ({"url": "https:///x"}, "push[1].url: is no https URL"),
        ({"url": "https://ntfy.example.net:x/"}, "push[1].url: is no https URL"),
        ({"url": "https://ntfy.example.net/a b"}, "push[1].url: is no https URL"),
        ({}, "push[1].url: is missing; add it"),
        ({"url": "https://ntfy.example.net/x", "topic": "x"}, "push[1].topic: is not known here"),
    ],
)
def test_a_hook_that_is_none_is_a_fault(
    push: dict[str, object], fault: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        config(tmp_path, push=[push])
    assert fault in str(caught.value)
    assert "ntfy.example.net/x" not in str(caught.value)  # who knows the topic can read it


def test_a_witness_has_no_hook(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"remove \[\[push\]\]"):
        config(tmp_path, role="witness", push=[{"url": "https://ntfy.example.net/x"}])


def test_a_token_stands_in_a_file_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0ken\n")
    ours = config(tmp_path, push=[{"url": "https://ntfy.example.net/x", "token_file": "token"}])
    assert read_hook(ours.push[0]) == Hook("https://ntfy.example.net/x", "t0ken")
    assert read_hook(PushConfig(url="https://ntfy.example.net/x")).token == ""


async def test_the_preflight_tries_each_hook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("t0ken\n")
    (tmp_path / "token").chmod(0o644)
    async with push_service() as service, push_service() as stranger:
        trusts(service, tmp_path, monkeypatch)
        hooks = [
            {"url": topic(service).url, "token_file": "token"},
            {"url": topic(stranger).url},
            {"url": "https://localhost:1/x"},
            {"url": topic(service).url, "token_file": "gone"},
        ]
        ours = config(tmp_path, push=hooks)
        hooks = try_hooks(ours.push)
        findings = [*files.about_tokens(ours, hooks), *await check.about_push(hooks)]
    good, bad = said(findings, check.Level.OK), said(findings, check.Level.FAIL)
    assert "push[1] localhost answers, TLS is good" in good
    assert "chmod 640" in said(findings, check.Level.WARN)
    assert "push[2] localhost: its certificate is not trusted" in bad
    assert "push[3] localhost: " in bad
    assert "correct token_file" in bad
    assert service.pushed == []  # nothing is sent


def trusts(service: PushService, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an operator whose push service has a certificate of their own."""
    service.authority.cert_pem.write_to_path(folder / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))


# --- a whole voter ---


async def test_an_agent_pushes_its_line_beside_it_and_a_restarted_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_site(tmp_path) as site, open_ircd() as ircd, push_service() as service:
        trusts(service, tmp_path, monkeypatch)
        ours = await site.pairs("fra", ircd=ircd)
        hook = PushConfig(url=topic(service).url)
        ours = ours.model_copy(update={"push": (hook,)})
        first = Voter(ours)
        async with trio.open_nursery() as nursery:
            await nursery.start(first.run)
            await site.beats()
            await ircd.welcomes("fb-fra")
            await ircd.lets_in("fb-fra", "#lobby", "#room", op=True)
            await until(lambda: first.hearing.last and first.landmarks.state().fresh)
            site.is_cut()
            line = await ircd.hears("PRIVMSG #lobby", within_s=15)
            pushed = await service.receives(1)
            assert pushed.body.decode() == line.partition(" :")[2]  # the same, beside it
            assert "[single observer]" in line
            assert pushed.headers["title"].startswith("[fallback ")
            assert pushed.headers["title"].endswith("] pub")
            nursery.cancel_scope.cancel()
        second = await site.starts(ours)
        await ircd.welcomes("fb-fra")
        await ircd.lets_in("fb-fra", "#lobby", "#room", op=True)
        await until(lambda: second.conduct.performer.speaks("pub"), within_s=25)
        assert second.conduct.incident_id == first.conduct.incident_id
        await trio.sleep(0.2)
        assert len(service.pushed) == 1
