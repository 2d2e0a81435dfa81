"""The page of the federation list: for administrators and governors, loud where there is none that counts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from federation import membership_drafts as drafts
from federation.uri import Uri
from instance.services.federation_list_entries import own_entry
from instance.times import to_ms
from tests.federation.chambers import did, key_of
from tests.instance.pages.desk_house import Desk, open_desk
from tests.network.listed import ADDRESS, LIFE, PINNED

PATH = "/administration/list"
ALARM = 'role="alert"'


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A French instance with three signers pinned."""
    opened = await open_desk(tmp_path, federation_list=PINNED)
    yield opened
    await opened.network.close()


async def hand_in(desk: Desk, before: Any = None, *signers: str, **subject: Any) -> Any:
    """Publish a list with this instance and a German one; return it as read."""
    now, node = desk.network.clock(), desk.node
    if before is None:
        made = drafts.first(Uri.parse(ADDRESS), now=now, life=LIFE)
        entry = await own_entry(node)
        german = Uri.parse("https://de.example/actor")
        key = drafts.issuer_key(
            Uri.parse(f"{german}#vc-1"), german, did("de").removeprefix("did:key:"), begins=now, ends=now + LIFE
        )
        other = {**entry, "id": str(german), "domain": "de.example", "mayIssueFor": ["DE"], "issuerKey": [key]}
        for each in (entry, other):
            made = drafts.with_member(made, {**each, "status": "active"})
    else:
        made = drafts.following(before, now=now, life=LIFE)
    made = drafts.with_values(made, **subject) if subject else made
    for name in signers or ("a", "c"):
        made = drafts.sign(made, key_of(name), now=now)
    return await node.federation_list.publish(orjson.dumps(made), "test")


async def test_an_administrator_sees_the_list(desk: Desk) -> None:
    """Number, countdown, who has signed, each member with its keys, and what this list changed."""
    found = await hand_in(desk)
    page = await (await desk.staff("ada", "administrator")).text(PATH)

    assert "<dt>Number</dt><dd>1</dd>" in page
    assert "14 days" in page
    assert "2 of 3 must sign." in page
    assert 2 == page.count("<br>has signed")
    assert 1 == page.count("<br>has not signed")
    assert "de.example" in page
    assert "not read yet" in page
    assert "this instance" in page
    assert all(pin in page for member in found.members for pin in member.instance_keys)
    assert "nothing → active" in page
    assert "<dt>Opens</dt><dd>" in page
    assert "copies there 0" in page
    assert ALARM not in page


async def test_without_a_list_that_counts_it_is_loud(desk: Desk) -> None:
    """On every page of the administration: none was read yet."""
    ada = await desk.staff("ada", "administrator")

    for path in (PATH, "/administration"):
        assert f"{ALARM}>No federation list could be read yet." in await ada.text(path)


async def test_a_list_that_runs_out_is_said_before_and_after(desk: Desk) -> None:
    """A note in the last seven days, an alarm from its end; to doctors a line on the page of the federation."""
    await hand_in(desk)
    ada = await desk.staff("ada", "administrator")
    early = await ada.text("/administration")
    desk.move(days=8)
    ada = await desk.staff("eva", "administrator")
    late = await ada.text("/administration")
    desk.move(days=7)
    ada = await desk.staff("ina", "administrator")
    over = [await ada.text(path) for path in (PATH, "/administration")]
    doctors = await desk.house.visitor().text("/federation")

    assert "runs out on" not in early
    assert "The federation list runs out on" in late
    assert "has run out" not in late
    assert all(f"{ALARM}>The federation list has run out." in page for page in over)
    assert "The list of the federation’s members has run out." in doctors


async def test_the_alarm_of_a_refused_list_stands_there(desk: Desk) -> None:
    """With its code, and the list before it stays."""
    found = await hand_in(desk)

    async def note(tx: Any) -> None:
        await tx.run(
            "federation_list.end",
            succeeded_at=None,
            etag="",
            code="list_fork",
            code_source="https://x.example",
            announced_by="",
        )

    await desk.node.store.write(note)
    page = await (await desk.staff("ada", "administrator")).text(PATH)

    assert "Two signed lists contradict each other." in page
    assert "(list_fork)" in page
    assert found.hash in page


async def test_an_emergency_past_its_review_is_an_alarm(desk: Desk) -> None:
    """Nothing opens by itself; before that day it is a note."""
    first = await hand_in(desk)
    await hand_in(desk, first, emergency={"reason": "made up.", "reviewBy": "2026-11-26"})
    note = await (await desk.staff("ada", "administrator")).text(PATH)
    desk.move(days=4)
    alarm = await (await desk.staff("eva", "governor")).text(PATH)

    assert "Signed out of turn: made up." in note
    assert "has passed" not in note
    assert "has passed. Nothing opens by itself" in alarm


async def test_a_governor_sees_this_page_alone(desk: Desk) -> None:
    """No other page of the administration, and no way to one."""
    await hand_in(desk)
    gil = await desk.staff("gil", "governor")
    page = await gil.text(PATH)

    assert "2 of 3 must sign." in page
    assert 'href="/administration"' not in page
    assert 403 == (await gil.get("/administration")).status_code


