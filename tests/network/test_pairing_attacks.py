"""Pairing under attack: the one door for whoever is on no list costs little, believes nothing and cannot be filled."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from federation.pairing import State
from federation.signatures import Profile
from federation.vocabulary import Multikey
from instance.hot import pairing_door
from instance.services.errors import Rejected
from instance.services.pairing_wire import MOST_UNREAD
from tests.network.pairing_scene import CLI, DE, FR, Stranger, asked, confirms, fingerprint, here, lists, with_members
from tests.network.scene import refusals
from tests.town import Network, Place, refused, rows


@pytest.fixture
async def pair(network: Any) -> tuple[Network, Place, Place]:
    """France and Germany, which list nobody."""
    town = await network("fr", "de", introduced=False)
    return town, town["fr"], town["de"]


@pytest.fixture
def fr(pair: Any) -> Place:
    """The door under attack."""
    return pair[1]


async def kept(place: Place) -> int:
    """How many pairings there are."""
    return len(await rows(place.node, "select id from pairings"))


async def test_a_request_says_so_and_nothing_more(pair: Any, fr: Place) -> None:
    """The twin of all that is refused: signed by the key in it, it is kept as what somebody says; nobody is contacted."""
    town, _, _ = pair
    town.contacts.clear()
    answer = await Stranger().says(fr)
    (request,) = await fr.node.pairings.open()
    await town.settle()

    assert (200, request.name) == (answer.status, orjson.loads(answer.body)["pairing"])
    assert (State.REQUESTED, None, "https://it.example") == (request.state, request.read_at, request.origin)
    assert [] == town.contacts
    assert [] == lists(fr)
    assert [] == await rows(fr.node, "select id from sibling_changes")
    assert [] == await rows(fr.node, "select n from audit where entry like '%pairing%'")


async def unsigned(fr: Place) -> Any:
    """The same without a signature."""
    body = with_members(Stranger(), await fingerprint(fr))
    headers = {"Host": "fr.example", "Content-Type": "application/json"}
    return await fr.request("POST", "/siblings/it.example/pairing", headers, body)


async def by_another_key(fr: Place) -> Any:
    """Signed with a key that the actor in it does not show."""
    other = Stranger()
    return await Stranger().says(fr, key=other.key)


async def changed(fr: Place) -> Any:
    """Another body than the one signed."""
    stranger = Stranger()
    body = with_members(stranger, await fingerprint(fr))
    true = fr.request

    async def bent(method: str, target: str, headers: Any, sent: bytes = b"") -> Any:
        return await true(method, target, headers, sent.replace(b"Instance it", b"Instance IT"))

    fr.request = bent  # type: ignore[method-assign]
    try:
        return await stranger.says(fr, body=body)
    finally:
        fr.request = true  # type: ignore[method-assign]


async def with_(fr: Place, **changes: Any) -> Any:
    """Other members."""
    stranger = Stranger()
    return await stranger.says(fr, body=with_members(stranger, await fingerprint(fr), **changes))


@pytest.mark.parametrize(
    ("act", "status", "code"),
    [
        (unsigned, 401, "not_signed"),
        (by_another_key, 401, "bad_signature"),
        (changed, 401, "digest_mismatch"),
        (lambda fr: Stranger().says(fr, host="de.example"), 404, "not_found"),
        (lambda fr: Stranger().says(fr, content_type="application/activity+json"), 415, "unsupported_media_type"),
        (lambda fr: Stranger().says(fr, sees="sha256:" + "0" * 64), 409, "other_fingerprint"),
        (lambda fr: Stranger(name="x" * 9_000).says(fr), 413, "too_large"),
        (lambda fr: Stranger("https://fr.example").says(fr), 401, "unknown_key"),
        (lambda fr: Stranger("http://it.localhost:8001").says(fr), 400, "malformed"),
        (lambda fr: Stranger().says(fr, "withdraw"), 404, "no_such_pairing"),
        (lambda fr: Stranger().says(fr, "decline"), 404, "no_such_pairing"),
        (lambda fr: Stranger(issuer_keys=()).says(fr), 400, "malformed"),
        (lambda fr: Stranger().says(fr, body=b"{"), 400, "malformed"),
        (lambda fr: Stranger().says(fr, body=b"[]"), 400, "malformed"),
        (lambda fr: with_(fr, more=1), 400, "malformed"),
        (lambda fr: with_(fr, pairing="admit"), 400, "malformed"),
        (lambda fr: with_(fr, name="../../x"), 400, "malformed"),
        (lambda fr: with_(fr, sees=None), 400, "malformed"),
        (lambda fr: with_(fr, actor="https://it.example/actor"), 400, "malformed"),
        (lambda fr: with_(fr, actor={"type": "Person"}), 400, None),
        (lambda fr: Stranger().says(fr, headers={"Date": "Mon, 23 Nov 2026 11:00:00 GMT"}), 401, "stale"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_what_is_wrong_is_refused(pair: Any, fr: Place, act: Any, status: int, code: str | None) -> None:
    """Each with its code; nothing is stored, nobody is contacted, one line is on the record."""
    town, _, _ = pair
    town.contacts.clear()
    answer = await act(fr)

    assert status == answer.status, refused(answer)
    assert code in (None, refused(answer)[1])
    assert (0, []) == (await kept(fr), town.contacts)
    assert [refused(answer)[1]] == await refusals(fr)


async def test_the_actor_of_another_host_is_refused(fr: Place) -> None:
    """A key under one name cannot bring the actor of another."""
    stranger, other = Stranger(), Stranger("https://es.example")
    body = with_members(other, await fingerprint(fr))
    answer = await stranger.says(fr, body=body)

    assert (403, "actor_mismatch") == refused(answer)
    assert 0 == await kept(fr)


async def test_the_same_message_again_changes_nothing(fr: Place) -> None:
    """Sent twice, or replayed: one request, the same answer."""
    stranger, name = Stranger(), "0" * 26
    first, again = await stranger.says(fr, name=name), await stranger.says(fr, name=name)

    assert (200, first.body) == (again.status, again.body)
    assert 1 == await kept(fr)


async def test_what_was_withdrawn_does_not_come_back(fr: Place) -> None:
    """An invitation replayed after its end is over; so is a confirmation."""
    stranger, name = Stranger(), "0" * 26
    answers = [refused(await stranger.says(fr, verb, name=name)) for verb in ("invite", "withdraw", "withdraw")]
    answers += [refused(await stranger.says(fr, verb, name=name)) for verb in ("invite", "confirm")]

    assert [(200, ""), (200, ""), (200, ""), (409, "pairing_over"), (409, "pairing_over")] == answers
    assert [] == await fr.node.pairings.open()


async def test_one_address_has_a_few(pair: Any, fr: Place) -> None:
    """More than ten in a minute are turned away before they are read; later there is room again."""
    town, _, _ = pair
    stranger, most = Stranger(), pairing_door.PER_ADDRESS[0]
    codes = [refused(await stranger.says(fr, name=f"{number:026}"))[0] for number in range(most + 1)]
    answer = await stranger.says(fr)
    town.clock.move(minutes=1)
    later = await stranger.says(fr)

    assert [200] * most + [429] == codes
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert 200 == later.status
    assert 1 == await kept(fr)


async def test_one_address_has_a_few_a_day(pair: Any, fr: Place) -> None:
    """Whoever comes slowly comes to the limit of the day."""
    town, _, _ = pair
    stranger, codes = Stranger(), []
    for number in range(pairing_door.PER_KEY[1] + 1):
        codes.append(refused(await stranger.says(fr, name=f"{number:026}"))[0])
        town.clock.move(seconds=10)

    assert 200 == codes[-2]
    assert 429 == codes[-1]


async def test_nobody_fills_the_list(pair: Any, fr: Place, monkeypatch: Any) -> None:
    """Beyond fifty the oldest that nobody has looked into makes room; what was looked into stays."""
    monkeypatch.setattr("instance.services.pairing_wire.MOST_UNREAD", 3)
    town, _, de = pair
    await asked(town, de, fr)
    for number in range(5):
        assert 200 == (await Stranger(f"https://it{number}.example").says(fr)).status
        town.clock.move(seconds=30)
    waiting = {each.origin for each in await fr.node.pairings.open()}

    assert 50 == MOST_UNREAD
    assert {DE, "https://it2.example", "https://it3.example", "https://it4.example"} == waiting


async def test_administrators_are_mailed_once_a_day(pair: Any, fr: Place) -> None:
    """However many ask; and the mail names nobody."""
    town, _, _ = pair
    for number in range(3):
        await Stranger(f"https://it{number}.example").says(fr)
    mails = [tuple(row) for row in await rows(fr.node, "select notice, whom, country from mails")]
    town.clock.move(days=1, seconds=1)
    await Stranger("https://it9.example").says(fr)

    assert [("pairing_requested", "administrators", "")] == mails
    assert 2 == len(await rows(fr.node, "select id from mails"))


async def test_a_forged_request_ends_when_it_is_looked_into(pair: Any, fr: Place) -> None:
    """Somebody says to be Germany: its home shows other keys. It takes no place, and tells Germany nothing."""
    town, _, de = pair
    forged = Stranger(DE, name="Instance de")
    await forged.says(fr)
    town.contacts.clear()
    with pytest.raises(Rejected, match="pairing_other_keys"):
        await fr.node.pairings.read((await here(fr, de)).id, CLI)
    await town.settle()
    ended = await here(fr, de)
    town.clock.move(minutes=2)
    await asked(town, de, fr)

    assert (State.DECLINED, "other_keys") == (ended.state, ended.reason)
    assert ["GET"] == [contact.method for contact in town.contacts][:1]
    assert (await fingerprint(de), State.REQUESTED) == ((await here(fr, de)).fingerprint, (await here(fr, de)).state)


async def test_whoever_asks_first_takes_nobodys_place(pair: Any, fr: Place) -> None:
    """A forger came before the true one: the later word stands, and inviting from here knows the true keys."""
    town, _, de = pair
    await Stranger(DE).says(fr)
    await de.node.pairings.invite(FR, CLI)
    await town.settle()
    true = (await here(fr, de)).fingerprint
    await Stranger(DE).says(fr)
    known = await fr.node.pairings.invite(DE, CLI)

    assert await fingerprint(de) == true == known.fingerprint
    assert (State.INVITED, "out") == (known.state, known.direction)


async def test_after_it_was_looked_into_other_keys_are_refused(pair: Any, fr: Place) -> None:
    """Nobody confirms, withdraws or declines in another's name."""
    town, _, de = pair
    await asked(town, de, fr)
    name, forger = (await here(fr, de)).name, Stranger(DE)
    answers = [refused(await forger.says(fr, verb, name=name)) for verb in ("invite", "confirm", "withdraw", "decline")]
    await confirms(fr, de)

    assert [(403, "pin_mismatch")] * 4 == answers
    assert State.CONFIRMED_HERE == (await here(fr, de)).state
    assert [] == lists(fr)


