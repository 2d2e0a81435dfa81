"""Why was this refused (N27): each message leaves the check that refused it and its headers, never its body; whoever
was refused may ask why, about itself and nobody else."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from federation import render
from federation.signatures import Profile, sign
from federation.uri import Uri
from federation.vocabulary import PostKind
from federation.wire import Response
from instance.asgi import ASKING_SPAN
from instance.services import own_refusals, what_if
from instance.services.errors import Rejected
from instance.views import messages
from tests.doorway import a_create, a_post
from tests.network.scene import Liar
from tests.town import Network, Person, Place, refused, rows

SECRET = "A-marker-of-clinical-text"


async def asks(asker: Place, asked: Place, *, host: str = "", query: str = "", signer: Any = None) -> Response:
    """Ask what was refused, signed by the instance actor (or by somebody else)."""
    target = f"/siblings/{host or asker.node.authority}/refusals"
    key = await asker.node.keys.signing_key(signer or asker.node.actor, Profile.CAVAGE)
    url = Uri.parse(asked.node.origin + target + query)
    headers = sign("GET", url, None, key, Profile.CAVAGE, asked.node.clock())
    return await asked.request("GET", target + query, headers)


async def told(asker: Place, asked: Place) -> list[tuple[str, str]]:
    """The codes and directions an instance is told."""
    await asked.node.audit.flush()
    answer = await asks(asker, asked)
    assert 200 == answer.status, refused(answer)
    return [(each["code"], each["direction"]) for each in json.loads(answer.body)["refusals"]]


async def found(place: Place, **sought: Any) -> list[messages.Line]:
    """The lines an administrator finds."""
    await place.node.audit.flush()
    return list((await messages.find(place.node, messages.Sought(**sought))).lines)


async def policy(place: Place, of: Place, policy: str) -> None:
    """Set it."""
    await place.node.siblings.set_policy(of.node.origin, policy, by="test", reason="test")


async def meets(town: Network) -> None:
    """Have France read Germany's instance key, as it does as soon as Germany's instance signs anything."""
    answer = await asks(town["de"], town["fr"])
    assert 200 == answer.status, refused(answer)


# ── what is kept ──


async def test_an_accepted_message_keeps_its_headers_in_its_own_row(town: Network, anna: Person) -> None:
    """Kind, headers and duration; the signature cut; no body; and no statement more than the row itself."""
    fr = town["fr"]
    before = await rows(fr.node, "select count(*) as n from refusals")
    await anna.sends(fr, render.activity(a_create(anna, a_post(anna, content=f"<p>{SECRET}</p>"))))
    [row] = await rows(fr.node, "select kind, head, body from inbound order by id desc limit 1")
    after = await rows(fr.node, "select count(*) as n from refusals")

    assert ("case", b"") == (row["kind"], bytes(row["body"]))
    assert " POST /inbox\n" in row["head"]
    assert 'signature="' in row["head"]
    assert len(row["head"]) < 700
    assert SECRET not in row["head"]
    assert before[0]["n"] == after[0]["n"]


class Counted:
    """A transaction that notes which queries are run in it."""

    def __init__(self, tx: Any, noted: list[str]) -> None:
        self._tx, self._noted = tx, noted

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._tx, name)
        if name not in ("run", "one", "all", "many"):
            return found

        def noting(query: str, *args: Any, **values: Any) -> Any:
            self._noted.append(query)
            return found(query, *args, **values)

        return noting


async def test_an_accepted_message_costs_no_statement_more(
    town: Network, anna: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row of `inbound`, written once; nothing about it is written anywhere else, then or a moment later."""
    fr, noted = town["fr"], list[str]()
    await anna.sends(fr, render.activity(a_create(anna)))
    write = fr.node.store.write
    monkeypatch.setattr(
        fr.node.store, "write", lambda work, **more: write(lambda tx: work(Counted(tx, noted)), **more)
    )  # fmt: skip
    answer = await anna.sends(fr, render.activity(a_create(anna)))
    await fr.node.audit.flush()

    assert 202 == answer.status
    assert ["inbound.add"] == [query for query in noted if query.startswith(("inbound.", "messages."))]


