"""What a page says after an act, what a form offers, and how long somebody has to wait."""

from __future__ import annotations

import re
import sqlite3

import pytest

from tests.instance.pages.house import OWN_PAGE, House, Visitor
from tests.instance.pages.rows import DE, FR, PASSWORD
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
    assert page.index(f'<li id="{comment}"') < page.index('class="saved" role="status"')
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
    page = await (await house.doctor("marie")).text("/me/password")

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


# ── how one stands to others ──


def person_on(page: str, address: str) -> str:
    """What a list says of the doctor with this address."""
    return next(item for item in page.split('<li class="card person">') if f"@{address}<" in item).partition("</li>")[0]


async def test_a_list_of_followers_says_whom_the_reader_follows(house):
    """Jonas follows Marie and she not him; Anna and she follow each other; Léo she has asked."""
    with sqlite3.connect(house.node.config.data / "esanum.db") as file:
        add = "insert into follows (follower, followee, id, state, asked_at) values (?, ?, ?, ?, 1)"
        file.execute(add, (f"{DE}/doctors/anna.weber", f"{FR}/doctors/marie", "a", "accepted"))
        file.execute(add, (f"{FR}/doctors/leo", f"{FR}/doctors/marie", "b", "accepted"))
        file.execute(add, (f"{FR}/doctors/marie", f"{FR}/doctors/leo", "c", "pending"))
    page = await (await house.doctor("marie")).text("/colleagues/followers")
    jonas, anna, leo = (
        person_on(page, address) for address in ("jonas@de.localhost:8002", "anna.weber@de.localhost:8002", "leo")
    )

    assert ("/follow" in jonas, "You follow" in jonas, "/unfollow" in jonas) == (True, False, False)
    assert ('/follow"' in anna, "You follow" in anna, "/unfollow" in anna) == (False, True, True)
    assert ("Waiting" in leo, "You follow" in leo) == (True, False)


async def test_who_is_blocked_sees_no_button_and_no_word_of_it(house):
    """Léo, blocked by Marie, can neither press nor find out; the twin, Paul, is offered the button."""
    with sqlite3.connect(house.node.config.data / "esanum.db") as file:
        file.execute("insert into blocks values (?, ?, 1)", (f"{FR}/doctors/marie", f"{FR}/doctors/leo"))
    leo, paul = await house.doctor("leo"), await house.doctor("paul")
    page, answers = await leo.text("/doctors/marie"), []
    for whom in ("marie", "out"):
        answer = await leo.post(f"/doctors/{whom}/follow")
        answers.append((answer.status_code, re.sub(r'name="back".*?>', "", await answer.get_data(as_text=True))))

    assert 'action="/doctors/marie/follow"' not in page
    assert answers[0] == answers[1]
    assert (404, False) == (answers[0][0], "between you" in answers[0][1])
    assert 'action="/doctors/marie/follow"' in await paul.text("/doctors/marie")


async def test_whom_one_has_blocked_one_cannot_follow_and_is_told_why(house):
    """The own block is no secret to whoever made it."""
    leo = await house.doctor("leo")
    await leo.get("/doctors/marie")
    await leo.post("/doctors/marie/block")
    answer = await leo.post("/doctors/marie/follow")

    assert 409 == answer.status_code
    assert "you have blocked this doctor" in await answer.get_data(as_text=True)


@pytest.mark.parametrize("query", ["country=XX", "specialty=sorcery", "country=&specialty=&q="])
async def test_what_asks_for_nothing_known_is_no_search(house, query):
    """A value that is none narrows nothing: suggestions, and said to be some."""
    page = await (await house.doctor("marie")).text(f"/colleagues?{query}")

    assert "Close to your work" in page
    assert ">Found<" not in page


@pytest.mark.parametrize("query", ["q=!!!", "q=!!!&country=FR", "q=%40&specialty=cardiology"])
async def test_a_name_without_a_letter_finds_nobody(house, query):
    """With a filter or without: what was typed is not left out in silence. The twin: the filter alone finds some."""
    marie = await house.doctor("marie")
    page = await marie.text(f"/colleagues?{query}")

    assert "Nobody found." in page
    assert "Léo Martin" not in page
    assert "Léo Martin" in await marie.text("/colleagues?country=FR")


# ── small acts say what they do ──


@pytest.mark.parametrize(
    ("act", "button", "back", "state"),
    [
        ("thanks", "Say thanks", "Take thanks back", "You thanked"),
        ("recommend", "Recommend", "Take recommendation back", "Recommended by you"),
    ],
)
async def test_a_button_is_a_verb_and_its_state_is_a_word(network, act, button, back, state):
    """Before: the act. After: what was done, and the way to take it back; the number is no part of the button."""
    marie, leo = await doctor(network, "fr", "marie"), await doctor(network, "fr", "leo")
    path = await write(marie)
    pages = [await leo.text(path)]
    for values in ({}, {"undo": "1"}):
        assert 303 == (await leo.post(f"{path}/{act}", **values)).status_code
        pages.append(await leo.text(path))
    form = re.compile(rf'action="{path}/{act}".*?<button[^>]*>(?:<svg.*?</svg>)?\s*([^<]+)</button>', re.DOTALL)

    assert [button, back, button] == [form.search(page)[1] for page in pages]
    assert [False, True, False] == [state in page for page in pages]
    assert [False, True, False] == [f'/{act}"' in page and 'name="undo"' in page for page in pages]
    assert act == "recommend" or '<span class="count">' in pages[1]
    assert state not in await marie.text(path)


