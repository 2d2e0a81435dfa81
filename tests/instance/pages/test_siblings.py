"""The allowlist at pages: watched and narrowed by one administrator, opened and expelled by two, read by nobody else."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest

from federation.allowlist import LocalPolicy
from tests.instance.pages.desk_acts import text_of
from tests.instance.pages.desk_house import ROLES, Desk
from tests.instance.pages.desk_siblings import (
    ALL,
    DE,
    LIST,
    ONE,
    changes,
    desk,
    mistakes,
    policy_of,
    query,
    sends,
    waits,
)
from tests.network.scene import Visitor as Browser
from tests.tools.docs_parts import page_routes
from tests.town import PASSWORD, rows

__all__ = ["desk"]

ROUTES = [(rule, method) for rule, methods, _ in page_routes() if rule.startswith(LIST) for method in methods]


# ── who reaches it ──


async def test_administrators_reach_it_and_nobody_else(desk: Desk) -> None:
    """Every route with every role, with a doctor, and with a stranger."""
    wrong = []
    for role in ROLES:
        somebody = await desk.staff(role, role)
        await somebody.get("/me")
        for rule, method in ROUTES:
            path = rule.replace("<authority>", "de.example").replace("<id>", "p-nothing")
            answer = await (somebody.get(path) if method == "GET" else somebody.post(path))
            if (answer.status_code != 403) != (role == "administrator"):
                wrong.append((role, method, rule, answer.status_code))
    await desk.place.doctor("marie")
    marie = desk.house.visitor()
    await marie.post("/sign-in", login="marie", password=PASSWORD)

    assert 14 == len(ROUTES)
    assert [] == wrong
    assert 403 == (await marie.get(LIST)).status_code
    assert 303 == (await desk.house.visitor().get(LIST)).status_code


async def test_every_change_asks_for_a_fresh_factor(desk: Desk) -> None:
    """A stolen session changes nothing (A117)."""
    ada = await desk.staff("ada", "administrator")
    page = await ada.text(query("pause"))
    desk.network.clock.move(minutes=10)
    desk.house.now = desk.network.clock.now
    answer = await sends(ada, page, f"{ONE}/change", reason="x")

    assert "factor_code" in await text_of(answer)
    assert LocalPolicy.INHERIT is policy_of(desk)


# ── what is shown ──


async def test_every_fact_of_an_entry_is_on_the_list(desk: Desk) -> None:
    """Since when, who vouched, source, policy, kinds, contact, queue and lag, refusals, clock, keys, a chart."""
    marie, anna = await desk.place.doctor("marie"), await desk.network["de"].doctor("anna")
    await anna.posts("From Germany")
    await desk.network.settle()
    await marie.posts("Waiting")
    desk.network.clock.move(hours=3)
    await desk.network.settle()
    await marie.posts("Waiting too")
    await anna.sends(desk.place, b"{}")
    desk.network.clock.move(hours=2)
    desk.house.now = desk.network.clock.now
    from instance.services import sibling_days

    await sibling_days.count(desk.node)
    await desk.node.audit.flush()
    desk.node.clocks(DE, desk.network.clock().replace(microsecond=0))
    page = await (await desk.staff("ada", "administrator")).text(LIST)

    for words in (
        "the administration of this instance", "entered here", "connected", "Case, Observation, Question", "Germany",
        "1 · the oldest has waited 2 hours", "agrees with ours", "by us: <code>", "5 hours",
        "Messages of the last seven days: 1 in, 1 out",
    ):  # fmt: skip
        assert words in page, words
    assert '<svg class="chart week"' in page
    assert 'role="alert"' not in page


async def test_how_the_set_of_a_sibling_stands_is_on_its_page(desk: Desk, tmp_path: Path) -> None:
    """Not needed with one sibling, unread, known and since when, and not known with the reason; never whom it names."""
    ada = await desk.staff("ada", "administrator")
    alone = await ada.text(ONE)
    italy = await desk.network.add(tmp_path, "it")
    for place in (desk.place, desk.network["de"]):
        await place.admits(italy)
        await italy.admits(place)
    unread = await ada.text(ONE)
    await desk.network.settle()
    known = await ada.text(ONE)
    desk.network.down.add("de")
    desk.network.clock.move(hours=7)
    desk.house.now = desk.network.clock.now
    await desk.network.settle()
    gone = await (await desk.staff("ben", "administrator")).text(ONE)

    assert "Not read: there is no other sibling" in alone
    assert "Not read yet: nothing of its doctors is passed on" in unread
    assert "2 instances, known since" in known
    assert re.search(
        r"Not known since [^:]+:\d\d[^:]*: nothing of its doctors is passed on.* <code>set_expired</code>", gone
    )
    assert "it.example" not in alone + unread + known + gone


async def test_an_empty_list_and_one_that_cannot_be_read_are_said_loudly(desk: Desk) -> None:
    """On every page, in different words; nothing in the rows counts."""
    ada = await desk.staff("ada", "administrator")
    fr = desk.node

    async def break_it(tx: Any) -> None:
        await tx.run("siblings.set_kinds", origin=DE, kinds_in="[]", kinds_out="{}")
        await tx.run("siblings.raise_version")

    await fr.store.write(break_it)
    broken = [await ada.text(path) for path in (LIST, f"{LIST}/file", "/administration", "/federation")]

    async def mend_it(tx: Any) -> None:
        await tx.run("siblings.set_kinds", origin=DE, kinds_in="[]", kinds_out="[]")
        await tx.run("siblings.raise_version")

    await fr.store.write(mend_it)
    await fr.allowlist.refresh_if_changed()
    await fr.siblings.remove(DE, by="shell", reason="x")
    empty = [await ada.text(path) for path in (LIST, f"{LIST}/file", "/administration", "/federation")]

    assert [True] * 4 == ['role="alert">The' in page and "cannot be read" in page for page in broken]
    assert [False] * 4 == ["Instance de" in page for page in broken]
    assert [True] * 4 == ['role="alert">No' in page and "cannot be read" not in page for page in empty]


async def test_members_see_who_is_in_it_and_what_it_means_when_nobody_is(desk: Desk) -> None:
    """Read only: name, country, who vouched, since when, the state in words."""
    marie = await desk.place.doctor("marie")
    visitor = await Browser.of(marie)
    page = await visitor.text("/federation")
    await desk.node.siblings.set_policy(DE, "pause", by="shell", reason="x")
    paused = await visitor.text("/federation")
    await desk.node.siblings.remove(DE, by="shell", reason="x")
    alone = await visitor.text("/federation")

    assert "Instance de" in page
    assert "the administration of this instance" in page
    assert "<dd>connected</dd>" in page
    assert "<dd>paused</dd>" in paused
    assert "What you address to the whole federation stays here" in alone
    assert "<form" not in page.partition("<main")[2].partition("</main>")[0]


async def test_an_instance_that_is_not_there_is_not_found(desk: Desk) -> None:
    """Nor is one that only looks like it."""
    ada = await desk.staff("ada", "administrator")

    assert [404, 404, 404] == [
        (await ada.get(f"{LIST}/{name}")).status_code for name in ("it.example", "DE.example", "de.example:443")
    ]


async def test_pins_and_announced_keys_are_on_the_page_of_an_entry(desk: Desk) -> None:
    """With the command that pins; the page itself pins nothing."""
    await desk.node.store.write(_note_shown)
    page = await (await desk.staff("ada", "administrator")).text(ONE)

    assert "esanum siblings repin https://de.example" in page
    assert "sha256:new" in page
    assert "not pinned" in page


async def _note_shown(tx: Any) -> None:
    await tx.run("siblings.note_shown", origin=DE, shown='["sha256:new"]')


# ── narrowing, by one ──


async def test_one_administrator_pauses_after_a_preview(desk: Desk) -> None:
    """The preview counts and decides, and changes nothing; the change is in force before the answer."""
    marie, anna = await desk.place.doctor("marie"), await desk.network["de"].doctor("anna")
    await anna.posts("From Germany")
    await marie.follows(anna)
    await desk.network.settle()
    await marie.posts("Waiting")
    ada = await desk.staff("ada", "administrator")
    page = await ada.text(query("pause"))
    before = policy_of(desk)
    answer = await changes(ada, query("pause"))
    whole = await ada.text(ONE)

    for label, number in (
        ("Doctors from there", 1),
        ("Follows between", 1),
        ("Posts from there", 1),
        ("waiting for", 1),
    ):
        assert re.search(rf"{label}[^<]*</dt><dd>{number}</dd>", page), label
    assert 4 == page.count("<strong>closed – paused <code>sibling_paused</code></strong>")
    assert "counts at once" in page or "at once" in page
    assert LocalPolicy.INHERIT is before
    assert (303, ONE) == (answer.status_code, answer.headers["Location"])
    assert LocalPolicy.PAUSE is policy_of(desk)
    assert "paused<br>board of 3 May" in whole
    assert "ada" in whole


async def test_a_change_without_a_reason_or_of_nothing_is_refused(desk: Desk) -> None:
    """Nothing typed is lost, and nothing is changed."""
    ada = await desk.staff("ada", "administrator")
    nameless = await changes(ada, query("pause"), reason=" ")
    same = await ada.get(query())
    bad = [
        await ada.get(query("open")), await ada.get(query(kinds=("gossip",))), await ada.get(query(countries="D1")),
        await ada.get(query(note="x" * 501)),
    ]  # fmt: skip

    assert (422, ["reason_missing"]) == (nameless.status_code, mistakes(await text_of(nameless)))
    assert (409, ["no_change"]) == (same.status_code, mistakes(await text_of(same)))
    assert [["bad_policy"], ["bad_kind"], ["bad_country"], ["note_too_long"]] == [
        mistakes(await text_of(answer)) for answer in bad
    ]
    assert LocalPolicy.INHERIT is policy_of(desk)


async def test_an_entry_that_was_changed_meanwhile_is_looked_at_again(desk: Desk) -> None:
    """Of two administrators the second is told, and has changed nothing; so is a form that was tampered with."""
    ada = await desk.staff("ada", "administrator")
    page = await ada.text(query("block"))
    await desk.node.siblings.set_policy(DE, "pause", by="shell", reason="x")
    late = await sends(ada, page, f"{ONE}/change", reason="x")
    forged = await sends(ada, page, f"{ONE}/change", reason="x", change='{"origin":"https://it.example"}')
    page = await ada.text(query("block"))
    asked = html.unescape(re.findall(r'name="change" value="([^"]*)"', page)[0])
    unsound = [
        await sends(ada, page, f"{ONE}/change", reason="x", change=asked.replace(one, other))
        for one, other in (
            ('["DE"]', '["nowhere"]'), ('["DE"]', "[]"), ('"note":""', f'"note":"{"x" * 501}"'), ('["case",', '["question","case",'),
        )
    ]  # fmt: skip

    assert (409, ["sibling_changed"]) == (late.status_code, mistakes(await text_of(late)))
    assert (422, ["bad_change"]) == (forged.status_code, mistakes(await text_of(forged)))
    assert [["bad_country"], ["bad_country"], ["note_too_long"], ["bad_change"]] == [
        mistakes(await text_of(answer)) for answer in unsound
    ]
    assert LocalPolicy.PAUSE is policy_of(desk)


# ── widening, by two ──


async def test_resuming_takes_two(desk: Desk) -> None:
    """Proposed by one, in force by the other; the preview is made anew for whoever confirms."""
    ada, ben = await desk.staff("ada", "administrator"), await desk.staff("ben", "administrator")
    await changes(ada, query("pause"))
    await changes(ada, query("inherit"))
    proposed = policy_of(desk)
    path = await waits(desk)
    own = await ada.text(path)
    alone = await ada.post(f"{path}/confirm")
    other = await ben.text(path)
    answer = await sends(ben, other, f"{path}/confirm")
    record = await desk.node.siblings.changes(DE)

    assert LocalPolicy.PAUSE is proposed
    assert "/confirm" not in own
    assert (403, ["same_person"]) == (alone.status_code, mistakes(await text_of(alone)))
    assert 4 == other.count("<strong>open</strong>")
    assert 303 == answer.status_code
    assert LocalPolicy.INHERIT is policy_of(desk)
    assert 2 == len(record[-1].by.split(", "))
    assert path.rpartition("/")[2] not in await ben.text(LIST)


@pytest.mark.parametrize(
    ("asked", "opens"),
    [
        ({"kinds": (*ALL, "news")}, True), ({"kinds": ("case",)}, False), ({"countries": "DE AT"}, True),
        ({"note": "telephone first"}, False), ({"policy": "read-only"}, False),
    ],
)  # fmt: skip
async def test_what_opens_anything_is_proposed(desk: Desk, asked: dict[str, Any], opens: bool) -> None:
    """A kind more, a country more; a kind less and a note are one administrator's."""
    ada = await desk.staff("ada", "administrator")
    await desk.staff("ben", "administrator")
    page = await ada.text(query(**asked))
    await changes(ada, query(**asked))

    assert opens == ("This takes two" in page)
    assert opens == bool(await desk.node.siblings.proposals.waiting())


