"""The certificate by which a network knows this user: made here, its key never shown."""

from __future__ import annotations

import hashlib

import trio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection

from bouncer.control import readers
from bouncer.control.actors import Permission
from bouncer.control.command import Command, Desk
from bouncer.control.grammar import Argument, ControlError, Option, Request
from bouncer.tls import selfsigned
from storage import accounts
from storage.records import Network


def _network(connection: Connection, request: Request) -> Network:
    user = accounts.get_user(connection, request.owner)
    return accounts.get_network(connection, user.id, request["NETWORK"])


async def generate(desk: Desk, request: Request) -> list[str]:
    """Make one; it logs in by SASL EXTERNAL where no other login is set."""
    key_type = request.option("--key-type", "ecdsa")
    pem = await trio.to_thread.run_sync(selfsigned.device, request.owner, key_type)

    def write(connection: Connection) -> Network:
        network = _network(connection, request)
        changes = {"certificate": pem}
        if not network.sasl_mechanism:
            changes["sasl_mechanism"] = "EXTERNAL"
        return accounts.change_network(connection, network.id, **changes)

    network = await desk.change(write)
    await desk.refresh(request.owner)
    made = f"a certificate for {network.name} is made and shown to it from now on"
    return [made, *_fingerprints(pem), "tell services once: /msg NickServ CERT ADD FINGERPRINT"]


async def fingerprint(desk: Desk, request: Request) -> list[str]:
    network = await desk.store.read(_network, request)
    if not network.certificate:
        raise ControlError(
            f"{network.name} has no certificate; `certfp generate {network.name}` makes one"
        )
    return _fingerprints(network.certificate)


async def discard(desk: Desk, request: Request) -> list[str]:
    def write(connection: Connection) -> Network:
        network = _network(connection, request)
        changes = {"certificate": ""}
        if network.sasl_mechanism == "EXTERNAL":
            changes["sasl_mechanism"] = ""
        return accounts.change_network(connection, network.id, **changes)

    network = await desk.change(write)
    await desk.refresh(request.owner)
    return [f"{network.name} is shown no certificate any more"]


def _fingerprints(pem: str) -> list[str]:
    """By both hashes that networks use."""
    der = x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
    return [
        f"SHA-256 {hashlib.sha256(der).hexdigest()}",
        f"SHA-512 {hashlib.sha512(der).hexdigest()}",
    ]


_NETWORK = (Argument("NETWORK", readers.name, here=True),)

COMMANDS = (
    Command(
        ("certfp", "generate"),
        Permission.USER,
        "make a certificate that logs in to a network",
        generate,
        _NETWORK,
        (
            Option(
                "--key-type",
                ("ecdsa|ed25519|rsa",),
                "what kind of key; ecdsa where nothing is said",
                readers.one_of(*selfsigned.KEY_TYPES),
            ),
        ),
        owned=True,
    ),
    Command(
        ("certfp", "fingerprint"),
        Permission.USER,
        "show the fingerprint of the certificate that a network is shown",
        fingerprint,
        _NETWORK,
        owned=True,
    ),
    Command(
        ("certfp", "discard"),
        Permission.USER,
        "show a network no certificate any more",
        discard,
        _NETWORK,
        owned=True,
    ),
)
