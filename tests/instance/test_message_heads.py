"""What is kept of headers: enough to explain, no secret, no whole signature, never much, nothing but ASCII."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.ports import Exchange
from federation.trail import Head, Trail
from instance.services.message_heads import MOST, MOST_OF_STRANGERS, of_exchange, of_trail

LONG = "QUJD" * 86


def kept(**headers: str) -> str:
    """What is kept of a message with these headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return of_trail(Trail(head=Head("POST", "/inbox", named)), 12)


def test_what_decides_is_kept() -> None:
    """The request, how long it took, and the headers the door reads."""
    text = kept(host="fr.example", date="Mon, 30 Nov 2026 10:00:00 GMT", digest="SHA-256=abc=")

    assert "12 POST /inbox\nhost: fr.example\ndate: Mon, 30 Nov 2026 10:00:00 GMT\ndigest: SHA-256=abc=" == text


@pytest.mark.parametrize(
    "signature",
    [
        f'keyId="https://de.example/doctors/anna#main-key",algorithm="hs2019",headers="date",signature="{LONG}"',
        f"sig1=:{LONG}:",
        f"sig1=:{LONG}",
        f'Signature = "{LONG}"',
        LONG,
        f"x={LONG[:7]} signature={LONG}",
    ],
)
def test_a_signature_is_never_whole(signature: str) -> None:
    """Only how it begins, whatever its form; the key id beside it stays."""
    text = kept(signature=signature)

    assert "QUJDQUJD..." in text
    assert "QUJDQUJDQ" not in text
    assert ("doctors/anna#main-key" in signature) == ("doctors/anna#main-key" in text)


@pytest.mark.parametrize(
    "name",
    ["cookie", "set-cookie", "authorization", "proxy-authorization", "x-api-key", "x-auth-token", "x-forwarded-for",
     "forwarded", "x-real-ip", "cf-connecting-ip", "x-secret", "x-csrf", "referer", "via", "www-authenticate"],
)  # fmt: skip
def test_secrets_and_places_are_not_kept(name: str) -> None:
    """Their names are: that they were there may explain something."""
    assert f"{name}: (not kept)" in kept(**{name: "hidden-value"})
    assert "hidden-value" not in kept(**{name: "hidden-value"})


def test_an_unknown_value_is_cut_and_a_known_one_later() -> None:
    """A stranger's header holds no essay."""
    assert "x-odd: " + "a" * 61 + "..." in kept(x_odd="a " * 0 + "a" * 500)
    assert "user-agent: " + "a" * 300 in kept(user_agent="a" * 300)


def test_queries_are_not_kept() -> None:
    """They name people; that there was one is kept."""
    text = of_trail(Trail(head=Head("GET", "/.well-known/webfinger?resource=acct:marie@fr.example", {})), 0)

    assert "0 GET /.well-known/webfinger?" == text


def test_both_ways_of_a_delivery_are_kept() -> None:
    """What we sent, an empty line, and what came back."""
    exchange = Exchange({"Content-Type": "text/html", "Set-Cookie": "a=b"}, 7, "/inbox", {"Date": "today"})

    assert "7 POST /inbox\nDate: today\n\n403\nContent-Type: text/html\nSet-Cookie: (not kept)" == of_exchange(
        exchange, 403
    )


def test_nothing_sent_leaves_nothing() -> None:
    """No exchange, no head."""
    assert ("", "") == (of_exchange(None, 0), of_trail(Trail(), 5))


@given(
    st.dictionaries(st.text(max_size=80), st.text(max_size=900), max_size=64), st.text(max_size=900),
    st.sampled_from([MOST, MOST_OF_STRANGERS]),
)  # fmt: skip
def test_whatever_comes_is_ascii_and_bounded(headers: dict[str, str], target: str, most: int) -> None:
    """Printable ASCII lines within the bound: no header can break out of the page, the log or the row."""
    text = of_trail(Trail(head=Head("POST", target, headers)), 1, most=most)

    assert len(text) <= most
    assert text.isascii()
    assert all(line.isprintable() for line in text.split("\n"))
    assert len(text.split("\n")) <= len(headers) + 2
