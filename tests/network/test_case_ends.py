"""How a case ends and goes on, and what of it is closed to whom."""

from __future__ import annotations

import re
from typing import Any

import pytest
from msgspec.structs import replace

from federation.vocabulary import Update
from instance.services.errors import Forbidden, Missing, Rejected
from instance.services.publishing import ResolutionDraft
from instance.storage.errors import StorageUnavailable
from tests.doorway import a_comment, a_create, a_post, an_act, says
from tests.network.scene import Visitor, home_uri
from tests.network.test_cases import END, answers, notices
from tests.town import rows

# ── the end, and going on ──


async def test_an_end_travels_is_corrected_and_taken_back(town, people):
    """Marie reads the diagnosis on top and on the card; the correction comes, and so does the opening anew."""
    slug = await people["anna"].posts("T-1")
    await town.settle()
    uri, publishing = home_uri(town["de"], slug), town["de"].node.publishing
    helped = await answers(people["marie"], uri, "Sarcoid?")
    await town.settle()
    (there,) = await rows(town["de"].node, "select slug from comments")
    marie, here = await Visitor.of(people["marie"]), await people["marie"].slug_of(uri)
    await publishing.resolve(people["anna"].uri, slug, replace_draft(END, thanked=(there["slug"],)))
    await town.settle()
    solved, card = await marie.text(f"/posts/{here}"), await marie.text("/feed?tab=all")
    as_json = [item["solved"] for item in await marie.feed_json()]
    town.clock.move(minutes=1)
    await publishing.resolve(people["anna"].uri, slug, replace_draft(END, diagnosis="Riesenzellmyokarditis"))
    await town.settle()
    corrected = await marie.text(f"/posts/{here}")
    town.clock.move(minutes=1)
    await publishing.reopen(people["anna"].uri, slug)
    await town.settle()
    reopened = await marie.text(f"/posts/{here}")

    assert "Sarkoidose des Herzens" in solved
    assert re.search(rf'id="{helped}".*?Helped', solved, re.DOTALL)
    assert 'class="solved"' in card
    assert [True] == as_json
    assert "Riesenzellmyokarditis" in corrected
    assert "Sarkoidose" not in corrected
    assert "Riesenzellmyokarditis" not in reopened
    assert 'class="solved"' not in await marie.text("/feed?tab=all")
    assert [False] == [item["solved"] for item in await marie.feed_json()]
    assert [] == await notices(town, "fr")
    assert [(None,)] == [tuple(row) for row in await rows(town["fr"].node, "select solved_at from posts")]


def replace_draft(draft: ResolutionDraft, **changes: Any) -> ResolutionDraft:
    """The same end, said otherwise."""
    values = {name: getattr(draft, name) for name in ("diagnosis", "outcome", "language", "thanked")}
    return ResolutionDraft(**{**values, **changes})


async def test_only_the_author_says_how_it_ended(town, people):
    """Neither a colleague here, nor a sibling's doctor, nor a message in the author's name from elsewhere."""
    slug = await people["anna"].posts("T-1")
    await town.settle()
    uri, berta = home_uri(town["de"], slug), await town["de"].doctor("berta")
    with pytest.raises(Forbidden, match="not_the_owner"):
        await town["de"].node.publishing.resolve(berta.uri, slug, END)
    with pytest.raises(Forbidden, match="not_the_owner"):
        await town["fr"].node.publishing.resolve(people["marie"].uri, await people["marie"].slug_of(uri), END)
    visitor = await Visitor.of(berta)
    assert 404 == (await visitor.get(f"/posts/{slug}/resolution")).status
    assert 404 == (await visitor.post(f"/posts/{slug}/resolution", diagnosis="x", language="de")).status
    end = {
        "diagnosis": "Erfunden",
        "language": "de",
        "resolved": "2026-11-23T12:00:00Z",
        "updated": "2026-11-23T12:00:00Z",
    }
    theirs = replace(a_post(people["marie"], id=uri), resolution=end)
    answer = await says(people["marie"], town["it"], an_act(people["marie"], Update, object=theirs, to=theirs.to))
    await town.settle()

    assert 403 == answer.status
    for place in ("de", "fr", "it"):
        assert [] == await rows(town[place].node, "select * from resolutions")


