"""What proves a person: recovery codes used once, and signatures by an ssh key.

A code is 80 random bits, kept as its SHA-256; a nick, a host or a known phrase proves nothing.
Signatures are checked by `ssh-keygen -Y verify`, which knows every key type people hold, in a
bounded subprocess, and only after the signature names a key that is enrolled.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import secrets
import shutil
import struct
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import trio

from bouncer.mesh.roster import Credential

CODES = 10
CODE_BITS = 80
SSH_TYPES = frozenset(
    {
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    }
)
MAX_SIGNATURE = 1024  # octets of the blob; ECDSA P-521 with its key needs less than 500
VERIFY_TIMEOUT_S = 5.0
VERIFIERS = 2  # processes at a time; more claims wait their turn
_MAGIC = b"SSHSIG"  # OpenSSH, PROTOCOL.sshsig
_CODE = re.compile(r"(?<![a-z2-7])(?:[a-z2-7]{4}[- ]?){3}[a-z2-7]{4}(?![a-z2-7])", re.IGNORECASE)
_LONG_BASE64 = re.compile(r"[A-Za-z0-9+/]{120,}={0,2}")
_verifying = trio.CapacityLimiter(VERIFIERS)


class ProofFault(ValueError):
    """A key that cannot be enrolled. Its text is the user's message."""


