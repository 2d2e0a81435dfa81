"""A case from its summary to its end, across borders: codes, quotations, mentions, what is new, what is kept."""

from __future__ import annotations

import re
from typing import Any

import pytest

from federation.uri import Uri
from federation.vocabulary import Mention
from instance.services.errors import Missing
from instance.services.publishing import CommentDraft, ResolutionDraft
from tests.doorway import a_comment, a_create, a_post, says
from tests.network.scene import Visitor, befriend, home_uri
from tests.town import Network, Person, rows
from verification import clinical

SUMMARY = {
    "ageBand": "30-39", "sex": "female", "setting": "emergency", "question": "diagnosis",
    "history": ["asthma", "made-up-code"], "findings": ["syncope", "abnormal-ecg"],
    "text": {"history": "Belastungsasthma <b>seit</b> der Kindheit"}, "language": "de",
}  # fmt: skip
END = ResolutionDraft(diagnosis="Sarkoidose des Herzens", outcome="Unter Therapie stabil.", language="de")


async def notices(town: Network, place: str, who: Person | None = None) -> list[str]:
    """The kinds of notices at an instance, oldest first."""
    only = f"where doctor = '{who.uri}'" if who is not None else ""
    return [row["kind"] for row in await rows(town[place].node, f"select kind from notifications {only} order by id")]


async def answers(who: Person, uri: str, text: str, **changes: Any) -> str:
    """Answer as the page does; return the slug at home."""
    draft = CommentDraft(text=text, language="en", **changes)
    return await who.place.node.publishing.comment(who.uri, await who.slug_of(uri), draft)


# ── the summary ──


async def test_a_summary_written_in_german_is_read_in_french(town, people):
    """Codes are read in the reader's language; what was typed stays in its own, and is never markup."""
    slug = await people["anna"].posts("T-1", summary=clinical.read(SUMMARY))
    await town.settle()
    reader = await Visitor.of(people["marie"])
    reader_page = await reader.get(f"/posts/{await people['marie'].slug_of(home_uri(town['de'], slug))}")
    await rows(town["fr"].node, "select 1")
    await reader.post("/language", language="fr")
    page = await reader.text(f"/posts/{await people['marie'].slug_of(home_uri(town['de'], slug))}")

    assert 200 == reader_page.status
    found = {"30 to 39 years", "female", "emergency department", "asthma", "syncope, abnormal ECG"}
    assert not {each for each in found if each not in reader_page.body.decode()}
    assert "made-up-code" not in page
    assert '<span lang="de">Belastungsasthma &lt;b&gt;seit&lt;/b&gt; der Kindheit</span>' in page


@pytest.mark.parametrize(
    "summary",
    [
        {"ageBand": "<script>alert(1)</script>", "sex": ["female", "male"], "history": {"a": 1}},
        {"text": {"history": "x" * 301}, "language": "de"},
        {"text": {"history": "kurz"}, "language": "deutsch"},
        {"text": "kurz", "findings": 7, "question": None},
    ],
)
async def test_what_is_no_code_is_shown_as_nothing(town, people, summary):
    """A summary of another form comes in with its case, and nothing of it is shown."""
    wrong = dict(summary)
    if "sex" in wrong:
        wrong["sex"] = "unheard-of"
    await says(people["anna"], town["fr"], a_create(people["anna"], a_post(people["anna"], clinical_summary=wrong)))
    await town.settle()
    (row,) = await rows(town["fr"].node, "select slug from posts")
    page = await (await Visitor.of(people["marie"])).text(f"/posts/{row['slug']}")

    assert "Made-up case" in page
    assert "case-facts" not in page
    assert "alert(1)" not in page


async def test_an_edit_changes_the_summary(town, people):
    """The form shows what was chosen; a change travels like one of the text."""
    slug = await people["anna"].posts("T-2", summary=clinical.read(SUMMARY))
    await town.settle()
    town.clock.move(seconds=5)
    anna = await Visitor.of(people["anna"])
    form = await anna.text(f"/posts/{slug}/edit")
    sent = await anna.post(
        f"/posts/{slug}/edit", kind="case", title="T-2", text="Made up.", specialty="cardiology", language="en",
        audience="federation", case_ageBand="40-49", case_findings=["fever"], seen="0",
    )  # fmt: skip
    await town.settle()
    (row,) = await rows(town["fr"].node, "select facts from posts")

    assert '<option value="30-39" selected>' in form
    assert 303 == sent.status
    assert '{"clinicalSummary":{"ageBand":"40-49","findings":["fever"]}}' == row["facts"]


