"""Headers: what is refused before any name in them is trusted."""

from __future__ import annotations

import pytest

from federation.errors import HeadersTooLarge, MalformedHeaders, UnsupportedMediaType, WrongHost
from federation.signatures import MAX_HEADER_BYTES, MAX_HEADERS, SignedMessage, require_host
from federation.signatures.message import SINGLE
from tests.federation.signatures.make import HERE

HOST = (b"host", b"de.example")


def read(*fields: tuple[bytes, bytes], method: str = "POST", target: str = "/inbox") -> SignedMessage:
    return SignedMessage.from_raw(method, HERE, target, fields)


def test_headers_are_read_by_lower_case_name():
    """Names lose their case, values their surrounding blanks, the target stays raw."""
    message = read(HOST, (b"Accept", b"\t application/activity+json "), target="/inbox?x=%69")

    assert {"host": "de.example", "accept": "application/activity+json"} == message.headers
    assert ("POST", HERE, "/inbox?x=%69", b"") == (message.method, message.origin, message.target, message.body)


def test_the_body_comes_later():
    """with_body changes the body and nothing else."""
    message = read(HOST, (b"x-a", b"1"), (b"x-a", b"2"))
    whole = message.with_body(b"{}")

    assert (b"", b"{}") == (message.body, whole.body)
    assert message == whole.with_body(b"")


@pytest.mark.parametrize("name", sorted(SINGLE))
def test_a_name_that_decides_comes_once(name):
    """A19: Date, Host, Digest, Signature and their like, doubled, are refused, equal or not."""
    field = (name.encode(), b"0")

    for other in (field, (name.upper().encode(), b"0"), (name.encode(), b"1")):
        with pytest.raises(MalformedHeaders):
            read(field, other)


def test_other_names_may_repeat():
    """The twin: a repeated field nothing depends on is joined, and known to be repeated."""
    message = read(HOST, (b"via", b"1.1 a"), (b"accept", b"*/*"), (b"Via", b"1.1 b"))

    assert "1.1 a, 1.1 b" == message.headers["via"]
    assert {"via"} == message.repeated


@pytest.mark.parametrize(
    "field",
    [
        (b"x", b"a\r\n b"),
        (b"x", b"a\nb"),
        (b"x", b"a\rb"),
        (b"x", b"a\0b"),
        (b"x", b"a\x7fb"),
        (b"x", b"a\x01b"),
        (b"x", "ä".encode()),
        (b"x", b"\xff"),
        (b"x y", b"a"),
        (b"x:", b"a"),
        (b"x\ny", b"a"),
        ("ü".encode(), b"a"),
        (b"", b"a"),
        (b" x", b"a"),
        (b"content-length", b"-1"),
        (b"content-length", b"+1"),
        (b"content-length", b"1, 1"),
        (b"content-length", b"0x10"),
        (b"content-length", b""),
        (b"content-length", b"9" * 30),
    ],
    ids=repr,
)
def test_a_field_that_could_be_read_twice_is_refused(field):
    """Folded, not ASCII, with control characters, without a proper name or length: 400."""
    with pytest.raises(MalformedHeaders):
        read(HOST, field)


def test_a_tab_inside_a_value_is_allowed():
    """The twin: RFC 9110 allows the tab, and the plain value next to it."""
    assert "a\tb" == read(HOST, (b"x", b"a\tb")).headers["x"]


def test_two_framings_are_refused():
    """Content-Length beside Transfer-Encoding is 400; either alone is read."""
    length, chunked = (b"content-length", b"2"), (b"transfer-encoding", b"chunked")

    with pytest.raises(MalformedHeaders):
        read(HOST, length, chunked)
    assert 2 == read(HOST, length).declared_length
    assert None is read(HOST, chunked).declared_length


def test_an_encoded_body_is_refused():
    """Content-Encoding in any value is 415: the bytes that are signed are the bytes that are read."""
    for value in (b"gzip", b"identity", b""):
        with pytest.raises(UnsupportedMediaType):
            read(HOST, (b"content-encoding", value))


def test_sixty_four_fields_are_the_limit():
    """64 fields are read, 65 are 431, even where their names repeat."""
    fields = [(f"x-{number}".encode(), b"1") for number in range(MAX_HEADERS)]

    assert MAX_HEADERS == len(read(*fields).headers)
    with pytest.raises(HeadersTooLarge):
        read(*fields, (b"x-0", b"1"))


def test_sixteen_kibibytes_are_the_limit():
    """A header section of 16 KiB as it stands on the wire is read, one byte more is 431."""
    room = MAX_HEADER_BYTES - len("host: de.example\r\n") - len("x: \r\n")

    assert room == len(read(HOST, (b"x", b"a" * room)).headers["x"])
    with pytest.raises(HeadersTooLarge):
        read(HOST, (b"x", b"a" * (room + 1)))


def test_size_is_refused_before_form():
    """The order of section 1: too large before malformed, malformed before encoded."""
    folded, encoded = (b"x", b"a\r\n b"), (b"content-encoding", b"gzip")

    with pytest.raises(HeadersTooLarge):
        read(*[folded] * 65, encoded)
    with pytest.raises(MalformedHeaders):
        read(folded, encoded)


@pytest.mark.parametrize("target", ["", "inbox", "https://de.example/inbox", "*", "/a b", "/a\n", "/ä", "/a#b"])
def test_only_a_path_is_a_target(target):
    """A32: an absolute or unreadable request target is 400."""
    with pytest.raises(MalformedHeaders):
        read(HOST, target=target)


@pytest.mark.parametrize("method", ["", "post", "PO ST", "POST\n", "PÖST"])
def test_only_a_word_in_capitals_is_a_method(method):
    """What is no method is 400."""
    with pytest.raises(MalformedHeaders):
        read(HOST, method=method)


@pytest.mark.parametrize(
    "host",
    ["it.example", "DE.example", "de.example.", "de.example:443", "de.example:8443", "u@de.example", "127.0.0.1", ""],
)
def test_a_message_for_another_host_is_refused(host):
    """A9: any Host but our own, spelled as we spell it, is 421."""
    with pytest.raises(WrongHost):
        require_host(read((b"host", host.encode())))


def test_a_message_without_a_host_is_refused():
    """Without a Host header there is no saying whom it was meant for; with our own there is."""
    with pytest.raises(WrongHost):
        require_host(read())
    assert None is require_host(read(HOST))


def test_the_port_of_our_origin_belongs_to_the_host():
    """An instance on a port of its own is named with it."""
    message = SignedMessage.from_raw("GET", "http://de.localhost:8100", "/", [(b"host", b"de.localhost:8100")])
    other = SignedMessage.from_raw("GET", "http://de.localhost:8100", "/", [(b"host", b"de.localhost")])

    assert None is require_host(message)
    with pytest.raises(WrongHost):
        require_host(other)
