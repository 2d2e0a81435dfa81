"""What a page says after an act, what a form offers, and how long somebody has to wait."""

from __future__ import annotations

import re
import sqlite3

import pytest

from tests.instance.pages.house import OWN_PAGE, House, Visitor
from tests.instance.pages.rows import PASSWORD
from tests.instance.pages.test_acting import doctor, draft
from tests.town import rows

STATUS = re.compile(r'<p class="saved" role="status">([^<]+)</p>')


async def said(visitor: Visitor, path: str) -> list[str]:
    """What the page at this path says of the last act."""
    return STATUS.findall(await visitor.text(path))


async def write(visitor: Visitor, **changed: str) -> str:
    """The path of a new post."""
    await visitor.get("/write")
    answer = await visitor.post("/write", **draft(**changed))
    assert 303 == answer.status_code, await answer.get_data(as_text=True)
    return str(answer.headers["Location"])


async def slug_of(house: House, title: str) -> str:
    """The slug of the post whose title begins so."""
    found = await rows(house.node, f"select slug from posts where title like '{title}%'")
    return str(found[0]["slug"])


async def test_each_act_is_confirmed_once(network):
    """Published, edited, answered, withdrawn: the next page says so, the one after it no more."""
    marie = await doctor(network, "fr", "marie")
    post = await write(marie)
    assert ["Your post is published."] == await said(marie, post)
    assert [] == await said(marie, post)
    await marie.post(f"{post}/edit", **draft(text="Mended."))
    assert ["Your changes are saved."] == await said(marie, post)
    answered = (await marie.post(f"{post}/answers", text="Holter.", language="en", form_key="k")).headers["Location"]
    page, comment = await marie.text(post), answered.partition("#")[2]
    assert ["Your answer is published."] == STATUS.findall(page)
    assert page.index(f'<li id="{comment}"') < page.index('role="status"')
    await marie.post(f"/comments/{comment}/withdraw")
    assert ["Your answer is withdrawn."] == await said(marie, post)
    await marie.post(f"{post}/withdraw")

    assert ["Your post is withdrawn."] == await said(marie, "/feed?tab=all")


async def test_how_one_stands_to_a_colleague_is_confirmed(house):
    """Followed at once and no more, blocked and no more: each in its own words."""
    marie = await house.doctor("marie")
    found = []
    for act in ("follow", "unfollow", "block", "unblock"):
        await marie.get("/doctors/leo")
        answer = await marie.post(f"/doctors/leo/{act}")
        found += await said(marie, answer.headers["Location"])

    assert [
        "You follow this doctor now.",
        "You do not follow this doctor any more.",
        "This doctor is blocked.",
        "This doctor is not blocked any more.",
    ] == found


@pytest.mark.parametrize("value", ["hello.", "<b>.", "published.<script>", "", "published", "..", "published.x"])
async def test_only_known_words_are_said(house, value):
    """Whatever else a cookie of that name holds is not shown; a place that is none is left out."""
    marie = await house.doctor("marie")
    marie.client.set_cookie("localhost", "done", value)
    page = await marie.text("/me")

    assert set(STATUS.findall(page)) <= {"Your post is published."}
    assert value.startswith("published") == bool(STATUS.findall(page))
    assert "<script>" not in page
    assert "<b>" not in page


@pytest.mark.parametrize(
    ("title", "pages", "expected"), [("Syncope", "fr", "en"), ("Quelle", "de", "fr"), ("Garde", "de", "de")]
)
async def test_an_answer_is_offered_in_the_language_of_the_discussion(house, title, pages, expected):
    """Where the reader speaks it; else in that of the pages (Marie speaks French and English, the third is Italian)."""
    with sqlite3.connect(house.node.config.data / "esanum.db") as file:
        file.execute("update posts set language = 'it' where title like 'Garde%'")
    marie = await house.doctor("marie")
    page = await marie.text(f"/posts/{await slug_of(house, title)}", **{"Accept-Language": pages})
    select = re.search(r'<label for="language">.*?</select>', page, re.DOTALL)

    assert select is not None
    assert [expected] == re.findall(r'value="(\w+)" selected', select[0])


async def test_an_answer_carries_the_language_chosen(network):
    """It is kept with the answer, shown as its `lang`, and can be mended."""
    marie = await doctor(network, "fr", "marie")
    post = await write(marie)
    made = await marie.post(f"{post}/answers", text="Risonanza subito.", language="it", form_key="k")
    comment = made.headers["Location"].partition("#")[2]
    assert '<div class="content" lang="it"><p>Risonanza subito.' in await marie.text(post)
    assert 'value="it" selected' in await marie.text(f"/comments/{comment}/edit")
    await marie.post(f"/comments/{comment}/edit", text="MRI at once.", language="en")

    assert '<div class="content" lang="en"><p>MRI at once.' in await marie.text(post)


