"""The feed is answered in front of the pages, and nobody can tell."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from instance.storage.errors import StorageUnavailable
from tests.ready import pages_of
from tests.town import PASSWORD, Network, call, rows

Pairs = list[tuple[str, str]]
BROWSER: Pairs = [("Host", "fr.example"), ("Accept", "text/html"), ("Accept-Language", "de")]
SESSION = "__Host-session"


@dataclass(frozen=True)
class Answer:
    """What came back, header for header."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def __getitem__(self, name: str) -> str:
        return dict(self.headers)[name]


async def ask(app: Any, path: str, headers: Pairs, method: str = "GET") -> Answer:
    """Send one request; the banner is left out, which is put on by whatever stands in front."""
    kept: list[tuple[str, str]] = []

    async def seen(scope: Any, receive: Any, send: Any) -> None:
        async def keep(event: Any) -> None:
            if event["type"] == "http.response.start":
                kept.extend((name.decode().lower(), value.decode()) for name, value in event["headers"])
            await send(event)

        await app(scope, receive, keep)

    answer = await call(seen, method, path, headers)
    return Answer(answer.status, sorted(pair for pair in kept if pair[0] != "server"), answer.body)


async def both(network: Network, path: str, *headers: tuple[str, str], method: str = "GET") -> tuple[Answer, Answer]:
    """The answer of the whole application, and that of its pages alone."""
    place, sent = network["fr"], [*BROWSER, *headers]
    front = await ask(place.app, path, sent, method)
    return front, await ask(pages_of(place.node), path, sent, method)


async def token_of(network: Network, handle: str) -> str:
    """The session of a doctor who has just signed in."""
    return (await network["fr"].node.people.sign_in(handle, PASSWORD, "127.0.0.1")).token


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    """France alone."""
    opened = await Network.open(tmp_path, "fr")
    yield opened
    await opened.close()


@pytest.fixture
async def marie(network: Network) -> str:
    """A doctor with a post in the feed; the value of her session's cookie."""
    await (await network["fr"].doctor("marie")).posts("A made-up case")
    return await token_of(network, "marie")


PATHS = [
    "/feed",
    "/feed?tab=all&kind=case",
    "/feed?tab=nothing&before=x&country=..",
    "/feed?&=&",
    "/feed?tab=&tab=all",
    "/feed?tab=all&kind=&kind=news",
    "/feed?tab=all&tab=colleagues",
    "/feed?tab=all;kind=news",
    "/feed?tab=%61ll&kind=c%61se",
    "/feed?tab=all&country=%FF&before=%00",
    "/feed?tab=%F0%9F%92%A9&before=99999999999999999999-x",
    "/feed?before=%C2%B2-x&tab=all",
    "/feed?tab=questions",
    "/feed?tab=questions&before=2.1764000000000-A",
    "/feed?tab=questions&after=3.1-A&specialty=cardiology&solved=no",
    "/feed?tab=all&after=1-A&before=4.1-A",
    "/feed?specialty=nothing&solved=maybe&after=%00",
    "/feed?tab",
    "/feed?" + "&".join(f"n{number}=x" for number in range(40)) + "&tab=all",
    "/feed?tab=all&x=" + "a" * 3000,
]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_feed_in_front_is_the_page(network: Network, marie: str, method: str) -> None:
    """Same status, same headers, same bytes, whatever is asked for."""
    asked = [await both(network, path, ("Cookie", f"{SESSION}={marie}"), method=method) for path in PATHS]

    assert {200} == {front.status for front, _ in asked}
    for path, (front, pages) in zip(PATHS, asked, strict=True):
        assert (path, pages.headers) == (path, front.headers)
        assert front.body == (pages.body if method == "GET" else b"")


async def test_the_feed_in_front_wears_what_every_page_wears(network: Network, marie: str) -> None:
    """Each header of another page, once, byte for byte; only the lengths differ."""
    cookie = ("Cookie", f"{SESSION}={marie}")
    front, _ = await both(network, "/feed", cookie)
    _, other = await both(network, "/notices", cookie)

    def without_length(answer: Answer) -> list[tuple[str, str]]:
        return [pair for pair in answer.headers if pair[0] != "content-length"]

    assert without_length(other) == without_length(front)
    assert len(front.headers) == len(dict(front.headers))
    assert str(len(front.body)) == front["content-length"]