# ── new since the last visit ──


async def test_what_came_since_the_last_visit_is_marked(town, people):
    """Nothing is new at first; then one answer is, until it was read. Fetching ahead and own answers change nothing."""
    slug = await people["anna"].posts("T-1")
    await town.settle()
    uri, anna = home_uri(town["de"], slug), await Visitor.of(people["anna"])
    path = f"/posts/{slug}"
    first = await anna.text(path)
    town.clock.move(minutes=5)
    await answers(people["marie"], uri, "MRI first.")
    await town.settle()
    town.clock.move(minutes=5)
    await people["anna"].comments(uri, "Thank you.")
    ahead = await town["de"].request("GET", path, {**anna.headers, "Sec-Purpose": "prefetch"})
    second, third = await anna.text(path), await anna.text(path)

    assert "since your last visit" not in first
    assert "1 new answer since your last visit" in ahead.body.decode()
    assert "1 new answer since your last visit" in second
    made = re.search(r'<a href="#([0-9A-Z]{26})">1 new answer', second)
    assert f'<li id="{made[1]}"' in second
    assert 1 == second.count('class="fresh"')
    assert "since your last visit" not in third


async def test_a_new_answer_on_another_page_stays_new(town, people):
    """Who has read the second page only has not seen what is new on the first."""
    slug = await people["anna"].posts("T-1")
    uri = home_uri(town["de"], slug)
    berta = await town["de"].doctor("berta")
    made = [await answers(people["anna"], uri, f"Number {number}.") for number in range(51)]
    anna = await Visitor.of(people["anna"])
    await anna.text(f"/posts/{slug}")
    await anna.text(f"/posts/{slug}?page=2")
    town.clock.move(minutes=5)
    await answers(berta, uri, "Below the first.", parent_slug=made[0])
    town.clock.move(minutes=5)
    on_second = await anna.text(f"/posts/{slug}?page=2")
    on_first = await anna.text(f"/posts/{slug}")

    assert f'href="/posts/{slug}?page=1#' in on_second
    assert "1 new answer" in on_first
    assert "1 new answer" not in await anna.text(f"/posts/{slug}")


# ── quoting and mentioning ──


async def test_a_passage_is_quoted_without_scripts(town, people):
    """The form opens with the words as a quotation; what is not in this thread is not quoted."""
    slug = await people["anna"].posts("T-1", text="A *made-up* case.")
    other = await people["anna"].posts("T-2", text="Another.")
    uri = home_uri(town["de"], slug)
    made = await answers(people["anna"], uri, "First.\n\n- CRP 5")
    elsewhere = await answers(people["anna"], home_uri(town["de"], other), "Elsewhere.")
    anna = await Visitor.of(await town["de"].doctor("berta"))
    answer, post = await anna.text(f"/posts/{slug}?quote={made}"), await anna.text(f"/posts/{slug}?quote={slug}")

    assert f'id="reply-{made}" open' in answer
    assert "&gt; First.\n&gt;\n&gt; CRP 5" in answer
    assert "&gt; A made-up case." in post
    assert "Elsewhere." not in await anna.text(f"/posts/{slug}?quote={elsewhere}")


async def test_a_colleague_who_may_see_the_case_is_mentioned_and_told(town, people):
    """Marie is named in Luca's answer: a link to her page at every instance, and a notice at her own."""
    slug = await people["anna"].posts("T-1")
    await town.settle()
    uri = home_uri(town["de"], slug)
    await answers(people["luca"], uri, "Ask @marie@fr.example, not @nobody or marie@fr.example.")
    await town.settle()
    page = await (await Visitor.of(people["anna"])).text(f"/posts/{slug}")

    assert '<a class="mention" href="/colleagues?q=marie@fr.example">@marie@fr.example</a>' in page
    assert "not @nobody or marie@fr.example." in page
    assert ["mention"] == await notices(town, "fr")
    (row,) = await rows(town["fr"].node, "select slug from comments")
    at_home = await (await Visitor.of(people["marie"])).text(f"/comments/{row['slug']}")
    assert "" == at_home  # leads on to its place in the thread
    thread = await (await Visitor.of(people["marie"])).text(f"/posts/{await people['marie'].slug_of(uri)}")
    assert '<a class="mention" href="/doctors/marie">@Dr Marie</a>' in thread


