"""The form of requests (security: the HTTP server), at every server: refused cleanly, nothing kept, nobody hurt."""

from __future__ import annotations

import json

import pytest

from federation.signatures import Profile
from tests.bench.letters import creates
from tests.servers.conftest import Door
from tests.servers.raw import Reply, request, send

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("servers")]
TYPE = "Content-Type: application/activity+json"


async def test_a_signed_message_is_taken(door: Door) -> None:
    """The twin of all that is refused here: a well-formed signed Create is kept, over each server and profile."""
    for profile in Profile:
        letters = creates(door.ground, door.ground.authors["de"], 1, profile)
        before = door.kept()
        reply = await send(door.port, letters.requests[0], wait=0)

        assert 202 == reply.status, reply.raw
        assert before + 1 == door.kept()


async def _refused(door: Door, raw: bytes, *statuses: int) -> Reply:
    before = door.kept()
    reply = await send(door.port, raw, wait=0)

    assert reply.status in statuses, reply.raw[:500]
    assert all(status < 500 or status == 501 for status in reply.statuses)
    assert before == door.kept()
    assert await door.answers()
    return reply


@pytest.mark.parametrize(
    "headers",
    [
        ("Content-Length: 2", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 2"),
        ("Content-Length: 2", "Content-Length: 3"),
        ("Content-Length: 2, 3",),
        ("Content-Length: +2",),
        ("Content-Length: -1",),
        ("Content-Length: 0x2",),
        ("Content-Length: 2", "Transfer-Encoding: identity"),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding : chunked",),
        ("Transfer-Encoding:\x0bchunked",),
        ("Content-Length: 2", "X: a\x00b"),
        ("Digest: a", " folded: b", "Content-Length: 2"),
        ("Content-Length : 2",),
    ],
    ids=str,
)
async def test_framing_that_could_be_read_in_two_ways_is_refused(door: Door, headers: tuple[str, ...]) -> None:
    """A83: refused and closed; what follows on the connection is never answered as a request of its own."""
    smuggled = b"0\r\n\r\nGET /actor HTTP/1.1\r\nHost: " + door.host.encode() + b"\r\n\r\n"
    reply = await _refused(door, request("POST", "/inbox", door.host, (TYPE, *headers), smuggled), 400, 401, 415, 501)

    assert 200 not in reply.statuses
    assert reply.closed


async def test_a_bad_chunk_is_refused(door: Door) -> None:
    """A83: a chunk whose size is not a number, or longer than it says."""
    for body in (
        b"zz\r\n{}\r\n0\r\n\r\n",
        b"1\r\n{}\r\n0\r\n\r\n",
        b"-1\r\n{}\r\n0\r\n\r\n",
        b"2;\x00\r\n{}\r\n0\r\n\r\n",
    ):
        letter = creates(door.ground, door.ground.authors["de"], 1, Profile.CAVAGE).requests[0]
        head = letter.partition(b"\r\n\r\n")[0]
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
        raw = b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", b""]) + body
        reply = await _refused(door, raw, 0, 400, 401)

        assert 202 not in reply.statuses


async def test_signed_chunks_are_taken_or_refused_by_name(door: Door) -> None:
    """Chunks alone are well-formed HTTP: taken, but for granian, which hides what stands beside them."""
    letter = creates(door.ground, door.ground.authors["de"], 1, Profile.CAVAGE).requests[0]
    head, _, body = letter.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    reply = await send(door.port, b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", b""]) + chunks, wait=0)

    assert (400 if door.server == "granian" else 202) == reply.status


@pytest.mark.parametrize(
    ("host", "more", "statuses"),
    [
        ("fr.localhost:1", (), (421,)),
        ("evil.example", (), (421,)),
        ("FR.LOCALHOST", (), (421,)),
        ("", (), (400, 421)),
        ("evil.example", ("X-Forwarded-Host: fr.localhost",), (421,)),
        ("user@fr.localhost", (), (400, 421)),
        ("fr.localhost/", (), (400, 421)),
    ],
)
async def test_another_host_is_refused(door: Door, host: str, more: tuple[str, ...], statuses: tuple[int, ...]) -> None:
    """A32: a forged, missing or odd Host is refused, and never reflected."""
    for target in ("/actor", "/", "/sign-in"):
        reply = await _refused(door, request("GET", target, host, (*more, "Connection: close")), *statuses)

        assert b"evil" not in reply.raw


async def test_a_second_host_is_refused(door: Door) -> None:
    """A32: two Host headers, one of them ours."""
    for second in (door.host, "evil.example"):
        await _refused(door, request("GET", "/actor", door.host, (f"Host: {second}", "Connection: close")), 400)


async def test_a_forwarded_host_is_not_believed(door: Door) -> None:
    """A32: X-Forwarded-Host and Forwarded change nothing."""
    headers = ("X-Forwarded-Host: evil.example", "Forwarded: host=evil.example;proto=https", "X-Forwarded-Proto: https")
    for target in ("/actor", "/", "/sign-in"):
        reply = await door.asks("GET", target, *headers, "Connection: close")

        assert 200 == reply.status
        assert b"evil" not in reply.raw


async def test_an_absolute_target_is_never_another_host(door: Door) -> None:
    """A32: an absolute request target is refused, or (uvicorn and granian strip it) its path read; Host decides."""
    for target in (f"http://{door.host}/actor", "http://evil.example/actor", "//evil.example/actor"):
        reply = await door.asks("GET", target, "Connection: close")

        assert reply.status in (200, 400, 404, 421)
        assert b"evil" not in reply.raw
        assert door.server != "hypercorn" or reply.status in (400, 404)


async def test_the_asterisk_and_a_missing_slash_are_refused(door: Door) -> None:
    """A34: targets that are no path."""
    for method, target in (("OPTIONS", "*"), ("GET", "*"), ("GET", "actor"), ("CONNECT", "fr.localhost:80")):
        await _refused(door, request(method, target, door.host, ("Connection: close",)), 0, 400, 404, 405)


@pytest.mark.parametrize(
    "target", ["/inbox?x", "/inbox?", "//inbox", "/%69nbox", "/inbox/", "/INBOX", "/./inbox", "/x/../inbox", "/inbox;a"]
)
async def test_a_variant_of_the_inbox_is_no_inbox(door: Door, target: str) -> None:
    """A34, A8: other spellings of an address lead nowhere, though the message is signed for the true one."""
    letter = creates(door.ground, door.ground.authors["de"], 1, Profile.CAVAGE).requests[0]
    raw = letter.replace(b"POST /inbox HTTP", f"POST {target} HTTP".encode())

    if target == "/inbox?":
        # An empty query is no query to any of the servers; whether it is kept depends on nothing but the signature.
        reply = await send(door.port, raw, wait=0)
        assert reply.status in (202, 401, 404)
    else:
        await _refused(door, raw, 400, 401, 403, 404, 405)


async def test_methods_we_do_not_speak_are_refused(door: Door) -> None:
    """A121: TRACE, PUT and the like get 405, without a body of theirs and without CORS."""
    for method in ("TRACE", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"):
        for target in ("/actor", "/inbox", "/", "/feed"):
            probing = ("Origin: https://evil.example", "Access-Control-Request-Method: POST", "Connection: close")
            reply = await door.asks(method, target, *probing)

            assert reply.status in (400, 405), (method, target, reply.raw[:300])
            assert b"access-control" not in reply.raw.lower()
            assert b"evil" not in reply.raw


async def test_method_overrides_are_ignored(door: Door) -> None:
    """A36: a header that wants another method is not heard."""
    for header in ("X-HTTP-Method-Override: DELETE", "X-Method-Override: POST", "X-HTTP-Method: PUT"):
        reply = await door.asks("GET", "/actor", header, "Connection: close")

        assert 200 == reply.status


async def test_paths_that_probe_find_nothing(door: Door) -> None:
    """A122: files, listings, traversal."""
    targets = (
        "/.git/config", "/.env", "/static/", "/static/../esanum.toml", "/static/%2e%2e/esanum.toml",
        "/static/..%2f..%2fesanum.toml", "/static/%2e%2e%2f%2e%2e%2fesanum.db", "/../../etc/passwd", "/static//etc/passwd",
        "/metrics", "/health", "/static/app.css%00.png", "/..%5c..%5cesanum.toml", "/debug", "/server-status",
    )  # fmt: skip
    for target in targets:
        reply = await door.asks("GET", target, "Connection: close")

        assert reply.status in (303, 308, 400, 404), (target, reply.status)
        assert b"rsa_bits" not in reply.raw
        assert b"root:" not in reply.raw


async def test_headers_that_are_too_many_or_too_long_are_refused(door: Door) -> None:
    """Limits: more than 16 KiB or 64 fields of headers."""
    many = tuple(f"X-{number}: a" for number in range(70))
    for headers in (("X: " + "a" * 20_000,), many, tuple(f"X-{number}: {'a' * 1_000}" for number in range(20))):
        await _refused(door, request("GET", "/actor", door.host, (*headers, "Connection: close")), 431, 400)
    await _refused(door, request("GET", "/" + "a" * 70_000, door.host, ("Connection: close",)), 0, 400, 404, 414, 431)


@pytest.mark.parametrize("name", ["Digest", "Date", "Content-Type", "Signature", "Content-Digest", "Signature-Input"])
async def test_a_header_that_must_be_single_is_refused_twice(door: Door, name: str) -> None:
    """A19: doubled fields on which a decision rests."""
    letter = creates(door.ground, door.ground.authors["de"], 1, Profile.CAVAGE).requests[0]
    raw = letter.replace(b"\r\n\r\n", f"\r\n{name}: a\r\n{name}: b\r\n\r\n".encode(), 1)

    await _refused(door, raw, 400)


async def test_headers_that_are_not_ascii_are_refused(door: Door) -> None:
    """Section 1, step 2: ASCII alone."""
    for value in ("é", "\x7f", "a\x01b"):
        await _refused(door, request("GET", "/actor", door.host, (f"X: {value}", "Connection: close")), 0, 400)


async def test_an_encoded_body_is_refused(door: Door) -> None:
    """A68: no Content-Encoding, whatever is in it."""
    letter = creates(door.ground, door.ground.authors["de"], 1, Profile.CAVAGE).requests[0]
    await _refused(door, letter.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n", 1), 415)


async def test_garbage_is_no_request(door: Door) -> None:
    """What is no HTTP at all is refused or closed, and others are served."""
    for raw in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), b"\r\n" * 200, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
        b"GET /actor\r\n\r\n", b"\x00" * 100, b"GET  /actor HTTP/1.1\r\n\r\n", b"get /actor HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(200),
    ):  # fmt: skip
        reply = await send(door.port, raw, wait=0.3)

        assert all(status < 500 or status == 505 for status in reply.statuses), raw
        assert 200 not in reply.statuses
        assert await door.answers()


async def test_the_banner_is_neutral_and_every_answer_is_dressed(door: Door) -> None:
    """A118, A119: no server or version is named; the security headers stand on pages, documents and refusals."""
    for method, target, headers in (
        ("GET", "/", ()), ("GET", "/actor", ()), ("GET", "/nowhere", ()), ("POST", "/inbox", (TYPE, "Content-Length: 0")),
        ("GET", "/feed", ()), ("TRACE", "/", ()), ("GET", "/sign-in", ()), ("GET", "/inbox", ()),
        ("POST", "/sign-in", ("Content-Length: 0",)),
    ):  # fmt: skip
        reply = await door.asks(method, target, *headers, "Connection: close")

        found = reply.headers
        assert found.get("server") == "esanum", (method, target, reply.raw[:400])
        assert not any(
            word in reply.raw.lower() for word in (b"hypercorn", b"uvicorn", b"granian", b"quart", b"python")
        )
        assert "nosniff" == found["x-content-type-options"]
        assert "no-referrer" == found["referrer-policy"]
        assert "same-origin" == found["cross-origin-opener-policy"]
        assert "same-origin" == found["cross-origin-resource-policy"]
        assert "noindex" == found["x-robots-tag"]
        assert found["content-security-policy"].startswith("default-src 'none'")
        assert "camera=()" in found["permissions-policy"]
        assert "private, no-store" == found["cache-control"]
        assert "x-powered-by" not in found


async def test_a_stranger_learns_only_the_code(door: Door) -> None:
    """An unsigned message: 401, the code, nothing else."""
    reply = await door.asks("POST", "/inbox", TYPE, "Content-Length: 2", "Connection: close", body=b"{}")

    assert 401 == reply.status
    assert {"error": "not_signed", "status": 401, "title": "Unauthorized"} == json.loads(reply.body)


async def test_pipelined_requests_are_answered_in_order(door: Door) -> None:
    """Two requests in one packet: two answers, in order."""
    two = request("GET", "/actor", door.host) + request("GET", "/nodeinfo/2.1", door.host, ("Connection: close",))
    reply = await send(door.port, two, wait=0)

    assert [200, 200] == reply.statuses
    assert reply.raw.index(b"publicKey") < reply.raw.index(b"openRegistrations")
