"""A town under a federation list: what two of three chambers sign is in force everywhere, and nothing else is."""

from __future__ import annotations

import sqlite3
from typing import Any

import orjson
import pytest

from federation import membership_drafts as drafts
from federation import render
from federation.allowlist import Direction, Listed
from federation.errors import FederationListExpired, IssuerSuspended, NotASibling
from federation.signatures import Profile, sign
from federation.uri import Uri
from federation.vocabulary import VERIFIED_DOCTORS, Update
from instance.ops import count
from instance.services.errors import Rejected
from tests.federation.chambers import did
from tests.network.listed import ADDRESS, PINNED, Federation, town
from tests.town import Place, configure, rows

__all__ = ["town"]


async def handed_in(town: Federation, body: bytes, name: str = "de") -> str:
    """The code with which an instance refuses a list."""
    with pytest.raises(Rejected) as caught:
        await town[name].node.federation_list.publish(body, "test")
    return caught.value.code


def served_by_france(town: Federation, body: bytes) -> None:
    """Let France answer with these bytes, as if somebody had taken its machine over."""

    async def document(sequence: str = "") -> tuple[bytes, str]:
        return body, '"x"'

    town["fr"].node.federation_list.document = document  # type: ignore[method-assign]


async def test_a_list_admits_a_fourth_country(town: Federation) -> None:
    """Signed by two of three: the four exchange a post, and nobody has typed anything at any of them."""
    await town.add("es")
    await town.publish(await town.admitting("es"), "b", "c")
    await town.read_by_all()
    carmen = await town["es"].doctor("carmen")
    await carmen.posts("Fever after a journey")
    await town.network.settle()
    marie = await town["fr"].doctor("marie")
    await marie.posts("Syncope after exercise")
    await town.network.settle()

    for name in ("fr", "de", "it", "es"):
        assert ["Fever after a journey", "Syncope after exercise"] == sorted(await town[name].titles())
        assert 2 == town.sequence(name)
    assert {"list"} == {row["source"] for row in await rows(town["de"].node, "select source from siblings")}


async def test_one_signature_admits_nobody(town: Federation) -> None:
    """The twin: m - 1 signatures are refused with their code, and the stored list stays."""
    await town.add("es")
    body = town.signed(await town.admitting("es"), "c")

    assert "too_few_signatures" == await handed_in(town, body)
    served_by_france(town, body)
    await town.hour()
    assert "too_few_signatures" == await town.code("de")
    assert 1 == town.sequence("de")
    with pytest.raises(NotASibling):
        town["de"].node.allowlist().require("https://es.example", Direction.IN)


async def test_a_signer_who_is_none_counts_nothing(town: Federation) -> None:
    """However many sign."""
    body = town.signed(town.draft(), "x", "y", "z")
    served_by_france(town, body)
    await town.hour()

    assert "bad_proof" == await handed_in(town, body)
    assert ("bad_proof", 1) == (await town.code("de"), town.sequence("de"))


async def test_an_older_list_is_a_rollback(town: Federation) -> None:
    """Well signed as it is: what was taken back stays taken back."""
    first = town.last
    assert first is not None
    await town.publish(town.with_status("it", "suspended"))
    await town.hour()
    served_by_france(town, orjson.dumps(first.document))
    await town.hour()

    assert "sequence_rollback" == await handed_in(town, orjson.dumps(first.document))
    assert ("sequence_rollback", 2) == (await town.code("de"), town.sequence("de"))
    with pytest.raises(IssuerSuspended):
        town["de"].node.allowlist().require("https://it.example", Direction.IN)


async def test_two_lists_of_one_sequence_are_a_fork(town: Federation) -> None:
    """Both signed by two of three: whoever has one keeps it, and says so."""
    one, other = town.draft(), town.with_status("it", "suspended")
    await town.publish(one)
    await town.hour()
    served_by_france(town, town.signed(other, "b", "c"))
    await town.hour()

    assert ("list_fork", 2) == (await town.code("it"), town.sequence("it"))
    assert ("list_fork", 2) == (await town.code("de"), town.sequence("de"))


