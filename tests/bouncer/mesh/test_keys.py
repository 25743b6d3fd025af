"""Mesh keys: one seed signs and seals; a key file others may read is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from bouncer.mesh.keys import KeyFault, MeshKey, PublicKey, certificate_is_of

SEEDS = st.binary(min_size=32, max_size=32)


@given(SEEDS, SEEDS)
def test_both_ends_compute_the_same_pair_key_and_nobody_else(one: bytes, two: bytes) -> None:
    a, b, stranger = MeshKey(one), MeshKey(two), MeshKey(bytes(32))
    assert a.pair_key(b.public) == b.pair_key(a.public)
    if stranger.seed not in (one, two):
        assert stranger.pair_key(b.public) != a.pair_key(b.public)


@given(SEEDS)
def test_the_x25519_form_belongs_to_the_ed25519_key(seed: bytes) -> None:
    """RFC 7748 section 4.1: u = (1 + y) / (1 - y); RFC 8032 section 5.1.5: the scalar."""
    key = MeshKey(seed)
    scalar = hashlib.sha512(seed).digest()[:32]
    expected = X25519PrivateKey.from_private_bytes(scalar).public_key().public_bytes_raw()
    assert key.public.montgomery() == expected


@pytest.mark.parametrize("y", [1, 2**255 - 20])  # the neutral element; the point of order two
def test_a_point_of_small_order_is_refused(y: int) -> None:
    with pytest.raises(KeyFault, match="small order"):
        MeshKey.generate().pair_key(PublicKey(y.to_bytes(32, "little")))


@given(st.text(max_size=80))
def test_any_text_is_a_key_or_a_fault(text: str) -> None:
    try:
        key = PublicKey.parse(text)
    except KeyFault:
        return
    assert PublicKey.parse(str(key)) == key


def test_a_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "mesh.key"
    key = MeshKey.load_or_make(path)
    assert MeshKey.load_or_make(path) == key
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_file_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mesh.key"
    MeshKey.load_or_make(path)
    path.chmod(0o640)
    with pytest.raises(KeyFault, match="chmod 600"):
        MeshKey.load(path)


def test_a_broken_key_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "mesh.key"
    path.write_text("short")
    path.chmod(0o600)
    with pytest.raises(KeyFault, match="holds no mesh key"):
        MeshKey.load(path)


def test_the_link_certificate_carries_the_pinned_key() -> None:
    key = MeshKey.generate()
    pem = key.certificate_pem()
    certificate = x509.load_pem_x509_certificate(pem[pem.index(b"-----BEGIN CERT") :])
    der = certificate.public_bytes(Encoding.DER)
    assert certificate_is_of(der, key.public)
    assert not certificate_is_of(der, MeshKey.generate().public)


@given(st.binary(max_size=300))
def test_any_octets_are_no_certificate_of_ours(der: bytes) -> None:
    assert not certificate_is_of(der, MeshKey(bytes(32)).public)


def test_a_key_does_not_show_its_seed() -> None:
    assert "seed" not in repr(MeshKey.generate())
