"""What doctors do through forms, from one country to the other: follow, write, answer, mend, withdraw."""

from __future__ import annotations

import re

import pytest

from instance.services.people import NewDoctor
from tests.factors import enrol
from tests.instance.pages.house import Visitor
from tests.ready import pages_of
from tests.town import PASSWORD, Network, rows


async def doctor(network: Network, country: str, handle: str) -> Visitor:
    """A doctor who has signed in through the page."""
    await network[country].doctor(handle, specialty="cardiology")
    somebody = Visitor(pages_of(network[country].node).test_client())
    answer = await somebody.post("/sign-in", login=handle, password=PASSWORD)
    assert answer.status_code == 303
    return somebody


def draft(**changed: str | list[str]) -> dict[str, str | list[str]]:
    """A post as the form sends it."""
    form: dict[str, str | list[str]] = {
        "kind": "case",
        "title": "Palpitations at night",
        "text": "A made-up case.\n\n- first\n- second",
        "specialty": ["cardiology", ""],
        "language": "en",
        "audience": "federation",
        "named": "",
        "form_key": "one-form",
    }
    return form | changed


async def test_a_case_travels_and_the_answer_comes_back(network):
    """Marie finds Anna abroad by her address, follows, reads Anna's case, answers; Anna reads the answer at home."""
    marie, anna = await doctor(network, "fr", "marie"), await doctor(network, "de", "anna")
    authority = network["de"].node.authority
    found = await marie.get(f"/colleagues?q=anna@{authority}")
    assert f"/doctors/anna@{authority}" == found.headers["Location"]
    assert "Follow" in await marie.text(found.headers["Location"])
    assert 303 == (await marie.post(found.headers["Location"] + "/follow")).status_code
    await network.settle()
    await anna.get("/write")
    published = await anna.post("/write", **draft())
    assert 303 == published.status_code
    await network.settle()
    page = await marie.text("/feed?tab=colleagues")
    address = re.search(r'href="(/posts/[^"]+)"[^>]*>Palpitations', page)[1]
    assert "<li>first</li>" in await marie.text(address)
    answered = await marie.post(address + "/answers", text="Holter first.", form_key="an-answer")
    assert 303 == answered.status_code
    await network.settle()

    assert "Holter first." in await anna.text(published.headers["Location"])
    assert "answered" in await anna.text("/notices")


async def test_the_same_form_twice_is_one_post(network):
    """A form sent again, by a second press or a lost connection, leads to the post that is there."""
    marie = await doctor(network, "fr", "marie")
    await marie.get("/write")
    first, second = await marie.post("/write", **draft()), await marie.post("/write", **draft())

    assert first.headers["Location"] == second.headers["Location"]
    assert 1 == (await marie.text("/feed?tab=all")).count("Palpitations at night")


@pytest.mark.parametrize(
    ("changed", "code", "field"),
    [
        ({"title": ""}, "title_missing", "title"),
        ({"text": "   "}, "text_missing", "text"),
        ({"specialty": [""]}, "bad_specialties", "specialties"),
        ({"audience": "everyone"}, "bad_audience", "audience"),
        ({"kind": "gossip"}, "bad_kind", "kind"),
        ({"kind": "news"}, "kind_not_federated", "audience"),
        ({"audience": "named"}, "named_missing", "named"),
        ({"audience": "named", "named": "@nobody"}, "named_unknown", "named"),
        ({"language": "<script>"}, "bad_language", "language"),
    ],
)
async def test_a_mistake_is_named_at_its_field_and_the_text_kept(network, changed, code, field):
    """Nothing is published, the mistake stands on top with a link to an existing field, and what was typed remains."""
    marie = await doctor(network, "fr", "marie")
    await marie.get("/write")
    answer = await marie.post("/write", **draft(**changed))
    page = await answer.get_data(as_text=True)

    assert 422 == answer.status_code
    assert f"({code})" in page
    assert f'href="#{field}"' in page
    assert f'id="{field}"' in page
    assert changed.get("text", "A made-up case.").strip() in page
    assert "<script>" not in page.replace('<script type="module"', "")
    assert "Palpitations" not in await marie.text("/feed?tab=all")


