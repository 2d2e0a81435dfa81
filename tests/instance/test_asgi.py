"""The layer in front: every request in its form, whatever server received it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from federation.admission import ReplayMemory, SiblingAdmission
from federation.errors import TooManyRequests, TooSlow
from federation.vocabulary import Follow
from instance.hot import body as bodies
from instance.hot.answers import problem_body
from instance.hot.body import ClientGone
from instance.hot.limits import ClientAddress
from tests.doorway import a_create, an_act, says
from tests.town import MovedClock, Place, refused

HOST = (b"host", b"fr.example")
LENGTH = (b"content-length", b"2")


async def raw(fr: Place, method: str, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes = b"") -> Any:
    """Send exactly these header fields; return status, headers, body."""
    path, _, query = target.partition(b"?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "https",
        "path": path.decode("latin-1"), "raw_path": path, "query_string": query, "root_path": "", "headers": headers,
        "client": ("127.0.0.1", 50_000), "server": ("127.0.0.1", 443), "extensions": {},
    }  # fmt: skip
    sent: list[dict[str, Any]] = []

    parts = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> dict[str, Any]:
        return next(parts, {"type": "http.disconnect"})

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    await fr.app(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(event.get("body", b"") for event in sent[1:])


HOSTILE = {
    "two hosts": ("GET", b"/", [HOST, HOST], 400),
    "another host": ("GET", b"/", [(b"host", b"evil.example")], 421),
    "no host": ("GET", b"/", [], 421),
    "length and chunks": (
        "POST",
        b"/inbox",
        [HOST, (b"content-length", b"2"), (b"transfer-encoding", b"chunked")],
        400,
    ),
    "two lengths": ("POST", b"/inbox", [HOST, LENGTH, (b"content-length", b"3")], 400),
    "absolute target": ("GET", b"http://evil.example/", [HOST], 400),
    "20 kB of headers": ("GET", b"/", [HOST, (b"x", b"a" * 20_000)], 431),
    "too many headers": ("GET", b"/", [HOST, *[(b"x%d" % n, b"") for n in range(70)]], 431),
    "two digests": ("POST", b"/inbox", [HOST, (b"digest", b"a"), (b"digest", b"b")], 400),
    "encoded body": ("POST", b"/inbox", [HOST, (b"content-encoding", b"gzip")], 415),
    "folded": ("GET", b"/", [HOST, (b"x", b"a\r\n b")], 400),
    "trace": ("TRACE", b"/", [HOST], 405),
    "connect": ("CONNECT", b"/", [HOST], 405),
    "delete": ("DELETE", b"/inbox", [HOST], 405),
    "escaped path": ("POST", b"/%69nbox", [HOST], 404),
    "double slash": ("POST", b"//inbox", [HOST], 404),
    "trailing slash": ("POST", b"/inbox/", [HOST], 404),
    "a query": ("POST", b"/inbox?x", [HOST], 404),
    "reading the inbox": ("GET", b"/inbox", [HOST], 405),
    "a doctor's inbox": ("GET", b"/doctors/x/inbox", [HOST, (b"accept", b"application/activity+json")], 405),
    "posting to an outbox": ("POST", b"/doctors/x/outbox", [HOST], 405),
    "a hidden file": ("GET", b"/.git/config", [HOST], 404),
    "traversal": ("GET", b"/static/../../etc/passwd", [HOST], 404),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_requests(fr, name):
    """A32, A34, A83, A121, A122, G4, C1: refused in front of everything, with a neutral banner."""
    method, target, headers, expected = HOSTILE[name]

    status, answer, _ = await raw(fr, method, target, headers)

    assert expected == status
    assert b"esanum" == answer[b"server"]


async def test_a_method_override_changes_nothing(fr):
    """A35: the request line alone says what is asked."""
    status, _, _ = await raw(fr, "POST", b"/inbox", [HOST, (b"x-http-method-override", b"DELETE")])

    assert 415 == status


async def test_a_personal_inbox_is_somebodys(town, fr):
    """404 for nobody's, once the signature holds; 202 for a doctor's."""
    anna, marie = await town["de"].doctor("anna"), await fr.doctor("marie")
    follow = an_act(anna, Follow, object=marie.uri)

    nobody = await says(anna, fr, follow, target="/doctors/nobody/inbox")
    hers = await says(anna, fr, follow, target="/doctors/marie/inbox")

    assert (404, "not_found") == refused(nobody)
    assert 202 == hers.status


async def test_strangers_are_counted_by_address(fr):
    """L: twenty refusals a second, then 429; a second later there is room again."""
    answers = [(await raw(fr, "GET", b"/activities/x", [HOST]))[0] for _ in range(21)]
    fr.network.clock.move(seconds=1)
    later = (await raw(fr, "GET", b"/activities/x", [HOST]))[0]

    assert [401] * 20 + [429] == answers
    assert 401 == later


async def test_a_full_disk_is_503_and_nothing_is_acknowledged(town, fr, monkeypatch):
    """F8: what cannot be committed is not answered with 2xx."""
    from instance.storage.errors import StorageUnavailable

    anna = await town["de"].doctor("anna")
    await says(anna, fr, a_create(anna))

    async def full(*_: Any, **__: Any) -> None:
        raise StorageUnavailable("storage_full")

    monkeypatch.setattr(fr.node.store, "write", full)
    answer = await says(anna, fr, a_create(anna))

    assert (503, "storage_full") == refused(answer)


async def test_the_feed_needs_a_session(fr):
    """`GET /api/feed`: 401 without a cookie, JSON with one."""
    await fr.doctor("marie")
    made = await fr.node.people.sign_in("marie", "a-long-enough-passphrase", "127.0.0.1")

    without, _, _ = await raw(fr, "GET", b"/api/feed", [HOST])
    within, headers, body = await raw(
        fr, "GET", b"/api/feed?tab=all", [HOST, (b"cookie", b"__Host-session=" + made.token.encode())]
    )

    assert (401, 200) == (without, within)
    assert b'{"items":[],"next":""}' == body
    assert b"private, no-store" == headers[b"cache-control"]


async def test_slow_and_vanished_bodies():
    """A71: 408 after the deadline; nobody is answered who has gone."""

    async def never() -> Any:
        await asyncio.Event().wait()

    async def gone() -> Any:
        return {"type": "http.disconnect"}

    with pytest.raises(TooSlow):
        await bodies.read(never, 10, seconds=0.01)
    with pytest.raises(ClientGone):
        await bodies.read(gone, 10)


def test_the_client_address_comes_from_the_socket_or_a_configured_proxy():
    """A111: a forwarded address counts only from a peer we were told to trust, and only its last foreign hop."""
    scope, forged = {"client": ("10.0.0.1", 1)}, {"x-forwarded-for": "6.6.6.6, 192.0.2.7"}

    assert "10.0.0.1" == ClientAddress(())(scope, forged)
    assert "192.0.2.7" == ClientAddress(("10.0.0.0/8",))(scope, forged)


def test_errors_carry_the_code_and_nothing_else():
    """RFC 9457: the same bytes for the same code."""
    assert b'{"error":"not_found","status":404,"title":"Not Found"}' == problem_body(404, "not_found")


async def test_a_siblings_share_is_bounded_and_refills():
    """L, A81: a bucket of rate times span, places for so many, a bounded queue before them."""
    clock = MovedClock()
    admission = SiblingAdmission(clock, rate=2, span=2, in_work=1, waiting=1, penance=0)
    await admission.enter("de")
    second = asyncio.ensure_future(admission.enter("de"))
    await asyncio.sleep(0)

    with pytest.raises(TooManyRequests):
        await admission.enter("de")
    admission.leave("de")
    await second
    admission.leave("de")
    await admission.enter("de")
    with pytest.raises(TooManyRequests):
        await admission.enter("de")
    clock.move(seconds=1)
    admission.leave("de")
    await admission.enter("de")


def test_replays_are_remembered_for_a_quarter_of_an_hour_and_in_bounds():
    """Step 13: fifteen minutes at least, never more than two halves."""
    clock = MovedClock()
    memory = ReplayMemory(clock, most=2)
    memory.remember(b"1" * 32)
    clock.move(minutes=14)

    assert memory.seen(b"1" * 32)
    for key in (b"2", b"3", b"4", b"5"):
        memory.remember(key * 32)
    assert not memory.seen(b"1" * 32)