async def test_who_may_not_see_the_case_is_neither_linked_nor_told(town, people):
    """In a case for Anna's colleagues Luca, who is none, stays text; the one who is one is told."""
    await befriend(town, people["marie"], people["anna"])
    await town["de"].node.directory.find_handle(people["luca"].address)
    slug = await people["anna"].posts("T-1", audience="colleagues")
    await town.settle()
    uri = home_uri(town["de"], slug)
    await answers(people["anna"], uri, "Thanks @luca@it.example and @marie@fr.example.")
    await town.settle()
    (row,) = await rows(town["fr"].node, "select content from comments")

    assert "Thanks @luca@it.example and <a" in row["content"]
    assert ["mention"] == (await notices(town, "fr"))[-1:]
    assert [] == await notices(town, "it")
    assert not [
        mention for mention in await rows(town["de"].node, "select doctor from mentions") if "luca" in mention[0]
    ]


async def test_a_foreign_mention_of_somebody_outside_tells_nobody(town, people):
    """A sibling that names Otto in a thread he may not see gives him no notice."""
    otto = await town["de"].doctor("otto")
    await befriend(town, people["marie"], people["anna"])
    slug = await people["anna"].posts("T-1", audience="colleagues")
    await town.settle()
    word = a_comment(
        people["marie"], home_uri(town["de"], slug), to=(Uri.parse("https://de.example/doctors/anna/followers"),),
        mentions=(Mention(href=otto.uri, name="@otto"),),
    )  # fmt: skip
    answer = await says(people["marie"], town["de"], a_create(people["marie"], word))
    await town.settle()

    assert 202 == answer.status
    assert [] == await notices(town, "de", otto)


# ── follow, mute, save ──


async def test_a_followed_case_tells_everything_and_a_muted_one_nothing(town, people):
    """Elise follows, Marie has answered (and so follows), Paul muted what he follows, Eva does nothing."""
    slug = await people["anna"].posts("T-1")
    await town.settle()
    uri, fr = home_uri(town["de"], slug), town["fr"]
    elise, paul, eva = [await fr.doctor(name) for name in ("elise", "paul", "eva")]
    here = await elise.slug_of(uri)
    await fr.node.publishing.mark(elise.uri, here, "follow")
    await fr.node.publishing.mark(paul.uri, here, "follow")
    await answers(people["marie"], uri, "MRI first.")
    await answers(paul, uri, "Me too.")
    await fr.node.publishing.mark(paul.uri, here, "mute")
    await town.settle()
    await answers(people["luca"], uri, "Sarcoid?")
    await answers(people["anna"], uri, "Biopsy is back.", as_update=True)
    await town["de"].node.publishing.resolve(people["anna"].uri, slug, END)
    await town.settle()

    later = ["case_answer", "case_update", "resolved"]
    assert ["case_answer", "case_answer", *later] == sorted(await notices(town, "fr", elise))
    assert ["case_answer", *later] == sorted(await notices(town, "fr", people["marie"]))
    assert [] == [kind for kind in await notices(town, "fr", paul) if kind in later[1:]]
    assert [] == await notices(town, "fr", eva)


@pytest.mark.parametrize("name", ["marie", "berta"])
async def test_an_update_that_mentions_a_reader_is_one_notice(town, people, name):
    """Marie abroad and Berta at home have answered, and are mentioned in the update: each hears of it once."""
    people["berta"] = await town["de"].doctor("berta")
    slug = await people["anna"].posts("T-1")
    await town.settle()
    uri, reader = home_uri(town["de"], slug), people[name]
    await answers(reader, uri, "MRI first.")
    await town.settle()
    await answers(people["anna"], uri, "Thank you @marie@fr.example and @berta@de.example.", as_update=True)
    await town.settle()

    assert ["mention"] == await notices(town, "fr" if name == "marie" else "de", reader)