async def test_an_author_mends_and_withdraws(network):
    """The new version has a history; a withdrawn page is gone; both are the author's alone to do."""
    marie, leo = await doctor(network, "fr", "marie"), await doctor(network, "fr", "leo")
    await marie.get("/write")
    address = (await marie.post("/write", **draft())).headers["Location"]
    await leo.get(address)
    assert 404 == (await leo.get(address + "/edit")).status_code
    assert 404 == (await leo.get(address + "/withdraw")).status_code
    assert (await leo.post(address + "/withdraw")).status_code in (403, 404)
    assert "A made-up case." in await marie.text(address + "/edit")
    assert 303 == (await marie.post(address + "/edit", **draft(text="Mended."))).status_code
    history = await leo.text(address + "/history")
    assert history.index("A made-up case.") < history.index("Mended.")
    assert "cannot be undone" in await marie.text(address + "/withdraw")
    assert 303 == (await marie.post(address + "/withdraw")).status_code

    assert 404 == (await leo.get(address)).status_code
    assert 404 == (await marie.get(address)).status_code


async def test_thanks_recommendations_and_reports(network):
    """Small acts are taken and taken back; a report needs a reason and does not show the reporter."""
    marie, leo = await doctor(network, "fr", "marie"), await doctor(network, "fr", "leo")
    await marie.get("/write")
    address = (await marie.post("/write", **draft())).headers["Location"]
    await leo.get(address)
    await leo.post(address + "/thanks")
    assert "1 thank-you" in await leo.text(address)
    await leo.post(address + "/thanks", undo="1")
    assert "1 thank-you" not in await leo.text(address)
    await leo.post(address + "/recommend")
    assert "Recommended by you" in await leo.text(address)
    assert 422 == (await leo.post(address + "/report")).status_code
    assert 200 == (await leo.post(address + "/report", reason="identity")).status_code

    assert "Leo" not in await marie.text("/notices") or "report" not in await marie.text("/notices")


async def test_a_block_hides_both_from_each_other(network):
    """After a block neither sees the other's posts; after it is lifted they do again."""
    marie, leo = await doctor(network, "fr", "marie"), await doctor(network, "fr", "leo")
    await marie.get("/write")
    address = (await marie.post("/write", **draft())).headers["Location"]
    await leo.get("/doctors/marie")
    await leo.post("/doctors/marie/block")
    assert 404 == (await leo.get(address)).status_code
    await leo.get("/doctors/marie")
    await leo.post("/doctors/marie/unblock")

    assert 200 == (await leo.get(address)).status_code


async def test_a_new_password_ends_every_other_session(network):
    """The old sessions are dead, this one goes on, and the new password is the one that counts."""
    marie = await doctor(network, "fr", "marie")
    await marie.get("/me")
    wrong = await marie.post("/me/password", old_password="not this one", password="x", again="x")
    assert 422 == wrong.status_code
    differ = await marie.post("/me/password", old_password=PASSWORD, new="three quiet rivers", again="other")
    assert "(passwords_differ)" in await differ.get_data(as_text=True)
    await marie.get("/me")
    words = "three quiet rivers meet"
    changed = await marie.post("/me/password", old_password=PASSWORD, password=words, again=words)

    assert "/me?saved=password" == changed.headers["Location"]
    assert 200 == (await marie.get("/me")).status_code


async def test_a_form_gone_back_to_does_not_swallow_a_new_text(network):
    """The browser's way back shows the old form; what is written into it now comes back, and can be sent."""
    marie = await doctor(network, "fr", "marie")
    await marie.get("/write")
    first = await marie.post("/write", **draft())
    again = await marie.post("/write", **draft(title="Another case", text="Quite another text."))
    page = await again.get_data(as_text=True)
    key = re.search(r'name="form_key" value="([^"]+)"', page)[1]
    sent = await marie.post("/write", **draft(title="Another case", text="Quite another text.", form_key=key))

    assert (409, True, True) == (again.status_code, "(form_used)" in page, "Quite another text." in page)
    assert 303 == sent.status_code
    assert sent.headers["Location"] != first.headers["Location"]


