"""What the logs between siblings keep out: strangers, each other's logs, foreign words, lies about numbers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federation import catch_up, render
from federation.keys import PrivateKey
from federation.signatures import Profile, sign
from federation.uri import Uri
from federation.vocabulary import Delete
from federation.wire import Response
from instance.services.publishing import PostDraft
from tests.doorway import a_create, an_act, reads, says
from tests.network.converging import differences
from tests.network.lists import UNREADABLE, lists_are
from tests.network.scene import Liar, befriend, refusals, stored
from tests.town import Network, Person, Place, refused, rows

LOG = "/siblings/de.example/log/0"


@pytest.fixture
async def marie(town: Network) -> Person:
    """A doctor in France, of whom Germany has heard."""
    marie = await town["fr"].doctor("marie")
    await marie.posts("One")
    await town.settle()
    await town.catch_up()
    return marie


async def log_of(town: Network, after: int = 0, reader: str = "de") -> dict[str, Any]:
    """What France shows Germany of its log."""
    answer = await reads(town[reader], town["fr"], f"/siblings/{reader}.example/log/{after}")
    assert 200 == answer.status, answer.body
    return dict(json.loads(answer.body))


def words(page: dict[str, Any]) -> list[str]:
    """The titles on a page, and what is gone."""
    return [
        json.loads(entry["activity"])["object"]["name"] if "activity" in entry else f"gone to {entry['gone']}"
        for entry in page["entries"]
    ]


async def test_a_log_is_for_the_sibling_it_belongs_to(town: Network, marie: Person, tmp_path: Any) -> None:
    """J6.1: Germany reads its own; unsigned, a stranger's, another's, a doctor's and a misspelt request are refused."""
    fr, de = town["fr"], town["de"]
    stranger, anna = await town.add(tmp_path, "es"), await de.doctor("anna")
    await stranger.admits(fr)
    open_ = await fr.request("GET", LOG, {"Host": fr.node.authority, "Accept": "application/json"})
    key = await de.node.keys.signing_key(anna.uri, Profile.CAVAGE)
    headers = sign("GET", Uri.parse(fr.node.origin + LOG), None, key, Profile.CAVAGE, fr.node.clock())
    by_doctor = await fr.request("GET", LOG, headers)

    assert ["One"] == words(await log_of(town))
    assert (401, "not_signed") == refused(open_)
    assert (403, "not_a_sibling") == refused(await reads(stranger, fr, "/siblings/es.example/log/0"))
    assert (404, "not_found") == refused(by_doctor)
    for target in (
        "/siblings/it.example/log/0", "/siblings/de.example/log/-1", "/siblings/de.example/log/00",
        "/siblings/de.example/log/" + "9" * 16, "/siblings/de.example/log/x", LOG + "?after=0",
        "/siblings/it.example/received/ABCDEFGHIJ/0",
    ):  # fmt: skip
        assert (404, "not_found") == refused(await reads(de, fr, target)), target


@pytest.mark.parametrize(("policy", "code"), [("pause", "sibling_paused"), ("block", "sibling_blocked")])
async def test_who_is_kept_out_reads_no_log(town: Network, marie: Person, policy: str, code: str) -> None:
    """A paused and a blocked sibling get nothing, and are not asked either."""
    fr, de = town["fr"], town["de"]
    await fr.node.siblings.set_policy(de.node.origin, policy, "test", "test")
    await marie.posts("Two")
    await town.settle()
    asked = len(town.contacts)
    town.clock.move(hours=2)
    await fr.node.catching_up.poll_due()

    assert (403, code) == refused(await reads(de, fr, LOG))
    assert [] == [contact for contact in town.contacts[asked:] if "de.example" in contact.url]
    assert ["One"] == await de.titles()


