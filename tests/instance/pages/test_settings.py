"""Settings are pages one finds: each is reached from the account's page, keeps what is chosen, and says so."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests.town import rows

ERRORS = ("/posts/nope", "/nowhere", "/desk", "/me/withdrawn/nope")
#: Some of what the account's page leads to.
ELSEWHERE = ("/me/notifications", "/me/contact", "/me/saved")


async def page_of(answer) -> str:
    """The text of an answer."""
    return str(await answer.get_data(as_text=True))


async def kept(house) -> list[tuple]:
    """How each account looks at pages."""
    found = await rows(
        house.node, "select login, language, appearance, text_size, reading from accounts order by login"
    )
    return [tuple(row) for row in found]


# ── the way there ──


async def test_every_setting_is_found_from_the_accounts_page(house):
    """Each link leads to a page that is there; all of the settings are among them."""
    marie = await house.doctor("marie")
    links = re.findall(r'href="(/[^"]+)"', (await marie.text("/me")).partition("<main")[2].partition("</main>")[0])
    found = {path: (await marie.get(path)).status_code for path in links}

    settings = {"/me/appearance", "/me/security", "/me/password", "/me/sessions"}
    own = {"/me/profile", "/me/posts", "/me/answers", "/me/export", "/me/move"}
    assert settings | own <= set(found)
    assert {200} == set(found.values())


async def test_it_links_to_nothing_that_is_not_there(house):
    """Every way on the account's page leads to a page; the twin: whoever may not read finds none to what is closed."""
    marie, late = await house.doctor("marie"), await house.doctor("late")
    ways = re.findall(r'<li><a href="(/[^"]+)"><span class="way-name">', await marie.text("/me"))
    theirs = re.findall(r'<li><a href="(/[^"]+)"><span class="way-name">', await late.text("/me"))

    assert set(ELSEWHERE) < set(ways)
    assert {200} == {(await marie.get(path)).status_code for path in ways}
    assert not set(ELSEWHERE) & set(theirs)


@pytest.mark.parametrize("login", ["late", "out"])
async def test_whoever_may_not_read_finds_the_own_settings_all_the_same(house, login):
    """Their look, their security and their sessions; no way to what is closed to them."""
    somebody = await house.doctor(login)
    page = await somebody.text("/me")

    assert all(f'href="/me/{name}"' in page for name in ("appearance", "security", "password", "sessions"))
    assert not any(f'href="/me/{name}"' in page for name in ("profile", "posts", "answers", "move"))


# ── how pages look ──


@pytest.mark.parametrize("size", [110, 125, 150])
async def test_the_size_of_text_is_on_every_page(house, size):
    """As an attribute of the page, without a script: also where something is missing, forbidden or refused."""
    marie = await house.doctor("marie")
    await marie.get("/me/appearance")
    said = await marie.post("/me/preferences", language="", appearance="", text_size=str(size))
    pages = [await marie.get(path) for path in ("/feed", "/me", "/write", "/help", "/offline", *ERRORS)]
    pages.append(await marie.client.get("/feed?tab=all", headers={"Accept": "text/html"}))
    marie.token = "x"
    pages.append(await marie.post("/me/preferences"))

    assert "/me/appearance?saved=preferences" == said.headers["Location"]
    assert "Saved." in await marie.text("/me/appearance?saved=preferences")
    assert {200, 403, 404} == {page.status_code for page in pages}
    assert [True] * len(pages) == [f'<html lang="en" data-text="{size}">' in await page_of(page) for page in pages]


async def test_the_usual_size_needs_no_attribute_and_is_nobody_elses(house):
    """The twin: back at the usual size nothing is said of it, and another doctor's pages were never changed."""
    marie, leo = await house.doctor("marie"), await house.doctor("leo")
    await marie.get("/me/appearance")
    await marie.post("/me/preferences", language="", appearance="", text_size="150")
    others = await leo.text("/feed")
    await marie.post("/me/preferences", language="", appearance="", text_size="100")

    assert "data-text" not in others
    assert "data-text" not in await marie.text("/feed")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"text_size": "99"}, "bad_text_size"),
        ({"text_size": "150%"}, "bad_text_size"),
        ({"text_size": "1e2"}, "bad_text_size"),
        ({"text_size": "-110"}, "bad_text_size"),
        ({"text_size": "١١٠"}, "bad_text_size"),
        ({"reading": ["de", "xx"]}, "bad_reading"),
        ({"reading": '"]'}, "bad_reading"),
        ({"language": "xx"}, "bad_language"),
        ({"appearance": "neon"}, "bad_appearance"),
    ],
)
async def test_what_is_no_choice_is_named_and_changes_nothing(house, change, code):
    """One wrong value of the form: nothing of it is kept, and the page names and links the mistake."""
    marie = await house.doctor("marie")
    await marie.get("/me/appearance")
    before = await kept(house)
    form = {"language": "de", "appearance": "dark", "text_size": "125", "reading": ["fr"]} | change
    answer = await marie.post("/me/preferences", **form)
    page = await page_of(answer)

    assert (422, True) == (answer.status_code, f"<code>({code})</code>" in page)
    assert f'id="{next(iter(change))}"' in page
    assert before == await kept(house)


