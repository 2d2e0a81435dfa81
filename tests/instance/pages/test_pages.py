"""What pages show and what they refuse, without a browser."""

from __future__ import annotations

import json
import re
import sqlite3
import struct

import pytest

from instance.app import UnmarkedRoute, _every_route_is_marked, make_app
from instance.routes import guard
from tests.factors import enrol
from tests.instance.pages.house import close_house, open_house
from tests.instance.pages.rows import PASSWORD
from tests.instance.pages.scene import fill
from tests.ready import pages_of

PUBLIC = ("/", "/sign-in", "/recover", "/recover/team", "/federation", "/help", "/privacy", "/accessibility")
INNER = (
    "/feed",
    "/write",
    "/search",
    "/colleagues",
    "/notices",
    "/doctors/marie",
    "/posts/nope",
    "/colleagues/following",
)
NAMES = ("Lefèvre", "Weber", "Syncope", "anticoagulation", "Girard")


async def slug_of(somebody, title: str) -> str:
    """The slug of the post with this title in the feed."""
    page = await somebody.text("/feed?tab=all")
    return re.search(rf'/posts/([0-9A-Z]+)"[^>]*>{title}', page)[1]


@pytest.mark.parametrize("path", PUBLIC)
async def test_public_pages_show_no_content(house, path):
    """Without signing in there is no post, no doctor's name, no count."""
    page = await house.visitor().text(path)

    assert [] == [name for name in NAMES if name in page]
    assert "Sign in" in page


@pytest.mark.parametrize("path", INNER)
async def test_inner_pages_lead_to_the_sign_in(house, path):
    """Real and invented addresses answer a stranger alike."""
    answer = await house.visitor().get(path)

    assert (303, f"/sign-in?next={path}") == (answer.status_code, answer.headers["Location"])


async def test_a_program_without_session_learns_a_code(house):
    """What asks for no page gets JSON: 401 and the code."""
    answer = await house.visitor().client.get("/feed", headers={"Accept": "application/json"})

    assert (401, {"error": "not_signed_in"}) == (answer.status_code, await answer.get_json())


@pytest.mark.parametrize(("login", "code"), [("late", "expired"), ("out", "suspended"), ("staff", "no_credential")])
async def test_whoever_is_not_in_good_standing_reads_nothing(house, login, code):
    """Every content page is the same 403 page with the reason; the account's own page stays open."""
    somebody = await house.doctor(login)
    if login == "staff":
        await enrol(somebody, house.now)
    answers = [await somebody.get(path) for path in INNER]
    pages = {await answer.get_data(as_text=True) for answer in answers}
    bare = {re.sub(r'name="back" value="[^"]*"', "", page) for page in pages}

    assert {403} == {answer.status_code for answer in answers}
    assert 1 == len(bare)
    assert f"<code>{code}</code>" in bare.pop()
    assert 200 == (await somebody.get("/me")).status_code


@pytest.mark.parametrize(("login", "why"), [("late", "has ended"), ("out", "is suspended"), ("marie", "")])
async def test_where_the_barred_begin_says_why(house, login, why):
    """Whoever was let in without an application reads the reason there; whoever may read is told of none."""
    page = await (await house.doctor(login)).text("/application")

    assert "There is no application of this account." in page
    assert [why] * bool(why) == re.findall("Your verification (has ended|is suspended), so reading", page)


async def test_missing_and_forbidden_are_one_answer(house):
    """A post for others answers exactly as one that never was."""
    marie, leo = await house.doctor("marie"), await house.doctor("leo")
    hidden = await slug_of(marie, "Second look")
    answers = [await leo.get(f"/posts/{slug}") for slug in (hidden, "01JDB" + "0" * 21, "nope")]
    bodies = {re.sub(r'name="back" value="[^"]*"', "", await answer.get_data(as_text=True)) for answer in answers}

    assert {404} == {answer.status_code for answer in answers}
    assert 1 == len(bodies)