async def test_a_confirmation_of_other_keys_counts_for_nothing(pair: Any, fr: Place) -> None:
    """Germany was shown other keys than France's by somebody between them: France does not take that for a yes."""
    town, _, de = pair
    await asked(town, de, fr)
    await confirms(fr, de)

    async def misled(tx: Any) -> None:
        from dataclasses import replace

        from instance.services import pairing_rows

        found = pairing_rows.read_pairing(await tx.one("pairings.latest_of", origin=FR))
        await pairing_rows.put(tx, replace(found, fingerprint="sha256:" + "0" * 64), de.node.clock())

    await de.node.store.write(misled)
    await de.node.pairings.confirm((await here(de, fr)).id, "0" * 64, ("FR",), CLI)
    town.clock.move(minutes=2)
    await town.settle()

    assert [] == lists(fr)
    assert "other_fingerprint" == (await here(de, fr)).last_code


async def test_a_sibling_cannot_ask_in_anothers_name(network: Any) -> None:
    """Being listed opens nothing here: the address is the signer's own."""
    town = await network("fr", "de")
    await Stranger("https://it.example").says(town["fr"])
    answer = await Stranger("https://it.example").says(town["fr"], host="de.example")

    assert (404, "not_found") == refused(answer)


async def test_strangers_keep_nobody_out_who_is_known(pair: Any, fr: Place, monkeypatch: Any) -> None:
    """All strangers together have spent their share: with whom administrators here are pairing is heard all the same."""
    town, _, de = pair
    monkeypatch.setattr(fr.app._pairing._all, "_spans", ((60, 3), (86_400, 3)))
    await asked(town, fr, de)
    codes = [(await Stranger(f"https://it{number}.example").says(fr)).status for number in range(4)]
    await confirms(de, fr, countries=("FR",))
    await town.settle()

    assert [200, 200, 200, 429] == codes
    assert State.CONFIRMED_THERE == (await here(fr, de)).state