async def test_what_is_not_for_a_sibling_is_not_in_its_log(town: Network, marie: Person) -> None:
    """S8, N3: what is for Luca's circle or for Luca alone comes to Italy by log, and to Germany never."""
    luca = await town["it"].doctor("luca")
    await befriend(town, luca, marie)
    town.swallows = lambda method, url, body: method == "POST"
    await marie.posts("For my circle", audience="colleagues")
    await marie.posts("For Luca", audience="named", named=(luca.address,))
    await town.settle()
    town.swallows = lambda *_: False
    await marie.posts("For everybody")
    await town.settle()
    await town.catch_up()

    assert ["One", "For everybody"] == words(await log_of(town))
    assert {"One", "For my circle", "For Luca", "For everybody"} == set(await town["it"].titles())
    assert {"One", "For everybody"} == set(await town["de"].titles())


async def test_who_was_left_behind_by_an_edit_finds_it_gone(town: Network, marie: Person) -> None:
    """A post narrowed after it was sent does not come again by log: what follows for Germany is the Delete."""
    luca = await town["it"].doctor("luca")
    await befriend(town, luca, marie)
    slug = await marie.posts("Wide")
    await town.settle()
    draft = PostDraft(
        kind="case", title="Narrow", text="Made up.", specialties=("cardiology",), audience="colleagues", language="en"
    )
    await town["fr"].node.publishing.edit(marie.uri, slug, draft)
    await town.settle()
    page = await log_of(town)

    assert b"Wide" not in json.dumps(page).encode()
    assert ["Create", "Delete"] == [json.loads(e["activity"])["type"] for e in page["entries"] if "activity" in e]


async def test_what_was_withdrawn_leaves_a_hole_without_words(town: Network, marie: Person) -> None:
    """A108: its number is gone for good, here and there, and the receiver counts on."""
    slug = await marie.posts("Taken back", text="A marker nobody may find.")
    await town.settle()
    await marie.place.node.publishing.withdraw(marie.uri, slug)
    await marie.posts("After it")
    await town.settle()
    await town.catch_up(minutes=61)
    page = await log_of(town)

    assert "gone" in json.dumps(page)
    for place in town.places.values():
        for table in ("activities", "received", "inbound"):
            found = await rows(place.node, f"select body from {table}")
            assert not [row for row in found if b"A marker nobody may find." in bytes(row["body"])]
    assert [page["last"]] == [
        row["mark"] for row in await rows(town["de"].node, "select mark from sibling_logs where origin like '%fr.%'")
    ]


async def test_a_withdrawn_text_that_comes_late_leaves_no_words(town: Network, marie: Person) -> None:
    """J6.6, A52: the Delete was here before its Create; what is kept for France holds nothing of it either."""
    fr, de = town["fr"], town["de"]
    create = a_create(marie)
    gone = render.activity(create)
    await de.node.store.write(
        lambda tx: tx.run(
            "apply.add_tombstone", uri=create.object.id, origin=fr.node.origin, actor=marie.uri, former_type="", now=1
        )
    )
    key = await fr.node.keys.signing_key(marie.uri, Profile.RFC9421)
    more = {"Sibling-Log": '900;epoch="ABCDEFGHIJ"'}
    headers = sign("POST", de.node.shared_inbox, gone, key, Profile.RFC9421, fr.node.clock(), more=more)
    answer = await de.request("POST", "/inbox", headers, gone)

    assert 202 == answer.status
    assert [(900, b"", "")] == [
        tuple(row) for row in await rows(de.node, "select number, body, head from received where epoch = 'ABCDEFGHIJ'")
    ]


