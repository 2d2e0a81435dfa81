"""Messages on devices, against a push service on this machine that opens them: what they say, where they go, and when not."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import http_ece  # type: ignore[import-untyped]
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02  # type: ignore[import-untyped]

from federation.uri import Uri
from federation.wire import Wire, is_push_service
from instance import kek
from instance.config import PUSH_HOSTS, BadConfig, read
from instance.services import departed, notice_wishes, push
from instance.services.errors import Rejected
from instance.services.notice_wishes import Wishes
from instance.services.telling import PUSH_AGAIN, PUSH_GIVEN_UP
from tests.instance.test_telling import EVERYTHING, SECRETS, TITLE, WORDS, put
from tests.tools.ports import free_ports
from tests.town import PASSWORD, Network, Person, Place, rows


def text(raw: bytes) -> str:
    """As browsers write it."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass
class Browser:
    """One that has agreed to messages."""

    endpoint: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    secret: bytes = field(default_factory=lambda: os.urandom(16))

    @property
    def public(self) -> str:
        """What it tells a site."""
        return text(self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

    def reads(self, body: bytes) -> Any:
        """What a message says."""
        plain = http_ece.decrypt(body, private_key=self.key, auth_secret=self.secret, version="aes128gcm")
        return json.loads(plain)


@dataclass
class Service:
    """A push service: what it was brought, and what it answers."""

    port: int = 0
    status: int = 201
    brought: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    #: What it does not take now.
    away: set[str] = field(default_factory=set)

    async def take(self, request: web.Request) -> web.Response:
        """Take one."""
        self.brought.append((request.path, dict(request.headers), await request.read()))
        return web.Response(status=503 if request.path in self.away else self.status)

    @property
    def address(self) -> str:
        """Its own."""
        return f"http://localhost:{self.port}"


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """On loopback."""
    made = Service(free_ports(1)[0])
    app = web.Application()
    app.router.add_post("/{tail:.*}", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "localhost", made.port).start()
    yield made
    await runner.cleanup()


@pytest.fixture
async def fr(tmp_path) -> AsyncIterator[Place]:
    """An instance on loopback, which knows that service alone, and speaks to it over sockets."""
    network = await Network.open(tmp_path)
    place = await network.add(
        tmp_path, "fr", language="en", origin="http://fr.localhost:8001", push_hosts=["localhost"]
    )
    await place.node.wire.close()
    place.node.wire = Wire(
        place.node.allowlist, place.node.origin, clock=network.clock, push_hosts=place.node.config.push_hosts
    )
    yield place
    await network.close()


async def on(place: Place, service: Service, handle: str = "marie") -> tuple[Person, Browser, Any]:
    """A doctor whose device takes messages; the device, and its session."""
    person = await place.doctor(handle)
    await notice_wishes.keep(place.node, person.uri, "FR", Wishes(EVERYTHING))
    browser, session = Browser(f"{service.address}/to/{handle}"), await entered(place, handle)
    await place.node.push.turn_on(session, browser.endpoint, browser.public, text(browser.secret))
    return person, browser, session


async def entered(place: Place, handle: str) -> Any:
    """A new session."""
    token = (await place.node.people.sign_in(handle, PASSWORD, "")).token
    found = await place.node.people.session(token)
    assert found is not None
    return found


async def answered(place: Place, marie: Person) -> None:
    """Anna answers a case of hers."""
    anna, slug = await place.doctor("anna"), await marie.posts(TITLE, text=WORDS)
    await anna.comments(f"{place.node.origin}/posts/{slug}", WORDS)


async def test_a_message_says_that_there_is_news_and_how_much(fr, service):
    """Encrypted for the one browser, signed by the instance, padded; no name, no title, no word."""
    marie, browser, _ = await on(fr, service)
    await answered(fr, marie)
    await fr.node.telling.tell_due()
    ((path, headers, body),) = service.brought
    said = browser.reads(body)
    claims = json.loads(base64.urlsafe_b64decode(headers["Authorization"].split(".")[1] + "=="))

    assert "/to/marie" == path
    assert {"title": "News for you on Instance fr", "body": "1 answer to you", "lang": "en"} == said
    assert Vapid02.verify(headers["Authorization"])
    assert f"k={await fr.node.push.public_key()}" in headers["Authorization"]
    assert service.address == claims["aud"]
    assert timedelta(hours=24) >= timedelta(seconds=claims["exp"] - fr.network.clock().timestamp())
    assert ("aes128gcm", "86400") == (headers["Content-Encoding"], headers["TTL"])
    assert [] == [word for word in SECRETS if word in json.dumps(said) + str(headers) + str(body)]
    assert [] == await rows(fr.node, "select way from notice_due where way = 'push'")


async def test_messages_are_of_one_length(fr, service):
    """However much there is to say, and in whatever language."""
    counts = [{}, dict.fromkeys(notice_wishes.GROUPS, 50)]

    assert {push.PADDED} == {
        len(fr.node.push._text(each, language)) for each in counts for language in ("en", "de", "fr")
    }


async def test_what_somebody_else_may_not_see_is_no_message(fr, service):
    """Whoever was blocked meanwhile, and whatever was read, is in none."""
    marie, _, _ = await on(fr, service)
    await answered(fr, marie)
    await fr.node.follows.block(marie.uri, "anna")
    await fr.node.telling.tell_due()

    assert [] == service.brought
    assert [] == await rows(fr.node, "select way from notice_due where way = 'push'")


@pytest.mark.parametrize("status", [404, 410])
async def test_a_device_that_is_gone_is_forgotten(fr, service, status):
    """The service says so; nothing is sent there again."""
    marie, _, _ = await on(fr, service)
    service.status = status
    await answered(fr, marie)
    await fr.node.telling.tell_due()

    assert 1 == len(service.brought)
    assert [] == await rows(fr.node, "select id from push_devices")


async def test_a_service_that_is_away_is_asked_again_for_a_day(fr, service):
    """And the message is told once it is back; one that stays away is given up."""
    marie, _, _ = await on(fr, service)
    service.status = 503
    await answered(fr, marie)
    await fr.node.telling.tell_due()
    await fr.node.telling.tell_due()
    first = len(service.brought)
    fr.network.clock.move(seconds=PUSH_AGAIN.total_seconds() + 60)
    await fr.node.telling.tell_due()
    second = len(service.brought)
    fr.network.clock.move(seconds=PUSH_GIVEN_UP.total_seconds())
    await fr.node.telling.tell_due()
    left = await rows(fr.node, "select way from notice_due where way = 'push'")

    assert (1, 2) == (first, second)
    assert [] == left
    assert 1 == len(await rows(fr.node, "select id from push_devices"))


async def test_a_device_that_was_reached_is_not_told_twice(fr, service):
    """While another's service is away, it hears of what is new, and of nothing it has shown."""
    marie, _, _ = await on(fr, service)
    other = Browser(f"{service.address}/to/away")
    await fr.node.push.turn_on(await entered(fr, "marie"), other.endpoint, other.public, text(other.secret))
    service.away = {"/to/away"}
    await answered(fr, marie)
    await fr.node.telling.tell_due()
    fr.network.clock.move(seconds=PUSH_AGAIN.total_seconds() + 60)
    await fr.node.telling.tell_due()
    service.away = set()
    fr.network.clock.move(seconds=PUSH_AGAIN.total_seconds() + 60)
    await fr.node.telling.tell_due()
    await fr.node.telling.tell_due()

    assert ["/to/away", "/to/away", "/to/away", "/to/marie"] == sorted(path for path, _, _ in service.brought)
    assert [] == await rows(fr.node, "select way from notice_due where way = 'push'")


@pytest.mark.parametrize("way", ["signed out", "turned off", "password changed", "left"])
async def test_a_device_goes_with_its_session(fr, service, way):
    """Whoever has signed out there is told nothing there."""
    marie, _, session = await on(fr, service)
    if way == "signed out":
        token = (await fr.node.people.sign_in("marie", PASSWORD, "")).token
        other = await fr.node.people.session(token)
        await fr.node.push.turn_on(other, f"{service.address}/to/other", Browser("").public, text(os.urandom(16)))
        await fr.node.people.sign_out(token)
        kept = 1
    elif way == "turned off":
        await fr.node.push.turn_off(session)
        kept = 0
    elif way == "password changed":
        await fr.node.people.change_password(session.account_id, PASSWORD, "another-long-passphrase")
        kept = 0
    else:
        for query in departed._PARTS:
            await fr.node.store.write(lambda tx, query=query: tx.run(query, account=session.account_id))
        kept = 0
        assert [] == await rows(fr.node, "select doctor from notice_ways union select doctor from notice_wishes")

    assert kept == len(await rows(fr.node, "select id from push_devices"))
    assert marie.uri


async def test_a_device_stays_with_a_session_under_another_token(fr, service):
    """Whoever shows a password or a factor goes on under a new token, on the same device."""
    _, _, session = await on(fr, service)
    renewed = {"token": session.key, "new": b"n" * 32, "now": int(fr.network.clock().timestamp() * 1000)}
    await fr.node.store.write(lambda tx: tx.run("sessions.show_password", **renewed))

    assert [b"n" * 32] == [bytes(row["session"]) for row in await rows(fr.node, "select session from push_devices")]


@pytest.mark.parametrize(
    "changed",
    [
        {"endpoint": "http://127.0.0.1:9/x"},
        {"endpoint": "https://push.elsewhere.example/x"},
        {"endpoint": "http://fr.localhost:8001/inbox"},
        {"endpoint": ""},
        {"key": text(b"\x04" + b"\x01" * 64)},
        {"key": "?"},
        {"secret": text(b"short")},
    ],
)
async def test_no_other_address_and_no_broken_key_is_kept(fr, service, changed):
    """Whatever a form says: messages go to the services on the list, and to browsers that can read them."""
    await fr.doctor("marie")
    browser, session = Browser(f"{service.address}/x"), await entered(fr, "marie")
    given = {"endpoint": browser.endpoint, "key": browser.public, "secret": text(browser.secret), **changed}
    with pytest.raises(Rejected, match="push_not_possible"):
        await fr.node.push.turn_on(session, given["endpoint"], given["key"], given["secret"])

    assert [] == await rows(fr.node, "select id from push_devices")


async def test_a_narrower_list_is_kept_to_at_once(fr, service):
    """A device that was let in under another list is told nothing, and forgotten."""
    marie, _, _ = await on(fr, service)
    await put(fr, "update push_devices set endpoint = 'https://fcm.googleapis.com/fcm/send/abc'")
    await answered(fr, marie)
    await fr.node.telling.tell_due()

    assert [] == service.brought
    assert [] == await rows(fr.node, "select id from push_devices")


@pytest.mark.parametrize(
    ("address", "known"),
    [
        ("https://fcm.googleapis.com/fcm/send/abc:DEF-_", True),
        ("https://updates.push.services.mozilla.com/wpush/v2/gAAA", True),
        ("https://web.push.apple.com/QKx", True),
        ("https://wns2-par02p.notify.windows.com/w/?token=BQY%2BA", True),
        ("https://fcm.googleapis.com:8443/fcm", False),
        ("https://notify.windows.com/w", False),
        ("https://fcm.googleapis.com.elsewhere.example/", False),
        ("https://evilnotify.windows.com/w", False),
    ],
)
def test_the_list_names_the_services_of_browsers(address, known):
    """Exact names, or whatever is under one; the usual port alone."""
    assert known is is_push_service(Uri.parse(address), PUSH_HOSTS)


@pytest.mark.parametrize("hosts", ["fcm.googleapis.com", ["*"], ["HTTPS://x"], ["a b"], [1]])
def test_a_list_that_is_none_is_refused(tmp_path, hosts):
    """With a sentence that names it."""
    with pytest.raises(BadConfig, match="push_hosts"):
        read({"origin": "https://fr.example", "country": "FR", "name": "F", "push_hosts": hosts}, tmp_path)


async def test_the_pair_is_sealed_and_changes_keys_with_the_others(fr, service):
    """It lies in no row in plain, and survives the rotation of the key-encryption key."""
    public = await fr.node.push.public_key()
    sealed = bytes((await rows(fr.node, "select private from push_keys"))[0]["private"])
    await kek.KekRotation(fr.node).run()
    fresh = push.Push(fr.node)

    assert sealed != bytes((await rows(fr.node, "select private from push_keys"))[0]["private"])
    assert public == await fresh.public_key()