COOKIES = {
    "plain": [f"{SESSION}=TOKEN"],
    "among others": [f"a=b; {SESSION}=TOKEN; {SESSION}2=x"],
    "in two fields": ["__Host-language=fr", f"{SESSION}=TOKEN"],
    "spaces": [f"  {SESSION} = TOKEN ;__Host-language= fr"],
    "quoted": [f'{SESSION}="TOKEN"; __Host-language="fr"'],
    "escaped": [rf'{SESSION}=TOKEN; __Host-language="\146r"'],
    "an open quote": [f'__Host-language="fr; {SESSION}=TOKEN'],
    "the first counts": [f"{SESSION}=TOKEN; {SESSION}=x; __Host-language=fr; __Host-language=en"],
    "the second is none": [f"{SESSION}=x; {SESSION}=TOKEN"],
    "no value": [f"{SESSION}; {SESSION}=TOKEN"],
    "junk": [f"=;;=x; ,{SESSION}=x; {SESSION}=TOKEN"],
    "a language that is none": [f"{SESSION}=TOKEN; __Host-language=xx"],
    "without the prefix": ["session=TOKEN"],
    "a longer name": [f"x{SESSION}=TOKEN"],
    "made up": [f"{SESSION}=made-up"],
    "not a token": [f"{SESSION}=" + "é".encode().hex() + "%00"],
    "empty": [f"{SESSION}="],
    "none": [],
}


async def test_cookies_are_read_alike(network: Network, marie: str) -> None:
    """However a cookie is spelled, both find the same session and language; a session's token alone opens the feed."""
    closed = set()
    for name, cookies in COOKIES.items():
        sent = [("Cookie", value.replace("TOKEN", marie)) for value in cookies]
        front, pages = await both(network, "/feed", *sent)
        closed |= {name} if front.status == 303 else set()

        assert (name, pages) == (name, front)
        assert front.status in (200, 303)
    assert {
        *("the second is none", "no value", "without the prefix", "a longer name"),
        *("made up", "not a token", "empty", "none"),
    } == closed


@pytest.mark.parametrize(
    ("account", "cookie", "browser", "expected"),
    [
        ("fr", "de", ["en"], "fr"),
        ("", "fr", ["de"], "fr"),
        ("", "xx", ["fr;q=0.5, de;q=0.9"], "de"),
        ("", "", ["it", "fr"], "fr"),
        ("", "", ["it", "es"], "en"),
        ("", "", [], "en"),
    ],
)
async def test_the_language_is_chosen_alike(
    network: Network, marie: str, account: str, cookie: str, browser: list[str], expected: str
) -> None:
    """The account's, else the device's, else the browser's, else the instance's."""
    place = network["fr"]
    session = await place.node.people.session(marie)
    assert session is not None
    await place.node.people.set_preferences(session.account_id, account, "")
    headers = [("Host", "fr.example"), ("Cookie", f"{SESSION}={marie}; __Host-language={cookie}")]
    headers += [("Accept-Language", value) for value in browser]

    front, pages = [await ask(app, "/feed", headers) for app in (place.app, pages_of(place.node))]

    assert pages == front
    assert (200, expected) == (front.status, front["content-language"])
    assert f'<html lang="{expected}"'.encode() in front.body


@pytest.mark.parametrize("appearance", ["", "auto", "light", "dark"])
async def test_the_appearance_is_the_one_chosen(network: Network, marie: str, appearance: str) -> None:
    """Light or dark where the doctor said so, else what the device prefers."""
    session = await network["fr"].node.people.session(marie)
    assert session is not None
    await network["fr"].node.people.set_preferences(session.account_id, "en", appearance)

    front, pages = await both(network, "/feed", ("Cookie", f"{SESSION}={marie}"))
    said = re.findall(rb'<html lang="en"(?: data-appearance="(\w+)")?>', front.body)

    assert pages == front
    assert [appearance.encode() if appearance in ("light", "dark") else b""] == said


