"""What doctors do through forms, from one country to the other: follow, write, answer, mend, withdraw."""

from __future__ import annotations

import re

import pytest

from instance.app import make_app
from instance.services.people import NewDoctor
from tests.instance.pages.house import Visitor
from tests.town import PASSWORD, Network


async def doctor(network: Network, country: str, handle: str) -> Visitor:
    """A doctor who has signed in through the page."""
    await network[country].doctor(handle, specialty="cardiology")
    somebody = Visitor(make_app(network[country].node).test_client())
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
        staff = Visitor(make_app(network[country].node).test_client())
        await staff.post("/sign-in", login=handle, password=PASSWORD)
        told = re.search(r'<ul class="notices">.*?</ul>', await staff.text("/notices"), re.DOTALL)[0]
        assert "<p>A report concerns this discussion:</p>" in told
        assert "Palpitations at night" in told