async def test_a_refused_message_names_the_check(town: Network, anna: Person) -> None:
    """A body that is not the signed one fails at the digest, and the line says so."""
    fr = town["fr"]
    key = await anna.place.node.keys.signing_key(anna.uri, Profile.CAVAGE)
    body = render.activity(a_create(anna, a_post(anna, content=f"<p>{SECRET}</p>")))
    headers = sign("POST", fr.node.shared_inbox, body, key, Profile.CAVAGE, fr.node.clock())
    answer = await fr.request("POST", "/inbox", headers, body + b" ")
    [line] = await found(fr, code="digest_mismatch")
    shown = await messages.show(fr.node, line.id)

    assert (401, "digest_mismatch") == refused(answer)
    assert ("in", "refused", 10, "https://de.example", key.id, "cavage-12") == (
        line.direction, line.verdict, line.step, line.origin, line.key_id, line.profile,
    )  # fmt: skip
    assert "POST /inbox" in shown.head
    assert "digest: sha-256=" in shown.head.lower()
    assert ("inherit", "inherit") == (shown.now.policy, shown.then.policy)
    assert SECRET not in repr(shown)


@pytest.mark.parametrize(
    ("change", "code", "step"),
    [
        (lambda h: h.pop("Signature"), "not_signed", 5),
        (lambda h: h.update(Date="Mon, 30 Nov 2020 10:00:00 GMT"), "stale", 6),
        (lambda h: h.update({"Content-Type": "text/html"}), "unsupported_media_type", 4),
        (lambda h: h.update({"Host": "elsewhere.example"}), "wrong_host", 3),
        (lambda h: h.update({"Content-Encoding": "gzip"}), "unsupported_media_type", 2),
    ],
)
async def test_each_check_has_its_number(town: Network, anna: Person, change: Any, code: str, step: int) -> None:
    """The numbers of the design's list, for refusals in front of the list too."""
    fr = town["fr"]
    key = await anna.place.node.keys.signing_key(anna.uri, Profile.CAVAGE)
    body = render.activity(a_create(anna))
    headers = sign("POST", fr.node.shared_inbox, body, key, Profile.CAVAGE, fr.node.clock())
    change(headers)
    await fr.request("POST", "/inbox", headers, body)
    [line] = await found(fr, code=code)

    assert step == line.step
    assert (await messages.show(fr.node, line.id)).head != ""


async def test_repeated_and_ignored_messages_are_found_and_are_no_refusals(town: Network, anna: Person) -> None:
    """202 each, one effect: what left no row of its own is counted apart."""
    fr = town["fr"]
    body = render.activity(a_create(anna))
    for _ in range(3):
        await anna.sends(fr, body)
    ignored = json.loads(body) | {"type": "Dance", "id": f"{anna.place.node.origin}/activities/dance"}
    await anna.sends(fr, json.dumps(ignored).encode())
    lines = await found(fr, verdict="repeated")

    assert 2 == len(lines)
    assert [] == await rows(fr.node, "select id from refusals")
    assert [ignored["id"]] == [line.activity for line in await found(fr, verdict="ignored")]


async def test_strangers_leave_one_head_a_second(town: Network) -> None:
    """Whoever is on no list can fill neither the table nor the disk: ten rows a second, headers in the first."""
    fr = town["fr"]
    for number in range(30):
        await fr.request("POST", "/inbox", {"Host": "fr.example", "Content-Type": "application/activity+json",
                                            "X-Odd": "x" * 5_000, "User-Agent": f"{number}" + "y" * 2_000}, b"{}")  # fmt: skip
    await fr.node.audit.flush()
    kept = await rows(fr.node, "select head, more from refusals order by id")

    assert 10 == len(kept)
    assert [True] + [False] * 9 == [bool(row["head"]) for row in kept]
    assert len(kept[0]["head"]) <= 1_024
    assert 20 == kept[-1]["more"]


async def test_an_activity_is_found_at_every_sibling_it_goes_to(town: Network, marie: Person) -> None:
    """By its whole address: a delivery to each, with the last answer's headers; the page of one leads to the other."""
    fr = town["fr"]
    await policy(town["de"], fr, "block")
    await marie.posts("A question of dose")
    await town.settle()
    [activity] = [row["uri"] for row in await rows(fr.node, "select uri from activities where type = 'Create'")]
    lines = await found(fr, text=activity)
    german = next(line for line in lines if line.origin == "https://de.example")
    shown = await messages.show(fr.node, german.id)

    assert {"https://de.example", "https://it.example"} == {line.origin for line in lines}
    assert ("sibling_blocked", "out") == (german.code, german.direction)
    assert ("Create", 403) == (german.type, shown.status)
    assert "https://it.example" in {line.origin for line in shown.related}
    assert "/inbox" in shown.head
    assert shown.answer.startswith("403")


async def test_the_list_then_and_now(town: Network, anna: Person) -> None:
    """A message that was refused during a pause is still explained after it."""
    fr, de = town["fr"], town["de"]
    await policy(fr, de, "pause")
    town.clock.move(seconds=5)
    await anna.sends(fr, render.activity(a_create(anna)))
    town.clock.move(seconds=5)
    await policy(fr, de, "inherit")
    [line] = await found(fr, code="sibling_paused")
    shown = await messages.show(fr.node, line.id)

    assert ("pause", "inherit", 7) == (shown.then.policy, shown.now.policy, line.step)