# ── the language of each part, and mistakes where they are ──


async def test_titles_wear_their_language(house):
    """On the notices, in the report of a post or an answer, and above the earlier versions of an answer."""
    with sqlite3.connect(house.node.config.data / "esanum.db") as file:
        file.execute("update posts set language = 'it' where title like 'Syncope%'")
    marie, leo = await house.doctor("marie"), await house.doctor("leo")
    slug, answer = await slug_of(house, "Syncope"), await rows(house.node, "select slug from comments order by slug")
    report, own = await leo.text(f"/posts/{slug}/report"), await leo.text(f"/comments/{answer[1]['slug']}/report")
    history = await leo.text(f"/comments/{answer[0]['slug']}/history")

    assert re.search(r'<a class="notice-link"[^>]* lang="it">Syncope', await marie.text("/notices"))
    for page in (report, own, history):
        assert '<p class="lead" lang="it">Syncope' in page
    assert '<div class="content" lang="fr">' in history


async def test_kept_text_wears_the_language_chosen(house):
    """In the form of a post, of an answer, and of a mended answer; what is no language is none there either."""
    leo = await house.doctor("leo")
    slug, answer = await slug_of(house, "Syncope"), await rows(house.node, "select slug from comments order by slug")
    await leo.get("/write")
    written = await (await leo.post("/write", **draft(title="", language="it"))).get_data(as_text=True)
    long = "x" * 70_000
    tried = await leo.post(f"/posts/{slug}/answers", text=long, language="it", form_key="k")
    answered = await tried.get_data(as_text=True)
    edited = await leo.post(f"/comments/{answer[0]['slug']}/edit", text=long, language="it")
    none = await (await leo.post("/write", **draft(language="<b>"))).get_data(as_text=True)

    assert re.search(r'<input id="title" [^>]*lang="it"', written)
    for page in (written, answered, await edited.get_data(as_text=True)):
        assert re.search(r'<textarea id="text" [^>]*lang="it"', page)
    assert 'lang="&lt;' not in none


async def test_earlier_versions_wear_the_language_they_had(network):
    """A text mended in another language: each version its own, here and at a sibling."""
    marie, anna = await doctor(network, "fr", "marie"), await doctor(network, "de", "anna")
    path = await write(marie, text="Eins.", language="de")
    await network.settle()
    network.clock.move(minutes=1)
    await marie.post(f"{path}/edit", **draft(text="One.", language="en"))
    await network.settle()
    there = re.search(r'href="(/posts/[^"]+)"[^>]*>Palpitations', await anna.text("/feed?tab=all"))[1]

    for page in (await marie.text(f"{path}/history"), await anna.text(f"{there}/history")):
        assert '<h3 lang="de">Palpitations at night</h3>' in page
        assert re.search(r'<div class="content" lang="de"><p>Eins\.', page)
        assert re.search(r'<div class="content" lang="en"><p>One\.', page)


@pytest.mark.parametrize("parent", [True, False])
@pytest.mark.parametrize(("field", "value"), [("text", "x" * 70_000), ("language", "<b>")])
async def test_a_mistake_in_an_answer_is_said_at_its_field(house, parent, field, value):
    """In the form for the post and in that below an answer: the field is marked and bears the sentence."""
    leo = await house.doctor("leo")
    slug, answer = await slug_of(house, "Syncope"), await rows(house.node, "select slug from comments order by slug")
    below = answer[0]["slug"] if parent else ""
    await leo.get(f"/posts/{slug}")
    form = {"text": "An answer.", "language": "en", "form_key": "k", "parent": below} | {field: value}
    page = await (await leo.post(f"/posts/{slug}/answers", **form)).get_data(as_text=True)
    name = f"{field}-{below}" if parent else field

    assert f'href="#{name}"' in page
    assert re.search(rf'<(?:textarea|select) id="{name}" [^>]*aria-invalid="true" aria-describedby="{name}-wrong', page)
    assert 1 == page.count(f'<p class="wrong" id="{name}-wrong">')
    assert 1 == page.count('aria-invalid="true"')


@pytest.mark.parametrize(("changed", "field"), [({"specialty": ""}, "specialties"), ({"audience": ""}, "audience")])
async def test_a_mistake_in_a_group_is_said_at_the_group(house, changed, field):
    """The specialties and the readers: the group is marked and described by the sentence."""
    marie = await house.doctor("marie")
    await marie.get("/write")
    page = await (await marie.post("/write", **draft(**changed))).get_data(as_text=True)

    assert re.search(
        rf'<fieldset class="[^"]+" id="{field}" aria-invalid="true" aria-describedby="{field}-wrong"', page
    )
    assert 'aria-invalid="true"' not in await marie.text("/write")


async def test_cancelling_an_edit_leads_to_the_answer(house):
    """By its own address, which knows the page of the thread it stands on."""
    leo = await house.doctor("leo")
    answer = await rows(house.node, "select slug from comments order by slug")
    page = await leo.text(f"/comments/{answer[0]['slug']}/edit")

    assert f'<a class="button quiet" href="/comments/{answer[0]["slug"]}">Cancel</a>' in page
