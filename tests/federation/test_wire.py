"""Outbound HTTP against real sockets: what is contacted, what is read, and what ends it."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from pathlib import Path
from socket import AF_INET, IPPROTO_TCP, SOCK_STREAM

import pytest
import trustme

from federation.addresses import may_connect
from federation.allowlist import LocalPolicy
from federation.errors import ForeignOrigin, NotASibling, SiblingBlocked, SiblingPaused, SiblingReadOnly
from federation.ports import Answer
from federation.uri import Uri
from federation.wire import AddressRefused, BadHeader, Deadlines, NotReached, Wire, instance_webfinger
from tests.federation.servers import NOON, Handler, Request, allow, answers, listening, sibling

OWN = "http://fr.localhost:8001"
SHORT = Deadlines(connect=1, fetch=0.3, delivery=0.3, media=0.3, body=0.1)

_REFUSED = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.254 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1
172.31.255.255 192.0.0.1 192.0.0.170 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.7
203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
:: ::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::8.8.8.8 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::1 100::1
2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1::1 2002:808:808::1
3fff::1 fc00::1 fd12:3456::1 fe80::1 fe80::1%eth0 fec0::1 ff02::1 ff0e::1 5f00::1 4000::1 2620:4f:8000::1
2600::1%eth0 127.1 2130706433 0x7f.1 017700000001 localhost
"""
GLOBAL = [
    "8.8.8.8",
    "1.1.1.1",
    "100.63.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "2600::1",
    "2a00:1450:4001::1",
    "2001:4860::8",
]


def _wire(listed: object, origin: str = OWN, **settings: object) -> Wire:
    return Wire(listed, origin, clock=lambda: NOON, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("address", _REFUSED.split())
def test_addresses_inside_somebodys_network_are_refused(address: str) -> None:
    """A63: loopback, private, translated, tunnelled, multicast and numeric forms are never connected."""
    assert not may_connect(address, loopback=False)


def test_no_socket_is_made_for_an_address_that_must_not_be_connected() -> None:
    """A65: the second look is at the address that is connected, whoever handed it out."""
    for address in ("10.0.0.1", "127.0.0.1", "169.254.169.254"):
        with pytest.raises(AddressRefused):
            _wire(allow(), "https://fr.example")._socket((AF_INET, SOCK_STREAM, IPPROTO_TCP, "", (address, 443)))
    with _wire(allow())._socket((AF_INET, SOCK_STREAM, IPPROTO_TCP, "", ("127.0.0.1", 443))) as made:
        assert AF_INET == made.family


@pytest.mark.parametrize("address", GLOBAL)
def test_global_unicast_may_be_connected(address: str) -> None:
    """A sibling on the public network can be reached; from a loopback instance it cannot."""
    assert may_connect(address, loopback=False)
    assert not may_connect(address, loopback=True)


@pytest.mark.parametrize(("address", "expected"), [("127.0.0.1", True), ("::1", True), ("10.0.0.1", False),
                                                   ("::ffff:127.0.0.1", False), ("8.8.8.8", False)])  # fmt: skip
def test_an_instance_on_loopback_reaches_loopback_alone(address: str, expected: bool) -> None:
    """The demo stays on its machine."""
    assert expected is may_connect(address, loopback=True)


async def test_a_delivery_carries_its_headers_and_bytes_unchanged() -> None:
    """What was signed is what is sent, and nothing is added that a sibling must guess about."""
    async with listening(answers(202)) as de:
        wire = _wire(allow(sibling(de.origin)))
        headers = {"Host": de.url("/").authority, "Content-Type": "application/activity+json", "X": "1"}
        answer = await wire.post(de.url("/inbox"), b'{"a":1}', headers)
        await wire.close()
        [request] = de.requests

    assert Answer(202) == answer
    assert ("POST", "/inbox", b'{"a":1}') == (request.method, request.target, request.body)
    assert headers.items() <= {name.title(): value for name, value in request.headers.items()}.items()
    assert "identity" == request.headers["accept-encoding"]
    assert "cookie" not in request.headers
    assert "accept" not in request.headers


@pytest.mark.parametrize(
    ("policy", "refusal"),
    [(LocalPolicy.PAUSE, SiblingPaused), (LocalPolicy.BLOCK, SiblingBlocked), (LocalPolicy.READ_ONLY, SiblingReadOnly)],
)
async def test_what_the_allowlist_closes_is_not_contacted(policy: LocalPolicy, refusal: type[Exception]) -> None:
    """P9: a sibling that is paused, blocked or only read gets no connection for a delivery."""
    async with listening(answers(202)) as de:
        wire = _wire(allow(sibling(de.origin, policy)))
        with pytest.raises(refusal):
            await wire.post(de.url("/inbox"), b"{}", {})
        await wire.close()

    assert 0 == de.connections


async def test_a_stranger_is_not_contacted() -> None:
    """P9: an origin that is not listed gets no connection, whether it is to be read or written to."""
    async with listening(answers(200)) as stranger, listening(answers(200)) as de:
        wire = _wire(allow(sibling(de.origin)))
        with pytest.raises(NotASibling):
            await wire.get(stranger.url("/actor"), {})
        with pytest.raises(NotASibling):
            await wire.post(stranger.url("/inbox"), b"{}", {})
        await wire.close()

    assert 0 == stranger.connections


async def test_a_candidate_is_read_by_its_own_method_alone() -> None:
    """An administrator may look at an instance actor before it is listed; never at our own."""
    async with listening(answers(200, b"{}")) as candidate:
        wire = _wire(allow())
        actor = await wire.get_instance_actor(candidate.url("/actor"), {})
        finger = await wire.get_instance_webfinger(candidate.origin, {})
        with pytest.raises(ForeignOrigin):
            await wire.get_instance_actor(Uri.parse(OWN + "/actor"), {})
        await wire.close()
        targets = [request.target for request in candidate.requests]

    assert (200, 200) == (actor.status, finger.status)
    assert ["/actor", instance_webfinger(candidate.origin).target] == targets


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed(status: int) -> None:
    """A28, A64: neither a reader nor a message goes where an answer points."""
    async with listening(answers(200)) as elsewhere:
        moved = answers(status, headers={"Location": elsewhere.origin + "/actor"})
        async with listening(moved) as de:
            wire = _wire(allow(sibling(de.origin), sibling(elsewhere.origin)))
            read = await wire.get(de.url("/actor"), {})
            sent = await wire.post(de.url("/inbox"), b"{}", {})
            await wire.close()

    assert (status, status) == (read.status, sent.status)
    assert 0 == elsewhere.connections


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 408, 410, 413, 429, 500, 502, 503])
async def test_the_code_of_an_answer_is_read(status: int) -> None:
    """F17: whatever a sibling answers, its status and its code arrive."""
    async with listening(answers(status, b'{"error": "some_code"}', {"Retry-After": "120"})) as de:
        wire = _wire(allow(sibling(de.origin)))
        answer = await wire.post(de.url("/inbox"), b"{}", {})
        await wire.close()

    assert Answer(status, "some_code", 120) == answer