async def test_missed_lists_are_read_one_by_one(town: Federation) -> None:
    """Three behind: each is fetched and checked, and all are kept."""
    town.network.down.add("de")
    for _ in range(3):
        await town.publish(town.draft())
    town.network.down.clear()
    await town.hour()
    kept = await rows(town["de"].node, "select sequence from federation_lists order by sequence")

    assert [1, 2, 3, 4] == [row["sequence"] for row in kept]
    assert ("", 4) == (await town.code("de"), town.sequence("de"))


async def test_a_gap_that_cannot_be_closed_leaves_the_stored_list(town: Federation) -> None:
    """The twin: the missing ones are nowhere."""
    town.network.down.add("de")
    for _ in range(2):
        await town.publish(town.draft())
    town.network.down.clear()
    served_by_france(town, orjson.dumps(town.last.document if town.last else {}))
    town.network.down.add("it")
    await town.hour()

    assert ("list_gap", 1) == (await town.code("de"), town.sequence("de"))


async def test_a_lost_signer_is_replaced_by_the_others(town: Federation) -> None:
    """C has lost its key: A and B name D; then D signs, and C is nobody."""
    change = drafts.with_values(town.draft(), signers={"threshold": 2, "key": [did("a"), did("b"), did("d")]})
    await town.publish(change, "a", "b", "d")
    await town.hour()
    following = town.draft()

    assert "too_few_signatures" == await handed_in(town, town.signed(following, "a", "c"))
    await town.publish(following, "a", "d")
    await town.hour()
    assert [3, 3, 3] == [town.sequence(name) for name in ("fr", "de", "it")]


async def test_past_its_end_nobody_federates_and_everybody_reads(town: Federation) -> None:
    """J4.11: both ways closed, 503 to all; doctors still read and post; a new list has everything go on by itself."""
    marie, otto = await town["fr"].doctor("marie"), await town["de"].doctor("otto")
    await marie.posts("Before")
    await town.network.settle()
    town.network.clock.move(days=14, seconds=301)
    await marie.posts("While it was over")
    await town.read_by_all()
    answer = await otto.sends(town["fr"], b"{}")

    assert (503, "900") == (answer.status, answer.headers["retry-after"])
    assert "federation_list_expired" == orjson.loads(answer.body)["error"]
    with pytest.raises(FederationListExpired):
        town["fr"].node.allowlist().require("https://stranger.example", Direction.OUT)
    assert ["Before"] == await town["de"].titles()
    assert ["Before", "While it was over"] == sorted(await town["fr"].titles())
    assert ["held", "held"] == await town.queued("fr")

    await town.publish(town.draft())
    town.network.clock.move(minutes=1)
    await town.read_by_all()
    town.network.clock.move(minutes=16)  # who was told to come back in a quarter of an hour does
    await town.network.settle()
    assert ["Before", "While it was over"] == sorted(await town["de"].titles())
    assert [] == await town.queued("fr")


async def test_a_second_before_its_end_it_counts(town: Federation) -> None:
    """The twin, with the five minutes for clocks that differ."""
    marie = await town["fr"].doctor("marie")
    town.network.clock.move(days=14, seconds=290 - 4)
    await marie.posts("Just in time")
    await town.network.settle()

    assert ["Just in time"] == await town["de"].titles()


async def test_a_push_is_read_at_once(town: Federation) -> None:
    """No hour passes: the announcement of whoever publishes has everybody read."""
    await town.publish(town.with_status("it", "suspended"))
    await town.network.settle()

    assert 2 == town.sequence("de")


