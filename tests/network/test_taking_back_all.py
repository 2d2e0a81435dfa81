"""A back-up was put back: all that siblings can prove comes back, however it went there; what is not proved counts for nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from federation import catch_up, render
from federation.allowlist import Direction
from federation.uri import Uri
from federation.vocabulary import Like
from federation.wire import Response
from instance.services import taking_back
from instance.services.publishing import PostDraft
from tests.network.converging import differences
from tests.network.scene import Liar, befriend, home_uri, reads_of, stored
from tests.network.test_catching_up import converge
from tests.network.test_followers_agree import spoil
from tests.network.test_restoring import put_back
from tests.network.test_taking_back import SAID, back_up, file_copy, numbers
from tests.town import Network, Person, Place, rows


@pytest.fixture
async def marie(town: Network) -> Person:
    """She has said something, and everybody has heard it."""
    found = await town["fr"].doctor("marie")
    await found.posts("Before")
    await town.settle()
    await town.catch_up()
    return found


def posts(method: str, url: str, body: bytes) -> bool:
    """Whatever is posted vanishes."""
    return method == "POST"


async def sealed(place: Place, document: dict[str, Any], **change: Any) -> Response:
    """What an instance itself would answer, changed and signed so."""
    bare = {name: value for name, value in document.items() if name not in ("id", "proof")}
    key = await place.node.keys.proof_key(place.node.actor)
    body = catch_up.seal_page({**bare, **change}, Uri.parse(document["id"]), key, place.node.clock())
    return Response(200, {"content-type": "application/json"}, body)


async def lies(place: Place, epoch: str, after: int, **change: Any) -> Liar:
    """A sibling that shows of France's log what it likes."""
    key = await place.node.keys.proof_key(place.node.actor)

    def bend(document: dict[str, Any]) -> Response:
        bare = {name: value for name, value in document.items() if name not in ("id", "proof")}
        body = catch_up.seal_page({**bare, **change}, Uri.parse(document["id"]), key, place.node.clock())
        return Response(200, {"content-type": "application/json"}, body)

    return Liar(place, f"{SAID}{epoch}/{after}", bend)


# ── what is not proved counts for nothing ──


