"""The tests' own SCRAM server says what the example of RFC 7677 says, and nothing to a liar."""

from __future__ import annotations

from base64 import b64decode

import pytest

from tests.real.scramserver import ScramPeer

# RFC 7677 section 3
CLIENT_FIRST = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
SERVER_FIRST = (
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
)
CLIENT_FINAL = (
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
SERVER_FINAL = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def example(**changes: object) -> ScramPeer:
    salt, nonce = b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    return ScramPeer(**{"password": "pencil", "salt": salt, "nonce": nonce, **changes})  # type: ignore[arg-type]


def test_the_example_of_the_rfc() -> None:
    peer = example()
    assert peer.first(CLIENT_FIRST) == SERVER_FIRST
    assert peer.final(CLIENT_FINAL) == SERVER_FINAL
    assert (peer.user, peer.verified) == ("user", True)


@pytest.mark.parametrize(
    ("password", "final"),
    [
        ("pencils", CLIENT_FINAL),
        ("pencil", CLIENT_FINAL.replace("p=dH", "p=dG")),
        ("pencil", CLIENT_FINAL.replace("k0,p", "k1,p")),
        ("pencil", CLIENT_FINAL.replace("biws", "eSws")),
    ],
)
def test_a_wrong_proof(password: str, final: str) -> None:
    peer = example(password=password)
    peer.first(CLIENT_FIRST)
    assert peer.final(final) == "e=invalid-proof"
    assert not peer.verified


def test_a_liar_signs_otherwise() -> None:
    peer = example(lies=True)
    peer.first(CLIENT_FIRST)
    assert peer.final(CLIENT_FINAL) not in (SERVER_FINAL, "e=invalid-proof")
