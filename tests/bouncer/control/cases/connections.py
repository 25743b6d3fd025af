"""Cases: networks, channels, and how they are logged in to."""

from __future__ import annotations

from tests.bouncer.control.cases.case import CHANNEL, of_alice, of_libera

CASES = {
    "sasl status": of_libera(
        "sasl status alice libera",
        r"libera: SASL PLAIN as al",
        "sasl status alice",
        r"NETWORK is missing",
        "sasl set-plain alice libera al hunter2",
    ),
    "sasl set-plain": of_libera(
        "sasl set-plain alice libera al hunter2",
        r"libera is logged in to by SASL PLAIN as al$",
        "sasl set-plain alice libera al",
        r"PASSWORD is missing",
    ),
    "sasl reset": of_libera(
        "sasl reset alice libera",
        r"libera is logged in to no more",
        "sasl reset alice",
        r"NETWORK is missing",
        "sasl set-plain alice libera al hunter2",
    ),
    "network add": of_alice(
        "network add alice oftc ircs://irc.oftc.net --join '#a,#b key' --rate 0",
        r"network oftc added for alice: connecting",
        "network add alice oftc http://irc.oftc.net",
        r"URI: 'http://irc.oftc.net': write ircs://host\[:port\]",
    ),
    "network set": of_libera(
        "network set alice libera --nick al --enabled false",
        r"network libera of alice changed: enabled false, nick$",
        "network set alice libera --enabled perhaps",
        r'"perhaps" is neither true nor false',
    ),
    "network list": of_libera(
        "network list alice",
        r"libera: ircs://irc.libera.chat, starting, 0 channels",
        "network list alice --all",
        r"there is no --all here",
    ),
    "network quote": of_libera(
        "network quote alice libera PRIVMSG bob :hello there",
        r"sent to libera",
        "network quote alice libera",
        r"LINE is missing",
    ),
    "network remove": of_libera(
        "network remove alice libera",
        r"network libera of alice removed, with channels and history",
        "network remove alice",
        r"NAME is missing",
    ),
    "network sts": of_libera(
        "network sts alice libera",
        r"libera: irc\.libera\.chat has not asked for TLS alone",
        "network sts alice libera --drop",
        r"--drop needs HOST",
    ),
    "channel add": of_libera(
        "channel add alice libera '#ops' --key k",
        r"channel #ops added on libera",
        "channel add alice libera ops",
        r'"ops" is no channel',
    ),
    "channel set": of_libera(
        "channel set alice libera '#ops' --detached true",
        r"channel #ops on libera changed: detached true$",
        "channel set alice libera",
        r"CHANNEL is missing",
        CHANNEL,
    ),
    "channel list": of_libera(
        "channel list alice libera",
        r"#ops",
        "channel list alice",
        r"NETWORK is missing",
        CHANNEL,
    ),
    "channel remove": of_libera(
        "channel remove alice libera '#ops'",
        r"channel #ops on libera removed",
        "channel remove alice libera #ops extra",
        r'"extra" is one word too many',
        CHANNEL,
    ),
    "ignore add": of_libera(
        "ignore add alice libera troll",
        r"troll!\*@\* is ignored on libera",
        "ignore add alice libera 'a b'",
        r'"a b" is no mask',
    ),
    "ignore list": of_libera(
        "ignore list alice libera",
        r"\*!\*@spam\.example",
        "ignore list alice",
        r"NETWORK is missing",
        "ignore add alice libera *@spam.example",
    ),
    "ignore remove": of_libera(
        "ignore remove alice libera troll",
        r"troll!\*@\* is no longer ignored on libera",
        "ignore remove alice libera",
        r"MASK is missing",
        "ignore add alice libera troll",
    ),
    "certfp generate": of_libera(
        "certfp generate alice libera",
        r"a certificate for libera is made(.*\n)*SHA-256 [0-9a-f]{64}\nSHA-512 [0-9a-f]{128}",
        "certfp generate alice",
        r"NETWORK is missing",
    ),
    "certfp fingerprint": of_libera(
        "certfp fingerprint alice libera",
        r"SHA-256 [0-9a-f]{64}\nSHA-512 [0-9a-f]{128}",
        "certfp fingerprint alice",
        r"NETWORK is missing",
        "certfp generate alice libera",
    ),
    "certfp discard": of_libera(
        "certfp discard alice libera",
        r"libera is shown no certificate any more",
        "certfp discard alice",
        r"NETWORK is missing",
        "certfp generate alice libera",
    ),
}