@pytest.mark.parametrize(
    "body",
    [b"", b"<h1>Error</h1>", b"[1]", b'{"error": 5}', b'{"error": "A Sentence"}', b'{"error": "' + b"x" * 2_000 + b'"}',
     b'{"error": "x\\ny"}', b"[" * 1_000],
)  # fmt: skip
async def test_what_is_no_code_is_no_code(body: bytes) -> None:
    """Only a short word in snake_case is shown to an administrator; nothing else of an answer is kept."""
    async with listening(answers(403, body)) as de:
        wire = _wire(allow(sibling(de.origin)))
        answer = await wire.post(de.url("/inbox"), b"{}", {})
        await wire.close()

    assert Answer(403, "") == answer


async def test_retry_after_may_be_a_date() -> None:
    """RFC 9110 section 10.2.3: both forms, and nonsense is none."""
    late = answers(503, headers={"Retry-After": "Mon, 23 Nov 2026 12:02:00 GMT"})
    junk = answers(503, headers={"Retry-After": "soon"})
    async with listening(late) as de, listening(junk) as it:
        wire = _wire(allow(sibling(de.origin), sibling(it.origin)))
        dated = await wire.post(de.url("/inbox"), b"{}", {})
        nonsense = await wire.post(it.url("/inbox"), b"{}", {})
        await wire.close()

    assert 120 == dated.retry_after
    assert nonsense.retry_after is None