async def test_an_older_end_changes_nothing_and_one_of_another_form_is_refused(town, people):
    """Versions may come in any order; markup and addresses that are none stay out."""
    post = a_post(people["anna"])
    end = {
        "diagnosis": "Später",
        "language": "de",
        "resolved": "2026-11-23T12:00:00Z",
        "updated": "2026-11-23T12:05:00Z",
    }
    wrong = [
        {**end, "diagnosis": 7},
        {**end, "thanks": ["nowhere"]},
        {**end, "updated": "soon"},
        {**end, "language": "<b>"},
    ]
    for each in (end, {**end, "diagnosis": "Früher", "updated": "2026-11-23T12:01:00Z"}, *wrong):
        word = replace(post, resolution=each)
        await says(people["anna"], town["fr"], an_act(people["anna"], Update, object=word, to=word.to))
    await town.settle()

    assert ["Später"] == [row["diagnosis"] for row in await rows(town["fr"].node, "select diagnosis from resolutions")]


async def test_thanks_are_for_answers_of_this_thread(town, people):
    """An own answer, one of another case, and none at all: nothing is kept."""
    slug, other = await people["anna"].posts("T-1"), await people["anna"].posts("T-2")
    own = await answers(people["anna"], home_uri(town["de"], slug), "Mine.")
    berta = await town["de"].doctor("berta")
    elsewhere = await answers(berta, home_uri(town["de"], other), "There.")
    for thanked in (own, elsewhere, "01NOTHING"):
        with pytest.raises(Missing):
            await town["de"].node.publishing.resolve(people["anna"].uri, slug, replace_draft(END, thanked=(thanked,)))
    with pytest.raises(Rejected, match="diagnosis_missing"):
        await town["de"].node.publishing.resolve(people["anna"].uri, slug, replace_draft(END, diagnosis=" "))

    assert [] == await rows(town["de"].node, "select * from resolutions")


async def test_an_update_is_the_authors_alone(town, people):
    """Anna's update is marked at every instance; nobody else's answer is, whatever a message says."""
    slug = await people["anna"].posts("T-1")
    await town.settle()
    uri = home_uri(town["de"], slug)
    await answers(people["anna"], uri, "Biopsy is back.", as_update=True)
    with pytest.raises(Forbidden, match="not_the_owner"):
        await answers(people["marie"], uri, "No.", as_update=True)
    await says(people["luca"], town["fr"], a_create(people["luca"], a_comment(people["luca"], uri, note_kind="update")))
    await town.settle()
    page = await (await Visitor.of(people["marie"])).text(f"/posts/{await people['marie'].slug_of(uri)}")
    kinds = {
        row["author"].rpartition("/")[2]: row["kind"] for row in await rows(town["fr"].node, "select * from comments")
    }

    assert {"anna": "update", "luca": ""} == kinds
    assert 1 == page.count("Update of the case")
    assert "Updates:" in page


async def test_a_case_that_is_closed_to_its_reader_has_none_of_its_acts(town, people):
    """Every act on a case that is not for Otto answers as for one that never was."""
    slug = await people["anna"].posts("T-1", audience="named", named=(people["marie"].address,))
    await town.settle()
    otto = await Visitor.of(await town["de"].doctor("otto"))
    for act in ("follow", "mute", "save", "vote", "poll", "poll/close", "resolution", "reopen"):
        there = await otto.post(f"/posts/{slug}/{act}", choice="0", diagnosis="x", language="de")
        nowhere = await otto.post(f"/posts/01M844DZG0FPCXFGMWRD2KGRAK/{act}", choice="0", diagnosis="x", language="de")
        assert (404, there.body) == (nowhere.status, nowhere.body), act
        assert 404 == there.status


async def test_a_case_is_read_where_nothing_can_be_written(town, people, monkeypatch):
    """That somebody was here is not worth a page that does not come."""
    slug = await people["anna"].posts("T-1")
    anna = await Visitor.of(people["anna"])

    async def full(*_: Any) -> None:
        raise StorageUnavailable("the disk is full")

    monkeypatch.setattr(town["de"].node.publishing, "visited", full)

    assert "T-1" in await anna.text(f"/posts/{slug}")