async def test_a_governor_reads_no_doctors_data(desk: Desk) -> None:
    """J5.1: the page counts what a list touches, and names no doctor, no case and no answer."""
    await hand_in(desk)
    marie = await desk.place.doctor("marie")
    await marie.posts("Syncope after exercise", text="A rare finding.")
    page = await (await desk.staff("gil", "governor")).text(PATH)

    assert "doctors " in page
    for word in ("marie", "Marie", "Syncope", "A rare finding."):
        assert word not in page


@pytest.mark.parametrize("roles", [("reviewer",), ("lead",), ("dpo",), ("moderator",)], ids="-".join)
async def test_nobody_else_sees_it(desk: Desk, roles: tuple[str, ...]) -> None:
    """403 for whoever works here in another part."""
    answer = await (await desk.staff("otto", *roles)).get(PATH)

    assert 403 == answer.status_code


async def test_a_stranger_is_led_to_sign_in(desk: Desk) -> None:
    """And comes back to it."""
    answer = await desk.house.visitor().get(PATH)

    assert (303, f"/sign-in?next={PATH}") == (answer.status_code, answer.headers["Location"])


async def test_where_no_list_is_kept_it_says_so(tmp_path: Path) -> None:
    """Quietly: the allowlist stands alone."""
    desk = await open_desk(tmp_path)
    try:
        page = await (await desk.staff("ada", "administrator")).text(PATH)
    finally:
        await desk.network.close()

    assert "No federation list is pinned here." in page
    assert ALARM not in page


@pytest.mark.parametrize("language", ["de", "fr"])
async def test_it_is_there_in_every_language(desk: Desk, language: str) -> None:
    """Nothing in English is left over."""
    await hand_in(desk)
    ada = await desk.staff("ada", "administrator")
    await ada.post("/me/preferences", language=language, appearance="")
    page = await ada.text(PATH)

    assert {"de": "2 von 3 müssen unterschreiben.", "fr": "2 sur 3 doivent signer."}[language] in page


async def german(desk: Desk, found: Any, **shown: Any) -> None:
    """An entry of the German member, and the list it has shown."""
    member = found.find("https://de.example")
    entry = {
        "origin": member.origin, "actor": member.actor, "name": "Instance de", "country": "DE",
        "inbox": f"{member.origin}/inbox", "outbox": f"{member.origin}/outbox",
        "instance_keys": orjson.dumps(sorted(member.instance_keys)).decode(), "issuer_keys": "[]",
        "may_issue_for": '["DE"]', "kinds_in": "[]", "kinds_out": "[]", "speaks_rfc9421": 0, "contact": "",
        "software": "", "since": 0,
    }  # fmt: skip

    async def work(tx: Any) -> None:
        if await tx.run("siblings.add", **entry):
            await tx.run("siblings.raise_version")
        if shown:
            await tx.run("federation_list.holder_shows", origin=member.origin, now=to_ms(desk.network.clock()), **shown)

    await desk.node.store.write(work)
    await desk.node.allowlist.refresh_if_changed()


async def test_who_holds_which_list_stands_there(desk: Desk) -> None:
    """A sibling that holds ours is no alarm; one with another of its number, or something unsigned, is."""
    found = await hand_in(desk)
    ada = await desk.staff("ada", "administrator")
    await german(desk, found)
    pages = [await ada.text(PATH)]
    other = "sha256:" + "0" * 64
    for hash, signed in ((found.hash, 1), (other, 1), (other, 0)):
        await german(desk, found, sequence=1, hash=hash, signed=signed)
        pages.append(await ada.text(PATH))
    unknown, same, fork, unsigned = pages

    assert all("Who holds which list" in page for page in pages)
    assert "not known yet" in unknown
    assert "<dd>the same list · number 1</dd>" in same
    assert [False, False, True, True] == [ALARM in page for page in pages]
    assert "another list of the same number" in fork
    assert other in fork
    assert "a list that too few have signed" in unsigned


async def test_a_sibling_that_lags_is_an_alarm_when_it_should_have_read(desk: Desk) -> None:
    """Two hours after ours was adopted it still shows the one before; within them it is only older."""
    first = await hand_in(desk)
    second = await hand_in(desk, first)
    ada = await desk.staff("ada", "administrator")
    await german(desk, second, sequence=1, hash=first.hash, signed=1)
    soon = await ada.text(PATH)
    desk.move(hours=2, seconds=1)
    await german(desk, second, sequence=1, hash=first.hash, signed=1)
    late = await (await desk.staff("eva", "administrator")).text(PATH)

    assert "an older list · number 1" in soon
    assert ALARM not in soon
    assert "more than two hours" in late


async def test_a_member_that_has_left_stands_at_its_page_and_on_the_list(desk: Desk) -> None:
    """Closed, by the federation list, with what is confirmed and what two administrators may decide; active it is not."""
    first = await hand_in(desk)
    await german(desk, first)
    ada = await desk.staff("ada", "administrator")
    page = "/administration/siblings/de.example"
    before = await ada.text(page)
    members = [
        {**each, "status": "withdrawn"} if each["domain"] == "de.example" else each
        for each in first.document["credentialSubject"]["member"]
    ]
    await hand_in(desk, first, member=members)
    after, siblings, listed = await ada.text(page), await ada.text("/administration/siblings"), await ada.text(PATH)

    assert "withdrawn by the federation list" not in before
    assert "withdrawn by the federation list on" in after
    assert "The entry stays, closed" in after
    assert 'name="fate" value="purge"' in after
    assert "withdrawn by the federation list on" in siblings
    assert "<dt>Closes</dt><dd>" in listed
    assert "active → withdrawn" in listed