async def chosen(marie) -> str:
    """The languages one may filter by, as they stand on the page."""
    return str((await marie.text("/feed")).partition('id="language"')[2].partition("</select>")[0])


async def test_what_one_reads_stands_first(house):
    """In the filters of discussions; in the order of the list, and nothing is hidden."""
    marie = await house.doctor("marie")
    before = re.findall(r'<option value="(\w\w)">', await chosen(marie))
    await marie.get("/me/appearance")
    await marie.post("/me/preferences", language="", appearance="", text_size="100", reading=["it", "de"])
    after = re.findall(r'<option value="(\w\w)">', await chosen(marie))
    page = await marie.text("/me/appearance")

    assert ["en", "de", "fr", "it", "es", "nl"] == before
    assert ["de", "it", "en", "fr", "es", "nl"] == after
    assert ["de", "it"] == re.findall(r'name="reading" value="(\w\w)" checked', page)
    await marie.post("/me/preferences", language="", appearance="", text_size="100")
    assert before == re.findall(r'<option value="(\w\w)">', await chosen(marie))


async def test_the_language_alone_leaves_the_rest_as_it_is(house):
    """The buttons below every page change the language, and neither the size nor what one reads."""
    marie = await house.doctor("marie")
    await marie.get("/me/appearance")
    await marie.post("/me/preferences", language="en", appearance="dark", text_size="150", reading=["fr"])
    await marie.post("/language", language="de", back="/me")

    assert ("marie", "de", "dark", 150, '["fr"]') in await kept(house)


async def test_a_look_is_a_choice_of_whoever_is_signed_in(house):
    """Nobody's: without a session, and with another's token, nothing is kept."""
    marie, somebody = await house.doctor("marie"), house.visitor()
    await marie.get("/me")
    before = await kept(house)
    answers = [await somebody.post("/me/preferences", language="de", appearance="dark", text_size="150")]
    leo = await house.doctor("leo")
    await leo.get("/me")
    leo.token = marie.token
    answers.append(await leo.post("/me/preferences", language="de", appearance="dark", text_size="150"))

    assert [303, 403] == [answer.status_code for answer in answers]
    assert before == await kept(house)


# ── where one is signed in ──


async def test_all_other_sessions_end_at_once(house):
    """The one that asks goes on; every other of the account is closed with its next request, nobody else's is."""
    marie, tablet, desk = [await house.doctor("marie") for _ in range(3)]
    leo = await house.doctor("leo")
    page = await marie.text("/me/sessions")
    said = await marie.post("/me/sessions/end-others")

    assert 2 == len(re.findall(r'action="/me/sessions/end"', page))
    assert "/me/sessions?saved=sessions" == said.headers["Location"]
    assert "All other sessions have ended." in await marie.text("/me/sessions?saved=sessions")
    assert [200, 303, 303, 200] == [(await each.get("/feed")).status_code for each in (marie, tablet, desk, leo)]
    assert "end-others" not in await marie.text("/me/sessions")


async def test_ending_the_others_needs_the_sessions_token(house):
    """The twin: without it, and signed out, nothing ends."""
    marie, tablet = await house.doctor("marie"), await house.doctor("marie")
    marie.token = "x"
    refused, nobody = await marie.post("/me/sessions/end-others"), await house.visitor().post("/me/sessions/end-others")

    assert (403, 303) == (refused.status_code, nobody.status_code)
    assert 200 == (await tablet.get("/feed")).status_code


async def test_a_session_says_its_device_and_about_when_it_was_used(house):
    """Enough to recognise one's own; the one in use is named as such and is ended by signing out."""
    tablet = house.visitor()
    headers = {"Sec-Fetch-Site": "same-origin", "User-Agent": "Mozilla/5.0 (iPad) Safari/605"}
    await tablet.client.post("/sign-in", headers=headers, form={"login": "marie", "password": "a rainy day in Lyon"})
    house.now += timedelta(hours=3, minutes=20)
    marie = await house.doctor("marie")
    page = await marie.text("/me/sessions")
    own, other = re.findall(r"<li>(.*?)</li>", page.partition('class="devices"')[2], re.DOTALL)[:2]

    assert ("in use now" in own, 'action="/sign-out"' in own, "/me/sessions/end" in own) == (True, True, False)
    assert ("Safari, iPad" in other, "last used 3 hours ago" in other) == (True, True)
    assert "signed in since 23 November 2026" in other
    assert 'aria-label="End: Safari, iPad"' in other
