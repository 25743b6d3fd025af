"""A flood of mesh datagrams from somebody else's address; run inside a namespace as a program.

    python -m tests.outage.spoof FROM TO PORT KEY_ID RATE SECONDS

Prints once a second how many were sent in it. One call gives the kernel many datagrams (UDP GSO),
so that the flood costs this machine little and its reader everything, as from a host of its own.
"""

from __future__ import annotations

import os
import socket
import sys
import time

from bouncer.mesh.heartbeat import MAX_DATAGRAM, VERSION, Kind

IP_TRANSPARENT = 19  # ip(7): send from an address that is not ours
UDP_SEGMENT = 103  # udp(7): cut what is sent into datagrams of this size
BURST = 40  # datagrams a call; the whole stays below 64 KiB
BODY_OCTETS = 180


def contents(key_id: bytes) -> list[bytes]:
    """Bad in each way there is: mostly a wrong tag, which costs its reader the most."""
    bad = [
        bytes((VERSION, kind)) + key_id + os.urandom(BODY_OCTETS)
        for kind in (Kind.VOTE, Kind.HEARTBEAT, Kind.ASK, Kind.CLAIM, Kind.INCIDENT, Kind.HELLO)
    ]
    bad.append(bytes((VERSION, Kind.VOTE)) + os.urandom(BODY_OCTETS))  # an unknown sender's
    return [*bad, os.urandom(BODY_OCTETS), os.urandom(3), os.urandom(MAX_DATAGRAM + 1)]


def main(sender: str, target: str, port: str, key_id: str, rate: str, seconds: str) -> None:
    bad = contents(bytes.fromhex(key_id))
    flood = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    flood.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)
    flood.bind((sender, int(port)))
    begun = last = time.monotonic()
    sent = said = 0
    while (now := time.monotonic()) < begun + float(seconds):
        if now - last >= 1:
            print(round((sent - said) / (now - last)), flush=True)
            last, said = now, sent
        if sent >= (now - begun) * float(rate):
            time.sleep(0.0005)
            continue
        content = bad[sent // BURST % len(bad)]
        flood.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, len(content))
        try:
            flood.sendto(content * BURST, (target, int(port)))
        except BlockingIOError:
            continue
        sent += BURST


if __name__ == "__main__":
    main(*sys.argv[1:])
