"""What is a doctor's own: the profile, and the posts and answers they can always find and take back."""

from __future__ import annotations

import json
import re
import sqlite3

import pytest

from tests.instance.pages.house import House, Visitor
from tests.instance.pages.rows import DE, FR, NOW, Rows
from tests.instance.pages.test_acting import doctor
from tests.instance.pages.test_saying import said, slug_of, write
from tests.ready import pages_of
from tests.town import PASSWORD, rows

TITLE = "Syncope after exercise"
JONAS = f"{DE}/doctors/jonas"


def profile(**changed: str | list[str]) -> dict[str, str | list[str]]:
    """A profile as the form sends it."""
    return {"summary": "Rhythm, *mostly*.", "spoken": ["fr", "it"], "approves_followers": "1"} | changed


# ── the profile ──


async def test_a_profile_is_mended_and_read_abroad(network):
    """What Marie writes on her page stands on her page in Germany; the form shows it again as she typed it."""
    marie, anna = await doctor(network, "fr", "marie"), await doctor(network, "de", "anna")
    await marie.get("/me/profile")
    saved = await marie.post("/me/profile", **profile())
    confirmed = await said(marie, "/doctors/marie")
    await network.settle()
    await network["de"].node.directory.find_handle("marie@fr.example")
    form, there = await marie.text("/me/profile"), await anna.text("/doctors/marie@fr.example")

    assert (303, "/doctors/marie") == (saved.status_code, saved.headers["Location"])
    assert ["Your profile is saved. Colleagues abroad will see it too."] == confirmed
    assert ">Rhythm, *mostly*.</textarea>" in form
    assert ["fr", "it"] == sorted(re.findall(r'name="spoken" value="(\w+)" checked', form))
    assert 'name="approves_followers" value="1" checked' in form
    assert "Rhythm, <em>mostly</em>." in there
    assert "French, Italian" in there


async def test_a_change_reaches_those_who_know_the_doctor(network):
    """The new version travels by itself."""
    marie, anna = await doctor(network, "fr", "marie"), await doctor(network, "de", "anna")
    await network["de"].node.directory.find_handle("marie@fr.example")
    await marie.get("/me/profile")
    await marie.post("/me/profile", **profile(summary="First."))
    await network.settle()
    network.clock.move(minutes=1)
    await marie.post("/me/profile", **profile(summary="Second.", spoken=[]))
    await network.settle()
    there = await anna.text("/doctors/marie@fr.example")

    assert "Second." in there
    assert "First." not in there
    assert "Italian" not in there


async def test_a_follow_waits_from_then_on(network):
    """The third line of the form: a follow asks, where it was taken at once before."""
    marie, leo = await doctor(network, "fr", "marie"), await doctor(network, "fr", "leo")
    await marie.get("/me/profile")
    await marie.post("/me/profile", **profile())
    await leo.get("/doctors/marie")
    answer = await leo.post("/doctors/marie/follow")

    assert ["Your request to follow is on its way."] == await said(leo, answer.headers["Location"])


@pytest.mark.parametrize(
    ("changed", "code", "field"),
    [
        ({"summary": "x" * 2_001}, "summary_too_long", "summary"),
        ({"spoken": ["english"]}, "bad_language", "languages"),
        ({"spoken": [f"a{letter}" for letter in "abcdefghijk"]}, "too_many_languages", "languages"),
    ],
)
async def test_a_mistake_in_a_profile_is_named_and_nothing_is_lost(house, changed, code, field):
    """Nothing is kept; the mistake leads to its field, and what was typed remains."""
    marie = await house.doctor("marie")
    await marie.get("/me/profile")
    answer = await marie.post("/me/profile", **profile(**changed))
    page = await answer.get_data(as_text=True)

    assert (422, True) == (answer.status_code, f"({code})" in page)
    assert f'href="#{field}"' in page
    assert f'id="{field}"' in page
    assert f">{profile(**changed)['summary']}</textarea>" in page
    assert "Rythmologie" in await marie.text("/doctors/marie")


async def test_what_was_verified_is_shown_apart_and_cannot_be_edited(house):
    """Name, role, specialty, country and standing stand there; sent along, they change nothing (N37)."""
    marie = await house.doctor("marie")
    page = await marie.text("/me/profile")
    form = re.search(r'<form method="post" action="/me/profile".*?</form>', page, re.DOTALL)[0]
    sent = profile(
        name="Prof. X", role="resident", specialty="dermatology", country="DE", verified="true", assurance="z"
    )
    before = await rows(house.node, "select name, role, specialties, country, standing, assurance from doctors")
    await marie.post("/me/profile", **sent)

    assert {"csrf", "seen", "summary", "spoken", "approves_followers"} == set(re.findall(r' name="(\w+)"', form))
    assert "cannot be edited here" in page
    assert [tuple(row) for row in before] == [
        tuple(row)
        for row in await rows(house.node, "select name, role, specialties, country, standing, assurance from doctors")
    ]