async def test_whoever_was_appointed_by_the_first_is_no_second(desk: Desk) -> None:
    """One person would open it through another."""
    ada = await desk.staff("ada", "administrator")
    ben = await desk.staff("ben", "administrator", inviter="ada")
    await changes(ada, query("pause"))
    await changes(ada, query("inherit"))
    path = await waits(desk)
    await ben.get(path)
    answer = await ben.post(f"{path}/confirm")

    assert (403, ["same_inviter"]) == (answer.status_code, mistakes(await text_of(answer)))
    assert LocalPolicy.PAUSE is policy_of(desk)


async def test_the_only_administrator_takes_back_her_own_pause(desk: Desk) -> None:
    """Or nobody could; not one that was made by another, and not where anything else was changed since."""
    ada = await desk.staff("ada", "administrator")
    await changes(ada, query("pause"))
    await changes(ada, query("inherit"))
    resumed = policy_of(desk)
    await changes(ada, query("pause"))
    await changes(ada, query("pause", note="a note since"))
    await changes(ada, query("inherit", note="a note since"))
    after_note = policy_of(desk)
    await desk.node.siblings.set_policy(DE, "inherit", by="shell", reason="x")
    await desk.node.siblings.set_policy(DE, "pause", by="shell", reason="x")
    await changes(ada, query("inherit", note="a note since"))

    assert LocalPolicy.INHERIT is resumed
    assert LocalPolicy.PAUSE is after_note
    assert LocalPolicy.PAUSE is policy_of(desk)