async def test_a_stranger_that_knocks_has_the_list_read_once(town: Federation) -> None:
    """Whoever is not known here may be on a list that we have not read yet; ten knocks are one reading."""
    es = await town.add("es")
    body = town.signed(await town.admitting("es"))
    await es.node.federation_list.publish(body, "test")
    await town["fr"].node.federation_list.publish(body, "test")
    town["de"].node.wake.inbound.clear()
    carmen = await es.doctor("carmen")
    town.network.contacts.clear()
    for _ in range(10):
        await carmen.sends(town["de"], b"{}")
    town.network.clock.move(seconds=5)
    await town["de"].node.federation_list.tick()
    asked = [each.url for each in town.network.contacts if each.url.endswith("/federation/list")]

    assert 2 == town.sequence("de")
    assert 1 == len(asked)
    await carmen.sends(town["de"], b"{}")
    assert not town["de"].node.federation_list.asked.is_set()


async def test_a_mirror_serves_where_the_publisher_is_away(town: Federation) -> None:
    """Signatures count, not the host: Italy has it from Germany."""
    await town.publish(town.draft())
    await town["de"].node.federation_list.refresh()
    town.network.down.add("fr")
    await town.hour()

    assert 2 == town.sequence("it")
    assert "refused" == await town.code("it")


async def test_what_has_not_changed_is_not_sent_again(town: Federation) -> None:
    """J6.5: 200 with a validator, then 304."""
    town.network.contacts.clear()
    await town.hour()
    asked = [each.status for each in town.network.contacts if each.url == ADDRESS]

    assert [304, 304] == asked


async def reads(town: Federation, name: str, target: str, **headers: str) -> Any:
    """A signed GET by an instance at France."""
    url = Uri.parse(f"https://fr.example{target}")
    node = town[name].node
    key = await node.keys.signing_key(node.actor, Profile.CAVAGE)
    made = sign("GET", url, None, key, Profile.CAVAGE, node.clock())
    return await town["fr"].request("GET", target, {"Host": "fr.example", **made, **headers})


async def test_siblings_read_our_copy(town: Federation) -> None:
    """The newest and those before it, with a validator; what was not adopted is not there."""
    await town.publish(town.draft())
    answer, first = await reads(town, "de", "/federation/list"), await reads(town, "de", "/federation/list/1")
    again = await reads(town, "de", "/federation/list", **{"If-None-Match": answer.headers["etag"]})

    assert (200, "application/vc") == (answer.status, answer.headers["content-type"])
    assert [2, 1] == [orjson.loads(each.body)["credentialSubject"]["sequence"] for each in (answer, first)]
    assert (304, b"") == (again.status, again.body)
    for other in ("3", "01", "x", "1/2"):
        assert 404 == (await reads(town, "de", f"/federation/list/{other}")).status
    assert 404 == (await reads(town, "de", "/federation/list?x=1")).status


async def test_nobody_else_reads_our_copy(town: Federation) -> None:
    """Unsigned 401, a stranger 403: it is read by siblings."""
    await town.add("es")
    unsigned = await town["fr"].request("GET", "/federation/list", {"Host": "fr.example"})

    assert 401 == unsigned.status
    assert 403 == (await reads(town, "es", "/federation/list")).status


async def test_alarms_are_told_once_each(town: Federation, capsys: pytest.CaptureFixture[str]) -> None:
    """Seven, three and one days before the end, and at the end; not again by the next look, nor after a restart."""
    node, told = town["de"].node, []
    town.network.down.add("fr")
    for days in (6, 1, 4, 0, 2, 0, 1):
        town.network.clock.move(days=days)
        capsys.readouterr()
        for _ in range(2):
            await node.federation_list.tick()
        told.append(capsys.readouterr().out.count("federation_list_e"))
    await count(node)
    text = node.metrics.render().decode()

    assert [0, 1, 1, 0, 1, 0, 1] == told
    assert 'esanum_federation_list_alarm{code="refused"} 1.0' in text
    assert "esanum_federation_list_seconds -" in text or "esanum_federation_list_seconds 0" in text


