"""What push services and clients demand of a notification: RFC 8291 and RFC 8292."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from bouncer.mesh.keys import KeyFault
from bouncer.push.webpush import MAX_PAYLOAD, VapidKey, are_keys, decode, encode, encrypt
from tests.real.pushservice import HOST, Phone, Pushed, padded

# RFC 8291 section 5 and appendix A
PLAINTEXT = b"When I grow up, I want to be a watermelon"
AS_PRIVATE = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
UA_PUBLIC = (
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
)
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
SALT = "DGv6ra1nlYgDCS1FRnbzlw"
BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml"
    "mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT"
    "pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def test_the_example_of_the_rfc() -> None:
    number = int.from_bytes(padded(AS_PRIVATE), "big")
    key = ec.derive_private_key(number, ec.SECP256R1())
    assert encode(encrypt(PLAINTEXT, UA_PUBLIC, AUTH, key=key, salt=decode(SALT))) == BODY


@pytest.mark.parametrize("size", [0, 1, 600, MAX_PAYLOAD])
def test_only_the_client_reads_it(size: int) -> None:
    phone = Phone()
    body = encrypt(b"x" * size, phone.p256dh, phone.auth)
    assert phone.reads(body) == "x" * size
    assert len(body) <= 4_096  # what every push service takes: RFC 8030 section 7.2
    assert encrypt(b"x" * size, phone.p256dh, phone.auth) != body  # fresh key, fresh salt


def test_a_token_names_the_origin_and_is_signed() -> None:
    key = VapidKey.generate()
    header = key.authorization(f"https://{HOST}/a/b?c", "mailto:postmaster@x", 1_800_000_000.7)
    pushed = Pushed("/a/b?c", {"authorization": header}, b"")
    assert pushed.signer() == key.public
    claims = header.split(".")[1]
    assert b'"exp":1800043200' in padded(claims)


def test_the_key_is_made_once_and_is_nobody_elses(tmp_path: Path) -> None:
    path = tmp_path / "vapid.key"
    key = VapidKey.load_or_make(path)
    assert VapidKey.load_or_make(path).public == key.public
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("no key")
    with pytest.raises(KeyFault, match="holds no key"):
        VapidKey.load_or_make(path)
    with pytest.raises(KeyFault, match="No such file"):
        VapidKey.load_or_make(tmp_path / "gone" / "vapid.key")


def test_keys_that_are_none_are_refused() -> None:
    assert are_keys(UA_PUBLIC, AUTH)
    assert are_keys(UA_PUBLIC + "=", AUTH + "==")
    off_curve = encode(b"\x04" + b"\x01" * 64)
    compressed = encode(b"\x02" + padded(UA_PUBLIC)[1:33])
    for p256dh in ("", "x", off_curve, compressed, UA_PUBLIC[:-4], UA_PUBLIC.replace("_", "/")):
        assert not are_keys(p256dh, AUTH)
    for auth in ("", "x", AUTH[:-4], AUTH + "AAAA", "ä" * 22):
        assert not are_keys(UA_PUBLIC, auth)


@given(st.text(max_size=120), st.text(max_size=40))
def test_any_text_for_keys_is_judged(p256dh: str, auth: str) -> None:
    assert not are_keys(p256dh, auth)