@pytest.mark.parametrize("size", [100, 150])
async def test_the_size_of_text_is_the_one_chosen(network: Network, marie: str, size: int) -> None:
    """Large where the doctor said so; the twin, the usual size, is said by nothing."""
    session = await network["fr"].node.people.session(marie)
    assert session is not None
    await network["fr"].node.people.set_preferences(session.account_id, "en", "dark", look=(size, ("it",)))

    front, pages = await both(network, "/feed", ("Cookie", f"{SESSION}={marie}"))
    said = re.findall(rb'<html lang="en" data-appearance="dark"(?: data-text="(\d+)")?>', front.body)

    assert pages == front
    assert [b"" if size == 100 else b"150"] == said
    assert b'<option value="it"' == re.findall(rb'<option value="\w\w"', front.body.partition(b'id="language"')[2])[0]


async def test_forms_on_the_feed_carry_the_sessions_token(network: Network, marie: str) -> None:
    """What stands on the page opens its forms; the twin, another token, does not."""
    front, _ = await both(network, "/feed", ("Cookie", f"{SESSION}={marie}"))
    tokens = re.findall(rb'name="csrf" value="([^"]+)"', front.body)
    answers = []
    for token in (tokens[0].decode(), "another"):
        form = urlencode({"csrf": token, "language": "fr", "back": "/feed"}).encode()
        headers = {
            "Host": "fr.example", "Cookie": f"{SESSION}={marie}", "Sec-Fetch-Site": "same-origin",
            "Content-Type": "application/x-www-form-urlencoded",
        }  # fmt: skip
        answers.append((await call(network["fr"].app, "POST", "/language", headers, form)).status)

    assert 2 == len(tokens)
    assert 1 == len(set(tokens))
    assert [303, 403] == answers


@pytest.mark.parametrize("note", ["published.", "published", "nothing.", "published.01ARZ3NDEKTSV4RRFFQ69G5FAV", ""])
async def test_the_feed_says_once_what_was_done(network: Network, marie: str, note: str) -> None:
    """After an act the note is shown and taken away; words that are none of ours are not shown."""
    front, pages = await both(network, "/feed", ("Cookie", f"{SESSION}={marie}; __Host-done={note}"))
    known = note.startswith("published")

    assert pages == front
    assert known == ("set-cookie" in dict(front.headers))
    assert (note in ("published.", "published")) == (b'<p class="saved" role="status">' in front.body)
    assert not known or front["set-cookie"].startswith("__Host-done=;")


@pytest.mark.parametrize(
    ("moved", "status"),
    [({"days": 6, "hours": 23}, 200), ({"days": 7}, 303)],
    ids=["used within a week", "idle for a week"],
)
async def test_a_session_lives_as_long_in_front(network: Network, marie: str, moved: Any, status: int) -> None:
    """Idle for seven days it is over; the twin, a day less, is shown the feed."""
    network.clock.move(**moved)

    front, pages = await both(network, "/feed", ("Cookie", f"{SESSION}={marie}"))

    assert status == front.status
    assert pages == front


async def test_reading_the_feed_keeps_a_session_alive_for_a_month_at_most(network: Network, marie: str) -> None:
    """The use is written down in front as it is by the pages, and the absolute end stays."""
    place, statuses = network["fr"], []
    for _ in range(6):
        network.clock.move(days=5)
        statuses.append((await ask(place.app, "/feed", [*BROWSER, ("Cookie", f"{SESSION}={marie}")])).status)
    seen = await rows(place.node, "select last_seen_at - created_at as days from sessions")

    assert [200] * 5 + [303] == statuses
    assert 25 * 86_400_000 == seen[0]["days"]


@pytest.mark.parametrize("end", ["sign_out", "revoke", "password", "suspend"])
async def test_an_ended_session_reads_nothing_in_front(network: Network, marie: str, end: str) -> None:
    """A106: signed out, ended from another device, ended with the password, or suspended: closed at once."""
    people = network["fr"].node.people
    before = (await both(network, "/feed", ("Cookie", f"{SESSION}={marie}")))[0].status
    session = await people.session(marie)
    assert session is not None
    match end:
        case "sign_out":
            await people.sign_out(marie)
        case "revoke":
            listed = await people.list_sessions(session.account_id)
            await people.revoke_session(session.account_id, listed[0].id)
        case "password":
            await people.change_password(session.account_id, PASSWORD, PASSWORD + " anew")
        case _:
            await people.suspend("marie", by="test", reason="test")

    front, pages = await both(network, "/feed", ("Cookie", f"{SESSION}={marie}"))

    assert (200, 303) == (before, front.status)
    assert pages == front