async def test_nobody_uses_up_anothers_share_by_its_key_id(pair: Any, fr: Place, monkeypatch: Any) -> None:
    """To name a key is no proof of having it: such messages count as those of strangers, and Germany is heard."""
    town, _, de = pair
    monkeypatch.setattr(fr.app._pairing._all, "_spans", ((60, 3), (86_400, 3)))
    await asked(town, fr, de)
    forger, other = Stranger(DE), Stranger(DE)
    unproved = [refused(await forger.says(fr, key=other.key)) for _ in range(4)]
    named = [refused(await forger.says(fr)) for _ in range(4)]
    await confirms(de, fr, countries=("FR",))
    await town.settle()

    assert [(401, "bad_signature")] * 4 == unproved
    assert [(403, "pin_mismatch")] * 3 + [(429, "too_many_requests")] == named
    assert State.CONFIRMED_THERE == (await here(fr, de)).state


async def test_whoever_names_a_key_has_what_one_address_has(pair: Any, fr: Place) -> None:
    """The twin: without a proof it is the address that is counted, whoever they say to be."""
    town, _, de = pair
    await asked(town, fr, de)
    forger, other, most = Stranger(DE), Stranger(DE), pairing_door.PER_ADDRESS[0]
    codes = [refused(await forger.says(fr, key=other.key))[0] for _ in range(most + 1)]

    assert [401] * most + [429] == codes


