"""Cases: users, their clients and certificates, and staff."""

from __future__ import annotations

from tests.bouncer.control.cases.case import (
    ALICE,
    CERT,
    LIBERA,
    SSH,
    STAFF,
    Case,
    of_alice,
    of_libera,
)

CASES = {
    "user add": Case(
        "user add bob --nick bobby",
        r"user bob added; password, shown only now: ([a-z2-7]{5}-?){4}",
        "user add",
        r"NAME is missing; usage: user add NAME",
    ),
    "user set": of_alice(
        "user set alice --nick al --auto-away off",
        r"user alice changed: auto-away off, nick$",
        "user set alice --nick 'a b'",
        r'--nick: "a b" is no nick',
    ),
    "user passwd": of_alice(
        "user passwd alice --password other",
        r"password of alice changed",
        "user passwd alice --pasword x",
        r"no --pasword here, did you mean --password\?",
    ),
    "user run": Case(
        "user run alice network list",
        r"libera: ircs://irc\.libera\.chat, starting",
        "user run alice",
        r"COMMAND is missing",
        [ALICE, LIBERA],
    ),
    "user list": Case(
        "user list",
        r"alice: 1 network, 0 clients",
        "user list alice now",
        r'"now" is one word too many',
        [ALICE, LIBERA],
    ),
    "user remove": Case(
        "user remove bob",
        r"user bob removed, with networks, channels and history",
        "user remove",
        r"NAME is missing",
        [ALICE, "user add boss --admin", "user add bob"],
    ),
    "client set": of_libera(
        "client set alice phone --autoplay off",
        r"client phone of alice changed: autoplay (on|off)$",
        "client set alice phone --autoplay",
        r"--autoplay needs on\|off\|default",
    ),
    "client list": of_libera(
        "client list alice",
        r"phone: on libera; autoplay off",
        "client list",
        r"USER is missing",
        "client set alice phone --autoplay off",
    ),
    "certfp add": of_alice(
        f"certfp add alice {CERT} --label laptop",
        r"alice may log in with certificate abab",
        "certfp add alice abcd",
        r"64 hex digits",
    ),
    "certfp list": of_alice(
        "certfp list alice",
        rf"{CERT} laptop",
        "certfp list alice all",
        r"one word too many",
        f"certfp add alice {CERT} --label laptop",
    ),
    "certfp remove": of_alice(
        f"certfp remove alice {CERT}",
        r"certificate abab.* logs nobody in any more",
        "certfp remove alice",
        r"FINGERPRINT is missing",
        f"certfp add alice {CERT}",
    ),
    "staff add": Case(
        f"staff add bob --role db --nick libera bob --account libera bob --ssh-key {SSH}",
        r"bob is on the roster; `staff codes bob` makes recovery codes",
        "staff add bob --oncall first",
        r'"first" is no whole number',
    ),
    "staff set": Case(
        "staff set alice --nick libera al --nick libera al_",
        r"alice changed: nicks",
        "staff set alice --nick libera",
        r"--nick needs NETWORK and NICK",
        [STAFF],
    ),
    "staff list": Case(
        "staff list",
        r"alice: net, on call 1",
        "staff list net now",
        r"one word too many",
        [STAFF],
    ),
    "staff remove": Case(
        "staff remove alice",
        r"alice is off the roster",
        "staff remove",
        r"HANDLE is missing",
        [STAFF],
    ),
    "staff certfp": Case(
        f"staff certfp alice --remove sha256:{CERT}",
        rf"certificate {CERT} is no longer alice's",
        "staff certfp alice --remove abc",
        r"write the certificate's SHA-256",
        [STAFF, f"staff set alice --certfp {CERT}"],
    ),
    "staff codes": Case(
        "staff codes alice",
        r"recovery codes of alice, shown only now.*(\n([a-z2-7]{4}-?){4}){10}",
        "staff codes",
        r"HANDLE is missing",
        [STAFF],
    ),
    "roster": Case(
        "roster net",
        r"alice=\? oncall",
        "roster net db",
        r"one word too many",
        [STAFF],
    ),
}
