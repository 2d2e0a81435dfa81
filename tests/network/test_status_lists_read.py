"""Status lists across instances: which are believed, who is served, and what is kept of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest

from federation.signatures import Profile, sign
from federation.uri import Uri
from federation.wire import Response
from tests.doorway import (
    a_create,
    instance_key,
    reads,
    says,
)
from tests.network.lists import (
    FOLDER,
    SUSPENSION,
    UNREADABLE,
    Change,
    altered,
    as_list,
    de,
    lists_are,
    no_post_reaches,
    posts_to,
    read_at,
    standing,
    suspend,
    town,
)
from tests.network.scene import Liar, reads_of, without_trace
from tests.town import Place, refused, rows
from verification.statuslist import MIN_LENGTH, Purpose

__all__ = ["de", "town"]


# ── lists that are none ──


@pytest.mark.parametrize("code", ["status_bad_proof", "status_purpose", "status_length", "status_expired"])
async def test_a_list_that_does_not_hold_leaves_the_last_good_copy(logged, town, anna, de, fr, code):
    """6.2: as a failed fetch, with its code in the log; the age of the copy stays, and the true list is taken after."""
    now, kept_before = town.clock() + timedelta(minutes=16), await read_at(fr)
    lie: Change | Response = {
        "status_bad_proof": lambda document: as_list(document | {"validUntil": "2030-01-01T00:00:00Z"}),
        "status_purpose": await altered(de, Purpose.REVOCATION, now, at=SUSPENSION),
        "status_length": await altered(de, Purpose.SUSPENSION, now, bytes(MIN_LENGTH // 8 - 1)),
        "status_expired": await altered(de, Purpose.SUSPENSION, now - timedelta(days=8)),
    }[code]
    town.clock.move(minutes=16)
    with lists_are(de, lie, Purpose.SUSPENSION), no_post_reaches(fr):
        await suspend(anna)
        await fr.node.directory.lists.poll_due()
        noted = [(event["code"], event["sibling"]) for event in logged() if event["event"] == "status_list"]
        left = await standing(fr, anna), await read_at(fr)
        town.clock.move(minutes=1)
    await fr.node.directory.lists.poll_due()

    assert [(code, "https://de.example")] == noted
    assert "ok" == left[0]
    assert kept_before < left[1]
    assert "suspended" == await standing(fr, anna)


async def test_a_list_on_a_foreign_host_is_never_read(town, anna, de, fr):
    """A46: a credential of Germany's that names a list elsewhere is refused, and nobody is asked."""
    berta = await de.doctor("berta")
    foreign = Liar(de, "/doctors/berta", lambda d: named(de, d, list="https://evil.example/vc/status/revocation/1"))
    await without_trace(fr, lambda: says(berta, fr, a_create(berta)), 403, "status_issuer_mismatch", reads=3)
    foreign.honest()

    assert [] == [contact for contact in town.contacts if "evil" in contact.url]


async def test_a_place_outside_the_list_is_refused(town, anna, de, fr):
    """An index that the list does not have is no sign of good standing."""
    berta = await de.doctor("berta")
    outside = Liar(de, "/doctors/berta", lambda d: named(de, d, index=str(MIN_LENGTH)))
    await without_trace(fr, lambda: says(berta, fr, a_create(berta)), 403, "status_range", reads=3)
    outside.honest()
    last = Liar(de, "/doctors/berta", lambda d: named(de, d, index=str(MIN_LENGTH - 1)))
    town.clock.move(minutes=6)
    inside = await posts_to(berta, fr, "Inside")
    last.honest()

    assert 202 == inside.status


async def test_a_credential_without_a_place_is_refused(town, anna, de, fr):
    """status_missing: whoever names no place cannot be suspended."""
    berta = await de.doctor("berta")
    bare = Liar(de, "/doctors/berta", lambda d: named(de, d, drop=True))
    await without_trace(fr, lambda: says(berta, fr, a_create(berta)), 403, "status_missing", reads=3)
    bare.honest()


