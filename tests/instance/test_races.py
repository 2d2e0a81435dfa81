"""What happens to the same thing at the same moment: one version after the other, or a plain refusal; nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from instance.services.errors import Rejected
from instance.services.publishing import CommentDraft, PostDraft
from tests.town import Person, rows


@pytest.fixture
async def town(network) -> Any:
    """Two siblings; Marie and Louis in France."""
    found = await network("fr", "de")
    await found["fr"].doctor("marie")
    await found["fr"].doctor("louis")
    return found


@pytest.fixture
def marie(town) -> Person:
    """Who writes."""
    return Person(town["fr"], "marie", f"{town['fr'].node.origin}/doctors/marie")


@pytest.fixture
def louis(town) -> Person:
    """Who answers."""
    return Person(town["fr"], "louis", f"{town['fr'].node.origin}/doctors/louis")


def answer(text: str) -> CommentDraft:
    """An answer as typed."""
    return CommentDraft(text=text, language="en")


async def outcomes(attempts: list[Awaitable[Any]]) -> list[str]:
    """What each of several attempts at once came to."""
    found = await asyncio.gather(*attempts, return_exceptions=True)
    return sorted(item.code if isinstance(item, Rejected) else "kept" for item in found)


def just_before_the_write(node: Any, happens: Callable[[], Awaitable[None]]) -> None:
    """Let something happen after an answer was checked and before it is written."""
    real = node.keys.proof_key

    async def first(*values: Any) -> Any:
        await happens()
        return await real(*values)

    node.keys.proof_key = first


async def versions(node: Any, table: str) -> list[str]:
    """Every version there ever was of the only row of a table."""
    earlier = await rows(node, "select content from revisions order by id")
    return [row["content"] for row in (*earlier, *await rows(node, f"select content from {table}"))]


async def test_no_version_of_a_post_is_lost_from_its_history(town, marie):
    """Of edits that began from the same version one is kept; whoever comes second is told and may send again."""
    node, slug = town["fr"].node, await marie.posts("One", text="zero")
    drafts = [
        PostDraft(
            kind="case", title="One", text=f"edit {number}", specialties=("cardiology",), audience="federation",
            language="en",
        )
        for number in range(6)
    ]  # fmt: skip
    found = await outcomes([node.publishing.edit(marie.uri, slug, draft) for draft in drafts])
    kept = await versions(node, "posts")

    assert {"kept", "changed_meanwhile"} == set(found)
    assert found.count("kept") + 1 == len(kept) == len(set(kept))


async def test_no_version_of_an_answer_is_lost_from_its_history(town, marie, louis):
    """The same for answers."""
    publishing, slug = town["fr"].node.publishing, await marie.posts("One")
    made = await publishing.comment(louis.uri, slug, answer("zero"))
    found = await outcomes([publishing.edit_comment(louis.uri, made, answer(f"edit {n}")) for n in range(6)])
    kept = await versions(town["fr"].node, "comments")

    assert {"kept", "changed_meanwhile"} == set(found)
    assert found.count("kept") + 1 == len(kept) == len(set(kept))


async def test_edits_one_after_the_other_are_all_kept(town, marie, louis):
    """The twin: a later edit begins from the version before it."""
    publishing, slug = town["fr"].node.publishing, await marie.posts("One")
    made = await publishing.comment(louis.uri, slug, answer("zero"))
    for number in range(3):
        await publishing.edit_comment(louis.uri, made, answer(f"edit {number}"))

    assert ["<p>zero</p>", "<p>edit 0</p>", "<p>edit 1</p>", "<p>edit 2</p>"] == await versions(
        town["fr"].node, "comments"
    )


async def test_who_is_blocked_while_typing_does_not_answer(town, marie, louis):
    """The circle is asked again in the transaction that keeps the answer."""
    node, slug = town["fr"].node, await marie.posts("One")
    just_before_the_write(node, lambda: node.follows.block(marie.uri, "louis"))
    with pytest.raises(Rejected) as refused:
        await node.publishing.comment(louis.uri, slug, answer("too late"))

    assert "not_found" == refused.value.code
    assert [] == await town["fr"].answers()


async def test_an_answer_does_not_travel_further_than_the_post_it_answers(town, marie, louis):
    """A post narrowed while somebody typed: the answer is not sent to those who lost the post."""
    node, slug = town["fr"].node, await marie.posts("One")

    async def narrowed() -> None:
        draft = PostDraft(
            kind="case", title="One", text="one", specialties=("cardiology",), audience="national", language="en"
        )
        await node.publishing.edit(marie.uri, slug, draft)

    just_before_the_write(node, narrowed)
    with pytest.raises(Rejected) as refused:
        await node.publishing.comment(louis.uri, slug, answer("for everybody"))

    assert (409, "changed_meanwhile") == (refused.value.status, refused.value.code)
    assert [] == await town["fr"].answers()