async def _hangs(request: Request, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def _drips(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


def _endless(status: int, sent: list[int]) -> Handler:
    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} X\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        while True:
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            await writer.drain()
            sent.append(0x10000)

    return handle


async def _garbage(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
    writer.close()


async def _closes(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.close()


@pytest.mark.parametrize(
    ("handler", "code"),
    [(_hangs, "deadline"), (_drips, "deadline"), (_endless(200, []), "too_large"), (_garbage, "not_http"),
     (_closes, "reset"), (answers(200, gzip.compress(b"x"), {"Content-Encoding": "gzip"}), "encoded"),
     (answers(200, b"", {"Content-Length": "99999999"}), "too_large")],
)  # fmt: skip
async def test_reading_ends(handler: Handler, code: str) -> None:
    """A67, A68, A69: an endless, packed, dripping or silent answer is cut, whatever the sibling would like."""
    async with listening(handler) as de:
        wire = _wire(allow(sibling(de.origin)), deadlines=SHORT)
        with pytest.raises(NotReached) as fault:
            await wire.get(de.url("/actor"), {})
        await wire.close()

    assert code == fault.value.code


async def test_an_answer_may_be_as_long_as_the_limit_and_no_longer() -> None:
    """The limit counts bytes."""
    async with listening(answers(200, b"x" * 100)) as de:
        wire = _wire(allow(sibling(de.origin)))
        whole = await wire.get(de.url("/a"), {}, limit=100)
        with pytest.raises(NotReached, match="too_large"):
            await wire.get(de.url("/a"), {}, limit=99)
        await wire.close()

    assert 100 == len(whole.body)


async def test_a_sibling_that_accepts_and_hangs_is_left_at_the_deadline() -> None:
    """F18: a delivery has a deadline for the whole of it."""
    async with listening(_hangs) as de:
        wire = _wire(allow(sibling(de.origin)), deadlines=SHORT)
        answer = await wire.post(de.url("/inbox"), b"{}", {})
        await wire.close()

    assert Answer(0, "deadline") == answer


async def test_an_endless_202_is_done_and_hardly_read() -> None:
    """F18: the status has decided; of the body no more is read than a code needs."""
    sent: list[int] = []
    async with listening(_endless(202, sent)) as de:
        wire = _wire(allow(sibling(de.origin)))
        answer = await wire.post(de.url("/inbox"), b"{}", {})
        await wire.close()

    assert Answer(202) == answer
    assert sum(sent) < 8 * 1_048_576


async def test_a_dripping_202_is_done() -> None:
    """A sibling that is slow to finish its sentence has taken the message all the same."""

    async def drips(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 202 X\r\nContent-Length: 500\r\n\r\nx")
        await writer.drain()
        await asyncio.Event().wait()

    async with listening(drips) as de:
        wire = _wire(allow(sibling(de.origin)), deadlines=Deadlines(body=0.05))
        answer = await wire.post(de.url("/inbox"), b"{}", {})
        await wire.close()

    assert Answer(202) == answer


async def test_one_connection_serves_many_deliveries() -> None:
    """A kept connection is used again; that is most of what a delivery would cost."""
    async with listening(answers(202)) as de:
        wire = _wire(allow(sibling(de.origin)))
        for _ in range(5):
            await wire.post(de.url("/inbox"), b"{}", {})
        await wire.close()

    assert (1, 5) == (de.connections, len(de.requests))


async def test_a_connection_closed_under_a_delivery_costs_one_more_try() -> None:
    """A kept connection that its server closes at the wrong moment is no fault of the sibling."""
    seen = 0

    async def closes_the_second(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen += 1
        if seen == 2:
            writer.close()
        else:
            await answers(202)(request, writer)

    async with listening(closes_the_second) as de:
        wire = _wire(allow(sibling(de.origin)))
        first = await wire.post(de.url("/inbox"), b"{}", {})
        second = await wire.post(de.url("/inbox"), b"{}", {})
        await wire.close()

    assert (Answer(202), Answer(202)) == (first, second)


async def test_a_closed_port_is_refused() -> None:
    """Nobody listens: the fault has a name."""
    async with listening(answers(202)) as de:
        gone = de.url("/inbox")
    wire = _wire(allow(sibling(gone.origin)))
    answer = await wire.post(gone, b"{}", {})
    await wire.close()

    assert Answer(0, "refused") == answer


@pytest.mark.parametrize("value", ["a\r\nX: 1", "a\nb", "a\0b", "é", "\x7f"])
async def test_a_value_that_breaks_out_of_its_header_is_never_sent(value: str) -> None:
    """A85: CR, LF, NUL and what is not ASCII."""
    async with listening(answers(202)) as de:
        wire = _wire(allow(sibling(de.origin)))
        for headers in ({"X": value}, {value: "x"}):
            with pytest.raises(BadHeader):
                await wire.post(de.url("/inbox"), b"{}", headers)
            with pytest.raises(BadHeader):
                await wire.get(de.url("/actor"), headers)
        await wire.close()

    assert 0 == de.connections


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["10.0.0.1"], ["::ffff:127.0.0.1"], ["169.254.169.254", "::1"]])
async def test_a_name_that_leads_inside_is_not_connected(addresses: list[str]) -> None:
    """A63: an instance on the public network never connects to a loopback or private address."""

    async def resolve(host: str, port: int) -> list[str]:
        return addresses

    async with listening(answers(200), host="sib.localhost") as inside:
        port = inside.url("/").port
        url = Uri.parse(f"https://evil.example:{port}/inbox")
        wire = _wire(allow(sibling(url.origin)), "https://fr.example", resolve=resolve)
        answer = await wire.post(url, b"{}", {})
        await wire.close()

    assert Answer(0, "address_refused") == answer
    assert 0 == inside.connections


async def test_a_name_is_resolved_once_and_connected_as_checked() -> None:
    """A65: a second, different answer of the name server is never asked for."""
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) > 1 else ["10.11.12.13"]

    async with listening(answers(200)) as inside:
        url = Uri.parse(f"https://evil.example:{inside.url('/').port}/inbox")
        wire = _wire(allow(sibling(url.origin)), "https://fr.example", resolve=rebinding)
        answers_seen = [await wire.post(url, b"{}", {}) for _ in range(2)]
        await wire.close()

    assert [Answer(0, "address_refused")] * 2 == answers_seen
    assert 0 == inside.connections


async def test_a_name_without_an_address_is_a_fault_of_dns() -> None:
    """F19: what cannot be resolved is tried again later, with an alarm."""

    async def nothing(host: str, port: int) -> list[str]:
        return []

    wire = _wire(allow(sibling("https://gone.example")), "https://fr.example", resolve=nothing)
    answer = await wire.post(Uri.parse("https://gone.example/inbox"), b"{}", {})
    await wire.close()

    assert Answer(0, "dns") == answer


def _tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


async def test_a_certificate_of_the_extra_authority_is_believed(tmp_path: Path) -> None:
    """An installation may bring an authority of its own."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with listening(answers(202), tls=_tls(authority, "sib.localhost")) as de:
        wire = _wire(allow(sibling(de.origin)), extra_ca=tmp_path / "ca.pem")
        answer = await wire.post(de.url("/inbox"), b"{}", {})
        await wire.close()

    assert Answer(202) == answer


@pytest.mark.parametrize("name", ["other.localhost", ""])
async def test_a_bad_certificate_is_a_fault_and_never_plain(tmp_path: Path, name: str) -> None:
    """F20, A133, A134: wrong name or unknown issuer: nothing is sent, and nothing goes out unencrypted."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    extra = tmp_path / "ca.pem" if name else None
    async with listening(answers(202), tls=_tls(authority, name or "sib.localhost")) as de:
        wire = _wire(allow(sibling(de.origin)), extra_ca=extra)
        answer = await wire.post(de.url("/inbox"), b"{}", {})
        await wire.close()

    assert Answer(0, "tls") == answer
    assert [] == de.requests


async def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable sends our messages through somebody else's hands."""
    async with listening(answers(200)) as proxy, listening(answers(202)) as de:
        monkeypatch.setenv("HTTP_PROXY", proxy.origin)
        monkeypatch.setenv("http_proxy", proxy.origin)
        wire = _wire(allow(sibling(de.origin)))
        answer = await wire.post(de.url("/inbox"), b"{}", {})
        await wire.close()

    assert Answer(202) == answer
    assert 0 == proxy.connections


async def test_cookies_are_not_kept() -> None:
    """A sibling cannot mark us."""
    async with listening(answers(202, headers={"Set-Cookie": "mark=1"})) as de:
        wire = _wire(allow(sibling(de.origin)))
        for _ in range(2):
            await wire.post(de.url("/inbox"), b"{}", {})
        await wire.close()
        marks = [request.headers.get("cookie") for request in de.requests]

    assert [None, None] == marks
