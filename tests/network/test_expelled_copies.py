"""What came from an expelled sibling: labelled, hidden, kept or purged; and who is admitted again."""

from __future__ import annotations

import pytest

from instance.services.errors import Missing
from tests.doorway import reads
from tests.instance.students import administrators
from tests.network.expelling import DE, REASON, actor, expels, fate, follows_of, own_post, settled_between
from tests.network.scene import Visitor, befriend, home_uri
from tests.network.test_expelled import code_of, posted
from tests.town import Network, rows


@pytest.fixture
async def town(town: Network) -> Network:
    """With two administrators in France."""
    await administrators(town["fr"].node)
    return town


# ── what came from there ──


async def test_theirs_is_labelled_and_on_the_thirty_first_day_hidden(town: Network) -> None:
    """On day 29 it can be read, with a label; on day 31 it is nowhere: feed, thread, search, the doctor's page."""
    marie, _ = await settled_between(town)
    fr = town["fr"].node
    await expels(fr)
    town.clock.move(days=29)
    await fr.siblings.expelling.tick()
    visitor = await Visitor.of(marie)
    feed = await visitor.text("/feed?tab=all")
    thread = await visitor.text(f"/posts/{await marie.slug_of(await own_post(town))}")
    found = await visitor.text("/colleagues?q=anna")
    town.clock.move(days=2)
    await fr.siblings.expelling.tick()
    visitor = await Visitor.of(marie)
    later = [
        await visitor.text(f"/posts/{await marie.slug_of(await own_post(town))}"),
        await visitor.text("/feed?tab=all"), await visitor.text("/colleagues?q=anna"), await visitor.text("/notices"),
        await visitor.text("/doctors/anna@de.example"),
    ]  # fmt: skip

    assert "From Germany" in feed
    assert "no longer in our federation" in feed
    assert "An answer from Germany" in thread
    assert "Anna" in found
    assert "hidden" == await fate(fr)
    for page in later:
        assert "Anna" not in page
        assert "From Germany" not in page
        assert "An answer from Germany" not in page
    assert [0] == [row["answers"] for row in await rows(fr, "select answers from posts where local = 1")]


async def test_two_administrators_keep_it(town: Network) -> None:
    """Then it stays, labelled; one alone keeps nothing."""
    marie, _ = await settled_between(town)
    fr = town["fr"].node
    await expels(fr)
    ada, ben = await actor(fr, "ada"), await actor(fr, "ben")
    await fr.siblings.proposals.settle_copies(DE, "keep", ada, REASON, seen="labelled")
    (waiting,) = await fr.siblings.proposals.waiting()

    assert "same_person" == await code_of(fr.siblings.proposals.confirm(waiting.id, ada))
    await fr.siblings.proposals.confirm(waiting.id, ben)
    town.clock.move(days=60)
    await fr.siblings.expelling.tick()
    assert "kept" == await fate(fr)
    assert "From Germany" in await (await Visitor.of(marie)).text("/feed?tab=all")
    assert "no_change" == await code_of(fr.siblings.proposals.settle_copies(DE, "keep", ada, REASON, seen="kept"))


async def test_two_administrators_purge_it(town: Network) -> None:
    """Earlier than it would be hidden, and for good: posts, answers and doctors; what our doctors wrote stays.

    Nobody who is gone is listed, and nothing that is gone was looked at; what was saved says that it is gone, and mutes
    stay as blocks do.
    """
    marie, anna = await settled_between(town)
    fr = town["fr"].node
    await fr.contact.mute(marie.uri, anna.uri)
    await fr.lists.put(marie.uri, await fr.lists.make(marie.uri, "Heart"), anna.uri)
    await fr.publishing.visited(marie.uri, f"{DE}/posts/read", 1)
    await fr.publishing.visited(marie.uri, f"{marie.place.node.origin}/posts/own", 1)
    await fr.store.write(lambda tx: tx.run("cases.save", doctor=marie.uri, post=f"{DE}/posts/saved", now=1))
    await expels(fr)
    ada, ben = await actor(fr, "ada"), await actor(fr, "ben")
    await fr.siblings.proposals.settle_copies(DE, "purge", ada, REASON, seen="labelled")
    (waiting,) = await fr.siblings.proposals.waiting()
    before = await town["fr"].titles()
    await fr.siblings.proposals.confirm(waiting.id, ben)
    assert "being_purged" == await code_of(town["fr"].admits(town["de"]))
    await fr.siblings.expelling.tick()

    assert "From Germany" in before
    assert ["From France"] == await town["fr"].titles()
    assert ["<p>An answer from France</p>"] == await town["fr"].answers()
    assert [] == await rows(fr, f"select uri from doctors where origin = '{DE}'")
    assert "purged" == await fate(fr)
    assert [anna.uri] == [row["muted"] for row in await rows(fr, "select muted from mutes")]
    assert [] == await rows(fr, "select * from list_members")
    assert ["saved", "own"] == [
        row["post"].rpartition("/")[2] for row in await rows(fr, "select post from post_marks order by post")
    ]


