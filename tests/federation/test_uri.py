"""One URL type: one spelling per place, and no way to mean another."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.uri import MAX_LENGTH, BadUri, Uri, is_uri, parse_origin

_REFUSED = [
    "",
    " ",
    "de.esanum.example",
    "//de.esanum.example/x",
    "/x",
    "http://de.esanum.example/x",
    "http://127.0.0.1/x",
    "https://127.0.0.1/x",
    "https://10.0.0.1/x",
    "https://2130706433/x",
    "https://0x7f000001/x",
    "https://0x7f.1/x",
    "https://0177.0.0.1/x",
    "https://127.1/x",
    "https://a.example.1/x",
    "https://[::1]/x",
    "https://[::ffff:127.0.0.1]/x",
    "https://[fe80::1%25eth0]/x",
    "https://anna@de.esanum.example/x",
    "https://anna:secret@de.esanum.example/x",
    "https://de.esanum.example@stranger.example/x",
    "https://de.esanum.example#@stranger.example\\x",
    "https://de.esanum.example\\@stranger.example/",
    "https://de.esanum.example\\stranger.example/",
    "https:\\\\de.esanum.example/x",
    "https:/de.esanum.example/x",
    "https:de.esanum.example/x",
    "https:///x",
    "https://de.esanum.example./x",
    "https://.de.esanum.example/x",
    "https://de..example/x",
    "https://-de.example/x",
    "https://de-.example/x",
    "https://DE.esanum.example/x",
    "HTTPS://de.esanum.example/x",
    "https://dé.example/x",
    "https://d%65.example/x",
    "https://de_x.example/x",
    "https://de.esanum.example:/x",
    "https://de.esanum.example:443/x",
    "https://de.esanum.example:0/x",
    "https://de.esanum.example:0444/x",
    "https://de.esanum.example:65536/x",
    "https://de.esanum.example:4a/x",
    "http://de.localhost:80/x",
    "https://de.esanum.example/a/../b",
    "https://de.esanum.example/..",
    "https://de.esanum.example/./b",
    "https://de.esanum.example/%2e%2e/b",
    "https://de.esanum.example/%2E%2E/b",
    "https://de.esanum.example/a/%2E",
    "https://de.esanum.example/%zz",
    "https://de.esanum.example/%c3%a9",
    "https://de.esanum.example/é",
    "https://de.esanum.example/a b",
    "https://de.esanum.example/a\n",
    "https://de.esanum.example/a\tb",
    "https://de.esanum.example/\0",
    "https://de.esanum.example/<x>",
    "https://de.esanum.example/x#a#b",
    " https://de.esanum.example/x",
    "https://de.esanum.example/x ",
    "ftp://de.esanum.example/x",
    "file:///etc/passwd",
    "gopher://de.esanum.example/x",
    "data:text/plain,x",
    "javascript:alert(1)",
    "acct:anna@de.esanum.example",
    "urn:uuid:1",
    "did:key:z6Mk",
    "https://de.esanum.example/" + "a" * MAX_LENGTH,
    None,
    5,
    b"https://de.esanum.example/x",
    ["https://de.esanum.example/x"],
    {"id": "https://de.esanum.example/x"},
]


@pytest.mark.parametrize("text", _REFUSED, ids=lambda text: repr(text)[:60])
def test_other_spellings_are_refused(text: object) -> None:
    """A26, A59–A61, A63, A64: literals, userinfo, backslashes, other schemes, dots, capitals and default ports."""
    assert not is_uri(text)
    with pytest.raises(BadUri):
        Uri.parse(text)


@pytest.mark.parametrize(
    ("text", "origin", "host", "port", "target"),
    [
        ("https://de.esanum.example", "https://de.esanum.example", "de.esanum.example", 443, "/"),
        ("https://de.esanum.example/", "https://de.esanum.example", "de.esanum.example", 443, "/"),
        ("https://de.esanum.example:8443/a", "https://de.esanum.example:8443", "de.esanum.example", 8443, "/a"),
        ("https://de.esanum.example?x=1", "https://de.esanum.example", "de.esanum.example", 443, "/?x=1"),
        ("https://de.esanum.example/a?x=/b#c", "https://de.esanum.example", "de.esanum.example", 443, "/a?x=/b"),
        (
            "https://de.esanum.example/a//b/.well-known/..x",
            "https://de.esanum.example",
            "de.esanum.example",
            443,
            "/a//b/.well-known/..x",
        ),
        (
            "https://xn--mnchen-3ya.example/%C3%A9",
            "https://xn--mnchen-3ya.example",
            "xn--mnchen-3ya.example",
            443,
            "/%C3%A9",
        ),
        ("http://fr.localhost:8001/actor#main-key", "http://fr.localhost:8001", "fr.localhost", 8001, "/actor"),
        ("http://localhost/x", "http://localhost", "localhost", 80, "/x"),
    ],
)
def test_a_canonical_address_is_read(text: str, origin: str, host: str, port: int, target: str) -> None:
    """The twin: each part of an address is what it looks like."""
    uri = Uri.parse(text)

    assert text == uri
    assert (origin, host, port, target) == (uri.origin, uri.host, uri.port, uri.target)
    assert text.partition("#")[0] == uri.without_fragment()


def test_origins_are_compared_exactly() -> None:
    """N40: another scheme, port, suffix, prefix or trailing dot is another origin."""
    here = Uri.parse("https://de.esanum.example/a")

    assert here.same_origin(Uri.parse("https://de.esanum.example/b?c#d"))
    for other in (
        "https://de.esanum.example:8443/a",
        "https://xde.esanum.example/a",
        "https://esanum.example/a",
        "https://de.esanum.example.stranger.example/a",
    ):
        assert not here.same_origin(Uri.parse(other))


def test_plain_http_is_for_this_machine() -> None:
    """Only names that cannot leave the machine are reached without TLS."""
    assert Uri.parse("http://fr.localhost/x").is_loopback
    for text in ("http://localhost.example/x", "http://notlocalhost/x", "http://local.host/x"):
        assert not is_uri(text)


def test_an_origin_is_nothing_more() -> None:
    """An origin has no path, not even a slash."""
    assert "https://de.esanum.example:8443" == parse_origin("https://de.esanum.example:8443")
    for text in ("https://de.esanum.example/", "https://de.esanum.example?", "https://de.esanum.example#"):
        with pytest.raises(BadUri):
            parse_origin(text)


@given(
    st.text(max_size=40)
    | st.from_regex(r"https?://[a-zA-Z0-9.@:\\\[\]-]{0,20}(:[0-9]{0,6})?[/?#%.a-zA-Z0-9\\]{0,12}", fullmatch=True)
)
def test_what_is_checked_is_what_is_fetched(text: str) -> None:
    """A65 begins here: whatever is accepted, another parser finds the same scheme, host, port and path in it."""
    if not is_uri(text):
        return
    ours, theirs = Uri.parse(text), urlsplit(text)

    assert text == ours
    assert (ours.scheme, ours.host) == (theirs.scheme, theirs.hostname)
    assert ours.port == (theirs.port or {"https": 443, "http": 80}[theirs.scheme])
    assert None is theirs.username
    assert ours.target == (theirs.path or "/") + (f"?{theirs.query}" if "?" in ours.target else "")