def named(home: Place, document: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A doctor's document whose credential, in the issuer's own hand, names other places."""
    shown = {name: value for name, value in document["doctorCredential"].items() if name != "proof"}
    entries = [dict(entry) for entry in shown.pop("credentialStatus")]
    for entry in entries:
        entry["statusListIndex"] = changes.get("index", entry["statusListIndex"])
        entry["statusListCredential"] = changes.get("list", entry["statusListCredential"])
    if not changes.get("drop"):
        shown["credentialStatus"] = entries
    return document | {"doctorCredential": home.node.keys.signer.sign(shown, at=home.node.clock())}


# ── served ──


async def test_lists_are_served_to_siblings_alone(town, tmp_path, anna, de, fr):
    """Unsigned 401, a stranger 403, a sibling the list; HEAD as GET without a body."""
    stranger = await town.add(tmp_path, "es")
    await stranger.admits(de)
    unsigned = await de.request("GET", SUSPENSION, {"Host": "de.example"})
    strange = await reads(stranger, de, SUSPENSION)
    ours = await reads(fr, de, SUSPENSION)
    url = Uri.parse(de.node.origin + SUSPENSION)
    key = await instance_key(fr)
    headers = sign("HEAD", url, None, key, Profile.CAVAGE, town.clock())
    head = await de.request("HEAD", SUSPENSION, dict(headers))

    assert (401, "not_signed") == refused(unsigned)
    assert (403, "not_a_sibling") == refused(strange)
    assert (200, "application/vc") == (ours.status, ours.headers["content-type"])
    assert url == orjson.loads(ours.body)["id"]
    assert (200, b"", ours.headers["content-length"]) == (head.status, head.body, head.headers["content-length"])


async def test_a_list_that_has_not_changed_is_not_sent_again(town, anna, de, fr):
    """J6.5: 200 with a validator, then 304 without a body; after a change the list and another validator."""

    async def asks(known):
        url, key = Uri.parse(de.node.origin + SUSPENSION), await instance_key(fr)
        headers = sign("GET", url, None, key, Profile.CAVAGE, town.clock())
        return await de.request("GET", SUSPENSION, {**headers, "If-None-Match": known})

    first = await asks('"another"')
    again = await asks(first.headers["etag"])
    await suspend(anna)
    later = await asks(first.headers["etag"])
    stranger = await de.request("GET", SUSPENSION, {"Host": "de.example", "If-None-Match": first.headers["etag"]})

    assert (200, 304, b"") == (first.status, again.status, again.body)
    assert first.headers["etag"] == again.headers["etag"]
    assert (200, True) == (later.status, later.body != first.body)
    assert first.headers["etag"] != later.headers["etag"]
    assert (401, "not_signed") == refused(stranger)


@pytest.mark.parametrize(
    "target",
    [
        "/vc/status/message/1", "/vc/status/Revocation/1", "/vc/status/revocation/2", "/vc/status/revocation/0",
        "/vc/status/revocation/01", "/vc/status/revocation/+1", "/vc/status/revocation/1000000001",
        "/vc/status/revocation/%31", "/vc/status/revocation/", "/vc/status/revocation/1?x=1",
    ],
)  # fmt: skip
async def test_what_is_no_list_is_answered_alike(town, anna, de, fr, target):
    """Nobody can see why there is none: byte for byte the 404 of any other."""
    plain = await reads(fr, de, "/vc/status/nothing/7")
    other = await reads(fr, de, target)

    assert 404 == plain.status
    assert (plain.status, plain.body) == (other.status, other.body)


# ── kept ──


async def test_lists_outlive_a_restart(town, anna, berta, de, fr):
    """After a restart nothing is read that is not due, bits count, and the next poll comes at its time."""
    await suspend(berta)
    await town.settle()
    await anna.posts("Before")
    await town.settle()
    when = await read_at(fr)
    await fr.reopen()
    before = reads_of(town, FOLDER)
    known = await posts_to(anna, fr, "Known")
    await fr.node.directory.lists.poll_due()
    quiet = reads_of(town, FOLDER)
    with lists_are(de, UNREADABLE):
        barred = await posts_to(berta, fr, "Barred")

    assert 202 == known.status
    assert before == quiet
    assert (403, "suspended") == refused(barred)
    assert when == await read_at(fr)
    town.clock.move(minutes=16)
    await fr.node.directory.lists.poll_due()
    assert {int(town.clock().timestamp() * 1000)} == await read_at(fr)


async def test_the_lists_of_a_removed_sibling_are_forgotten(town, anna, fr):
    """In rows and in memory; admitted again, they are read again."""
    held = len(fr.node.directory.lists())
    await fr.node.siblings.remove("https://de.example", by="test", reason="test")
    forgotten = dict(fr.node.directory.lists()), await rows(fr.node, "select * from sibling_lists")
    await fr.admits(town["de"])
    town.clock.move(minutes=2)
    again = await posts_to(anna, fr, "Again")

    assert 2 == held
    assert ({}, []) == forgotten
    assert 202 == again.status
    assert 2 == len(fr.node.directory.lists())


async def test_a_sibling_cannot_fill_our_memory_with_lists(town, anna, de, fr):
    """Of one issuer 64 lists are kept: a credential that names one more is not believed, and nothing is read for it."""
    there = list(fr.node.directory.lists().values())
    for number in range(2, 33):
        for one in there:
            address = Uri.parse(f"{de.node.origin}{FOLDER}{one.purpose}/{number}")
            fr.node.directory.lists()[address] = one  # type: ignore[index]
    berta = await de.doctor("berta")
    liar = Liar(
        de, "/doctors/berta",
        lambda d: named(de, d, list="https://de.example/vc/status/revocation/99"),
    )  # fmt: skip
    answer = await without_trace(fr, lambda: says(berta, fr, a_create(berta)), 503, "status_unknown", reads=3)
    liar.honest()

    assert "900" == answer.headers["retry-after"]
    assert 0 == reads_of(town, "/99")
