"""What waits for a sibling's set is let go as soon as it is known, keeps no lane busy, and is withdrawn where it was read."""

from __future__ import annotations

from pathlib import Path

import pytest

from federation.allowlist import LocalPolicy
from tests.doorway import reads
from tests.network.apart import people_of
from tests.network.listed import Federation
from tests.network.scene import home_uri
from tests.network.test_followers_agree import spoil
from tests.network.test_restoring import put_back
from tests.network.test_taking_back import back_up
from tests.town import Network, rows

FR, IT = "https://fr.example", "https://it.example"
WAITS = "sibling_set_unknown"


async def states(town: Network) -> list[tuple[str, str]]:
    """How Germany's messages to Italy stand that name France."""
    sql = f"select state, last_code from deliveries where origin = '{IT}' and homes = '{FR}'"
    return [(row["state"], row["last_code"]) for row in await rows(town["de"].node, sql)]


@pytest.mark.parametrize("away", [False, True], ids=["known", "unknown"])
async def test_what_was_put_aside_while_a_set_was_being_read_is_let_go(town: Network, away: bool) -> None:
    """Its courier had asked before the set was there, and wrote that down after it was: the next look lets it go, and
    the twin, of which the set is not known, waits on."""
    people = await people_of(town)
    uri = home_uri(town["fr"], await people.marie.posts("Marie's"))
    await town.settle()
    town.down.add("it")
    await people.anna.comments(uri, "Put aside")
    await town.settle()
    spoil(town["de"], f"update deliveries set state = 'held', last_code = '{WAITS}' where homes = '{FR}'")
    town.down.clear()
    if away:
        town.down.add("fr")
        town.clock.move(hours=7)
    town.clock.move(minutes=16)
    await town.settle()

    assert ([("held", WAITS)] if away else [("done", "")]) == await states(town)
    assert ([] if away else ["<p>Put aside</p>"]) == await town["it"].answers()


async def test_what_waits_for_a_set_begins_no_lane_anew(tmp_path: Path) -> None:
    """Under a federation list everything that is open again is let go: but not what waits for a set, again and again."""
    town = await Federation.open(tmp_path, "fr", "de", "it")
    try:
        anna = await town["de"].doctor("anna")
        town.network.down.add("it")
        await anna.posts("For all")
        await town.network.settle()
        lane = f"select failures, next_at from lanes where origin = '{IT}'"
        spoil(
            town["de"],
            f"update deliveries set state = 'held', last_code = '{WAITS}', homes = '{FR}' where origin = '{IT}'",
        )
        before = [tuple(row) for row in await rows(town["de"].node, lane)]
        await town["de"].node.federation_list.tick()
        waiting = [tuple(row) for row in await rows(town["de"].node, lane)]
        spoil(town["de"], f"update deliveries set last_code = 'sibling_paused' where origin = '{IT}'")
        await town["de"].node.federation_list.tick()
        after = [tuple(row) for row in await rows(town["de"].node, lane)]
    finally:
        await town.network.close()

    assert before[0][0]
    assert before == waiting
    assert [(0, 0)] == after  # the twin: what was closed for a time is let go


async def test_what_was_read_in_the_log_is_withdrawn_there(town: Network) -> None:
    """Italy read an answer in Germany's log before it was sent; then France removes Italy: the withdrawal goes there."""
    people = await people_of(town)
    uri = home_uri(town["fr"], await people.marie.posts("Marie's"))
    await town.settle()
    far = int(town.clock().timestamp() * 1000) + 3_000_000
    spoil(town["de"], f"update lanes set next_at = {far}, failures = 1 where origin = '{IT}'")
    slug = await people.anna.comments(uri, "Read in the log")
    await town.settle()
    waiting = await states(town)
    await town["it"].node.catching_up.poll_due()
    read = await town["it"].answers()
    await town["fr"].node.siblings.remove(IT, "test", "test")
    town.clock.move(minutes=55)
    await town.settle()
    dropped = await states(town)
    await town["de"].node.publishing.withdraw_comment(people.anna.uri, slug)
    await town.settle()

    assert [("waiting", "")] == waiting
    assert ["<p>Read in the log</p>"] == read
    assert [("dropped", "outside_sibling_set")] == dropped
    assert [] == await town["it"].answers()


async def test_what_was_read_at_its_address_is_withdrawn_there(town: Network) -> None:
    """Italy was blocked when Anna answered herself, and reads that later in her thread: her withdrawal goes there."""
    people = await people_of(town)
    uri = home_uri(town["de"], await people.anna.posts("Anna's"))
    await town.settle()
    de, it = town["de"].node, town["it"].node
    await de.siblings.set_policy(IT, LocalPolicy.BLOCK, by="test", reason="test")
    slug = await people.anna.comments(uri, "Said while blocked")
    await town.settle()
    await de.siblings.set_policy(IT, LocalPolicy.INHERIT, by="test", reason="test")
    await town.settle()
    it.threads.wanted(uri)
    await it.threads.poll_due()
    await town.settle()
    read = await town["it"].answers()
    await de.publishing.withdraw_comment(people.anna.uri, slug)
    await town.settle()

    assert ["<p>Said while blocked</p>"] == read
    assert [] == await town["it"].answers()


async def test_who_was_refused_at_an_address_holds_no_copy(town: Network) -> None:
    """The twin: asking is not enough; and what was sent and taken is written down once."""
    people = await people_of(town)
    slug = await people.anna.posts("For colleagues in France", audience="named", named=(people.marie.address,))
    await town.settle()
    copies = f"select origin, delivered_at from copies where object like '%{slug}' order by origin"
    before = [tuple(row) for row in await rows(town["de"].node, copies)]
    town.clock.move(minutes=1)
    answers = [(await reads(town[name], town["de"], f"/posts/{slug}")).status for name in ("fr", "it")]

    assert [200, 404] == answers
    assert [FR] == [origin for origin, _ in before]
    assert before == [tuple(row) for row in await rows(town["de"].node, copies)]


@pytest.mark.parametrize("away", [True, False])
async def test_after_older_rows_were_put_back_no_set_counts_until_it_was_read_again(
    town: Network, tmp_path: Path, away: bool
) -> None:
    """Since Germany's back-up France has removed Italy, which those rows do not know: nothing of France's is passed on
    by them; the twin: once France answers, what it says counts."""
    await people_of(town)
    town.clock.move(minutes=16)
    await town.settle()
    kept = await back_up(town["de"], tmp_path)
    before = town["de"].node.sets([FR], IT)
    await town["fr"].node.siblings.remove(IT, "test", "test")
    await town.settle()
    town.down |= {"fr"} if away else set()
    await put_back(town["de"], kept)
    at_once = town["de"].node.sets([FR], IT)
    await town.settle()

    assert "" == before
    assert WAITS == at_once
    assert (WAITS if away else "outside_sibling_set") == town["de"].node.sets([FR], IT)