@pytest.mark.parametrize("login", ["late", "out", "staff"])
async def test_whoever_is_not_in_good_standing_mends_nothing(house, login):
    """The closed door, for the form and for what it sends; their own page offers none of it."""
    somebody = await house.doctor(login)

    for path in ("/me/profile", "/me/posts", "/me/answers"):
        assert 403 == (await somebody.get(path)).status_code
        assert path not in await somebody.text("/me")
    assert 403 == (await somebody.post("/me/profile", **profile())).status_code


async def test_a_retired_doctor_has_a_profile_too(network):
    """Who reads and answers is seen, and says who they are."""
    await network["fr"].doctor("paul", role="retired")
    paul = Visitor(pages_of(network["fr"].node).test_client())
    await paul.post("/sign-in", login="paul", password=PASSWORD)
    await paul.get("/me/profile")

    assert 303 == (await paul.post("/me/profile", **profile())).status_code


async def test_a_language_not_on_the_list_is_not_lost(house):
    """The form offers what is kept, even where the list does not have it."""
    with sqlite3.connect(house.node.config.data / "esanum.db") as file:
        file.execute("update doctors set languages = ? where handle = 'marie'", (json.dumps(["lb", "fr"]),))
    page = await (await house.doctor("marie")).text("/me/profile")

    assert 'value="lb" checked><span>Luxembourgish' in page


# ── whom one has blocked ──


async def test_whom_one_has_blocked_is_found_again(network):
    """On a list of their own and in a search, with the way to take it back and no way to follow; then on neither."""
    marie = await doctor(network, "fr", "marie")
    await doctor(network, "fr", "leo")
    await marie.get("/doctors/leo")
    await marie.post("/doctors/leo/block")
    listed, found = await marie.text("/colleagues/blocked"), await marie.text("/colleagues?q=leo")
    freed = await marie.post("/doctors/leo/unblock", back="/colleagues/blocked")

    for page in (listed, found):
        assert 'action="/doctors/leo/unblock"' in page
        assert 'action="/doctors/leo/follow"' not in page
    assert "/colleagues/blocked" in found
    assert "/colleagues/blocked" == freed.headers["Location"]
    assert "You have not blocked anybody." in await marie.text("/colleagues/blocked")
    assert 'action="/doctors/leo/follow"' in await marie.text("/colleagues?q=leo")


async def test_nobody_learns_who_has_blocked_them(network):
    """The twin: on the other's list stands nothing of it."""
    marie, leo = await doctor(network, "fr", "marie"), await doctor(network, "fr", "leo")
    await marie.get("/doctors/leo")
    await marie.post("/doctors/leo/block")

    assert "Marie" not in await leo.text("/colleagues/blocked")
    assert "Marie" not in await leo.text("/notices")


# ── own posts and answers ──


async def close(house: House, title: str = TITLE) -> None:
    """The discussion becomes one for Léo alone, as if its author had narrowed it."""
    with sqlite3.connect(house.node.config.data / "esanum.db") as file:
        uri = file.execute("select uri from posts where title like ?", (title + "%",)).fetchone()[0]
        file.execute("update posts set audience = 'named' where uri = ?", (uri,))
        file.execute("insert into mentions (object, doctor) values (?, ?)", (uri, f"{FR}/doctors/leo"))


async def own_answer(house: House) -> str:
    """The slug of Marie's answer in the discussion."""
    found = await rows(house.node, "select slug from comments where content like '%No sport%'")
    return str(found[0]["slug"])


async def test_own_posts_and_answers_are_found(house):
    """Each list holds what is hers and nothing else, with what can be done to it."""
    marie = await house.doctor("marie")
    posts, answers = await marie.text("/me/posts"), await marie.text("/me/answers")
    case, answer = await slug_of(house, TITLE), await own_answer(house)

    assert "/me/posts" in await marie.text("/me")
    assert "Quelle anticoagulation" in posts
    assert TITLE not in posts
    assert "No sport at all" in answers
    assert TITLE in answers
    assert "IRM d’abord" not in answers
    assert f'href="/comments/{answer}/edit"' in answers
    assert f'href="/comments/{answer}/withdraw"' in answers
    assert case not in answers


