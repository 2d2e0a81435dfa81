"""Expelling a sibling: by two, out of a pause; what is said at last, what stays here and for how long."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from federation.allowlist import Direction
from federation.errors import NotASibling
from instance.services.errors import Missing, Rejected
from tests.doorway import reads
from tests.instance.students import administrators
from tests.network.expelling import DE, REASON, actor, expels, fate, follows_of, pauses, proposes, settled_between
from tests.network.scene import Visitor, befriend, home_uri
from tests.town import Network, rows


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Network]:
    """France with two administrators, Germany, Italy."""
    network = await Network.open(tmp_path, "fr", "de", "it")
    await administrators(network["fr"].node)
    yield network
    await network.close()


async def code_of(attempt: Any) -> str:
    """The code it is refused with."""
    with pytest.raises(Rejected) as refused:
        await attempt
    return refused.value.code


async def posted(town: Network, since: int) -> list[str]:
    """What France sent Germany since then, by type."""
    fr = town["fr"].node
    sent = [each for each in town.contacts[since:] if each.method == "POST" and each.url.startswith(DE)]
    done = await rows(
        fr, f"select a.type from deliveries d join activities a on a.uri = d.activity where d.origin = '{DE}' "
        "and d.state = 'done' order by d.settled_at, d.id"
    )  # fmt: skip
    return [row["type"] for row in done][-len(sent) :] if sent else []


# ── who may, and when ──


async def test_nobody_is_expelled_out_of_the_open(town: Network) -> None:
    """Expelling is a second step: whoever is connected is paused or blocked first."""
    fr = town["fr"].node
    ada = await actor(fr, "ada")

    assert "not_narrowed" == await code_of(fr.siblings.proposals.preview_expulsion(DE))
    assert "not_narrowed" == await code_of(fr.siblings.proposals.expel(DE, ada, REASON, seen="x"))
    assert [] == await fr.siblings.proposals.waiting()


async def test_one_person_expels_nobody(town: Network) -> None:
    """Neither unconfirmed nor confirmed by whoever proposed it."""
    await settled_between(town)
    fr = town["fr"].node
    ada = await actor(fr, "ada")
    await pauses(fr, ada)
    id = await proposes(fr, ada)

    assert "same_person" == await code_of(fr.siblings.proposals.confirm(id, ada))
    assert fr.allowlist().find(DE) is not None
    assert 2 == len(await follows_of(town["fr"]))
    assert [] == await rows(fr, "select * from sibling_last_words")


async def test_a_proposal_is_about_the_entry_as_it_was(town: Network) -> None:
    """Whatever was changed meanwhile, the second person has not been asked about it."""
    fr = town["fr"].node
    ada, ben = await actor(fr, "ada"), await actor(fr, "ben")
    await pauses(fr, ada)
    id = await proposes(fr, ada)
    await fr.siblings.set_policy(DE, "block", by="shell", reason="x")

    assert "sibling_changed" == await code_of(fr.siblings.proposals.confirm(id, ben))
    assert fr.allowlist().find(DE) is not None


async def test_a_proposal_that_was_turned_down_or_is_old_expels_nobody(town: Network) -> None:
    """Seven days, and not one more."""
    fr = town["fr"].node
    ada, ben = await actor(fr, "ada"), await actor(fr, "ben")
    await pauses(fr, ada)
    await fr.siblings.proposals.withdraw(await proposes(fr, ada), ben)
    id = await proposes(fr, ada)
    town.clock.move(days=7, seconds=1)

    assert "no_such_move" == await code_of(fr.siblings.proposals.confirm(id, ben))
    assert [] == await fr.siblings.proposals.waiting()
    assert fr.allowlist().find(DE) is not None


# ── what it does ──


async def test_follows_are_cut_on_both_sides_and_our_copies_are_asked_back(town: Network) -> None:
    """Here at once; there by Undo, Reject and Deletes, which Germany carries out."""
    await settled_between(town)
    fr, de = town["fr"], town["de"]
    assert ["From France", "From Germany"] == sorted(await de.titles())
    since = len(town.contacts)
    await expels(fr.node)
    cut_here = await follows_of(fr)
    await town.settle()

    assert [] == cut_here
    assert [] == [each for each in await follows_of(de) if each[2] != "rejected"]
    assert ["From Germany"] == await de.titles()
    assert ["<p>An answer from Germany</p>"] == await de.answers()
    assert ["Delete", "Delete", "Reject", "Undo"] == sorted(await posted(town, since))
    await fr.node.siblings.expelling.tick()
    assert [] == await fr.node.store.all("farewells.outstanding", origin=DE, count=10)


async def test_nothing_goes_in_or_out_but_what_takes_back(town: Network) -> None:
    """Their messages, their reads and ours end with the commit; new words of ours have no row for them."""
    marie, anna = await settled_between(town)
    fr = town["fr"]
    await expels(fr.node)
    await town.settle()
    since = len(town.contacts)
    await marie.posts("After")
    answer = await anna.sends(fr, b"{}")
    await town.settle()

    assert 403 == answer.status
    assert [DE not in each.url for each in town.contacts[since:] if each.method == "POST"]
    assert [] == await posted(town, since)
    assert "After" not in await town["de"].titles()
    assert "After" in await town["it"].titles()
    for direction in Direction:
        assert not fr.node.allowlist().permits(DE, direction)
    with pytest.raises(NotASibling):
        fr.node.allowlist().require_sending(DE, town.clock(), 3)


async def test_our_doctors_hear_of_it_without_names(town: Network) -> None:
    """One notice for each whose follows were cut."""
    marie, _ = await settled_between(town)
    await town["fr"].doctor("paul")
    await expels(town["fr"].node)
    told = await rows(town["fr"].node, "select doctor from notifications where kind = 'follows_cut'")
    page = await (await Visitor.of(marie)).text("/notices")

    assert [marie.uri] == [row["doctor"] for row in told]
    assert "no longer in our federation" in page
    assert [] == await rows(town["fr"].node, "select * from notifications where kind = 'follow_asked'")


async def test_whoever_is_away_is_asked_for_thirty_days_and_no_longer(town: Network) -> None:
    """The erasure is tried until then, and stays listed as not acknowledged."""
    await settled_between(town)
    fr = town["fr"].node
    town.down.add("de")
    await expels(fr)
    for _ in range(29):
        await town.settle()
        town.clock.move(days=1)
        await fr.siblings.expelling.tick()
    waiting = await fr.store.all("farewells.outstanding", origin=DE, count=10)
    types = await rows(
        fr, f"select a.type from deliveries d join activities a on a.uri = d.activity where d.origin = '{DE}' "
        "and d.state in ('waiting', 'resting', 'held')"
    )  # fmt: skip
    town.clock.move(days=1, seconds=1)
    await fr.siblings.expelling.tick()
    town.down.clear()
    since = len(town.contacts)
    await town.settle()

    assert 2 == len(waiting)
    assert {"Delete"} == {row["type"] for row in types}
    assert [] == [each for each in town.contacts[since:] if each.method == "POST" and each.url.startswith(DE)]
    assert {} == dict(fr.allowlist().farewells)
    assert 2 == len(await fr.store.all("farewells.outstanding", origin=DE, count=10))
    assert "From France" in await town["de"].titles()


async def test_whoever_comes_back_in_time_gives_the_copies_back(town: Network) -> None:
    """The twin: on the twentieth day it answers."""
    await settled_between(town)
    fr = town["fr"].node
    town.down.add("de")
    await expels(fr)
    await town.settle()
    town.clock.move(days=20)
    town.down.clear()
    await town.settle()
    await fr.siblings.expelling.tick()

    assert ["From Germany"] == await town["de"].titles()
    assert [] == await fr.store.all("farewells.outstanding", origin=DE, count=10)
    assert {} == dict(fr.allowlist().farewells)


async def test_a_process_that_ends_anywhere_ends_at_the_same(town: Network) -> None:
    """After the commit nothing is left but rows: whoever starts next writes and sends what is missing, once."""
    await settled_between(town)
    fr = town["fr"]
    ada, ben = await actor(fr.node, "ada"), await actor(fr.node, "ben")
    await pauses(fr.node, ada)
    id = await proposes(fr.node, ada)

    async def killed() -> int:
        raise KeyboardInterrupt

    fr.node.siblings.expelling.write_words = killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        await fr.node.siblings.proposals.confirm(id, ben)
    lined = await rows(fr.node, "select * from sibling_last_words where activity = ''")
    await fr.reopen()
    await fr.node.siblings.expelling.tick()
    await fr.node.siblings.expelling.tick()
    await town.settle()
    sent = await rows(fr.node, f"select id from deliveries where origin = '{DE}' and priority < 2 and state = 'done'")

    assert 4 == len(lined)
    assert 4 == len(sent)
    assert ["From Germany"] == await town["de"].titles()


async def test_a_batch_is_written_whole_or_not_at_all(town: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between two of its messages it is written anew, and nothing is said twice."""
    from instance.services import expelling

    await settled_between(town)
    fr = town["fr"].node
    ada, ben = await actor(fr, "ada"), await actor(fr, "ben")
    await pauses(fr, ada)
    id, queue, calls = await proposes(fr, ada), expelling._queue, 0

    async def dies_at_the_second(*values: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise RuntimeError("killed")
        await queue(*values)

    monkeypatch.setattr(expelling, "_queue", dies_at_the_second)
    with pytest.raises(RuntimeError):
        await fr.siblings.proposals.confirm(id, ben)
    written = await rows(fr, f"select id from deliveries where origin = '{DE}' and priority < 2")
    await fr.siblings.expelling.tick()
    await town.settle()
    said = await rows(fr, f"select id from deliveries where origin = '{DE}' and priority < 2 and state = 'done'")

    assert [] == written
    assert 4 == len(said)


async def test_what_is_withdrawn_meanwhile_is_asked_back_all_the_same(town: Network) -> None:
    """The author's own Delete goes to siblings; the farewell's goes to whoever was expelled."""
    marie, _ = await settled_between(town)
    fr = town["fr"].node
    town.down.add("de")
    await expels(fr)
    await fr.publishing.withdraw(marie.uri, await marie.slug_of(await _own(town)))
    town.down.clear()
    town.clock.move(hours=2)
    await town.settle()

    assert ["From Germany"] == await town["de"].titles()


async def test_what_was_confirmed_stays_so_when_deliveries_are_tidied(town: Network) -> None:
    """Ninety days later the page still says that every copy is confirmed as destroyed."""
    from instance.views import siblings as view

    await settled_between(town)
    fr = town["fr"].node
    await expels(fr)
    await town.settle()
    await fr.siblings.expelling.tick()
    town.clock.move(days=100)
    await fr.queue.tidy()
    (found,) = await view.former(fr)

    assert (2, 2) == (found.copies, found.acknowledged)
    assert [] == await view.outstanding(fr, DE)


async def test_another_process_follows_within_a_second(town: Network) -> None:
    """P8: the number is asked per message; a process in which none comes looks by itself."""
    import asyncio

    from instance.services.allowlist_cache import AllowlistCache

    fr = town["fr"].node
    other = AllowlistCache(fr)
    await other.start()
    try:
        assert other().permits(DE, Direction.IN)
        assert DE not in other().farewells
        await expels(fr)
        async with asyncio.timeout(1):
            while other().find(DE) is not None:
                await asyncio.sleep(0.01)
        assert (False, {DE}) == (other().permits(DE, Direction.SERVE), set(other().farewells))
    finally:
        await other.stop()


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
    thread = await visitor.text(f"/posts/{await marie.slug_of(await _own(town))}")
    found = await visitor.text("/colleagues?q=anna")
    town.clock.move(days=2)
    await fr.siblings.expelling.tick()
    visitor = await Visitor.of(marie)
    later = [
        await visitor.text(f"/posts/{await marie.slug_of(await _own(town))}"),
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


async def _own(town: Network) -> str:
    return str((await rows(town["fr"].node, "select uri from posts where local = 1"))[0]["uri"])


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
