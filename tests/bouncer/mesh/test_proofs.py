"""Proofs: codes work however they are typed, signatures by every enrolled kind of key."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from bouncer.mesh import proofs
from bouncer.mesh.proofs import ProofFault
from bouncer.mesh.roster import Credential
from tests.fallback.broken import break_ssh_keygen

ORG = "0123456789ab"


def recovery(code: str) -> Credential:
    """As `staff codes` enrols it."""
    return Credential("recovery", proofs.code_hash(code))


def test_a_code_is_found_however_it_is_typed() -> None:
    codes = proofs.new_codes()
    keys = [recovery(code) for code in codes]
    assert len(set(codes)) == proofs.CODES
    for typed in (
        codes[3],
        codes[3].upper(),
        codes[3].replace("-", " "),
        codes[3].replace("-", ""),
    ):
        assert proofs.matching_code(typed, keys) == keys[3].public
    assert proofs.matching_code("aaaa-aaaa-aaaa-aaaa", keys) is None
    assert proofs.matching_code(codes[3], []) is None


def test_nothing_kept_tells_a_code() -> None:
    code = proofs.new_codes(1)[0]
    assert code.replace("-", "") not in proofs.code_hash(code)


def test_a_code_said_in_a_sentence_is_seen() -> None:
    code = proofs.new_codes(1)[0]
    assert proofs.codes_in(f"claim alice {code}!") == [code]
    assert proofs.without_secrets(f"use {code.upper()} now") == "use [code] now"


@given(st.text(max_size=300))
def test_striking_out_is_total_and_leaves_no_code(text: str) -> None:
    assert proofs.codes_in(proofs.without_secrets(text)) == []


def test_a_signature_is_struck_out() -> None:
    assert proofs.without_secrets("proof " + "QUJD" * 50) == "proof [proof]"


# -- ssh ----------------------------------------------------------------------------------------


def make_key(folder: Path, kind: str, *more: str) -> Path:
    path = folder / kind
    command = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "alice", "-f", str(path), *more]
    subprocess.run(command, check=True)
    return path


def sign(key: Path, text: str, org: str = ORG) -> str:
    """As the person does it: by the very line they are told to copy."""
    command = proofs.signing_command(text, org).replace("~/.ssh/id_ed25519", str(key))
    return subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
async def test_the_line_to_copy_makes_a_proof_that_verifies(kind: str, tmp_path: Path) -> None:
    key = make_key(tmp_path, kind)
    credential = proofs.ssh_credential(key.with_suffix(".pub").read_text())
    text = proofs.challenge("k7", "libera", "alice_", "fra-01")
    proof = await trio.to_thread.run_sync(sign, key, text)
    assert len(f"PRIVMSG fallback :proof {proof}") < 510, "a proof is one line"
    assert await proofs.verify_ssh(proof, text, ORG, [credential])


async def test_a_final_newline_does_not_matter(tmp_path: Path) -> None:
    key = make_key(tmp_path, "ed25519")
    credential = proofs.ssh_credential(key.with_suffix(".pub").read_text())
    proof = sign(key, "fallback1 x")
    signed = await trio.run_process(
        ["ssh-keygen", "-Y", "sign", "-q", "-n", proofs.namespace(ORG), "-f", str(key)],
        stdin=b"fallback1 x\n",
        capture_stdout=True,
        capture_stderr=True,
    )
    with_newline = "".join(signed.stdout.decode().splitlines()[1:-1])
    assert await proofs.verify_ssh(proof, "fallback1 x", ORG, [credential])
    assert await proofs.verify_ssh(with_newline, "fallback1 x", ORG, [credential])


async def test_a_proof_is_bound_to_its_text_its_organisation_and_its_key(tmp_path: Path) -> None:
    key = make_key(tmp_path, "ed25519")
    other = make_key(tmp_path, "ecdsa")
    credential = proofs.ssh_credential(key.with_suffix(".pub").read_text())
    another = proofs.ssh_credential(other.with_suffix(".pub").read_text())
    text = proofs.challenge("k7", "libera", "alice_", "fra-01")
    proof = sign(key, text)
    replayed = proofs.challenge("k7", "libera", "mallory", "fra-01")
    assert not await proofs.verify_ssh(proof, replayed, ORG, [credential])
    assert not await proofs.verify_ssh(proof, text, "ffffffffffff", [credential])
    assert not await proofs.verify_ssh(proof, text, ORG, [another])
    assert not await proofs.verify_ssh(proof, text, ORG, [])


async def test_where_ssh_keygen_cannot_be_asked_nothing_is_known_of_a_proof(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key(tmp_path, "ed25519")
    credential = proofs.ssh_credential(key.with_suffix(".pub").read_text())
    proof = sign(key, "fallback1 x")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError):
        await proofs.verify_ssh(proof, "fallback1 x", ORG, [credential])
    break_ssh_keygen(tmp_path)
    with pytest.raises(OSError, match="Exec format"):
        await proofs.verify_ssh(proof, "fallback1 x", ORG, [credential])
    assert not await proofs.verify_ssh("QUJD", "fallback1 x", ORG, [credential]), "not looked at"


@pytest.mark.parametrize("proof", ["", "QUJD", "U1NIU0lH", "x" * 5000, "====", "\u2603"])
async def test_any_text_is_no_proof(proof: str) -> None:
    assert not await proofs.verify_ssh(proof, "x", ORG, [recovery("x")])


@given(st.binary(max_size=200))
def test_any_blob_names_a_signer_or_none(blob: bytes) -> None:
    proofs.signer_of(base64.b64encode(b"SSHSIG\0\0\0\1" + blob).decode())


def test_rsa_is_refused_at_enrolment(tmp_path: Path) -> None:
    key = make_key(tmp_path, "rsa", "-b", "2048")
    with pytest.raises(ProofFault, match="RSA"):
        proofs.ssh_credential(key.with_suffix(".pub").read_text())


@pytest.mark.parametrize(
    "line",
    ["", "ssh-ed25519", "ssh-ed25519 !!!", "ssh-ed25519 QUJD", "ssh-dss QUJD", "# comment line"],
)
def test_what_is_no_key_is_not_enrolled(line: str) -> None:
    with pytest.raises(ProofFault):
        proofs.ssh_credential(line)