async def test_what_was_taken_and_refused_later_is_one_line(town: Network, anna: Person, marie: Person) -> None:
    """A refusal of the worker stands at its message, and is not listed beside it."""
    fr = town["fr"]
    body = render.activity(a_create(anna))
    await anna.sends(fr, body)
    before = await found(fr)

    async def spoil(tx: Any) -> None:
        await tx.run("inbound.refusal", id="0" * 26, at=0, direction="in", code="not_the_owner", origin="x", key_id="",
                     activity="", rule="", more=0, step=19, profile="", type="", kind="", message=before[0].id,
                     head="")  # fmt: skip

    await fr.node.store.write(spoil)

    assert before == await found(fr)
    assert ["not_the_owner"] == [each.code for each in (await messages.show(fr.node, before[0].id)).related]


# ── what a sibling is told ──


@pytest.mark.parametrize("state", ["inherit", "read-only", "pause", "block"])
async def test_who_is_refused_may_ask_why(town: Network, anna: Person, state: str) -> None:
    """Also while it is paused or blocked; the answer names codes, not headers, and nothing of others."""
    fr, de = town["fr"], town["de"]
    await meets(town)
    if state != "inherit":
        await policy(fr, de, state)
    town.clock.move(seconds=2)
    await anna.sends(fr, b"{}")
    others = await town["it"].doctor("giulia")
    await others.sends(fr, b"{}")
    contacts = len(town.contacts)
    codes = await told(de, fr)
    answer = json.loads((await asks(de, fr)).body)

    expected = {"inherit": "malformed", "read-only": "malformed", "pause": "sibling_paused", "block": "sibling_blocked"}
    assert [(expected[state], "in")] == codes
    assert state == answer["policy"]
    assert {"at", "direction", "code", "activity", "keyId", "more"} == set(answer["refusals"][0])
    assert contacts == len(town.contacts)
    assert "it.example" not in json.dumps(answer)


async def test_pins_do_not_age(town: Network) -> None:
    """A sibling that has been paused for a month still learns that it is: nobody has to be read for it."""
    fr, de = town["fr"], town["de"]
    await meets(town)
    await policy(fr, de, "pause")
    await fr.reopen()
    town.clock.move(days=31)
    contacts = len(town.contacts)

    assert [] == await told(de, fr)
    assert contacts == len(town.contacts)


async def test_a_stranger_is_told_nothing(network: Any) -> None:
    """Not on the list: 403, and nobody is contacted."""
    town: Network = await network("fr", "de", introduced=False)
    answer = await asks(town["de"], town["fr"])

    assert (403, "not_a_sibling") == refused(answer)
    assert [] == town.contacts


async def test_nobody_is_told_of_another(town: Network, anna: Person) -> None:
    """The host in the address is the signer's own; a doctor's key, an unpinned key and a query open nothing."""
    fr, de = town["fr"], town["de"]
    await meets(town)
    other, query = await asks(de, fr, host="it.example"), await asks(de, fr, query="?since=0")
    doctors = await asks(de, fr, signer=anna.uri)

    assert (404, "not_found") == refused(other) == refused(query)
    assert (401, "unknown_key") == refused(doctors)
    assert 401 == (await fr.request("GET", "/siblings/de.example/refusals", {"Host": "fr.example"})).status


async def test_another_key_than_the_pinned_one_is_told_nothing(town: Network) -> None:
    """Whoever shows a key that nobody compared is not believed to be the sibling."""
    fr, de = town["fr"], town["de"]
    await meets(town)

    async def unpin(tx: Any) -> None:
        await tx.run("siblings.raise_version")

    with sqlite3.connect(fr.node.config.database.removeprefix("sqlite:///")) as file:
        file.execute(
            "update siblings set instance_keys = ? where origin = ?", ('["sha256:' + "0" * 64 + '"]', de.node.origin)
        )
    await fr.node.store.write(unpin)

    assert (403, "pin_mismatch") == refused(await asks(de, fr))


async def test_asking_has_its_own_share(town: Network) -> None:
    """So many at once, then 429; what siblings post is not touched by it."""
    fr, de = town["fr"], town["de"]
    await meets(town)
    statuses = [(await asks(de, fr)).status for _ in range(ASKING_SPAN + 1)]
    anna = await de.doctor("anna2")

    assert 429 in statuses
    assert 202 == (await anna.sends(fr, render.activity(a_create(anna)))).status


# ── asking the other side ──