@pytest.mark.parametrize("waits", [False, True])
async def test_what_was_withdrawn_and_comes_again_leaves_no_words(
    town: Network, marie: Person, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same message once more, under another number, after its Delete: the number counts, and no word is kept."""
    fr, de = town["fr"], town["de"]
    create = a_create(marie)
    body = render.activity(create)

    async def says_it(number: int) -> int:
        key = await fr.node.keys.signing_key(marie.uri, Profile.RFC9421)
        more = {"Sibling-Log": f'{number};epoch="ABCDEFGHIJ"'}
        headers = sign("POST", de.node.shared_inbox, body, key, Profile.RFC9421, fr.node.clock(), more=more)
        return (await de.request("POST", "/inbox", headers, body)).status

    first = await says_it(900)
    kept = [bytes(row["body"]) for row in await rows(de.node, "select body from received where number = 900")]
    await says(marie, de, an_act(marie, Delete, object=create.object.id))
    if waits:
        monkeypatch.setattr(de.node.apply, "needs_reading", lambda activity: True)
    again = await says_it(901)
    found = await rows(de.node, "select number, body, head from received where epoch = 'ABCDEFGHIJ' order by number")

    assert (202, 202) == (first, again)
    assert [body] == kept
    assert [(900, b"", ""), (901, b"", "")] == [(row["number"], bytes(row["body"]), row["head"]) for row in found]


# ── a sibling that lies ──


async def _entry(
    town: Network, change: Callable[[dict[str, Any]], None], key: PrivateKey | None = None, *, seals: bool = True
) -> None:
    """Germany reads a log that France itself has bent, and signed so; or somebody else, with `key`."""
    fr, de = town["fr"], town["de"]
    mark = (await rows(de.node, "select mark from sibling_logs where origin like '%fr.%'"))[0]["mark"]

    key = key or await fr.node.keys.proof_key(fr.node.actor)

    def bend(document: dict[str, Any]) -> Response:
        change(document)
        body = json.dumps(document).encode()
        if seals:
            bare = {name: value for name, value in document.items() if name not in ("id", "proof")}
            body = catch_up.seal_page(bare, Uri.parse(fr.node.origin + target), key, fr.node.clock())
        return Response(200, {"content-type": "application/json"}, body)

    target = f"/siblings/de.example/log/{mark}"
    liar = Liar(fr, target, bend)
    town.clock.move(minutes=62)
    await de.node.catching_up.poll_due()
    await town.settle()
    liar.honest()


async def test_a_foreign_activity_in_a_log_is_refused(town: Network, marie: Person) -> None:
    """N3: Italy's words in France's log, France's words about Italy's things: nothing of them is stored."""
    de, luca = town["de"], await town["it"].doctor("luca")
    theirs = render.activity(a_create(luca)).decode()
    stolen = render.activity(a_create(marie)).decode().replace("fr.example/posts", "it.example/posts")
    before, noted = await stored(de), await refusals(de)

    def slip_in(page: dict[str, Any]) -> None:
        page["last"] += 2
        page["entries"] = [
            {"number": page["last"] - 1, "activity": theirs},
            {"number": page["last"], "activity": stolen},
        ]

    await _entry(town, slip_in)

    assert ["actor_mismatch", "foreign_origin"] == sorted((await refusals(de))[len(noted) :])
    assert before == await stored(de)


@pytest.mark.parametrize("who", ["nobody", "the front end", "a doctor", "another sibling"])
async def test_a_page_that_no_pinned_key_has_signed_is_not_taken_in(town: Network, marie: Person, who: str) -> None:
    """Whoever answers at France's address without its key: nothing is stored, and the log is read when it is back."""
    fr, de = town["fr"], town["de"]
    own = await fr.node.keys.proof_key(fr.node.actor)
    key = {
        "the front end": PrivateKey.of(own.id, own.owner, Ed25519PrivateKey.generate()),
        "a doctor": await fr.node.keys.proof_key(marie.uri),
        "another sibling": await town["it"].node.keys.proof_key(town["it"].node.actor),
    }.get(who)
    forged = {"activity": render.activity(a_create(marie)).decode()}
    marks = [tuple(row) for row in await rows(de.node, "select * from sibling_logs order by origin")]
    before = await stored(de)

    def slip_in(page: dict[str, Any]) -> None:
        page["last"] += 1
        page["entries"] = [{"number": page["last"], **forged}]

    await _entry(town, slip_in, key, seals=key is not None)
    lied = await stored(de), [tuple(row) for row in await rows(de.node, "select * from sibling_logs order by origin")]
    await marie.posts("True")
    await town.settle()
    await town.catch_up(minutes=62)

    assert (before, marks) == lied
    assert 1 == _pulls(de, "pin_mismatch")
    assert ["One", "True"] == sorted(await de.titles())


@pytest.mark.parametrize(
    "lie",
    [
        lambda page, entry: page["entries"].append({**entry, "number": page["last"] + 5}),
        lambda page, entry: page["entries"].extend([{**entry, "number": 3}, {**entry, "number": 2}]),
        lambda page, entry: page["entries"].append({"number": 1, "gone": 9}),
        lambda page, entry: page["entries"].append({"number": True, "gone": 9}),
        lambda page, entry: page["entries"].extend([{**entry, "number": 10 + n} for n in range(101)]),
        lambda page, entry: page.update(epoch="; drop"),
        lambda page, entry: page.update(entries={"number": 2}),
    ],
    ids=["beyond the end", "not rising", "before the question", "no number", "too many", "epoch", "no list"],
)
async def test_a_page_that_contradicts_itself_is_not_taken_in(town: Network, marie: Person, lie: Any) -> None:
    """Malformed: nothing of it is stored, and the mark stays where it was."""
    de = town["de"]
    entry = {"activity": render.activity(a_create(marie)).decode()}
    marks = [tuple(row) for row in await rows(de.node, "select * from sibling_logs order by origin")]
    before = await stored(de)

    await _entry(town, lambda page: (page.update(last=max(page["last"], 50)), lie(page, entry)))  # type: ignore[arg-type,return-value]

    assert before == await stored(de)
    assert marks == [tuple(row) for row in await rows(de.node, "select * from sibling_logs order by origin")]


async def test_a_page_that_leaves_numbers_out_makes_nobody_skip(town: Network, marie: Person) -> None:
    """What a page says nothing about stays missing, and is asked for until it comes."""
    de = town["de"]
    town.swallows = lambda method, url, body: method == "POST" and "de.example" in url
    for title in ("Two", "Three"):
        await marie.posts(title)
        await town.settle()
    town.swallows = lambda *_: False
    await _entry(town, lambda page: page["entries"].pop(0))  # type: ignore[arg-type,return-value]
    lied = set(await de.titles())
    for _ in range(3):
        await town.catch_up(minutes=62)

    assert {"One", "Three"} == lied
    assert {"One", "Two", "Three"} == set(await de.titles())
    assert [] == await differences(town)


def _pulls(place: Place, outcome: str) -> float:
    """How many readings of logs have ended so."""
    return float(place.node.metrics.log_pulls.labels(outcome)._value.get())


async def test_holes_behind_what_waits_are_nothing_new(town: Network, marie: Person) -> None:
    """One number waits at its sender, and the rest is gone: nothing came of it, so the next reading is put off."""
    de = town["de"]
    moved = _pulls(de, "moved")

    def waits(page: dict[str, Any]) -> None:
        page["last"] = 5
        page["entries"] = [{"number": 2}, {"number": 3, "gone": 5}]

    await _entry(town, waits)

    assert moved == _pulls(de, "moved")


async def test_holes_that_close_a_gap_are_news(town: Network, marie: Person) -> None:
    """The twin: the mark rises over them."""
    de = town["de"]
    moved = _pulls(de, "moved")
    await _entry(town, lambda page: page.update(last=5, entries=[{"number": 2, "gone": 5}]))

    assert moved + 1 == _pulls(de, "moved")


async def test_an_epoch_changes_once_in_a_reading(town: Network, marie: Person) -> None:
    """A log that counts in another epoch on each page is put down after the second, and read on when it stands still."""
    de = town["de"]
    asked = len(town.contacts)
    await _entry(town, lambda page: page.update(epoch="ABCDEFGHIJ"))
    pages = [contact.url for contact in town.contacts[asked:] if "fr.example/siblings/de.example/log/" in contact.url]
    refused_once = _pulls(de, "malformed")
    await marie.posts("Two")
    await town.settle()
    await town.catch_up(minutes=62)

    assert 2 == len(pages)
    assert 1 == refused_once
    assert ["One", "Two"] == sorted(await de.titles())
    assert [] == await differences(town)


async def test_a_number_counts_only_where_the_signature_covers_it(town: Network, marie: Person) -> None:
    """Put in on the way, or misspelt: the message is taken, and its number is nobody's."""
    fr, de = town["fr"], town["de"]
    for profile in Profile:
        for covered, value in ((False, '70;epoch="ABCDEFGHIJ"'), (True, "70"), (True, '070;epoch="ABCDEFGHIJ"')):
            body = render.activity(a_create(marie))
            key = await fr.node.keys.signing_key(marie.uri, profile)
            more = {"Sibling-Log": value}
            headers = sign(
                "POST", de.node.shared_inbox, body, key, profile, fr.node.clock(), more=more if covered else {}
            )
            assert 202 == (await de.request("POST", "/inbox", {**more, **headers}, body)).status

    assert {1} == {
        row["number"] for row in await rows(de.node, "select number from received where origin like '%fr.%'")
    }


async def test_a_number_given_twice_in_one_message_is_refused(town: Network, marie: Person) -> None:
    """Which of two would count? 400, as with every field on which something rests."""
    fr, de = town["fr"], town["de"]
    body = render.activity(a_create(marie))
    key = await fr.node.keys.signing_key(marie.uri, Profile.CAVAGE)
    more = {"Sibling-Log": '70;epoch="ABCDEFGHIJ"'}
    headers = sign("POST", de.node.shared_inbox, body, key, Profile.CAVAGE, fr.node.clock(), more=more)
    answer = await de.request("POST", "/inbox", [*headers.items(), ("Sibling-Log", more["Sibling-Log"])], body)

    assert (400, "malformed_headers") == refused(answer)


async def test_one_sibling_that_hangs_delays_nobody(town: Network, marie: Person) -> None:
    """P4: France does not answer; Italy's log is read meanwhile, and nobody reads France's a second time."""
    de, luca = town["de"], await town["it"].doctor("luca")
    town.swallows = lambda method, url, body: method == "POST" and "de.example" in url
    await luca.posts("From Italy")
    await town.settle()
    town.swallows = lambda *_: False
    true, released = town["fr"].request, asyncio.Event()

    async def hangs(*request: Any) -> Response:
        await released.wait()
        return await true(*request)

    town["fr"].request = hangs  # type: ignore[method-assign,assignment]
    town.clock.move(minutes=62)
    first = await de.node.catching_up.begin_due()
    for _ in range(100):
        await asyncio.sleep(0.01)
        if "log of https://it.example" not in {task.get_name() for task in asyncio.all_tasks()}:
            break
    town.clock.move(minutes=62)
    second = await de.node.catching_up.begin_due()
    released.set()
    await de.node.catching_up.poll_due()

    assert "From Italy" in await de.titles()
    assert (2, 1) == (first, second)


async def test_what_is_refused_for_now_is_no_entry_that_is_done(town: Network, marie: Person) -> None:
    """Lists too old to judge by: nothing is settled; as soon as they can be read it is taken in."""
    de = town["de"]
    town.swallows = lambda method, url, body: method == "POST" and "de.example" in url
    await marie.posts("Two")
    await town.settle()
    town.swallows = lambda *_: False
    with lists_are(town["fr"], UNREADABLE):
        town.clock.move(days=3)
        await town.settle()
        await de.node.catching_up.poll_due()
    early, codes = await de.titles(), await refusals(de)
    town.clock.move(minutes=20)
    await town.settle()
    await town.catch_up(minutes=62)

    assert (["One"], ["status_hard_stale"]) == (early, codes)
    assert ["One", "Two"] == sorted(await de.titles())