async def test_only_the_instance_announces_its_copy(town: Federation) -> None:
    """A doctor's word that there is a newer list is refused, and nothing is read."""
    otto = await town["de"].doctor("otto")
    update = Update(
        id=Uri.parse("https://de.example/activities/1"), actor=otto.uri, to=(VERIFIED_DOCTORS,),
        object=Uri.parse("https://de.example/federation/list"), published=town.network.clock(),
    )  # fmt: skip
    await otto.sends(town["fr"], render.activity(update))
    await town.network.settle()

    assert "" == (await town["fr"].node.federation_list.reading()).announced_by
    assert not town["fr"].node.federation_list.asked.is_set()


async def test_a_restart_keeps_the_list_and_what_was_told(town: Federation) -> None:
    """The list in force, the signers and the state of the reading are rows."""
    await town.hour()
    before = await town["de"].node.federation_list.reading()
    await town["de"].reopen()

    assert 1 == town.sequence("de")
    assert before == await town["de"].node.federation_list.reading()
    assert town["de"].node.allowlist().permits("https://it.example", Direction.IN)


@pytest.mark.parametrize(
    ("body", "code"), [(b"{", "list_malformed"), (b"{}", "list_malformed"), (b"", "list_malformed")]
)
async def test_a_broken_list_leaves_the_last_good_one(town: Federation, body: bytes, code: str) -> None:
    """F38: it counts until its end, and the administrator is told."""
    served_by_france(town, body)
    await town.hour()

    assert (code, 1) == (await town.code("de"), town.sequence("de"))
    assert town["de"].node.allowlist().permits("https://it.example", Direction.IN)


async def test_nothing_is_signed_while_nobody_may_be_asked(town: Federation) -> None:
    """A restart without a list in force is no restart without siblings: it waits for them, or for a day."""
    town.network.clock.move(days=15)
    await town["de"].reopen()
    waits = await town["de"].node.dossiers.restoring.may_sign()
    town.network.clock.move(days=1)

    assert not waits
    assert "current" == await town["de"].node.dossiers.restoring.look()


async def test_a_damaged_list_admits_nobody(town: Federation) -> None:
    """N1: another byte in the row is no list, and the administrator is told."""
    path = town["de"].node.config.database.removeprefix("sqlite:///")
    await town["de"].node.close()
    with sqlite3.connect(path) as connection:
        connection.execute("update federation_lists set body = replace(body, 'IT', 'DE')")
    again = await Place.open(town.network, "de", town["de"].config)
    town.network.places["https://de.example"] = again

    assert not again.node.allowlist.readable
    assert not again.node.allowlist().permits("https://it.example", Direction.IN)


async def test_other_pinned_signers_start_anew(town: Federation) -> None:
    """Who is pinned by hand has not signed the list in force: it counts no more, and none behind it is taken."""
    others = {**PINNED, "signers": [did("a"), did("d"), did("e")]}
    place = town["de"]
    first = town.last
    await place.node.close()
    again = await Place.open(town.network, "de", configure(place.config.data, "de", federation_list=others))
    town.network.places["https://de.example"] = again

    assert Listed.UNREAD == again.node.allowlist().list_state
    assert first is not None
    with pytest.raises(Rejected) as caught:
        await again.node.federation_list.publish(town.signed(dict(first.document), "d", "e"), "test")
    assert "sequence_rollback" == caught.value.code
    await again.node.federation_list.publish(town.signed(town.draft(), "d", "e"), "test")
    assert Listed.ACTIVE == again.node.allowlist().list_state


async def test_what_was_announced_is_read_after_an_end_in_the_middle(town: Federation, monkeypatch: Any) -> None:
    """kill -9 between the beginning of a reading and its end: the announcement stands, and goes once it was read."""
    lists = town["fr"].node.federation_list
    await lists.announced(town["fr"].node.allowlist().require("https://de.example", Direction.IN))

    async def killed(url: Any, etag: str) -> Any:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(lists, "_read_at", killed)
        with pytest.raises(RuntimeError):
            await lists.refresh()
    after_the_end = (await lists.reading()).announced_by
    await lists.refresh()

    assert "https://de.example" == after_the_end
    assert "" == (await lists.reading()).announced_by