async def test_a_retired_doctor_reads_and_cannot_write(house):
    """The role decides: reading yes, the form to write no."""
    paul = await house.doctor("paul")

    assert 200 == (await paul.get("/feed")).status_code
    assert 403 == (await paul.get("/write")).status_code


async def test_a_card_says_who_speaks_and_who_reads(house):
    """Name, mark outside the name, role, specialty, country, and the audience in words."""
    page = await (await house.doctor("marie")).text("/feed?tab=all")

    assert '<bdi>Dr. Anna Weber</bdi></a><span class="mark">' in page
    assert "Specialist, Cardiology, Internal medicine\u00a0· Germany" in page
    assert "All verified doctors</span>" in page
    assert "This country only</span>" in page


async def test_filters_narrow_the_feed(house):
    """Kind, country and language each leave out what does not fit; an unknown value narrows nothing."""
    marie = await house.doctor("marie")

    assert "Syncope" not in await marie.text("/feed?tab=all&kind=question")
    assert "Syncope" not in await marie.text("/feed?tab=all&country=FR")
    assert "Syncope" in await marie.text("/feed?tab=all&language=en")
    assert "Syncope" in await marie.text("/feed?tab=all&kind=%27drop")


async def test_a_thread_shows_answers_below_what_they_answer(house):
    """Depth follows the thread, and a deep answer names whom it answers."""
    marie = await house.doctor("marie")
    page = await marie.text(f"/posts/{await slug_of(marie, 'Syncope')}")

    assert ["depth-0", "depth-1", "depth-2", "depth-0"] == re.findall(r'class="answer (depth-\d)"', page)
    assert "in answer to Léo Martin" in page
    assert 'lang="fr"' in page


@pytest.mark.parametrize("path", [*PUBLIC, "/feed", "/me", "/posts/nope"])
async def test_every_page_wears_its_headers(house, path):
    """The policy allows nothing inline and nothing foreign; nothing of a signed-in page is kept."""
    answer = await (await house.doctor("marie")).get(path)
    page = await answer.get_data(as_text=True)

    assert "default-src 'none'; script-src 'self'; style-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "private, no-store" == answer.headers["Cache-Control"]
    assert ("nosniff", "no-referrer") == (answer.headers["X-Content-Type-Options"], answer.headers["Referrer-Policy"])
    assert "Strict-Transport-Security" not in answer.headers
    assert [] == re.findall(r"\sstyle=|\son[a-z]+=|<script(?![^>]*src=)|<style|(?:href|src|action)=\"https?:", page)


async def test_static_files_are_kept_and_old_addresses_end(house):
    """A file's address holds its digest: kept for ever, gone with the file."""
    somebody = house.visitor()
    address = re.search(r'href="(/static/[0-9a-f]+/app.css)"', await somebody.text("/"))[1]
    answer = await somebody.get(address)

    assert (200, "public, max-age=31536000, immutable") == (answer.status_code, answer.headers["Cache-Control"])
    assert 404 == (await somebody.get("/static/0000000000000000/app.css")).status_code


async def test_on_https_the_cookie_is_bound_to_the_host(tmp_path):
    """The session travels as __Host-session, Secure, HttpOnly, SameSite=Lax; HSTS is announced."""
    house = await open_house(tmp_path, fill, origin="https://fr.esanum.example")
    answer = await house.visitor().post("/sign-in", login="marie", password=PASSWORD)
    cookie = answer.headers["Set-Cookie"]
    await close_house(house)

    assert cookie.startswith("__Host-session=")
    assert all(word in cookie for word in ("Secure", "HttpOnly", "Path=/", "SameSite=Lax"))
    assert "Domain" not in cookie
    assert "max-age=63072000; includeSubDomains" == answer.headers["Strict-Transport-Security"]