def new_codes(count: int = CODES) -> list[str]:
    """Fresh recovery codes as a person types them: `abcd-efgh-ijkl-mnop`."""
    return [_grouped(secrets.token_bytes(CODE_BITS // 8)) for _ in range(count)]


def _grouped(octets: bytes) -> str:
    text = base64.b32encode(octets).decode().lower()
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def code_hash(code: str) -> str:
    """What is kept of a code: SHA-256 of its letters, however they were spaced and cased."""
    plain = re.sub(r"[^a-z2-7]", "", code.casefold())
    return hashlib.sha256(plain.encode()).hexdigest()


def matching_code(code: str, keys: Sequence[Credential]) -> str | None:
    """The stored hash that `code` opens, or None. Looks at all of them, always."""
    wanted = code_hash(code)
    found = None
    for key in keys:
        if key.kind == "recovery" and hmac.compare_digest(key.public, wanted):
            found = key.public
    return found


def codes_in(text: str) -> list[str]:
    """Whatever in a line has the form of a recovery code: said in public, it is burned."""
    return [match.group() for match in _CODE.finditer(text)]


def without_secrets(text: str) -> str:
    """The line with codes and signatures struck out: for journals, histories and logs."""
    return _LONG_BASE64.sub("[proof]", _CODE.sub("[code]", text))


# -- ssh ----------------------------------------------------------------------------------------


def ssh_credential(line: str) -> Credential:
    """The enrolled form of one line of an ssh public key file. Raises ProofFault."""
    words = line.split()
    if len(words) < 2:
        raise ProofFault("an ssh public key is one line: its type, then base64")
    kind, encoded = words[0], words[1]
    if kind in ("ssh-rsa", "rsa-sha2-256", "rsa-sha2-512"):
        raise ProofFault("RSA keys make proofs too long for one line of IRC; enrol Ed25519")
    if kind not in SSH_TYPES:
        raise ProofFault(f"{kind[:40]} keys cannot be enrolled; use Ed25519, ECDSA or an sk key")
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise ProofFault("this ssh public key is not whole") from None
    if _first_string(blob) != kind.encode() or len(blob) > MAX_SIGNATURE:
        raise ProofFault("this ssh public key is not what its first word says")
    return Credential("ssh", f"{kind} {encoded}")


def namespace(org: str) -> str:
    """The signature's namespace: what is signed for us is worth nothing elsewhere."""
    return f"irc-fallback@{org}"


def org_name(org_key: str) -> str:
    """A short name for the owner of a roster, from its public key."""
    return hashlib.blake2b(org_key.encode(), digest_size=6, person=b"muster org").hexdigest()


def challenge(incident: str, network: str, nick: str, nonce: str) -> str:
    """The one line to sign. It is bound to the incident, the network and the nick."""
    return f"fallback1 inc={incident} net={network} nick={nick} nonce={nonce}"


def signing_command(text: str, org: str) -> str:
    """The line to copy into a shell; its output, joined, follows the word `proof`."""
    return (
        f"printf %s '{text}' | ssh-keygen -Y sign -q -n {namespace(org)} -f ~/.ssh/id_ed25519"
        " | grep -v -e -- | tr -d '\\n'"
    )


def signer_of(encoded: str) -> str | None:
    """The key a signature claims to be from, as `type base64`, or None. Total."""
    blob = _signature_blob(encoded)
    if blob is None:
        return None
    key = _first_string(blob[10:])
    kind = _first_string(key or b"")
    if key is None or kind is None or kind.decode("ascii", "replace") not in SSH_TYPES:
        return None
    return f"{kind.decode()} {base64.b64encode(key).decode()}"


async def verify_ssh(encoded: str, text: str, org: str, keys: Sequence[Credential]) -> bool:
    """Whether `encoded` (base64 of one ssh signature) is by one of `keys` over `text`.

    The text is tried with and without a final newline: `echo` adds one. Never raises on input, but
    OSError where ssh-keygen cannot be asked: then nothing is known.
    """
    key = signer_of(encoded)
    if key is None or not any(one.kind == "ssh" and one.public == key for one in keys):
        return False
    blob = _signature_blob(encoded) or b""
    allowed = f'claimant namespaces="{namespace(org)}" {key}\n'.encode()
    async with _verifying:
        for data in (text.encode(), text.encode() + b"\n"):
            if await _ssh_keygen(allowed, _armoured(blob), namespace(org), data):
                return True
    return False


async def _ssh_keygen(allowed: bytes, signature: bytes, space: str, data: bytes) -> bool:
    program = shutil.which("ssh-keygen")
    if program is None:  # `fallback check` names it, too
        raise FileNotFoundError("there is no ssh-keygen")
    with _memory_file(allowed) as allowed_fd, _memory_file(signature) as signature_fd:
        command = [program, "-Y", "verify", "-f", f"/proc/self/fd/{allowed_fd}", "-I", "claimant"]
        command += ["-n", space, "-s", f"/proc/self/fd/{signature_fd}"]
        with trio.move_on_after(VERIFY_TIMEOUT_S):
            done = await trio.run_process(
                command,
                stdin=data,
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                pass_fds=(allowed_fd, signature_fd),
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            )
            return isinstance(done, subprocess.CompletedProcess) and done.returncode == 0
    raise TimeoutError(f"ssh-keygen has not answered for {VERIFY_TIMEOUT_S:.0f} s")


@contextmanager
def _memory_file(content: bytes) -> Iterator[int]:
    handle = os.memfd_create("muster-proof", 0)
    try:
        os.write(handle, content)
        os.lseek(handle, 0, os.SEEK_SET)
        yield handle
    finally:
        os.close(handle)


def _signature_blob(encoded: str) -> bytes | None:
    encoded = "".join(encoded.split())
    if len(encoded) > MAX_SIGNATURE * 4 // 3 + 4:
        return None
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    return blob if blob[:6] == _MAGIC and blob[6:10] == b"\0\0\0\1" else None


def _first_string(blob: bytes) -> bytes | None:
    """The first length-prefixed string: RFC 4251 section 5."""
    if len(blob) < 4:
        return None
    (length,) = struct.unpack_from("!I", blob)
    return blob[4 : 4 + length] if length <= len(blob) - 4 else None


def _armoured(blob: bytes) -> bytes:
    text = base64.b64encode(blob).decode()
    lines = [text[start : start + 70] for start in range(0, len(text), 70)]
    return "\n".join(
        ["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""]
    ).encode()