async def test_a_proposal_is_turned_down(desk: Desk) -> None:
    """By any administrator; then it can be confirmed no more."""
    ada, ben = await desk.staff("ada", "administrator"), await desk.staff("ben", "administrator")
    await changes(ada, query("pause"))
    await changes(ada, query("inherit"))
    path = await waits(desk)
    page = await ben.text(path)
    await sends(ben, page, f"{path}/withdraw")
    late = await sends(ben, page, f"{path}/confirm")

    assert (409, ["proposal_gone"]) == (late.status_code, mistakes(await text_of(late)))
    assert LocalPolicy.PAUSE is policy_of(desk)


# ── expelling ──


async def test_expelling_at_pages(desk: Desk) -> None:
    """Out of a pause, by two, each after a preview; then the page shows what is left of it."""
    ada, ben = await desk.staff("ada", "administrator"), await desk.staff("ben", "administrator")
    marie = await desk.place.doctor("marie")
    await marie.posts("From France")
    await desk.network.settle()
    early = await ada.get(f"{ONE}/expel")
    await changes(ada, query("pause"))
    page = await ada.text(f"{ONE}/expel")
    await sends(ada, page, f"{ONE}/expel", reason="decided")
    proposed = policy_of(desk)
    path = await waits(desk)
    confirming = await ben.text(path)
    answer = await sends(ben, confirming, f"{path}/confirm")
    await desk.network.settle()
    left, every = await ben.text(ONE), await ben.text(LIST)

    assert (409, ["not_narrowed"]) == (early.status_code, mistakes(await text_of(early)))
    assert 4 == page.count("<code>not_a_sibling</code></strong>")
    assert 4 == confirming.count("<code>not_a_sibling</code></strong>")
    assert LocalPolicy.PAUSE is proposed
    assert 303 == answer.status_code
    assert policy_of(desk) is None
    assert "1 of 1 confirmed as destroyed" in left
    assert "expelled<br>decided" in left
    assert 'role="alert">No sibling is admitted' in every
    assert "No longer in our federation" in every
    assert [] == await desk.network["de"].titles()


async def test_copies_are_kept_or_purged_at_pages(desk: Desk) -> None:
    """By two again; nobody decides about an instance that is a sibling."""
    ada, ben = await desk.staff("ada", "administrator"), await desk.staff("ben", "administrator")
    early = await ada.post(f"{ONE}/copies", fate="purge", seen="labelled", reason="x")
    await changes(ada, query("pause"))
    await sends(ada, await ada.text(f"{ONE}/expel"), f"{ONE}/expel", reason="decided")
    path = await waits(desk)
    await sends(ben, await ben.text(path), f"{path}/confirm")
    await sends(ada, await ada.text(ONE), f"{ONE}/copies", fate="keep", reason="a study goes on")
    path = await waits(desk)
    await sends(ben, await ben.text(path), f"{path}/confirm")
    kept = await ben.text(ONE)

    assert 404 == early.status_code
    assert "kept, with a label" in kept
    assert ["kept"] == [row["fate"] for row in await rows(desk.node, "select fate from sibling_farewells")]