async def test_signing_out_clears_the_browser(house):
    """After signing out the session is dead and the browser forgets."""
    marie = await house.doctor("marie")
    await marie.get("/me")
    answer = await marie.post("/sign-out")

    assert '"cache", "cookies", "storage"' == answer.headers["Clear-Site-Data"]
    assert 303 == (await marie.get("/feed")).status_code


async def test_wrong_name_and_wrong_password_look_alike(house):
    """The page tells nobody which of the two was wrong, and keeps the name that was typed."""
    pages = []
    for login, password in (("marie", "not the password"), ("nobody", PASSWORD)):
        answer = await house.visitor().post("/sign-in", login=login, password=password)
        pages.append((answer.status_code, (await answer.get_data(as_text=True)).replace(login, "NAME")))

    assert pages[0] == pages[1]
    assert 422 == pages[0][0]
    assert 'href="#password"' in pages[0][1]


@pytest.mark.parametrize(
    ("site", "token", "code"),
    [
        ("cross-site", True, "foreign_form"),
        ("same-site", True, "foreign_form"),
        ("", True, "foreign_form"),
        ("same-origin", False, "stale_form"),
    ],
)
async def test_a_form_needs_its_origin_and_its_token(house, site, token, code):
    """From elsewhere, without a word where from, or without the session's token: 403 and nothing changed."""
    marie = await house.doctor("marie")
    await marie.get("/me")
    headers = {"Accept": "application/json"} | ({"Sec-Fetch-Site": site} if site else {})
    form = {"language": "de", "appearance": "dark"} | ({"csrf": marie.token} if token else {})
    answer = await marie.client.post("/me/preferences", headers=headers, form=form)

    assert (403, {"error": code}) == (answer.status_code, await answer.get_json())
    assert 'lang="en"' in (await marie.text("/me"))[:200]


async def test_a_stranger_cannot_sign_somebody_in_from_elsewhere(house):
    """The sign-in form is refused from another site too."""
    answer = await house.visitor().client.post(
        "/sign-in", headers={"Sec-Fetch-Site": "cross-site"}, form={"login": "marie", "password": PASSWORD}
    )

    assert 403 == answer.status_code
    assert "Set-Cookie" not in answer.headers


async def test_language_follows_account_then_device_then_browser(house):
    """What was chosen wins over what the browser asks for, in the account and without one."""
    somebody = house.visitor()

    assert '<html lang="fr"' in await somebody.text("/", **{"Accept-Language": "fr"})
    answer = await somebody.post("/language", language="de", back="/help")
    assert "/help" == answer.headers["Location"]
    assert '<html lang="de"' in await somebody.text("/", **{"Accept-Language": "fr"})
    marie = await house.doctor("marie")
    await marie.get("/me")
    await marie.post("/me/preferences", language="fr", appearance="dark")
    assert '<html lang="fr" data-appearance="dark"' in await marie.text("/me")


@pytest.mark.parametrize(
    "back", ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil", "/a\r\nX: y", "é", ""]
)
async def test_no_form_leads_elsewhere(house, back):
    """Where a form goes back to is a path of ours or the start page."""
    answer = await house.visitor().post("/language", language="de", back=back)

    assert "/" == answer.headers["Location"]


async def test_every_route_says_who_may_use_it(house):
    """A route without a mark keeps the application from being made."""
    app = make_app(house.node)

    @app.get("/forgotten")
    async def forgotten() -> str:
        return ""

    with pytest.raises(UnmarkedRoute, match="/forgotten"):
        _every_route_is_marked(app)


async def test_pages_that_share_their_routes_share_nothing_else(house):
    """Each application of the tests answers for its own node; a route cannot be put into all of them by one."""
    other = pages_of(house.node)
    other.config["NODE"] = None

    assert house.node is house.app.config["NODE"]
    with pytest.raises(AssertionError, match="setup method"):
        house.app.add_url_rule("/everywhere", view_func=guard.public(lambda: ""))