async def test_an_instance_we_pair_with_has_its_share_and_no_more(pair: Any, fr: Place, monkeypatch: Any) -> None:
    """What it has proved counts as its own; beyond that it is told to wait like anybody."""
    town, _, de = pair
    monkeypatch.setattr(fr.app._pairing._all, "_spans", ((60, 3), (86_400, 3)))
    await asked(town, fr, de)
    name, key = (await here(fr, de)).name, await de.node.keys.signing_key(de.node.actor, Profile.CAVAGE)
    known = Stranger(DE)
    body = orjson.dumps(
        {"pairing": "confirm", "name": name, "sees": await fingerprint(fr),
         "actor": orjson.Fragment(await de.node.serving.instance_document())}
    )  # fmt: skip
    codes = [(await known.says(fr, body=body, key=key)).status for _ in range(4)]
    stranger = (await Stranger().says(fr)).status

    assert [200, 200, 200, 429] == codes
    assert 200 == stranger


async def test_the_key_that_vouches_for_doctors_signs_no_message(fr: Place) -> None:
    """Listed among the message keys as well, it is the issuer key still."""
    stranger = Stranger()
    issuer = stranger.issuer.public()
    stranger.changes["assertion_methods"] = (Multikey(id=issuer.id, controller=stranger.actor, key=issuer.multikey),)
    answer = await stranger.says(fr, key=stranger.issuer, profile=Profile.RFC9421)

    assert (401, "unknown_key") == refused(answer)
    assert 0 == await kept(fr)


async def test_declining_a_forgery_leaves_nothing_at_the_forged(pair: Any, fr: Place) -> None:
    """Whoever declines without looking tells the instance that is meant, which knows of nothing; that is the end of it."""
    town, _, de = pair
    await Stranger(DE).says(fr)
    await fr.node.pairings.decline((await here(fr, de)).id, "unknown", CLI)
    await town.settle()
    ended = await here(fr, de)

    assert (State.DECLINED, "") == (ended.state, ended.owed)
    assert 0 == await kept(de)
    assert ["no_such_pairing"] == await refusals(de)


async def test_what_nobody_has_looked_into_leaves_nothing(fr: Place, pair: Any) -> None:
    """Withdrawn, it is forgotten a day later; unanswered, at once; what was read stays for those who look back."""
    town = pair[0]
    stranger, other = Stranger(), Stranger("https://es.example")
    await stranger.says(fr, name="0" * 26)
    await stranger.says(fr, "withdraw", name="0" * 26)
    await other.says(fr, name="1" * 26)
    await fr.node.pairings.sweep()
    first = await kept(fr)
    town.clock.move(days=1, seconds=1)
    await fr.node.pairings.sweep()
    second = await kept(fr)
    town.clock.move(days=7)
    await fr.node.pairings.sweep()

    assert (2, 1, 0) == (first, second, await kept(fr))