async def test_of_a_closed_discussion_only_the_own_words_are_shown(house):
    """Narrowed past her: neither its title nor its text nor its author, here or on the way out (N8, N10)."""
    await close(house)
    marie, answer = await house.doctor("marie"), await own_answer(house)
    listed, asked = await marie.text("/me/answers"), await marie.text(f"/comments/{answer}/withdraw")
    case = await slug_of(house, TITLE)

    for page in (listed, asked):
        assert "No sport at all" in page
        assert [] == [word for word in (TITLE, "Weber", "T-wave", case) if word in page]
    assert "A discussion that is closed to you" in listed
    assert f"/comments/{answer}/edit" not in listed
    assert 404 == (await marie.get(f"/comments/{answer}")).status_code
    assert 404 == (await marie.get(f"/comments/{answer}/edit")).status_code
    assert 404 == (await marie.get(f"/comments/{answer}/history")).status_code
    assert 404 == (await marie.get(f"/posts/{case}")).status_code


async def test_the_title_comes_back_with_the_discussion(house):
    """The twin: whoever it is for reads where they answered."""
    await close(house)
    leo = await house.doctor("leo")

    assert TITLE in await leo.text("/me/answers")
    assert "IRM d’abord" in await leo.text("/me/answers")


async def test_an_answer_in_a_closed_discussion_is_withdrawn_on_its_page(network):
    """Leo answered, Marie blocked him: he finds his words, takes them back, and is told so on his own list."""
    marie, leo = await doctor(network, "fr", "marie"), await doctor(network, "fr", "leo")
    post = await write(marie)
    await leo.get(post)
    made = await leo.post(f"{post}/answers", text="A mistake.", language="en", form_key="k")
    answer = made.headers["Location"].partition("#")[2]
    await marie.get("/doctors/leo")
    await marie.post("/doctors/leo/block")
    assert "A mistake." in await leo.text(f"/comments/{answer}/withdraw")
    gone = await leo.post(f"/comments/{answer}/withdraw")
    said_of_it = await said(leo, "/me/answers")

    assert (303, "/me/answers") == (gone.status_code, gone.headers["Location"])
    assert ["Your answer is withdrawn."] == said_of_it
    assert "A mistake." not in await leo.text("/me/answers")
    assert [] == await rows(network["fr"].node, "select uri from comments")


async def test_nobody_withdraws_the_words_of_another(house):
    """The same page as for words that are not there, whether or not the discussion is open."""
    leo, marie = await house.doctor("leo"), await house.doctor("marie")
    answer = await own_answer(house)
    await leo.get("/me/answers")

    for slug in (answer, "nothing"):
        assert 404 == (await leo.get(f"/comments/{slug}/withdraw")).status_code
        assert 404 == (await leo.post(f"/comments/{slug}/withdraw")).status_code
    assert "No sport at all" in await marie.text("/me/answers")


async def test_lists_go_on_page_by_page(house):
    """Twenty on a page, the older ones behind a link, none twice; a cursor that is none is the beginning."""
    rows_ = Rows(house.node.config.data / "esanum.db", NOW)
    rows_._number = 500
    with rows_ as file:
        marie = f"{FR}/doctors/marie"
        slugs = [
            file.post(marie, f"Own post {number:02}", hours_ago=30 + number, audience="national")
            for number in range(45)
        ]
        for number, slug in enumerate(slugs):
            file.comment(marie, slug, f"<p>Own answer {number:02}.</p>", hours_ago=30 + number)
    marie_ = await house.doctor("marie")
    for which, pattern in (("posts", r"Own post \d\d"), ("answers", r"Own answer \d\d")):
        found, path = [], f"/me/{which}"
        while path:
            page = await marie_.text(path)
            found += re.findall(pattern, page)
            onward = re.search(rf'href="(/me/{which}\?before=[^"]+)"', page)
            path = onward[1] if onward else ""
        assert 45 == len(found) == len(set(found))
        assert found == sorted(found)
        assert 200 == (await marie_.get(f"/me/{which}?before=%27nonsense")).status_code


async def test_an_edit_of_an_answer_speaks_of_the_answer(house):
    """Its page says nothing of an audience that an answer does not have."""
    marie = await house.doctor("marie")
    page = await marie.text(f"/comments/{await own_answer(house)}/edit")

    assert "Readers can see earlier versions of your answer." in page
    assert "audience" not in page


async def test_too_many_answers_say_when_to_come_back(network):
    """The hundred and twenty-first answer of an hour waits, with what was typed; an hour later it is taken."""
    marie = await doctor(network, "fr", "marie")
    post = await write(marie)
    await marie.get(post)
    for number in range(120):
        made = await marie.post(f"{post}/answers", text=f"Answer {number}", language="en", form_key=f"k{number}")
        assert 303 == made.status_code
    refused = await marie.post(f"{post}/answers", text="One more", language="en", form_key="more")
    page = await refused.get_data(as_text=True)
    network.clock.move(minutes=59)
    early = await marie.post(f"{post}/answers", text="One more", language="en", form_key="more")
    network.clock.move(minutes=2)
    taken = await marie.post(f"{post}/answers", text="One more", language="en", form_key="more")

    assert (429, "3600") == (refused.status_code, refused.headers["Retry-After"])
    assert "there were 120 within an hour" in page
    assert "(too_many_comments)" in page
    assert ">One more</textarea>" in page
    assert (429, 303) == (early.status_code, taken.status_code)


