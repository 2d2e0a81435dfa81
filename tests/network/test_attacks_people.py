"""Attacks with a browser (A94, A104, A109, A110, A114, A116): at every form and page there is, taken from the routes."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.network.scene import CONTENT, Visitor, befriend, stored
from tests.tools.docs_parts import page_routes
from tests.town import PASSWORD, Network, Person, Place, rows

#: What people can change, beside what is said.
PEOPLE = (
    *CONTENT, "doctors", "accounts", "sessions", "preferences", "contact_rules", "lists", "list_members", "mutes",
)  # fmt: skip
OTHERS = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def targets(method: str, **values: str) -> list[str]:
    """The address of every page or form, its parts filled in."""
    filled = {
        "digest": "x", "name": "app.css", "act": "follow", "which": "followers", "token": "x", "form": "card",
        "dossier": "d-x", "annex": "a-x", "piece": "p-x", "task": "t-x", "file": "f-x", "number": "1", "country": "FR",
        "kind": "renewal", "campaign": "c-x", "id": "m-x", "authority": "de.example",
        "own_list": OTHERS, "list_act": "rename", "specialty": "cardiology", "source": "n-x", "item": "n-x", **values,
    }  # fmt: skip
    found = [
        re.sub(r"<(?:\w+:)?(\w+)>", lambda part: filled[part[1]], rule)
        for rule, methods, _ in page_routes()
        if method in methods
    ]
    return sorted(target for target in found if not target.startswith("/static"))


@pytest.fixture
async def scene(town: Network, marie: Person, anna: Person) -> tuple[Person, Visitor, dict[str, str]]:
    """Marie with a case and an answer of her own; Paul, who is signed in, in her town."""
    paul = await town["fr"].doctor("paul")
    slug = await marie.posts("T-1")
    await befriend(town, marie, anna)
    return paul, await Visitor.of(marie), {"slug": slug, "address": "paul"}


async def _changed(place: Place, before: dict[str, Any]) -> list[str]:
    """The tables in which something is different now, whatever was seen of sessions."""
    after = await stored(place, before)
    return [table for table in before if before[table] != after[table]]


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "same-origin, cross-site", "SAME-ORIGIN"])
async def test_no_form_is_taken_from_elsewhere(town, scene, site):
    """A109: each form, sent from another site with the right cookie and the right token: 403, nothing changed."""
    _, visitor, values = scene
    place, forms = town["fr"], targets("POST", **values)
    before = await stored(place, [table for table in PEOPLE if await _exists(place, table)])
    headers = {**visitor.headers, "Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": site}
    body = urlencode({"csrf": visitor.csrf, "login": "marie", "password": PASSWORD, "text": "x", "language": "fr"})
    answers = {
        target: (await place.request("POST", target, {k: v for k, v in headers.items() if v}, body.encode())).status
        for target in forms
    }

    assert len(answers) > 15
    assert dict.fromkeys(forms, 403) == answers
    assert [] == await _changed(place, before)


@pytest.mark.parametrize("token", ["", "x", "another's"])
async def test_no_form_is_taken_without_its_sessions_token(town, scene, token):
    """A109: each form, from our own pages, without the token of this session or with another's: 403, nothing changed."""
    paul, visitor, values = scene
    place = town["fr"]
    sent = (await Visitor.of(paul)).csrf if token == "another's" else token
    # Signing in has no session yet; a second tab that tries it is led on, not signed in anew.
    forms = [target for target in targets("POST", **values) if target != "/sign-in"]
    before = await stored(place, [table for table in PEOPLE if await _exists(place, table)])
    answers = {target: (await visitor.post(target, csrf=sent, text="x", language="fr")).status for target in forms}

    assert dict.fromkeys(forms, 403) == answers
    assert [] == await _changed(place, before)


async def test_the_twin_is_taken(town, scene):
    """The same browser, from our own page and with its token: its form is carried out."""
    _, visitor, values = scene

    assert 303 == (await visitor.post(f"/posts/{values['slug']}/answers", text="T-2")).status
    assert 303 == (await visitor.post("/language", language="fr", back="/feed")).status


