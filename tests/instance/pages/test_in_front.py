"""The feed is answered in front of the pages, and nobody can tell."""

from __future__ import annotations

import pytest

from federation.wire import Response
from instance.app import make_app
from tests.town import PASSWORD, Network, call

LIKE_A_BROWSER = {"Host": "fr.example", "Accept": "text/html", "Accept-Language": "de"}


async def both(network: Network, path: str, cookie: str, method: str = "GET") -> tuple[Response, Response]:
    """The answer of the whole application, and that of its pages alone."""
    place = network["fr"]
    headers = LIKE_A_BROWSER | ({"Cookie": cookie} if cookie else {})
    front = await call(place.app, method, path, headers)
    pages = await call(make_app(place.node), method, path, headers)
    front.headers.pop("server")
    return front, pages


async def cookie_of(network: Network, handle: str) -> str:
    """The session of a doctor who has just signed in."""
    signed_in = await network["fr"].node.people.sign_in(handle, PASSWORD, "127.0.0.1")
    return f"__Host-session={signed_in.token}"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "path", ["/feed", "/feed?tab=all&kind=case", "/feed?tab=nothing&before=x&country=..", "/feed?&=&"]
)
async def test_the_feed_in_front_is_the_page(network: Network, path: str, method: str) -> None:
    """Same status, same headers, same bytes, whatever is asked for."""
    marie = await network["fr"].doctor("marie")
    await marie.posts("A made-up case")
    cookie = await cookie_of(network, "marie")

    front, pages = await both(network, path, cookie, method)

    assert 200 == front.status
    assert (pages.status, pages.headers) == (front.status, front.headers)
    assert front.body == (pages.body if method == "GET" else b"")


@pytest.mark.parametrize("cookie", ["", "__Host-session=made-up", "session=made-up"])
async def test_the_feed_in_front_is_closed_to_strangers(network: Network, cookie: str) -> None:
    """Whoever is not signed in is led to the sign-in page, by both."""
    front, pages = await both(network, "/feed", cookie)

    assert 303 == front.status
    assert (pages.headers, pages.body) == (front.headers, front.body)


async def test_the_feed_in_front_is_closed_to_the_suspended(network: Network) -> None:
    """A doctor who may not read is told so by the pages."""
    await network["fr"].doctor("marie")
    cookie = await cookie_of(network, "marie")
    await network["fr"].node.people.suspend("marie", by="test", reason="test")

    front, pages = await both(network, "/feed", cookie)

    assert pages.status == front.status
    assert front.status in (303, 403)


async def test_the_feed_says_once_what_was_done(network: Network) -> None:
    """After an act the pages answer, since they take the note away."""
    await network["fr"].doctor("marie")
    cookie = f"{await cookie_of(network, 'marie')}; __Host-done=published."

    front, _ = await both(network, "/feed", cookie)

    assert "__Host-done=;" in front.headers["set-cookie"]
