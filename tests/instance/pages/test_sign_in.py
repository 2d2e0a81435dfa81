"""Under which address a sign-in counts, and what a changed password is worth when a session cannot be opened."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from urllib.parse import unquote, urlencode

import pytest
from werkzeug.datastructures import Headers

from instance.services import passwords
from instance.services.accounts import _subject
from instance.services.errors import Rejected
from tests import town
from tests.instance.pages.desk_house import open_desk
from tests.instance.pages.house import OWN_PAGE
from tests.instance.pages.rows import PASSWORD
from tests.town import rows

PROXY = "10.0.0.5"


async def counted_under(house, *forwarded: str, peer: str = PROXY) -> list[str]:
    """Of some addresses, those under which a wrong password from that peer counts."""
    headers = Headers([*OWN_PAGE.items(), ("Content-Type", "application/x-www-form-urlencoded")])
    for value in forwarded:
        headers.add("X-Forwarded-For", value)
    body = urlencode({"login": "marie", "password": "not the password"})
    client = house.app.test_client()
    await client.post("/sign-in", headers=headers, data=body, scope_base={"client": (peer, 4711)})
    found = {row["subject"] for row in await rows(house.node, "select subject from sign_in_failures")}
    known = (PROXY, "192.0.2.1", "203.0.113.9", "198.51.100.7")
    return [address for address in known if _subject("address", address) in found]


@pytest.mark.parametrize(
    "forwarded",
    [("203.0.113.9",), ("192.0.2.1, 203.0.113.9",), ("192.0.2.1", "203.0.113.9"), ("203.0.113.9, 10.1.1.1",)],
)
async def test_behind_a_proxy_each_client_counts_by_itself(house, forwarded):
    """Or twenty wrong passwords of one stranger would lock out a whole country (A111)."""
    house.node.config = replace(house.node.config, trusted_proxies=("10.0.0.0/8",))

    assert ["203.0.113.9"] == await counted_under(house, *forwarded)


async def test_without_a_configured_proxy_the_socket_decides(house):
    """The twin: what a client claims of itself is not believed."""
    assert ["198.51.100.7"] == await counted_under(house, "203.0.113.9", peer="198.51.100.7")


async def test_a_changed_password_is_changed_even_where_no_session_can_begin(house, monkeypatch):
    """The doctor is led to the sign-in, never told that something failed."""
    marie = await house.doctor("marie")
    await marie.get("/me")
    real = house.node.people.sign_in

    async def full(*_: object) -> None:
        raise Rejected("too_busy", status=503)

    house.node.people.sign_in = full
    words = "three quiet rivers meet"
    answer = await marie.post("/me/password", old_password=PASSWORD, password=words, again=words)
    house.node.people.sign_in = real

    assert (303, "/sign-in") == (answer.status_code, answer.headers["Location"])
    kept = (await rows(house.node, "select password from accounts where login = 'marie'"))[0]["password"]
    assert await passwords.verify(words, kept)


@pytest.mark.parametrize(
    "path",
    [
        "/sign-in?next=/posts/01JDB000000000000000000001",
        "/feed?tab=all&kind=case",
        "/feed?tab=colleagues&country=DE&language=de",
        "/feed",
        "/colleagues?q=Anna&specialty=cardiology",
    ],
)
async def test_the_language_is_changed_where_one_is(house, path):
    """The button leads back to the same place with all that its address says, and not only to its path."""
    somebody = house.visitor() if path.startswith("/sign-in") else await house.doctor("marie")
    page = await somebody.text(path)
    back = unescape(re.findall(r'name="back" value="([^"]*)"', page)[-1])
    led = (await somebody.post("/language", language="de", back=back)).headers["Location"]

    assert path == unquote(led)
    assert 'lang="de"' in (await somebody.text(led))[:200]


@pytest.mark.parametrize(
    "query", ["next=//evil.example", "next=" + "a" * 600, "x=%0d%0aX:1", "q=%C3%A9", "tab=%22><b>"]
)
async def test_whatever_an_address_says_the_language_leads_nowhere_else(house, query):
    """The twin: a path of ours, and nothing that was put in an address becomes a part of the page."""
    for somebody, path in ((house.visitor(), "/sign-in"), (await house.doctor("marie"), "/feed")):
        page = await somebody.text(f"{path}?{query}")
        back = unescape(re.findall(r'name="back" value="([^"]*)"', page)[-1])
        led = (await somebody.post("/language", language="de", back=back)).headers["Location"]

        assert path == led.partition("?")[0]
        assert "<b>" not in page
        assert "\n" not in led


async def test_a_session_that_has_ended_already_is_said_to_be_gone(house):
    """A second press, or one that ended by itself: the page of sessions says so; of another's no more is said."""
    marie, tablet = await house.doctor("marie"), await house.doctor("marie")
    await house.doctor("leo")
    other = re.search(r'name="session" value="([0-9a-f]+)"', await marie.text("/me/sessions"))[1]
    strange = (await rows(house.node, "select hex(token) as token from sessions order by created_at, rowid"))[-1]
    first = await marie.post("/me/sessions/end", session=other)
    pages = []
    for session in (other, strange["token"].lower(), "ab" * 32, "x"):
        answer = await marie.post("/me/sessions/end", session=session)
        pages.append((answer.status_code, await answer.get_data(as_text=True)))

    assert (303, 303) == (first.status_code, (await tablet.get("/feed")).status_code)
    assert 1 == len(set(pages))
    assert 404 == pages[0][0]
    assert "This session is not open any more." in pages[0][1]
    assert "Where I am signed in" in pages[0][1]
    assert 2 == len(await rows(house.node, "select token from sessions"))


async def lands(visitor, login: str, code: str = "") -> str:
    """Where somebody is led who signs in and was not on the way to anything."""
    await visitor.get("/sign-in")
    led = await visitor.post("/sign-in", login=login, password=PASSWORD if code else town.PASSWORD, next="/feed")
    if not code:
        return str(led.headers["Location"])
    await visitor.get(led.headers["Location"])
    return str((await visitor.post("/sign-in/second", factor_code=code, next="/feed")).headers["Location"])


async def test_everybody_begins_where_something_is_open_to_them(tmp_path):
    """Doctors at the discussions, applicants at their application, reviewers at the desk, administrators at the staff."""
    desk = await open_desk(tmp_path)
    _made, _ = await desk.applicant()
    await desk.place.doctor("marie")
    for login, role in (("rita", "reviewer"), ("ada", "administrator")):
        await desk.staff(login, role)
    desk.move(minutes=1)
    found = {
        login: await lands(desk.house.visitor(), login, desk.code(login) if login in desk.secrets else "")
        for login in ("marie", "eliane", "rita", "ada")
    }
    await desk.network.close()

    assert {"marie": "/feed", "eliane": "/application", "rita": "/desk", "ada": "/administration"} == found


async def test_whoever_was_on_the_way_somewhere_is_led_there(tmp_path):
    """The twin: the page that asked for the sign-in is the one that is opened, whoever it is."""
    desk = await open_desk(tmp_path)
    await desk.staff("rita", "reviewer")
    desk.move(minutes=1)
    visitor = desk.house.visitor()
    await visitor.get("/sign-in?next=/me")
    first = (await visitor.post("/sign-in", login="rita", password=PASSWORD, next="/me")).headers["Location"]
    await visitor.get(first)
    led = await visitor.post("/sign-in/second", factor_code=desk.code("rita"), next="/me")
    await desk.network.close()

    assert ("/sign-in/second?next=/me", "/me") == (first, led.headers["Location"])