async def test_a_fault_of_ours_says_nothing_of_what_was_typed(house):
    """A page that fails answers 500 with a code and without a trace."""

    async def broken() -> str:
        raise RuntimeError("secret text")

    house.app = make_app(house.node)
    house.app.add_url_rule("/broken", view_func=guard.public(broken))
    answer = await house.visitor().get("/broken")
    page = await answer.get_data(as_text=True)

    assert 500 == answer.status_code
    assert "<code>fault</code>" in page
    assert "secret" not in page


@pytest.mark.parametrize(
    "path",
    [
        "/colleagues?q=%00",
        "/colleagues?after=%00|http://x",
        "/feed?before=99999999999999999999-x",
        "/feed?before=%FF",
        "/doctors/%00",
        "/posts/%00",
        "/notices?before=%00",
        "/colleagues?q=" + "a" * 3000,
        "/feed?tab=%F0%9F%92%A9&country=XXXX",
    ],
)
async def test_strange_addresses_are_answered(house, path):
    """Whatever stands in an address, the answer is a page or a refusal, never a fault."""
    answer = await (await house.doctor("marie")).get(path)

    assert answer.status_code < 500


async def test_our_federation_says_who_and_since_when(house):
    """Siblings with country, who vouched, since when; the last contact is for members."""
    outside, inside = await house.visitor().text("/federation"), await (await house.doctor("marie")).text("/federation")

    assert "esanum Deutschland" in outside
    assert "Last contact" not in outside
    assert "Last contact" in inside
    assert "paused" in inside


async def test_an_instance_without_siblings_says_so_loudly(tmp_path):
    """Nobody on the allowlist: the page says so, and what that means for reading and writing."""
    house = await open_house(tmp_path, lambda rows: None)
    page = await house.visitor().text("/federation")
    await close_house(house)

    assert 'role="alert">Nobody is connected: no other instance is in our federation.' in page


async def test_colleagues_are_found_in_every_country(house):
    """The beginning of a name is enough, accents do not matter, and whoever lost the mark is not offered."""
    marie = await house.doctor("marie")

    assert "Dr. Anna Weber" in await marie.text("/colleagues?q=web")
    assert "Léo Martin" in await marie.text("/colleagues?q=leo+mart")
    assert "anna.weber@de.localhost:8002" in await marie.text("/colleagues?country=DE")
    assert "Odile" not in await marie.text("/colleagues?q=odile")


async def test_a_session_can_be_ended_from_another_device(house):
    """The list of sessions ends the other one, not this one."""
    marie, tablet = await house.doctor("marie"), await house.doctor("marie")
    page = await marie.text("/me/sessions")
    other = re.search(r'name="session" value="([0-9a-f]+)"', page)[1]
    await marie.post("/me/sessions/end", session=other)

    assert 303 == (await tablet.get("/feed")).status_code
    assert 200 == (await marie.get("/feed")).status_code


async def test_notices_are_counted_until_read(house):
    """The number stands at the navigation until the notices are marked as read."""
    marie = await house.doctor("marie")

    assert "3 new notices" in await marie.text("/feed")
    await marie.post("/notices/read")
    assert not re.search(r"[0-9]+ new notice", await marie.text("/feed"))


LONG = "A long answer, typed on a tram between two patients <b>."


async def test_what_was_written_is_not_lost_with_the_session(house):
    """Signed out on another device, or by the clock: the page that says so holds the text, to be copied."""
    marie = await house.doctor("marie")
    await marie.get("/me")
    everywhere = "http://fr.localhost:8001/doctors/marie"
    await house.node.store.write(lambda tx: tx.run("sessions.end_all_of_doctor", doctor=everywhere))
    answer = await marie.post("/posts/01JDB000000000000000000000/answers", text=LONG)

    assert 401 == answer.status_code
    assert "typed on a tram between two patients &lt;b&gt;.</textarea>" in await answer.get_data(as_text=True)