async def test_a_number_that_nobody_proves_begins_no_epoch(
    town: Network, marie: Person, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    """Germany says that it heard a million things: nothing begins anew, and the operator is told that it says so."""
    epoch = (await numbers(town["fr"], epoch=True))[0]
    await town["fr"].reopen()
    await lies(town["de"], epoch, 1, last=1_000)
    await town.catch_up()
    gauge = town["fr"].node.metrics.registry.get_sample_value("esanum_log_doubts")

    assert [epoch] == await numbers(town["fr"], epoch=True)
    assert 1 == gauge
    assert [1_000] == [each["sequence"] for each in logged() if each["event"] == "log_unproved"]


async def test_numbers_go_on_behind_what_a_sibling_says_it_heard(town: Network, marie: Person) -> None:
    """It may be true: no number is given twice to that sibling, and what is lost under the next one is missed there."""
    epoch = (await numbers(town["fr"], epoch=True))[0]
    await town["fr"].reopen()
    liar = await lies(town["de"], epoch, 1, last=1_000)
    await town.catch_up()
    liar.honest()
    marie = Person(town["fr"], "marie", marie.uri)
    town.swallows = posts
    await marie.posts("Vanished")
    await town.settle()
    town.swallows = lambda *_: False
    given = dict(await numbers(town["fr"]))

    assert {"https://de.example": 1_001, "https://it.example": 2} == given
    assert [] == await converge(town)
    assert {"Before", "Vanished"} == set(await town["de"].titles()) == set(await town["it"].titles())


@pytest.mark.parametrize("last", [10**14, 2_000_000])
async def test_numbers_do_not_jump_as_far_as_a_sibling_likes(town: Network, marie: Person, last: int) -> None:
    """The twin: nobody hears a million things in a week; such a number is no reason to leave any out."""
    epoch = (await numbers(town["fr"], epoch=True))[0]
    await town["fr"].reopen()
    await lies(town["de"], epoch, 1, last=last)
    await town.catch_up()

    assert {"https://de.example": 1, "https://it.example": 1} == dict(await numbers(town["fr"]))


async def test_a_liar_does_not_hide_what_others_prove(town: Network, marie: Person, tmp_path: Path) -> None:
    """Germany holds what was said since; Italy, asked first, says that it heard more of the epoch that has just begun."""
    kept = await back_up(town["fr"], tmp_path)
    await marie.posts("Since")
    await town.settle()
    await put_back(town["fr"], kept)
    epoch, before = town["fr"].node.logs.epoch, town["fr"].node.logs.before
    town.down.add("de")
    await lies(town["it"], epoch, 1, last=5, entries=[])
    await town["fr"].node.catching_up.poll_due()
    town.down.clear()
    await town.catch_up()

    assert (epoch, before) == (town["fr"].node.logs.epoch, town["fr"].node.logs.before)
    assert {"Before", "Since"} == set(await town["fr"].titles())


async def test_a_true_message_under_another_number_proves_nothing(town: Network, marie: Person, tmp_path: Path) -> None:
    """What Marie said before the back-up, shown as what came after it: her signature names the number it had."""
    kept = await file_copy(town["fr"], tmp_path)
    epoch = (await numbers(town["fr"], epoch=True))[0]
    answer = await town["de"].node.store.all(
        "logs.kept", origin="https://fr.example", epoch=epoch, after=0, count=catch_up.ENTRIES
    )
    shown = [
        {"number": 2, "head": row["head"], "activity": bytes(row["body"]).decode()} for row in answer if row["head"]
    ]
    await put_back(town["fr"], kept)
    await lies(town["de"], epoch, 1, last=2, entries=shown)
    await town.catch_up()

    assert shown
    assert [epoch] == await numbers(town["fr"], epoch=True)


async def test_whoever_shows_without_end_is_left_alone(
    town: Network, marie: Person, tmp_path: Path, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    """Page after page that proves nothing: France stops asking, and reads its log all the same."""
    kept = await back_up(town["fr"], tmp_path)
    await put_back(town["fr"], kept)
    de = town["de"]
    true = de.request

    async def endless(method: str, target: str, headers: Any, body: bytes = b"") -> Response:
        answer = await true(method, target, headers, body)
        if not target.startswith(SAID):
            return answer
        after = int(target.rpartition("/")[2])
        entry = {"number": after + 1, "head": "{}", "activity": "{}"}
        return await sealed(de, json.loads(answer.body), last=10**9, entries=[entry])

    de.request = endless  # type: ignore[method-assign]
    before = await stored(town["fr"])
    for _ in range(3):
        await town.catch_up()

    assert reads_of(town, f"de.example{SAID}") <= 2 * taking_back.UNPROVED + 2
    assert before == await stored(town["fr"])
    assert "unproved" in {each.get("code") for each in logged() if each["event"] == "not_taken_back"}


# ── all that is proved comes back ──


async def test_a_copy_that_nobody_marked_is_noticed_after_many_starts(
    town: Network, marie: Person, tmp_path: Path
) -> None:
    """Siblings are away while it starts, speaks and starts again: it asks from where the first of these starts was."""
    kept = await file_copy(town["fr"], tmp_path)
    for number in range(3):
        await marie.posts(f"Since {number}")
    await town.settle()
    await put_back(town["fr"], kept)
    town.down |= {"de", "it"}
    marie = Person(town["fr"], "marie", marie.uri)
    for number in range(5):
        await marie.posts(f"Again {number}")
    await town.settle()
    for _ in range(2):
        await town["fr"].node.catching_up.poll_due()
        await town["fr"].reopen()
    town.down.clear()

    assert [] == await converge(town)
    everything = {"Before", *(f"Since {n}" for n in range(3)), *(f"Again {n}" for n in range(5))}
    for place in town.places.values():
        assert everything == set(await place.titles())


async def test_what_a_sibling_read_in_the_log_comes_back(town: Network, marie: Person, tmp_path: Path) -> None:
    """It was lost on its way and read by number: the page bore a signed head for it, and that proves it as well."""
    kept = await back_up(town["fr"], tmp_path)
    town.swallows = posts
    await marie.posts("Lost, then read")
    await town.settle()
    town.swallows = lambda *_: False
    await town.catch_up(minutes=62)
    read = await town["de"].titles()
    await put_back(town["fr"], kept)
    restored = await town["fr"].titles()

    assert "Lost, then read" in read
    assert ["Before"] == restored
    assert [] == await converge(town)
    assert {"Before", "Lost, then read"} == set(await town["fr"].titles())


@pytest.mark.parametrize("head", [7, "x" * 20_000, None])
async def test_a_page_with_a_head_that_is_none_is_nonsense(town: Network, marie: Person, head: Any) -> None:
    """The twin: what is kept as a head is a text of bounded length, or the page is refused; without one it is read."""
    town.swallows = posts
    await marie.posts("Lost")
    await town.settle()
    town.swallows = lambda *_: False
    fr = town["fr"]
    key = await fr.node.keys.proof_key(fr.node.actor)

    def bend(document: dict[str, Any]) -> Response:
        bare = {name: value for name, value in document.items() if name not in ("id", "proof")}
        for entry in bare["entries"]:
            entry.pop("head")
            entry.update({} if head is None else {"head": head})
        body = catch_up.seal_page(bare, Uri.parse(document["id"]), key, fr.node.clock())
        return Response(200, {"content-type": "application/json"}, body)

    Liar(fr, "/siblings/de.example/log/1", bend)
    await town.catch_up(minutes=62)

    assert ("Lost" in await town["de"].titles()) is (head is None)


async def test_what_fills_many_pages_comes_back_in_the_end(
    town: Network, marie: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More pages than one question reads: the next goes on where it ended, at once, and all come."""
    kept = await back_up(town["fr"], tmp_path)
    titles = {f"Paths {number}" for number in range(13)}
    for title in sorted(titles):
        await marie.posts(title, text="\\" * 18_000)
    await town.settle()
    await put_back(town["fr"], kept)
    town.down.add("it")
    monkeypatch.setattr(taking_back, "PAGES", 1)
    await town["fr"].node.catching_up.poll_due()
    first = set(await town["fr"].titles())
    for _ in range(8):
        await town["fr"].node.catching_up.poll_due()
    town.down.clear()

    assert first < {"Before", *titles}
    assert {"Before", *titles} == set(await town["fr"].titles())
    assert [] == await converge(town)
    assert [] == await differences(town)


# ── what answers it may come first ──


@pytest.mark.parametrize("copy", [back_up, file_copy])
async def test_an_answer_to_what_is_not_back_yet_waits(
    town: Network, marie: Person, tmp_path: Path, copy: Callable[[Place, Path], Any]
) -> None:
    """Anna answers and thanks in the moments after France was put back: she is asked to say it again, and it is kept."""
    anna = await town["de"].doctor("anna")
    await anna.posts("By Anna")
    await town.settle()
    kept = await copy(town["fr"], tmp_path)
    slug = await marie.posts("Since")
    await town.settle()
    await put_back(town["fr"], kept)
    await anna.comments(home_uri(town["fr"], slug), "An answer")
    await town["de"].node.publishing.like(anna.uri, await anna.slug_of(home_uri(town["fr"], slug)))
    await town.settle()
    early = await town["fr"].answers()
    waiting = await town["de"].node.queue.overview(state="dead")
    await town["fr"].node.catching_up.poll_due()
    town.clock.move(hours=1)
    await town.settle()

    assert [] == early == waiting["rows"]
    assert ["<p>An answer</p>"] == await town["fr"].answers() == await town["it"].answers()
    assert [] == await converge(town)


async def test_what_answers_nothing_is_refused_when_everybody_was_asked(
    town: Network, marie: Person, tmp_path: Path
) -> None:
    """The twin: once all siblings were asked, and a week later though one never answered, what is not here is refused."""
    anna = await town["de"].doctor("anna")
    await anna.posts("By Anna")
    await town.settle()
    kept = await back_up(town["fr"], tmp_path)
    await put_back(town["fr"], kept)
    never = Uri.parse("https://fr.example/posts/01JDC0D60G5Q2V8ZJ4T6Y7M3NR")
    like = Like(id=Uri.parse("https://de.example/activities/x1"), actor=anna.uri, object=never)
    again = Like(id=Uri.parse("https://de.example/activities/x2"), actor=anna.uri, object=never)
    town.down.add("it")
    await town["fr"].node.catching_up.poll_due()
    waits = await anna.sends(town["fr"], render.activity(like))
    town.clock.move(days=9)
    await town["fr"].node.catching_up.poll_due()
    late = await anna.sends(town["fr"], render.activity(again))

    assert (503, 403) == (waits.status, late.status)
    assert b"still_taking_back" in waits.body
    assert b"not_visible" in late.body
    town.clock.move(days=-9)
    town.down.clear()
    town.clock.move(hours=2)
    await town["fr"].node.catching_up.poll_due()
    assert 403 == (await anna.sends(town["fr"], render.activity(like))).status


async def test_who_could_not_be_asked_is_asked_in_a_minute(town: Network, marie: Person) -> None:
    """After a start Germany's page of what it holds of ours is away for a moment: what is not here is refused soon after."""
    anna = await town["de"].doctor("anna")
    never = Uri.parse("https://fr.example/posts/01JDC0D60G5Q2V8ZJ4T6Y7M3NR")
    await town["fr"].reopen()
    town.loses = lambda method, url, body: "/received/" in url
    await town["fr"].node.catching_up.poll_due()
    town.loses = lambda *_: False
    like = Like(id=Uri.parse("https://de.example/activities/x1"), actor=anna.uri, object=never)
    waits = await anna.sends(town["fr"], render.activity(like))
    at_once = await town["fr"].node.catching_up.poll_due()
    town.clock.move(minutes=1)
    then = await town["fr"].node.catching_up.poll_due()
    refused = await anna.sends(town["fr"], render.activity(like))
    town.clock.move(minutes=5)

    assert (503, 0, 2, 403) == (waits.status, at_once, then, refused.status)
    assert "60" == waits.headers["retry-after"]
    assert 0 == await town["fr"].node.catching_up.poll_due()


async def test_a_version_that_comes_back_without_the_first_is_that_version(
    town: Network, marie: Person, tmp_path: Path
) -> None:
    """Siblings hold a mended post whose first version they were never sent: it comes back mended, with its time."""
    anna = await town["de"].doctor("anna")
    kept = await back_up(town["fr"], tmp_path)
    slug = await marie.posts("Early", audience="colleagues")
    await town.settle()
    await befriend(town, anna, marie)
    town.clock.move(minutes=5)
    draft = PostDraft(
        kind="case", title="Mended", text="Made up.", specialties=("cardiology",), audience="colleagues",
        language="en", named=(),
    )  # fmt: skip
    await town["fr"].node.publishing.edit(marie.uri, slug, draft)
    await town.settle()
    held = await town["de"].titles()
    await put_back(town["fr"], kept)

    assert "Mended" in held
    assert [] == await converge(town)
    assert {"Before", "Mended"} == set(await town["fr"].titles())


@pytest.mark.parametrize("audience", ["federation", "named"])
async def test_an_answer_comes_back_to_everybody_before_its_post(
    town: Network, marie: Person, tmp_path: Path, audience: str
) -> None:
    """Marie's answer to a post of Italy's, which France does not have again yet: Germany is told as well."""
    anna, luca = await town["de"].doctor("anna"), await town["it"].doctor("luca")
    await anna.posts("By Anna")
    await town.settle()
    kept = await back_up(town["fr"], tmp_path)
    named = (marie.address, anna.address) if audience == "named" else ()
    slug = await luca.posts("By Luca", audience=audience, named=named)
    await town.settle()
    town.down.add("de")
    await marie.comments(home_uri(town["it"], slug), "An answer")
    await town.settle()
    await put_back(town["fr"], kept)
    await town["fr"].node.catching_up.poll_due()
    town.down.clear()

    assert [] == await town["de"].answers()
    assert [] == await converge(town)
    for place in town.places.values():
        assert ["<p>An answer</p>"] == await place.answers()


async def test_an_answer_does_not_come_back_where_a_kind_is_closed(
    town: Network, marie: Person, tmp_path: Path
) -> None:
    """The twin: Germany is not sent every kind, and France cannot tell of which the post is: Italy alone is told."""
    luca = await town["it"].doctor("luca")
    de = town["de"].node.origin
    spoil(town["fr"], f"update siblings set kinds_out = '[\"case\"]' where origin = '{de}'")
    await town["fr"].reopen()
    kept = await back_up(town["fr"], tmp_path)
    slug = await luca.posts("By Luca", kind="question")
    await town.settle()
    await Person(town["fr"], "marie", marie.uri).comments(home_uri(town["it"], slug), "An answer")
    await town.settle()
    await put_back(town["fr"], kept)
    await town["fr"].node.catching_up.back.ask(
        town["fr"].node.allowlist().require(town["it"].node.origin, Direction.FETCH)
    )
    sent = await rows(town["fr"].node, "select origin from deliveries where object like '%/comments/%'")

    assert ["<p>An answer</p>"] == await town["fr"].answers()
    assert ["https://it.example"] == [row["origin"] for row in sent]