async def test_whoever_is_admitted_again_begins_anew(town: Network) -> None:
    """No follow comes back, no last word is said, and their old posts count as a sibling's again."""
    marie, anna = await settled_between(town)
    fr = town["fr"]
    town.down.add("de")
    await expels(fr.node)
    town.down.clear()
    await fr.admits(town["de"])
    since = len(town.contacts)
    await town.settle()
    page = await (await Visitor.of(marie)).text("/feed?tab=all")

    assert [] == await posted(town, since)
    assert "" == await fate(fr.node)
    assert [] == await rows(fr.node, "select * from sibling_last_words")
    assert [] == await follows_of(fr)
    assert "no longer in our federation" not in page
    await anna.posts("New from Germany")
    await town.settle()
    assert "New from Germany" in await fr.titles()


async def test_the_doctors_of_whoever_is_admitted_again_are_read_anew(town: Network) -> None:
    """Nothing is left of how far their list was read; it is not read while they are none of ours."""
    await settled_between(town)
    fr = town["fr"]

    async def reads() -> int:
        since = len(town.contacts)
        await fr.node.directories.poll_due()
        return len([contact for contact in town.contacts[since:] if contact.url == f"{DE}/directory"])

    first, again = await reads(), await reads()
    await expels(fr.node)
    left, away = await rows(fr.node, f"select after from sibling_directories where origin = '{DE}'"), await reads()
    await fr.admits(town["de"])

    assert (1, 0, [], 0) == (first, again, left, away)
    assert 1 == await reads()


async def test_the_record_has_both_names_and_the_log_has_none(town: Network) -> None:
    """Who proposed and who confirmed; the audit log knows ids."""
    fr = town["fr"].node
    await expels(fr)
    ada, ben = await actor(fr, "ada"), await actor(fr, "ben")
    last = (await fr.siblings.changes(DE))[-1]
    entries = [row["entry"] for row in await fr.store.all("audit.page", after=0, most=500)]
    about = [each for each in entries if '"act":"sibling.' in each]

    assert ("expel", f"{ada.id}, {ben.id}", REASON) == (last.act, last.by, last.reason)
    assert ["paused", "proposed", "expelled"] == [each.split('"act":"sibling.')[1].split('"')[0] for each in about[-3:]]
    assert ben.id.lower() in about[-1]
    assert REASON not in "".join(about)
    with pytest.raises(Missing):
        await fr.siblings.proposals.find("p-nothing")


async def _answered_in_a_circle(town: Network) -> None:
    """Anna answers in Marie's circle, of which Luca in Italy is too: France passes her answer on to him."""
    marie, anna = await settled_between(town)
    luca = await town["it"].doctor("luca")
    await luca.posts("From Italy")
    await town.settle()
    for follower in (anna, luca):
        await befriend(town, follower, marie)
    slug = await marie.posts("For my circle", audience="colleagues")
    await town.settle()
    await anna.comments(home_uri(town["fr"], slug), "Passed on from Germany")
    await town.settle()


async def _passed_on(town: Network) -> bytes:
    """What France says in its log for Italy, where it passes Anna's answer on."""
    return (await reads(town["it"], town["fr"], "/siblings/it.example/log/0")).body


async def test_what_is_hidden_is_in_no_log(town: Network) -> None:
    """What France passed on of Germany is told Italy while it is shown, and not once it is hidden; France's own stays."""
    await _answered_in_a_circle(town)
    fr = town["fr"].node
    before = await _passed_on(town)
    await expels(fr)
    labelled = await _passed_on(town)
    town.clock.move(days=31)
    await fr.siblings.expelling.tick()
    hidden = await _passed_on(town)

    for page in (before, labelled):
        assert b"Passed on from Germany" in page
    assert b"Passed on from Germany" not in hidden
    assert b"From France" in hidden


async def test_a_purge_leaves_no_words_in_what_was_sent_or_came(town: Network) -> None:
    """Posts and answers of theirs stand in letters and logs too; those of Italy and of our own doctors stay there."""
    await _answered_in_a_circle(town)
    fr = town["fr"].node
    tables = ("activities", "received", "inbound")

    async def words() -> bytes:
        return b"".join([bytes(row["body"]) for table in tables for row in await rows(fr, f"select body from {table}")])

    before = await words()
    await expels(fr)
    ada, ben = await actor(fr, "ada"), await actor(fr, "ben")
    await fr.siblings.proposals.settle_copies(DE, "purge", ada, REASON, seen="labelled")
    (waiting,) = await fr.siblings.proposals.waiting()
    await fr.siblings.proposals.confirm(waiting.id, ben)
    await fr.siblings.expelling.tick()
    after = await words()

    theirs, ours = (
        (b"From Germany", b"An answer from Germany", b"Passed on from Germany"),
        (b"From Italy", b"From France", b"An answer from France"),
    )
    assert all(each in before for each in (*theirs, *ours))
    assert not [each for each in theirs if each in after]
    assert all(each in after for each in ours)
    assert [] == await rows(fr, f"select number from received where origin = '{DE}' and head <> ''")
    assert [] == await rows(
        fr,
        "select id from deliveries where state in ('waiting', 'resting', 'held')"
        f" and object like '{DE}/%' and activity in (select uri from activities where type = 'Create')",
    )