async def test_an_answer_gone_back_to_does_not_swallow_a_new_text(network):
    """The same for answers; the same text twice stays one answer."""
    marie = await doctor(network, "fr", "marie")
    await marie.get("/write")
    address = (await marie.post("/write", **draft())).headers["Location"]
    one = await marie.post(f"{address}/answers", text="First.", form_key="used")
    same = await marie.post(f"{address}/answers", text="First.", form_key="used")
    other = await marie.post(f"{address}/answers", text="Second.", form_key="used")

    assert one.headers["Location"] == same.headers["Location"]
    assert (409, True) == (other.status_code, ">Second.</textarea>" in await other.get_data(as_text=True))


async def test_a_report_names_neither_author_nor_reporter(network):
    """Whoever looks after the instance reads that there is a report: from here, and the same from a sibling."""
    for country, handle in (("fr", "chef"), ("de", "leitung")):
        await network[country].node.people.add_doctor(
            NewDoctor(
                handle=handle, name=handle.title(), role="specialist", country=network[country].config.country,
                specialties=("cardiology",), password=PASSWORD, roles=("administrator",),
            ),
            by="test",
        )  # fmt: skip
    marie, anna = await doctor(network, "fr", "marie"), await doctor(network, "de", "anna")
    await anna.get("/write")
    await anna.post("/write", **draft())
    await network.settle()
    address = re.search(r'href="(/posts/[^"]+)"[^>]*>Palpitations', await marie.text("/feed?tab=all"))[1]
    await marie.get(address)
    await marie.post(address + "/report", reason="identity")
    await network.settle()

    for country, handle in (("fr", "chef"), ("de", "leitung")):
        staff = Visitor(pages_of(network[country].node).test_client())
        await staff.post("/sign-in", login=handle, password=PASSWORD)
        await enrol(staff, network[country].node.clock())
        told = re.search(r'<ul class="notices">.*?</ul>', await staff.text("/notices"), re.DOTALL)[0]
        assert "<p>A report concerns this discussion:</p>" in told
        assert "Palpitations at night" in told


# ── two tabs, two presses ──


def seen_in(page: str) -> str:
    """The version a form was made from."""
    return re.search(r'name="seen" value="([^"]*)"', page)[1]


async def said_of(network: Network, kind: str) -> int:
    """How many activities of this kind France has sent or will send."""
    return len(await rows(network["fr"].node, f"select uri from activities where type = '{kind}'"))


@pytest.mark.parametrize("what", ["posts", "comments"])
async def test_a_second_tab_overwrites_nothing_unseen(network, what):
    """The form opened before the other one was saved: 409, its text kept beside the current one; sent again, it goes."""
    marie = await doctor(network, "fr", "marie")
    await marie.get("/write")
    path = (await marie.post("/write", **draft())).headers["Location"]
    if what == "comments":
        made = await marie.post(f"{path}/answers", text="An answer.", language="en", form_key="k")
        path = "/comments/" + made.headers["Location"].partition("#")[2]
    opened = seen_in(await marie.text(f"{path}/edit"))
    network.clock.move(minutes=1)
    first = await marie.post(f"{path}/edit", **draft(text="From tab one.", seen=opened))
    network.clock.move(minutes=1)
    second = await marie.post(f"{path}/edit", **draft(text="From tab two.", seen=opened))
    page, kept = await second.get_data(as_text=True), await marie.text(f"{path}/edit")
    again = await marie.post(f"{path}/edit", **draft(text="From tab two.", seen=seen_in(page)))

    assert (303, 409, 303) == (first.status_code, second.status_code, again.status_code)
    assert "(changed_meanwhile)" in page
    assert ">From tab two.</textarea>" in page
    assert "<p>From tab one.</p>" in page
    assert ">From tab one.</textarea>" in kept
    assert ">From tab two.</textarea>" in await marie.text(f"{path}/edit")


@pytest.mark.parametrize("seen", ["soon", "-1", "9" * 40, "1.5"])
async def test_a_version_that_is_none_is_not_the_present_one(network, seen):
    """The twin: whatever else the field holds changes nothing and loses nothing."""
    marie = await doctor(network, "fr", "marie")
    await marie.get("/write")
    path = (await marie.post("/write", **draft())).headers["Location"]
    answer = await marie.post(f"{path}/edit", **draft(text="Other.", seen=seen))

    assert (409, True) == (answer.status_code, ">Other.</textarea>" in await answer.get_data(as_text=True))
    assert "A made-up case." in await marie.text(path)