async def test_what_was_written_is_not_lost_with_the_token(house):
    """Signed in anew in another window: the old form is refused, and shows what was in it."""
    marie = await house.doctor("marie")
    marie.token = "an older one"
    answer = await marie.post("/write", title="A title", text=LONG)
    page = await answer.get_data(as_text=True)

    assert (403, True, True) == (answer.status_code, ">A title</textarea>" in page, "on a tram" in page)


async def test_what_others_send_is_not_shown_on_our_pages(house):
    """The twin: a form from elsewhere puts no words on a page of ours."""
    marie = await house.doctor("marie")
    headers = {"Sec-Fetch-Site": "cross-site", "Accept": "text/html"}
    answer = await marie.client.post("/write", headers=headers, form={"text": LONG})

    assert 403 == answer.status_code
    assert "on a tram" not in await answer.get_data(as_text=True)


async def test_nothing_written_leads_to_the_sign_in(house):
    """The twin: a button pressed after the session ended asks for a new one."""
    answer = await house.visitor().post("/notices/read")

    assert (303, "/sign-in") == (answer.status_code, answer.headers["Location"])


async def test_a_page_that_fails_shows_what_was_written(house):
    """Even where the notices cannot be counted: a page with words and a code, and the text in it."""
    marie = await house.doctor("marie")
    slug = await slug_of(marie, "Syncope")
    await marie.get(f"/posts/{slug}")
    with sqlite3.connect(house.node.config.data / "esanum.db") as file:
        file.execute("alter table notifications rename to lost")
    answer = await marie.post(f"/posts/{slug}/answers", text=LONG, language="en", form_key="k")
    page = await answer.get_data(as_text=True)

    assert (500, "text/html; charset=utf-8") == (answer.status_code, answer.headers["Content-Type"])
    assert "on a tram between two patients &lt;b&gt;.</textarea>" in page
    assert "<code>fault</code>" in page


@pytest.mark.parametrize(
    ("address", "heading", "standing"),
    [
        ("anna.weber@de.localhost:8002", "Verified", "verified until"),
        ("out", "On record", "suspended"),
        ("late", "On record", "ended on"),
        ("giulia@it.localhost:8003", "On record", "no longer verified"),
        ("jonas@de.localhost:8002", "On record", "has left the network"),
    ],
)
async def test_only_who_is_verified_stands_under_verified(house, address, heading, standing):
    """Suspended, expired, revoked or gone: what is on record stands under another heading, with the reason."""
    with sqlite3.connect(house.node.config.data / "esanum.db") as file:
        file.execute("update doctors set gone_at = 1 where handle = 'jonas'")
    page = await (await house.doctor("marie")).text(f"/doctors/{address}")
    facts = re.search(r'<h2>([^<]+)</h2>\s*<dl class="verified">.*?</dl>', page, re.DOTALL)

    assert heading == facts[1]
    assert standing in facts[0]
    assert heading == "Verified" or "verified until" not in facts[0]


async def test_the_manifest_names_this_instance(house):
    """Name and pictures of what somebody puts on their home screen; every picture is there, in the size it claims."""
    somebody = house.visitor()
    address = re.search(r'<link rel="manifest" href="([^"]+)"', await somebody.text("/"))[1]
    answer = await somebody.get(address)
    manifest = json.loads(await answer.get_data())
    icons = [(icon, await somebody.client.get(icon["src"])) for icon in manifest["icons"]]

    assert (200, "application/manifest+json") == (answer.status_code, answer.headers["Content-Type"])
    assert ("esanum France", "/feed") == (manifest["name"], manifest["start_url"])
    assert {"any", "192x192", "512x512"} <= {icon["sizes"] for icon in manifest["icons"]}
    for icon, picture in icons:
        assert (200, icon["type"]) == (picture.status_code, picture.headers["Content-Type"])
        body = await picture.get_data()
        size = "any" if icon["type"] == "image/svg+xml" else "{}x{}".format(*struct.unpack(">II", body[16:24]))
        assert icon["sizes"] == size