async def test_a_language_that_is_none_is_named_at_its_field(house):
    """Nothing is kept, and the text comes back with the link to the field that is wrong."""
    marie = await house.doctor("marie")
    slug = await slug_of(house, "Syncope")
    await marie.get(f"/posts/{slug}")
    answer = await marie.post(f"/posts/{slug}/answers", text="A made-up answer.", language="<b>", form_key="k")
    page = await answer.get_data(as_text=True)

    assert 422 == answer.status_code
    assert 'href="#language"' in page
    assert ">A made-up answer.</textarea>" in page


@pytest.mark.parametrize(
    ("audience", "expected"),
    [
        ("federation", {"federation", "colleagues", "named", "national"}),
        ("national", {"national"}),
        ("colleagues", {"colleagues"}),
    ],
)
async def test_an_edit_offers_no_wider_audience(network, audience, expected):
    """The form offers what the service takes, and says why; the twin, a wider one sent all the same, is refused."""
    marie = await doctor(network, "fr", "marie")
    post = await write(marie, audience=audience)
    page = await marie.text(f"{post}/edit")
    wider = await marie.post(f"{post}/edit", **draft(audience="federation"))

    assert expected == set(re.findall(r'name="audience" value="(\w+)"', page))
    assert "can only become smaller" in page
    assert ('id="named"' in page) == ("named" in expected)
    assert (303 if audience == "federation" else 422) == wider.status_code
    refused = await wider.get_data(as_text=True)
    assert audience == "federation" or expected == set(re.findall(r'name="audience" value="(\w+)"', refused))


async def test_suggestions_are_new_people(house):
    """Nobody followed, asked or blocked stands among them; a search finds those too."""
    marie = await house.doctor("marie")
    suggested, found = [await marie.text("/colleagues")], []
    for act in ("follow", "unfollow", "block"):
        await marie.get("/doctors/leo")
        await marie.post(f"/doctors/leo/{act}")
        suggested.append(await marie.text("/colleagues"))
        found.append(await marie.text("/colleagues?specialty=cardiology"))

    assert [True, False, True, False] == ["Léo Martin" in page for page in suggested]
    assert [False] * 4 == ["Dr. Anna Weber" in page for page in suggested]
    assert all("Léo Martin" in page and "Dr. Anna Weber" in page for page in found)


async def test_a_password_manager_learns_whose_password_it_is(house):
    """The form that changes the password names the account, unseen."""
    page = await (await house.doctor("marie")).text("/me")

    assert re.search(
        r'<input type="text" name="username" value="marie" autocomplete="username" aria-label="[^"]+" readonly hidden>',
        page,
    )


async def test_a_second_tab_that_signs_in_goes_on(house):
    """The form opened before the first tab signed in leads to where it was to lead."""
    marie = await house.doctor("marie")
    marie.token = ""
    answer = await marie.post("/sign-in", login="Marie", password=PASSWORD, next="/notices")

    assert (303, "/notices") == (answer.status_code, answer.headers["Location"])
    assert "Set-Cookie" not in answer.headers


async def test_a_second_tab_signs_nobody_else_in(house):
    """Under another name it says what to do first, and whoever is signed in stays so."""
    marie = await house.doctor("marie")
    answer = await marie.post("/sign-in", login="leo", password=PASSWORD)
    page = await answer.get_data(as_text=True)

    assert (409, True) == (answer.status_code, "Sign out first" in page)
    assert "Dr Marie Lefèvre" in await marie.text("/me")


async def test_a_second_tab_elsewhere_signs_nobody_in(house):
    """The twin: from another site the form is refused, session or not."""
    marie = await house.doctor("marie")
    answer = await marie.client.post(
        "/sign-in", headers=OWN_PAGE | {"Sec-Fetch-Site": "cross-site"}, form={"login": "marie", "password": PASSWORD}
    )

    assert 403 == answer.status_code


async def test_too_many_attempts_say_when_to_come_back(house):
    """A quarter of an hour after wrong passwords."""
    somebody = house.visitor()
    answers = [await somebody.post("/sign-in", login="leo", password="not the password") for _ in range(6)]

    assert 429 == answers[-1].status_code
    assert "900" == answers[-1].headers["Retry-After"]
    assert "Retry-After" not in answers[0].headers


async def test_too_many_posts_say_when_to_come_back(network):
    """An hour after a flood of posts."""
    marie = await doctor(network, "fr", "marie")
    await marie.get("/write")
    answers = [await marie.post("/write", **draft(form_key=f"form-{number}")) for number in range(31)]

    assert (303, 429) == (answers[-2].status_code, answers[-1].status_code)
    assert "3600" == answers[-1].headers["Retry-After"]