async def test_an_administrator_asks_the_other_side(town: Network, anna: Person) -> None:
    """`esanum siblings refusals`: what France refused, as France tells Germany."""
    fr, de = town["fr"], town["de"]
    await anna.sends(fr, b"{}")
    await fr.node.audit.flush()
    answer = await own_refusals.ask(de.node, fr.node.origin)

    assert [("malformed", "in", f"{anna.uri}#main-key")] == [
        (each.code, each.direction, each.key_id) for each in answer
    ]


async def test_an_answer_that_is_none_is_not_shown(town: Network) -> None:
    """Whatever the other side makes up is read strictly."""
    fr, de = town["fr"], town["de"]
    target = "/siblings/de.example/refusals"
    made_up = {"refusals": [{"at": "2026-11-30T10:00:00Z", "direction": "in", "code": "a\u202eb", "activity": "",
                             "keyId": "", "more": 0}]}  # fmt: skip

    def lies(_: Any) -> Response:
        return Response(200, {"content-type": "application/json"}, json.dumps(made_up).encode())

    Liar(fr, target, lies)
    with pytest.raises(Rejected, match="not_answered"):
        await own_refusals.ask(de.node, fr.node.origin)


async def test_nobody_is_asked_whom_our_policy_closes(town: Network) -> None:
    """Nor a stranger: no contact, and a sentence that says why."""
    fr, de = town["fr"], town["de"]
    await policy(de, fr, "block")
    contacts = len(town.contacts)
    with pytest.raises(Rejected, match="sibling_not_read"):
        await own_refusals.ask(de.node, fr.node.origin)
    with pytest.raises(Rejected, match="unknown_sibling"):
        await own_refusals.ask(de.node, "https://nobody.example")

    assert contacts == len(town.contacts)


# ── what is forgotten, and what would have been ──


async def test_headers_go_after_ninety_days_and_ids_stay(town: Network, anna: Person) -> None:
    """The row remembers the id for good; what explains it goes, and so do refusals and what was repeated."""
    fr = town["fr"]
    body = render.activity(a_create(anna))
    await anna.sends(fr, body)
    await anna.sends(fr, b"{}")
    await anna.sends(fr, body)
    await fr.node.audit.flush()
    for days in (89, 2):
        town.clock.move(days=days)
        await fr.node.inbound.sweep()
        await fr.node.audit.sweep()
        if days == 89:
            young = [bool(row["head"]) for row in await rows(fr.node, "select head from inbound")]
    heads = [bool(row["head"]) for row in await rows(fr.node, "select head from inbound order by id")]

    assert all(young)
    assert [False] * len(young) == heads
    assert [] == await rows(fr.node, "select id from refusals where code = 'malformed'")
    assert [] == await rows(fr.node, "select id from unkept")


async def tried(place: Place, other: Place, change: str, **kinds: Any) -> set[tuple[str, str, str, int]]:
    """What a change would have made of the last week: direction, before, after, how many."""
    asked = what_if.Change(origin=other.node.origin, change=change, **kinds)
    outcome = await what_if.ask(place.node, asked)
    return {(each.direction, each.before, each.after, each.number) for each in outcome.changed}


async def test_what_was_sent_is_decided_anew_by_what_decides(town: Network, marie: Person) -> None:
    """A case that was sent, by policy and by kind; one that a pause holds would go out."""
    fr, de = town["fr"], town["de"]
    await marie.posts("A case")
    await town.settle()
    sent = await tried(fr, de, "read-only"), await tried(fr, de, "remove"), await tried(fr, de, "inherit")
    cases = {"kinds_in": frozenset({PostKind.CASE}), "kinds_out": frozenset({PostKind.QUESTION})}
    narrowed = await tried(fr, de, "kinds", **cases)
    await policy(fr, de, "pause")
    await marie.posts("Another case")
    await town.settle()
    resumed = await tried(fr, de, "inherit")
    before = await rows(fr.node, "select state from deliveries order by id")

    assert ({("out", "", "sibling_read_only", 1)}, {("out", "", "not_a_sibling", 1)}, set()) == sent
    assert {("out", "", "kind_not_federated", 1)} == narrowed
    assert {("out", "sibling_paused", "open", 1)} == resumed
    assert before == await rows(fr.node, "select state from deliveries order by id")


async def test_what_the_other_side_answered_is_no_decision_of_our_list(town: Network, marie: Person) -> None:
    """Their block is a dead or waiting delivery of ours: nothing that we change would have kept it."""
    fr, de = town["fr"], town["de"]
    await policy(de, fr, "block")
    await marie.posts("A case")
    await town.settle()

    assert set() == await tried(fr, de, "inherit")
    assert {("out", "", "sibling_paused", 1)} == {each for each in await tried(fr, de, "pause") if each[0] == "out"}