@pytest.mark.parametrize("what", ["posts", "comments"])
async def test_an_edit_sent_twice_is_one_version(network, what):
    """A double press on a page without scripts: one earlier version, one Update, and both lead on; the same unchanged."""
    marie = await doctor(network, "fr", "marie")
    await marie.get("/write")
    path = (await marie.post("/write", **draft())).headers["Location"]
    if what == "comments":
        made = await marie.post(f"{path}/answers", text="An answer.", language="en", form_key="k")
        path = "/comments/" + made.headers["Location"].partition("#")[2]
    opened = seen_in(await marie.text(f"{path}/edit"))
    answers = [await marie.post(f"{path}/edit", **draft(text="Mended.", seen=opened)) for _ in range(2)]
    opened = seen_in(await marie.text(f"{path}/edit"))
    answers.append(await marie.post(f"{path}/edit", **draft(text="Mended.", seen=opened)))

    assert [303] * 3 == [answer.status_code for answer in answers]
    assert 1 == len({answer.headers["Location"] for answer in answers})
    assert 1 == len(await rows(network["fr"].node, "select id from revisions"))
    assert 1 == await said_of(network, "Update")


@pytest.mark.parametrize(
    "changed", [{"title": "T"}, {"language": "fr"}, {"kind": "question"}, {"audience": "national"}]
)
async def test_whatever_is_changed_is_kept(network, changed):
    """The twin: a new title, language, kind or audience alone is a new version."""
    marie = await doctor(network, "fr", "marie")
    await marie.get("/write")
    path = (await marie.post("/write", **draft())).headers["Location"]
    await marie.post(f"{path}/edit", **draft(**changed))

    assert 1 == len(await rows(network["fr"].node, "select id from revisions"))


async def test_withdrawing_twice_leads_on_twice(network):
    """Both presses say that it is withdrawn, and one Delete is sent; to anybody else it stays a page that is not there."""
    marie, leo = await doctor(network, "fr", "marie"), await doctor(network, "fr", "leo")
    await marie.get("/write")
    path = (await marie.post("/write", **draft())).headers["Location"]
    made = await marie.post(f"{path}/answers", text="An answer.", language="en", form_key="k")
    answer = "/comments/" + made.headers["Location"].partition("#")[2]
    await leo.get(path)
    pressed = [await marie.post(f"{thing}/withdraw") for thing in (answer, answer, path, path)]
    others = [await leo.post(f"{thing}/withdraw") for thing in (answer, path)]

    assert [303] * 4 == [answer.status_code for answer in pressed]
    assert ["answer_withdrawn."] * 2 + ["post_withdrawn."] * 2 == [
        re.search(r"done=([^;]+)", answer.headers["Set-Cookie"])[1] for answer in pressed
    ]
    assert [404, 404] == [answer.status_code for answer in others]
    assert 2 == await said_of(network, "Delete")


@pytest.mark.parametrize("mistake", [{"text": "x" * 70_000}, {"language": "<b>"}, {"form_key": "used"}])
async def test_a_reply_to_an_answer_that_is_gone_is_not_lost(network, mistake):
    """What it answers was withdrawn meanwhile, and there is a mistake too: both are shown, and the text."""
    marie, leo = await doctor(network, "fr", "marie"), await doctor(network, "fr", "leo")
    await marie.get("/write")
    path = (await marie.post("/write", **draft())).headers["Location"]
    made = await marie.post(f"{path}/answers", text="An answer.", language="en", form_key="used")
    await leo.get(path)
    await leo.post(f"{path}/answers", text="Sent before.", language="en", form_key="used")
    parent = made.headers["Location"].partition("#")[2]
    await marie.post(f"/comments/{parent}/withdraw")
    form = {"text": "A reply.", "language": "en", "form_key": "new", "parent": parent} | mistake
    refused = await leo.post(f"{path}/answers", **form)
    page = await refused.get_data(as_text=True)

    assert refused.status_code in (409, 422)
    assert f">{form['text']}</textarea>" in page
    assert 'id="mistakes"' in page
