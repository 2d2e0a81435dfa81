"""The allowlist as a file: after a dry run, what narrows counts at once, what widens takes two; a bad line, nothing."""

from __future__ import annotations

import re

import pytest

from federation.allowlist import Direction, LocalPolicy
from instance.services import key_alarm
from instance.services.errors import Rejected
from tests.instance.pages.desk_acts import text_of
from tests.instance.pages.desk_house import Desk
from tests.instance.pages.desk_siblings import (
    DE,
    LIST,
    changes,
    desk,
    mistakes,
    policy_of,
    query,
    sends,
    waits,
)
from tests.instance.pages.house import Visitor
from tests.network.expelling import actor, wanted

__all__ = ["desk"]


async def exported(visitor: Visitor) -> str:
    """The file."""
    page = await visitor.text(f"{LIST}/file")
    return str(await (await sends(visitor, page, f"{LIST}/file/export")).get_data(as_text=True))


async def test_what_is_taken_out_can_be_taken_in(desk: Desk) -> None:
    """The same columns; nothing would change, and a formula is none."""
    ada = await desk.staff("ada", "administrator")
    await desk.node.siblings.proposals.change(
        [await wanted(desk.node, note="=HYPERLINK(1)")], await desk.actor("ada"), "x"
    )  # fmt: skip
    file = await exported(ada)
    await ada.text(f"{LIST}/file")
    answer = await ada.post(f"{LIST}/file/check", csv=file)

    assert "origin,policy,kinds_accepted,kinds_sent,countries,note,name" in file
    assert ",'=HYPERLINK(1)," in file
    assert "Nothing would change." in await text_of(answer)


async def test_a_file_that_narrows_counts_at_once_and_one_that_widens_waits(desk: Desk) -> None:
    """After a dry run that changed nothing; the widening one is a single proposal."""
    ada, ben = await desk.staff("ada", "administrator"), await desk.staff("ben", "administrator")
    file = await exported(ada)
    await ada.text(f"{LIST}/file")
    page = await text_of(await ada.post(f"{LIST}/file/check", csv=file.replace(",inherit,", ",pause,")))
    before = policy_of(desk)
    await sends(ada, page, f"{LIST}/file/import", reason="by file")
    paused = policy_of(desk)
    wide = file.replace("case observation question,DE", "case news observation question,AT DE")
    page = await text_of(await ada.post(f"{LIST}/file/check", csv=wide))
    await sends(ada, page, f"{LIST}/file/import", reason="by file")
    proposed, path = policy_of(desk), await waits(desk)
    await sends(ben, await ben.text(path), f"{path}/confirm")
    found = desk.node.allowlist().require(DE, Direction.OUT)

    assert (LocalPolicy.INHERIT, LocalPolicy.PAUSE, LocalPolicy.PAUSE) == (before, paused, proposed)
    assert LocalPolicy.INHERIT is found.policy
    assert frozenset({"AT", "DE"}) == found.may_issue_for
    assert "news" in found.kinds_out


async def test_nobody_resumes_at_pages_before_the_keys_were_compared(desk: Desk) -> None:
    """Neither by the form nor by a file, and not by two; once the alarm is over the same two resume."""
    ada, ben = await desk.staff("ada", "administrator"), await desk.staff("ben", "administrator")
    await key_alarm.suspend(desk.node, desk.node.allowlist().require(DE, Direction.OUT))
    await changes(ada, query("inherit"))
    path = await waits(desk)
    page = await text_of(await sends(ben, await ben.text(path), f"{path}/confirm"))
    refused = policy_of(desk)
    file = (await exported(ada)).replace(",pause,", ",read-only,")
    await ada.text(f"{LIST}/file")
    page_of_file = await text_of(await ada.post(f"{LIST}/file/check", csv=file))
    await sends(ada, page_of_file, f"{LIST}/file/import", reason="by file")
    waiting = {each.kind: each.id for each in await desk.node.siblings.proposals.waiting()}
    with pytest.raises(Rejected, match="keys_not_compared"):
        await desk.node.siblings.proposals.confirm(waiting["import"], await actor(desk.node, "ben"))
    by_file = policy_of(desk)
    await desk.node.store.write(lambda tx: tx.run("siblings.end_alarm", origin=DE))
    await sends(ben, await ben.text(path), f"{path}/confirm")

    assert ["keys_not_compared"] == mistakes(page)
    assert (LocalPolicy.PAUSE, LocalPolicy.PAUSE) == (refused, by_file)
    assert LocalPolicy.INHERIT is policy_of(desk)


async def test_bad_lines_are_named_and_nothing_is_taken(desk: Desk) -> None:
    """By number and code; one bad line keeps the whole file out."""
    ada = await desk.staff("ada", "administrator")
    head = "origin,policy,kinds_accepted,kinds_sent,countries,note\n"
    good = f"{DE},pause,case,case,DE,\n"
    bad = "https://it.example,pause,case,case,IT,\n"
    lines = good + bad + good + f"{DE}x,open\n"
    await ada.text(f"{LIST}/file")
    page = await text_of(await ada.post(f"{LIST}/file/check", csv=head + lines))
    other = await ada.post(f"{LIST}/file/check", csv="name,policy\n")
    codes = [
        mistakes(await text_of(await ada.post(f"{LIST}/file/check", csv=head + line)))
        for line in (f"{DE},open,case,case,DE,\n", f"{DE},pause,gossip,case,DE,\n", f"{DE},pause,case,case,,\n")
    ]

    assert ["unknown_sibling", "csv_doubled", "csv_cells"] == mistakes(page)
    assert ["Line 3:", "Line 4:", "Line 5:"] == re.findall(r"Line [3-5]:", page)
    assert "/file/import" not in page
    assert (422, ["csv_header"]) == (other.status_code, mistakes(await text_of(other)))
    assert [["bad_policy"], ["bad_kind"], ["bad_country"]] == codes
    assert LocalPolicy.INHERIT is policy_of(desk)


async def test_a_file_that_was_tampered_with_changes_nothing(desk: Desk) -> None:
    """What the dry run has shown comes back, or nothing does."""
    ada = await desk.staff("ada", "administrator")
    await ada.text(f"{LIST}/file")
    answers = [
        await ada.post(f"{LIST}/file/import", changes=text, csv="", reason="x")
        for text in ("", "[]", '[{"origin":"https://de.example"}]', "nonsense")
    ]

    assert [["bad_change"]] * 4 == [mistakes(await text_of(answer)) for answer in answers]
    assert LocalPolicy.INHERIT is policy_of(desk)