async def test_a_session_that_somebody_else_chose_is_nobodys(town, marie):
    """A110: a token that was planted before the sign-in opens nothing after it; each sign-in has its own."""
    place, planted, seen = town["fr"], "planted-by-somebody", []
    for _ in range(2):
        headers = {
            "Host": place.node.authority, "Cookie": f"__Host-session={planted}", "Sec-Fetch-Site": "same-origin",
            "Content-Type": "application/x-www-form-urlencoded",
        }  # fmt: skip
        body = urlencode({"login": "marie", "password": PASSWORD}).encode()
        answer = await place.request("POST", "/sign-in", headers, body)
        assert 303 == answer.status
        seen.append(re.search(r"__Host-session=([^;]+)", answer.headers["set-cookie"])[1])

    assert planted not in seen
    assert 2 == len(set(seen))
    assert 303 == (await Visitor(place, planted).get("/feed")).status
    assert [200, 200] == [(await Visitor(place, token).get("/feed")).status for token in seen]
    assert all(part in answer.headers["set-cookie"] for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"))


EXTRA = {
    "verified": "true", "roles": "administrator", "role": "administrator", "staff": "1", "standing": "good",
    "handle": "root", "uri": "https://fr.example/doctors/root", "country": "DE", "assurance": "high", "id": "1",
    "doctor": "https://fr.example/doctors/paul", "author": "https://fr.example/doctors/paul", "origin": "https://de.example",
    "audience": "public", "local": "0", "credential": "{}", "name": "Dr Root", "account": "1", "disabled_at": "",
}  # fmt: skip
#: What no form may change.
FIXED = {
    "doctors": "uri, handle, name, country, standing, local, origin, assurance, role",
    "accounts": "id, handle, roles, disabled_at",
}


async def test_fields_that_no_form_has_are_not_read(town, scene):
    """A114: verified=true, a role, another author, a public audience in every form: never stored."""
    _, visitor, values = scene
    place = town["fr"]
    columns = {table: await _columns(place, table, names) for table, names in FIXED.items()}
    before = {table: await rows(place.node, f"select {names} from {table}") for table, names in columns.items()}
    forms = [target for target in targets("POST", **values) if "sign" not in target and "password" not in target]
    for target in forms:
        await visitor.post(target, **EXTRA, text="x", title="T-3", kind="case", specialty="cardiology", language="en")

    for table, names in columns.items():
        assert [tuple(row) for row in before[table]] == [
            tuple(row) for row in await rows(place.node, f"select {names} from {table}")
        ]
    marie_says = await rows(place.node, "select author, audience, local from posts where title = 'T-3'")
    assert all(row["author"].endswith("/marie") and row["local"] == 1 for row in marie_says)
    assert "public" not in {row["audience"] for row in await rows(place.node, "select audience from posts")}
    assert 404 == (await Visitor(place, visitor.token).get("/doctors/root")).status


async def test_what_is_anothers_is_not_there(town, scene, marie):
    """A116: another's case to edit or withdraw, another's session to end, another's notices: as if they did not exist."""
    paul, _, values = scene
    place, visitor = town["fr"], await Visitor.of(paul)
    slug = await marie.posts("T-4", audience="colleagues")
    comment = await marie.comments(f"{place.node.origin}/posts/{slug}", "Inside.")
    session = (await rows(place.node, "select hex(token) as token from sessions order by created_at"))[0][
        "token"
    ].lower()
    before = await stored(place)
    answers = {}
    for folder, name in (("posts", slug), ("comments", comment)):
        for act in ("edit", "withdraw"):
            hidden = await visitor.post(f"/{folder}/{name}/{act}", text="x", title="x", sure="yes", kind="case")
            never = await visitor.post(f"/{folder}/{OTHERS}/{act}", text="x", title="x", sure="yes", kind="case")
            answers[folder, name, act] = (hidden.status, never.status)
    shown = [
        (await visitor.post(f"/posts/{values['slug']}/{act}", text="x", title="x", sure="yes", kind="case")).status
        for act in ("edit", "withdraw")
    ]
    ended = (await visitor.post("/me/sessions/end", session=session)).status
    nobodys = (await visitor.post("/me/sessions/end", session="ab" * 32)).status

    assert {(404, 404)} == set(answers.values()), answers
    assert {403, 404} >= set(shown)
    assert ended == nobodys == 404
    assert 200 == (await (await Visitor.of(marie)).get("/feed")).status
    assert before == await stored(place)
    assert set() == await visitor.titles("/notices")


@pytest.mark.parametrize(
    "path", ["/outbox", "/doctors/marie/outbox", "/doctors/marie/followers", "/proxy", "/media/x", "/proxyUrl"]
)
async def test_no_door_but_our_own_pages_says_anything(town, marie, path):
    """A104: no outbox to post to, no proxy to ask through, no media without a session; never as ActivityPub."""
    place = town["fr"]
    host = {"Host": place.node.authority}
    posted = await place.request("POST", path, {**host, "Content-Type": "application/activity+json"}, b"{}")
    got = await place.request("GET", path, {**host, "Accept": "application/activity+json"})
    asked = await place.request("GET", f"{path}?url=https://evil.example/", host)

    assert posted.status in (401, 404, 405)
    assert got.status in (401, 404, 405, 200)
    assert got.status != 200 or path == "/outbox"
    assert asked.status in (303, 401, 404, 405)
    assert [] == [contact for contact in town.contacts if "evil" in contact.url]


async def test_no_page_loads_or_leads_elsewhere(town, scene):
    """A94: what a page loads is ours, and its policy lets nothing else in; links lead to our own pages alone."""
    _, visitor, values = scene
    seen = 0
    for target in targets("GET", **{**values, "address": "marie"}):
        answer = await visitor.get(target)
        if answer.status != 200 or "text/html" not in answer.headers["content-type"]:
            continue
        seen += 1
        page = answer.body.decode()
        loaded = re.findall(r'(?:src|href|action|data|poster|srcset)="([^"]*)"', page)

        assert all(one.startswith(("/", "#")) and not one.startswith("//") for one in loaded), (target, loaded)
        assert "url(" not in page
        assert not re.search(r"<script(?![^>]*\ssrc=)|\sstyle=|\son\w+=|<(?:iframe|object|embed|base)\b", page)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert not re.search(r"https?:|\*|unsafe|nonce", policy)
    assert seen > 15


async def _exists(place: Place, table: str) -> bool:
    return bool(await rows(place.node, f"select name from sqlite_master where name = '{table}'"))


async def _columns(place: Place, table: str, names: str) -> str:
    there = {row["name"] for row in await rows(place.node, f"pragma table_info({table})")}
    return ", ".join(name for name in names.split(", ") if name in there)