async def test_what_a_browser_fetches_ahead_reads_no_notice(town, people):
    """A page that nobody has looked at leaves its notices new; one that is looked at does not."""
    slug = await people["anna"].posts("T-1")
    await town.settle()
    await answers(people["marie"], home_uri(town["de"], slug), "MRI first.")
    await town.settle()
    anna, unread = await Visitor.of(people["anna"]), "select kind from notifications where read_at is null"
    await town["de"].request("GET", f"/posts/{slug}", {**anna.headers, "Sec-Purpose": "prefetch"})
    ahead = await rows(town["de"].node, unread)
    await anna.text(f"/posts/{slug}")

    assert 1 == len(ahead)
    assert [] == await rows(town["de"].node, unread)


async def test_whoever_answered_hears_without_asking_and_is_told_so(town, people):
    """The page offers to follow before the answer, and says afterwards that notices come; muted, it says so."""
    slug = await people["anna"].posts("T-1")
    await town.settle()
    uri, marie = home_uri(town["de"], slug), await Visitor.of(people["marie"])
    path = f"/posts/{await people['marie'].slug_of(uri)}"
    before = await marie.text(path)
    await answers(people["marie"], uri, "MRI first.")
    after = await marie.text(path)
    await marie.post(path + "/mute")
    muted = await marie.text(path)

    assert "Follow the case" in before
    assert "You hear of this case" in after
    assert "Follow the case" not in after
    assert "You hear nothing of this case" in muted


async def test_muting_ends_answers_thanks_and_mentions_too(town, people):
    """Anna mutes her own case: nobody's answer, thanks or mention is a notice, until she hears of it again."""
    slug = await people["anna"].posts("T-1")
    await town.settle()
    uri, publishing = home_uri(town["de"], slug), town["de"].node.publishing
    await publishing.mark(people["anna"].uri, slug, "mute")
    await answers(people["marie"], uri, "For @anna@de.example.")
    await town["fr"].node.publishing.like(people["marie"].uri, await people["marie"].slug_of(uri))
    await town.settle()
    quiet = await notices(town, "de")
    await publishing.mark(people["anna"].uri, slug, "mute", undo=True)
    await answers(people["luca"], uri, "Another.")
    await town.settle()

    assert [] == quiet
    assert ["answer"] == await notices(town, "de")


async def test_marks_are_private_and_only_of_what_is_seen(town, people):
    """A case that is not for the reader cannot be followed, muted or saved; nothing of a mark ever leaves home."""
    await befriend(town, people["marie"], people["anna"])
    slug = await people["anna"].posts("T-1", audience="colleagues")
    await town.settle()
    otto, before = await town["de"].doctor("otto"), len(town.contacts)
    for what in ("follow", "mute", "save"):
        with pytest.raises(Missing):
            await town["de"].node.publishing.mark(otto.uri, slug, what)
        await town["fr"].node.publishing.mark(
            people["marie"].uri, await people["marie"].slug_of(home_uri(town["de"], slug)), what
        )
    await town.settle()

    assert [] == await rows(town["de"].node, "select * from post_marks")
    assert [] == [each for each in town.contacts[before:] if each.method == "POST"]


async def test_a_saved_case_that_is_gone_says_so_without_a_word_of_it(town, people):
    """The list shows the case with its state; after its withdrawal a line remains, and can be taken off."""
    slug = await people["anna"].posts("T-1")
    await town.settle()
    uri = home_uri(town["de"], slug)
    marie, here = await Visitor.of(people["marie"]), await people["marie"].slug_of(uri)
    await marie.post(f"/posts/{here}/save")
    shown = await marie.text("/me/saved")
    await town["de"].node.publishing.withdraw(people["anna"].uri, slug)
    await town.settle()
    gone = await marie.text("/me/saved")
    await marie.post("/me/saved/remove", post=uri)

    assert {"T-1"} == set(re.findall("T-1", shown))
    assert "T-1" not in gone
    assert "Dr Anna" not in gone
    assert "A post you saved is no longer here" in gone
    assert "You have saved nothing yet" in await marie.text("/me/saved")