# ── the profile in two tabs ──


async def updates(network) -> int:
    """How many times siblings were told of a doctor."""
    return len(await rows(network["fr"].node, "select uri from activities where type = 'Update'"))


def seen_in(page: str) -> str:
    """The version the form was made from."""
    return re.search(r'name="seen" value="([^"]*)"', page)[1]


async def test_a_profile_in_a_second_tab_overwrites_nothing_unseen(network):
    """409 with what was typed beside what is kept; neither the words nor who may follow is changed; then it goes."""
    marie = await doctor(network, "fr", "marie")
    opened = seen_in(await marie.text("/me/profile"))
    first = await marie.post("/me/profile", **profile(summary="From tab one.", seen=opened))
    second = await marie.post("/me/profile", **profile(summary="From tab two.", approves_followers="", seen=opened))
    page, kept = await second.get_data(as_text=True), await marie.text("/me/profile")
    again = await marie.post("/me/profile", **profile(summary="From tab two.", seen=seen_in(page)))

    assert (303, 409, 303) == (first.status_code, second.status_code, again.status_code)
    assert "(changed_meanwhile)" in page
    assert ">From tab two.</textarea>" in page
    assert "<p>From tab one.</p>" in page
    assert ">From tab one.</textarea>" in kept
    assert 'name="approves_followers" value="1" checked' in kept


async def test_a_renewed_credential_is_no_other_tab(network):
    """The twin: what the instance renews meanwhile is none of what the form changes."""
    marie = await doctor(network, "fr", "marie")
    opened = seen_in(await marie.text("/me/profile"))
    with sqlite3.connect(network["fr"].config.data / "esanum.db") as file:
        file.execute("update doctors set updated_at = updated_at + 5 where handle = 'marie'")

    assert 303 == (await marie.post("/me/profile", **profile(seen=opened))).status_code


async def test_a_profile_sent_twice_is_told_once(network):
    """A second press, or a form saved as it was, says nothing to anybody; a change of any line does."""
    marie = await doctor(network, "fr", "marie")
    opened = seen_in(await marie.text("/me/profile"))
    pressed = [await marie.post("/me/profile", **profile(seen=opened)) for _ in range(2)]
    once = await updates(network)
    for changed in ({"summary": "Other."}, {"spoken": ["fr"]}, {"approves_followers": ""}):
        await marie.post("/me/profile", **profile(**changed))

    assert [303, 303] == [answer.status_code for answer in pressed]
    assert (1, 4) == (once, await updates(network))


@pytest.mark.parametrize("token", ["stale", ""])
async def test_a_profile_is_not_lost_with_the_session(house, token):
    """Signed out, or with an older form: what was typed about oneself stands on the page that says so."""
    marie = await house.doctor("marie")
    await marie.get("/me/profile")
    marie.token = token
    if not token:
        await house.node.store.write(lambda tx: tx.run("sessions.end_all_of_doctor", doctor=f"{FR}/doctors/marie"))
    answer = await marie.post("/me/profile", **profile(summary="Typed on a tram."))

    assert (403 if token else 401) == answer.status_code
    assert ">Typed on a tram.</textarea>" in await answer.get_data(as_text=True)


async def test_the_names_in_a_form_are_not_lost_with_the_session(house):
    """Nor are the doctors that a post was to be for."""
    marie = await house.doctor("marie")
    marie.token = "stale"
    answer = await marie.post("/write", title="T", text="X", named="@leo, @paul")

    assert (403, True) == (answer.status_code, ">@leo, @paul</textarea>" in await answer.get_data(as_text=True))


async def test_a_block_of_somebody_who_left_is_taken_back(house):
    """They are on the list of those blocked, and the button there and on their page works; then they are gone from it."""
    with sqlite3.connect(house.node.config.data / "esanum.db") as file:
        file.execute("insert into blocks (doctor, blocked, at) values (?, ?, 1)", (f"{FR}/doctors/marie", JONAS))
        file.execute("update doctors set gone_at = 1, standing = 'gone', name = '' where uri = ?", (JONAS,))
    marie = await house.doctor("marie")
    act = "/doctors/jonas%40de.localhost%3A8002/unblock"
    listed, page = await marie.text("/colleagues/blocked"), await marie.text(act.removesuffix("/unblock"))
    freed = await marie.post(act, back="/colleagues/blocked")

    assert (True, True) == (f'action="{act}"' in listed, f'action="{act}"' in page)
    assert 303 == freed.status_code
    assert "You have not blocked anybody." in await marie.text("/colleagues/blocked")
