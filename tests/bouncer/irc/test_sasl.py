"""SASL from both ends. Quotes are from IRCv3 sasl-3.1."""

from __future__ import annotations

from base64 import b64encode

import pytest

from bouncer.irc.sasl import (
    CHUNK,
    MAX_ITERATIONS,
    MAX_RESPONSE,
    SCRAM,
    Chunks,
    SaslError,
    SaslLogin,
    ScramKeys,
    ScramServer,
    authenticate,
    mechanism,
    parse_plain,
    scram_login,
)

KEYS = ScramKeys.of("pencil", salt=b"0123456789abcdef", iterations=4096)


def words(data: bytes) -> list[str]:
    return [line.params[0] for line in authenticate(data)]


def test_a_response_is_split_to_chunks_of_400() -> None:
    """
    "Empty (zero-length) responses are sent as AUTHENTICATE +. If the last chunk was exactly
    400 bytes long, it must also be followed by AUTHENTICATE +"."""
    assert words(b"") == ["+"]
    assert [len(word) for word in words(b"x" * 299)] == [400, 1]
    assert [len(word) for word in words(b"x" * 300)] == [400, 1]
    assert words(b"x" * 300)[-1] == "+"
    assert [len(word) for word in words(b"x" * 301)] == [400, 4]


@pytest.mark.parametrize("size", [0, 1, 298, 299, 300, 301, 600, 3000])
def test_chunks_give_the_response_back(size: int) -> None:
    chunks = Chunks()
    *first, last = words(b"x" * size)
    assert [chunks.feed(word) for word in first] == [None] * len(first)
    assert chunks.feed(last) == b"x" * size


def test_a_chunk_of_more_than_400_is_too_long() -> None:
    with pytest.raises(SaslError) as caught:
        Chunks().feed("x" * (CHUNK + 1))
    assert caught.value.too_long


def test_a_response_without_end_is_bounded() -> None:
    chunks = Chunks()
    for _ in range(MAX_RESPONSE // CHUNK):
        assert chunks.feed("A" * CHUNK) is None
    with pytest.raises(SaslError) as caught:
        chunks.feed("A" * CHUNK)
    assert caught.value.too_long


@pytest.mark.parametrize("word", ["a", "====", "a b", "é", "*", "+++"])
def test_what_is_not_base64_is_an_error(word: str) -> None:
    with pytest.raises(SaslError):
        Chunks().feed(word)


def test_plain_as_the_example_of_the_specification_has_it() -> None:
    exchange = mechanism("PLAIN", SaslLogin("", "jilles", "sesame"))
    assert exchange.respond(b"") == b"\0jilles\0sesame"
    assert parse_plain(b"jilles\0jilles\0sesame") == ("jilles", "sesame")
    with pytest.raises(SaslError):
        exchange.respond(b"more?")


@pytest.mark.parametrize("response", [b"", b"a", b"\0a", b"\0a\0b\0c", b"\0\0b", b"root\0a\0b"])
def test_a_plain_response_that_is_none(response: bytes) -> None:
    with pytest.raises(SaslError):
        parse_plain(response)


def test_passwords_over_72_bytes_pass_whole() -> None:
    password = "p\u00e4ss" * 100
    response = mechanism("PLAIN", SaslLogin("", "alice", password)).respond(b"")
    assert parse_plain(response) == ("alice", password)


def exchange(password: str, keys: ScramKeys) -> bool:
    client = mechanism(SCRAM, SaslLogin("", "alice/net@pc", password))
    first = client.respond(b"")
    assert scram_login(first) == "alice/net@pc"
    server = ScramServer(first, keys)
    final = client.respond(server.first)
    assert client.told
    client.respond(server.check(final))
    return client.proven


def test_both_ends_of_scram_agree() -> None:
    assert exchange("pencil", KEYS)


def test_a_wrong_password_is_noticed_at_the_proof() -> None:
    with pytest.raises(SaslError):
        exchange("pen", KEYS)


def test_a_server_that_does_not_know_the_secret_is_noticed() -> None:
    client = mechanism(SCRAM, SaslLogin("", "alice", "pencil"))
    server = ScramServer(client.respond(b""), KEYS)
    client.respond(server.first)
    with pytest.raises(SaslError):
        client.respond(b"v=" + b64encode(bytes(32)))
    assert not client.proven


def test_the_example_of_rfc_7677() -> None:
    client = mechanism(SCRAM, SaslLogin("", "user", "pencil"), nonce="rOprNGfwEbeRWgbNEkqO")
    assert client.respond(b"") == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    final = client.respond(
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    )
    assert final.endswith(b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    assert client.respond(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=") == b""
    assert client.proven


def test_a_server_cannot_make_us_count_for_minutes() -> None:
    client = mechanism(SCRAM, SaslLogin("", "user", "pencil"), nonce="abc")
    client.respond(b"")
    with pytest.raises(SaslError, match="iterations"):
        client.respond(f"r=abcdef,s=W22ZaJ0SNY7soEsUEjb6gQ==,i={MAX_ITERATIONS + 1}".encode())


@pytest.mark.parametrize(
    "challenge",
    [b"", b"x", b"\xff", b"r=", b"r=abc,s=,i=", b"i=99999999999", b"r=abcd,s=AAAA,i=-1", b"e=no"],
)
def test_nonsense_for_server_first_is_an_error(challenge: bytes) -> None:
    client = mechanism(SCRAM, SaslLogin("", "user", "pencil"), nonce="abc")
    client.respond(b"")
    with pytest.raises(SaslError):
        client.respond(challenge)


def test_keys_are_kept_as_text() -> None:
    assert ScramKeys.parse(str(KEYS)) == KEYS
    for text in (
        "",
        "SCRAM-SHA-1$4096:a$b:c",
        "SCRAM-SHA-256$x:AA==$AA==:AA==",
        "a$b$c",
        "SCRAM-SHA-256$1:AA$AA:AA",
    ):
        with pytest.raises(ValueError, match=r"keys|padding"):
            ScramKeys.parse(text)


def test_an_unknown_user_looks_like_any_other() -> None:
    real, fake = ScramKeys.of("x"), ScramKeys.fake(b"secret", "nobody")
    assert fake == ScramKeys.fake(b"secret", "nobody")
    assert fake.salt != ScramKeys.fake(b"secret", "somebody").salt
    assert [len(part) for part in real[:3]] == [len(part) for part in fake[:3]]
    assert real.iterations == fake.iterations
    with pytest.raises(SaslError):
        exchange("x", fake)


def test_which_mechanism_is_tried() -> None:
    listed = ["PLAIN", "SCRAM-SHA-256", "EXTERNAL"]
    assert SaslLogin("", "a", "b").mechanisms(listed) == [SCRAM, "PLAIN"]
    assert SaslLogin("", "a", "b").mechanisms(["PLAIN"]) == ["PLAIN"]
    assert SaslLogin("", "a", "b").mechanisms([]) == [SCRAM, "PLAIN"]
    assert SaslLogin("external").mechanisms(listed) == ["EXTERNAL"]
    assert SaslLogin("EXTERNAL").mechanisms(["PLAIN"]) == []
    assert SaslLogin("DH-AES", "a", "b").mechanisms(listed) == []
