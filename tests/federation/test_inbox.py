"""The order of the checks at the door, and what each refuses."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federation import render
from federation.errors import NotASibling, TooLarge, UnsupportedMediaType
from federation.inbox import require_activity_type
from federation.keys import make_ed25519
from federation.signatures import Profile, SignedMessage, sign
from federation.uri import Uri
from federation.vocabulary import Accept, Announce, Create, Delete, Follow, Like, PostKind, Undo, Update
from tests.doorway import a_comment, a_create, a_post, an_act, bent, count, instance_key, kept, says
from tests.examples import examples
from tests.federation.door import anna, fr, signed_headers, town
from tests.town import Network, Person, refused, rows, send_signed

__all__ = ["anna", "fr", "town"]


@pytest.mark.parametrize("profile", list(Profile))
async def test_a_good_message_is_kept_and_visible_before_the_answer(anna, fr, profile):
    """Either profile: 202 after commit, and the case can be read."""
    answer = await says(anna, fr, a_create(anna), profile=profile)

    assert (202, b"") == (answer.status, answer.body)
    assert [("Create", "applied")] == await kept(fr)
    assert ["Made-up case"] == await fr.titles()


async def test_an_unsigned_message_leaves_no_trace(anna, fr):
    """A1, A2: unsigned, to the shared inbox and to a doctor's."""
    await fr.doctor("marie")
    headers = {"Content-Type": "application/activity+json"}
    body = render.activity(a_create(anna))

    shared = await fr.request("POST", "/inbox", headers | {"Host": fr.node.authority}, body)
    personal = await fr.request("POST", "/doctors/marie/inbox", headers | {"Host": fr.node.authority}, body)

    assert (401, "not_signed") == refused(shared) == refused(personal)
    assert [] == await kept(fr)


ONE_WRONG = {
    "host": (421, "wrong_host"),
    "type": (415, "unsupported_media_type"),
    "length": (413, "too_large"),
    "claim": (401, "bad_signature"),
    "date": (401, "stale"),
    "stranger": (403, "not_a_sibling"),
    "digest": (401, "digest_mismatch"),
    "key": (401, "key_not_owned"),
    "signature": (401, "bad_signature"),
    "json": (400, "malformed"),
    "actor": (403, "actor_mismatch"),
    "origin": (403, "foreign_origin"),
    "public": (403, "public_audience"),
}
ORDER = list(ONE_WRONG)


async def wrong(town: Network, anna: Person, faults: set[str]) -> Any:
    """Send a message that is wrong in exactly these ways."""
    fr, berta = town["fr"], await town["de"].doctor("berta")
    body = bent(a_create(anna), lambda document: spoil(document, faults, berta.uri))
    if "json" in faults:
        body = body[:-1]
    key_id = None
    if "stranger" in faults:
        key_id = "https://it.example/doctors/x#main-key"
    elif "key" in faults:
        key_id = f"{anna.uri}#no-such-key"
    now = fr.node.clock() - timedelta(hours=2) if "date" in faults else fr.node.clock()
    key = await town["de"].node.keys.signing_key(anna.uri, Profile.CAVAGE)
    headers = sign("POST", fr.node.shared_inbox, body, key, Profile.CAVAGE, now)
    if key_id is not None:
        headers["Signature"] = headers["Signature"].replace(str(key.id), key_id)
    if "signature" in faults:
        headers["Signature"] = re.sub('signature="[^"]*"', f'signature="{"A" * 342}=="', headers["Signature"])
    if "claim" in faults:
        headers["Signature"] += ",junk"
    if "digest" in faults:
        headers["Digest"] = "SHA-256=" + "A" * 43 + "="
    if "type" in faults:
        headers["Content-Type"] = "application/json"
    if "length" in faults:
        headers["Content-Length"] = "300000"
    if "host" in faults:
        headers["Host"] = "elsewhere.example"
    return await fr.request("POST", "/inbox", headers, body)


def spoil(document: dict[str, Any], faults: set[str], other: str) -> None:
    """Make the activity itself wrong."""
    if "actor" in faults:
        document["actor"] = other
    if "origin" in faults:
        document["id"] = "https://fr.example/activities/1"
    if "public" in faults:
        document["to"] = document["object"]["to"] = ["as:Public"]


@pytest.mark.parametrize("fault", ORDER)
async def test_each_fault_is_refused_with_its_code(town, anna, fault):
    """One thing wrong: its status and code, and nothing kept."""
    answer = await wrong(town, anna, {fault})

    assert ONE_WRONG[fault] == refused(answer)
    assert [] == await kept(town["fr"])


@pytest.mark.parametrize(("earlier", "later"), list(itertools.pairwise(ORDER)))
async def test_the_earlier_step_refuses_what_is_wrong_twice(town, anna, earlier, later):
    """The order of the checks is part of the promise (security, section 1)."""
    answer = await wrong(town, anna, {earlier, later})

    assert ONE_WRONG[earlier] == refused(answer)


