"""RFC 6238 by its own vectors; a code has a name of its own, by which it is burned."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncer.login import totp
from bouncer.mesh.roster import Credential

SECRET = b"12345678901234567890"  # RFC 6238 appendix B: the test token's shared secret
KEY = Credential("totp", base64.b32encode(SECRET).decode())


@pytest.mark.parametrize(
    ("at_s", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_vectors_of_rfc_6238(at_s: int, code: str) -> None:
    """Appendix B, the rows of SHA1; an app shows the last six of the eight digits."""
    assert totp.hotp(SECRET, at_s // totp.STEP_S, digits=8) == code
    assert totp.matching(code[-6:], [KEY], at_s) is not None


def test_a_code_is_good_one_step_early_and_late_under_one_name() -> None:
    """Section 5.2: "at most one time step is allowed as the network delay"."""
    names = [totp.matching("287082", [KEY], at_s) for at_s in (5, 35, 65, 95)]
    assert names[0] is not None
    assert names == [names[0], names[0], names[0], None]


def test_another_s_code_or_another_kind_of_key_fits_nothing() -> None:
    assert totp.matching("287082", [totp.new_credential()], 59) is None
    assert totp.matching("287082", [Credential("recovery", KEY.public)], 59) is None


@given(st.text(max_size=40), st.floats(0, 1e11), st.text(max_size=40))
def test_any_text_is_a_name_or_none(code: str, now_s: float, secret: str) -> None:
    totp.FORM.findall(code)
    totp.matching(code if code.isascii() else "", [Credential("totp", secret)], now_s)


def test_the_uri_holds_what_an_app_needs() -> None:
    read = urlsplit(totp.uri(KEY, "alice@net", "Muster"))
    assert (read.scheme, read.netloc, read.path) == ("otpauth", "totp", "/Muster%3Aalice%40net")
    assert parse_qs(read.query) == {
        "secret": [KEY.public], "issuer": ["Muster"], "digits": ["6"], "period": ["30"],
    }  # fmt: skip
