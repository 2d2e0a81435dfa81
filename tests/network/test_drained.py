"""A pause holds a hundred messages and destroys none; resumed, they are sent in the order in which each author wrote."""

from __future__ import annotations

from federation.allowlist import LocalPolicy
from tests.instance.students import administrators
from tests.network.expelling import DE, REASON, actor, pauses, wanted
from tests.town import Network, rows

AUTHORS, EACH = ("marie", "paul", "leo", "odile"), 25


async def states(town: Network) -> dict[str, int]:
    """How many deliveries for Germany are in each state."""
    found = await rows(
        town["fr"].node, f"select state, count(*) as number from deliveries where origin = '{DE}' group by state"
    )
    return {row["state"]: row["number"] for row in found}


async def test_a_hundred_wait_and_are_sent_in_order(network) -> None:
    """Nothing leaves while it is paused; then everything arrives, once, and each author's in order."""
    town = await network("fr", "de")
    fr = town["fr"]
    await administrators(fr.node)
    ada, ben = await actor(fr.node, "ada"), await actor(fr.node, "ben")
    authors = [await fr.doctor(name) for name in AUTHORS]
    await town.settle()
    before = await states(town)
    for number in range(EACH // 2):
        for author in authors:
            await author.posts(f"{author.handle} {number:03}")
    await pauses(fr.node, ada)
    since = len(town.contacts)
    for number in range(EACH // 2, EACH):
        for author in authors:
            town.clock.move(minutes=3)
            await author.posts(f"{author.handle} {number:03}")
    await town.settle()
    held = await states(town)
    sent = [each for each in town.contacts[since:] if each.method == "POST" and each.url.startswith(DE)]
    assert not await fr.node.siblings.proposals.change([await wanted(fr.node, policy=LocalPolicy.INHERIT)], ada, REASON)
    (waiting,) = await fr.node.siblings.proposals.waiting()
    still = await states(town)
    await fr.node.siblings.proposals.confirm(waiting.id, ben)
    await town.settle()
    arrived = [
        row["title"] for row in await rows(town["de"].node, "select title from posts order by received_at, slug")
    ]  # fmt: skip

    assert [] == sent
    assert len(AUTHORS) * EACH == held["held"] == still["held"]
    assert len(AUTHORS) * EACH == len(arrived) == len(set(arrived))
    for author in authors:
        own = [title for title in arrived if title.startswith(author.handle)]
        assert sorted(own) == own
    assert before.get("done", 0) + len(AUTHORS) * EACH == (await states(town))["done"]


async def test_what_a_block_drops_is_not_sent_by_resuming(network) -> None:
    """The twin: only a pause holds."""
    town = await network("fr", "de")
    fr = town["fr"]
    await administrators(fr.node)
    ada, ben = await actor(fr.node, "ada"), await actor(fr.node, "ben")
    marie = await fr.doctor("marie")
    await town.settle()
    await marie.posts("Dropped")
    await pauses(fr.node, ada, LocalPolicy.BLOCK)
    await fr.node.siblings.proposals.change([await wanted(fr.node, policy=LocalPolicy.INHERIT)], ada, REASON)
    (waiting,) = await fr.node.siblings.proposals.waiting()
    await fr.node.siblings.proposals.confirm(waiting.id, ben)
    await town.settle()

    assert [] == await town["de"].titles()