async def test_a_strangers_body_is_never_read(anna, fr):
    """A22: refused by the allowlist, no contact, no byte of the body asked for."""
    head = await signed_headers(anna, fr, b"{}")
    head["Signature"] = head["Signature"].replace("https://de.example", "https://it.example")
    asked = []

    async def receive() -> dict[str, Any]:
        asked.append(1)
        return {"type": "http.request", "body": b"{}", "more_body": False}

    sent: list[dict[str, Any]] = []

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    raw = [(name.lower().encode(), value.encode()) for name, value in head.items()]
    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "path": "/inbox", "raw_path": b"/inbox",
        "query_string": b"", "headers": raw, "client": ("127.0.0.1", 1),
    }  # fmt: skip
    before = len(fr.network.contacts)
    await fr.app(scope, receive, send)

    assert 403 == sent[0]["status"]
    assert [] == asked
    assert before == len(fr.network.contacts)


async def test_a_refusal_leaves_one_audit_row_and_no_more(town, anna):
    """The administrator sees code, origin and key; nothing of the body is kept."""
    await wrong(town, anna, {"actor"})
    await town["fr"].node.audit.flush()

    found = await rows(town["fr"].node, "select direction, code, origin from refusals")

    assert [("in", "actor_mismatch", "https://de.example")] == [tuple(row) for row in found]


async def test_the_same_bytes_twice_are_one_effect(town, anna, fr):
    """A12: both answered 202, one row."""
    body = render.activity(a_create(anna))
    headers = await signed_headers(anna, fr, body)

    first = await fr.request("POST", "/inbox", headers, body)
    second = await fr.request("POST", "/inbox", headers, body)
    fr.network.clock.move(seconds=2)
    third = await says(anna, fr, a_create(anna, a_post(anna)))

    assert [202, 202, 202] == [first.status, second.status, third.status]
    assert 2 == await count(fr, "inbound")


async def test_ten_at_once_are_one_effect(town, anna, fr):
    """A12, F23: ten copies at the same moment, one row and one post."""
    body = render.activity(a_create(anna))
    headers = await signed_headers(anna, fr, body)

    answers = await asyncio.gather(*[fr.request("POST", "/inbox", dict(headers), body) for _ in range(10)])

    assert [202] * 10 == [answer.status for answer in answers]
    assert 1 == await count(fr, "inbound")
    assert 1 == await count(fr, "posts")


async def test_ids_of_other_origins_are_refused(town, anna, fr):
    """A37 to A40: attributed to somebody else; object or activity on another host; either on ours."""
    berta = await town["de"].doctor("berta")
    other = a_post(anna, author=berta.uri)
    ours = a_post(anna, id=Uri.parse("https://fr.example/posts/1"))
    elsewhere = a_create(anna, id=Uri.parse("https://fr.example/activities/1"))

    answers = [refused(await says(anna, fr, act)) for act in (a_create(anna, other), a_create(anna, ours), elsewhere)]

    assert [(403, "actor_mismatch"), (403, "foreign_origin"), (403, "foreign_origin")] == answers
    assert 0 == await count(fr, "posts")


async def test_an_unlisted_host_anywhere_is_refused(anna, fr):
    """A61 and step 16: a stranger's host in a reply, a mention or an attachment."""
    body = bent(
        a_create(anna), lambda d: d["object"].update(attachment=[{"type": "Image", "url": "https://x.example/a"}])
    )
    answer = await anna.sends(fr, body)
    reply = await says(anna, fr, a_create(anna, a_comment(anna, "https://x.example/posts/1")))

    assert (403, "unlisted_host") == refused(answer) == refused(reply)


async def test_a_blocked_host_is_an_unlisted_one_and_a_paused_host_is_not(tmp_path, town, anna, fr):
    """Step 16: what names a sibling we block is refused; a pause concerns that sibling's own messages alone."""
    await fr.admits(await town.add(tmp_path, "it"))
    tag = {"type": "Mention", "href": "https://it.example/doctors/luca"}
    body = [bent(a_create(anna), lambda document: document["object"].update(tag=[tag])) for _ in range(2)]

    await fr.node.siblings.set_policy("https://it.example", "pause", by="test", reason="test")
    paused = await anna.sends(fr, body[0])
    await fr.node.siblings.set_policy("https://it.example", "block", by="test", reason="test")
    blocked = await anna.sends(fr, body[1])

    assert 202 == paused.status
    assert (403, "unlisted_host") == refused(blocked)


async def test_our_own_host_counts_as_listed(anna, fr):
    """Step 16: an answer to what is ours names us, and passes the check of hosts."""
    marie = await fr.doctor("marie")
    slug = await marie.posts("Ours")

    answer = await says(anna, fr, a_create(anna, a_comment(anna, f"{fr.node.origin}/posts/{slug}")))

    assert 202 == answer.status


async def test_the_instance_actor_does_housekeeping_only(town, anna, fr):
    """A55: no post, no follow, no like in the name of an instance."""
    de = town["de"]
    key = await instance_key(de)
    author = Person(de, "actor", de.node.actor)

    answers = [
        refused(await send_signed(fr, render.activity(act), key))
        for act in (
            a_create(author),
            an_act(author, Follow, object=(await fr.doctor("marie")).uri),
            an_act(author, Like, object=anna.uri),
        )
    ]

    assert [(403, "no_credential")] * 3 == answers