async def test_a_lapsed_doctor_is_told_so(network: Network, marie: str) -> None:
    """A doctor whose standing ran out meets the page that says why, as from the pages."""
    place = network["fr"]

    async def lapse(tx: Any) -> int:
        return int(await tx.run("people.set_standing", uri=f"{place.node.origin}/doctors/marie", standing="revoked",
                                before="ok", now=1))  # fmt: skip

    await place.node.store.write(lapse)
    front, pages = await both(network, "/feed", ("Cookie", f"{SESSION}={marie}"))

    assert 403 == front.status
    assert b"<code>revoked</code>" in front.body
    assert pages == front


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (StorageUnavailable("storage_busy", "of ours"), 503, b"storage_busy"),
        (RuntimeError("of ours"), 500, b"fault"),
    ],
    ids=["storage", "defect"],
)
async def test_a_fault_is_told_in_a_page(
    network: Network, marie: str, monkeypatch: Any, fault: Exception, status: int, code: bytes
) -> None:
    """F8: whatever fails, a doctor is shown a page with words and a code, and nothing of the fault."""

    async def fails(*_: Any, **__: Any) -> Any:
        raise fault

    monkeypatch.setattr(network["fr"].node.store, "few", fails)
    front, pages = await both(network, "/feed", ("Cookie", f"{SESSION}={marie}"))

    assert pages == front
    assert status == front.status
    assert b"<code>" + code + b"</code>" in front.body
    assert "text/html; charset=utf-8" == front["content-type"]
    assert b"of ours" not in front.body


async def test_the_feed_as_json_is_closed_to_others(network: Network, marie: str) -> None:
    """401 without a session, 403 with the reason for a doctor who may not read, JSON for one who may."""
    place = network["fr"]
    answers = [await ask(place.app, "/api/feed", BROWSER)]
    answers.append(await ask(place.app, "/api/feed?tab=all", [*BROWSER, ("Cookie", f"{SESSION}={marie}")]))
    network.clock.move(days=200)
    again = await token_of(network, "marie")
    answers.append(await ask(place.app, "/api/feed", [*BROWSER, ("Cookie", f"{SESSION}={again}")]))

    assert [401, 200, 403] == [answer.status for answer in answers]
    assert [b"not_signed_in", b"A made-up case", b"expired"] == [
        found for answer in answers for found in re.findall(rb"not_signed_in|A made-up case|expired", answer.body)
    ]
    assert {"private, no-store"} == {answer["cache-control"] for answer in answers}


async def test_the_feed_as_json_holds_what_a_client_needs(network: Network, marie: str) -> None:
    """The posts with their authors, and nothing of the reader; kept by no cache, and nothing a browser would run."""
    answer = await ask(network["fr"].app, "/api/feed", [*BROWSER, ("Cookie", f"{SESSION}={marie}")])
    document = json.loads(answer.body)
    item = document["items"][0]

    assert ({"items", "next"}, 1) == (set(document), len(document["items"]))
    assert {"title": "A made-up case", "audience": "federation", "answers": 0}.items() <= item.items()
    assert {"address", "name", "role", "country", "specialties", "verified"} == set(item["author"])
    assert 200 == (await ask(network["fr"].app, item["url"], [*BROWSER, ("Cookie", f"{SESSION}={marie}")])).status
    assert ("application/json", "default-src 'none'; sandbox; frame-ancestors 'none'") == (
        answer["content-type"], answer["content-security-policy"],
    )  # fmt: skip


async def test_the_feed_as_json_takes_the_same_queries(network: Network, marie: str) -> None:
    """Whatever the page takes, the document takes, and both show the same posts."""
    headers = [*BROWSER, ("Cookie", f"{SESSION}={marie}")]
    for path in PATHS:
        document, page = [await ask(network["fr"].app, prefix + path, headers) for prefix in ("/api", "")]

        assert (path, 200) == (path, document.status)
        assert (b"A made-up case" in page.body) == (b"A made-up case" in document.body)