async def test_a_kind_that_is_not_open_stays_out(town, anna, fr):
    """Step 18: news are national until the policy opens them."""
    answer = await says(anna, fr, a_create(anna, a_post(anna, kind=PostKind.NEWS)))

    assert (403, "kind_not_federated") == refused(answer)


async def test_unknown_activities_are_accepted_and_not_kept(anna, fr):
    """Anything beyond our words: 202, counted, ignored."""
    body = bent(an_act(anna, Like, object=anna.uri), lambda document: document.update(type="Listen"))

    answer = await anna.sends(fr, body)

    assert 202 == answer.status
    assert [] == await kept(fr)


async def test_a_paused_sibling_is_told_so(town, anna, fr):
    """Fail-closed in each step of the policy, and at once."""
    await fr.node.siblings.set_policy("https://de.example", "pause", by="test", reason="test")

    answer = await says(anna, fr, a_create(anna))

    assert (403, "sibling_paused") == refused(answer)


async def test_a_removed_sibling_is_a_stranger_at_once(town, anna, fr):
    """A62: no message after the change, whatever was cached."""
    await says(anna, fr, a_create(anna))
    await fr.node.siblings.remove("https://de.example", by="test", reason="test")

    answer = await says(anna, fr, a_create(anna))

    assert (403, "not_a_sibling") == refused(answer)


async def test_a_sibling_removed_while_it_is_sending_is_a_stranger(anna, fr):
    """A62: its body takes its time; what the allowlist says when the last byte is here counts."""
    body = render.activity(a_create(anna))
    headers = await signed_headers(anna, fr, body)
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    head = SignedMessage.from_raw("POST", fr.node.origin, "/inbox", raw)

    async def slowly(limit: int) -> bytes:
        await fr.node.siblings.remove("https://de.example", by="test", reason="test")
        return body

    with pytest.raises(NotASibling):
        await fr.node.inbox.receive(head, slowly)
    assert [] == await kept(fr)


async def test_a_key_on_our_own_host_is_never_asked_for(anna, fr):
    """A23: no request to ourselves."""
    key = make_ed25519(Uri.parse("https://fr.example/doctors/x#k"), Uri.parse("https://fr.example/doctors/x"))

    answer = await send_signed(fr, render.activity(a_create(anna)), key, profile=Profile.RFC9421)

    assert (401, "unknown_key") == refused(answer)


async def test_one_sibling_cannot_speak_for_anothers_doctor(tmp_path, town, anna, fr):
    """A21: signed by an Italian doctor, in a German doctor's name."""
    it = await town.add(tmp_path, "it")
    await fr.admits(it)
    await it.admits(fr)
    luca = await it.doctor("luca")

    answer = await luca.sends(fr, render.activity(a_create(anna)))

    assert (403, "actor_mismatch") == refused(answer)


@pytest.mark.parametrize(
    ("content_type", "fits"),
    [
        ("application/activity+json", True),
        ("application/activity+json; charset=utf-8", True),
        ('application/ld+json; profile="https://www.w3.org/ns/activitystreams"', True),
        ("application/ld+json", False),
        ("application/json", False),
        ("text/html", False),
        ("", False),
        ('application/ld+json; profile="https://example.org/other"', False),
    ],
)
def test_media_types(content_type, fits):
    """S1: both ActivityPub types, nothing else (A35)."""
    if fits:
        require_activity_type(content_type)
        return
    with pytest.raises(UnsupportedMediaType):
        require_activity_type(content_type)


async def test_a_body_longer_than_declared_is_cut(anna, fr):
    """A70: counted while read, whatever was declared."""
    body = b"{" + b" " * 262_200 + b"}"
    headers = await signed_headers(anna, fr, body)

    answer = await fr.request("POST", "/inbox", {**headers, "Content-Length": "10"}, body)

    assert (413, TooLarge.code) == refused(answer)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("https://de.example/x"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FIELDS = ("@context", "id", "type", "actor", "object", "to", "cc", "tag", "proof", "published", "inReplyTo", "context")


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from([Create, Update, Delete, Follow, Accept, Undo, Like, Announce]),
    changes=st.dictionaries(st.sampled_from(FIELDS), JSON, min_size=1, max_size=3),
)
async def test_whatever_arrives_the_answer_is_a_receipt_or_a_refusal_with_a_code(anna, fr, kind, changes):
    """P11: signed by a verified doctor, bent in any way; never another exception, never a 5xx."""
    activity = a_create(anna) if kind is Create else an_act(anna, kind, object=anna.uri)
    document = json.loads(render.activity(activity)) | changes
    try:
        body = json.dumps(document).encode()
    except ValueError:
        return

    answer = await anna.sends(fr, body)

    assert answer.status in (202, 400, 401, 403, 413, 429, 503)
    assert answer.status == 202 or refused(answer)[1]
