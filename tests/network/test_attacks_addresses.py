"""A63 to A66, A78: addresses that lead inside, elsewhere or on for ever, in every field that holds one: nobody is contacted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from federation import render
from federation.vocabulary import Like
from federation.wire import Response
from tests.doorway import a_comment, a_create, a_post, an_act, bent, says
from tests.network.scene import Liar, known, stored
from tests.town import Network, Place

INSIDE = (
    "http://127.0.0.1/x", "https://127.0.0.1/x", "https://localhost/x", "https://10.0.0.1/x", "https://192.168.1.1/x",
    "https://100.64.0.1/x", "https://0.0.0.0/x", "https://169.254.169.254/latest/meta-data", "https://[::1]/x",
    "https://[::ffff:10.0.0.1]/x", "https://[64:ff9b::a00:1]/x", "https://[2002:a00:1::]/x", "https://0x7f.1/x",
    "https://2130706433/x", "https://017700000001/x", "https://127.1/x", "http://de.example/x", "file:///etc/passwd",
    "gopher://de.example/x", "ftp://de.example/x", "data:text/html,x", "javascript:alert(1)", "//de.example/x",
    "https://de.example@10.0.0.1/x", "https://evil.example/x", "https://de.example.evil.example/x",
)  # fmt: skip
#: Where an activity or its object holds an address.
FIELDS: dict[str, Callable[[dict[str, Any], str], Any]] = {
    "id": lambda d, url: d.update(id=url),
    "actor": lambda d, url: d.update(actor=url),
    "object": lambda d, url: d.update(object=url),
    "object by address": lambda d, url: d.update(type="Announce", object=url),
    "to": lambda d, url: d.update(to=[*d["to"], url]),
    "cc": lambda d, url: d.update(cc=[url]),
    "object's id": lambda d, url: d["object"].update(id=url),
    "attributedTo": lambda d, url: d["object"].update(attributedTo=url),
    "inReplyTo": lambda d, url: d["object"].update(type="Note", inReplyTo=url, context=url),
    "context": lambda d, url: d["object"].update(context=url),
    "tag": lambda d, url: d["object"].update(tag=[{"type": "Mention", "href": url, "name": "@x"}]),
    "attachment": lambda d, url: d["object"].update(attachment=[{"type": "Document", "url": url}]),
    "@context": lambda d, url: d.update({"@context": [d["@context"], url]}),
    "proof": lambda d, url: d.update(proof={"type": "DataIntegrityProof", "verificationMethod": url}),
    # What no protocol reads may say anything, and is not read either.
    "url": lambda d, url: d["object"].update(url=url),
    "image": lambda d, url: d["object"].update(image={"type": "Image", "url": url}, icon=url, preview=url),
    "replies": lambda d, url: d["object"].update(replies=url, likes=url, shares=url, generator=url),
    "target": lambda d, url: d.update(target=url, origin=url, instrument=url, result=url),
}  # fmt: skip


def strange(town: Network, since: int) -> list[str]:
    """Where somebody went since then that is no instance's address."""
    homes = tuple(place.node.origin + "/" for place in town.places.values())
    return [contact.url for contact in town.contacts[since:] if not contact.url.startswith(homes)]


@pytest.mark.parametrize("field", FIELDS)
async def test_an_address_in_a_message_is_never_gone_to(town, fr, anna, field):
    """A63, A64, A66: in every field, every form of an address inside, of another scheme, of a stranger: 0 contacts."""
    for url in INSIDE:
        town.clock.move(seconds=2)
        since = len(town.contacts)
        body = bent(a_create(anna), lambda document, url=url: FIELDS[field](document, url))
        answer = await anna.sends(fr, body)
        await town.settle()

        assert answer.status in (202, 400, 401, 403), (field, url, answer.body)
        assert [] == strange(town, since), (field, url)
    kept = await _protocol_fields(fr)
    assert [] == [text for text in kept if text in INSIDE]


async def _protocol_fields(place: Place) -> list[str]:
    found = await stored(place, ("inbound", "mentions", "follows", "deliveries"))
    return [str(value) for table in found.values() for row in table for value in row]


DOCUMENT: dict[str, Callable[[dict[str, Any], str], Any]] = {
    "id": lambda d, url: d.update(id=url),
    "inbox": lambda d, url: d.update(inbox=url),
    "outbox": lambda d, url: d.update(outbox=url),
    "followers": lambda d, url: d.update(followers=url),
    "sharedInbox": lambda d, url: d.update(endpoints={"sharedInbox": url}),
    "key id": lambda d, url: d["publicKey"].update(id=url),
    "key owner": lambda d, url: d["publicKey"].update(owner=url),
    "second key": lambda d, url: d["assertionMethod"][0].update(id=url, controller=url),
    "alsoKnownAs": lambda d, url: d.update(alsoKnownAs=[url], movedTo=url),
    "icon": lambda d, url: d.update(icon={"type": "Image", "url": url}, url=url),
}  # fmt: skip


@pytest.mark.parametrize("field", DOCUMENT)
async def test_an_address_in_a_doctors_document_is_never_gone_to(town, fr, field):
    """A48, A66: what a doctor's own document names is on the doctor's origin, or is refused; nobody goes there."""
    for number, url in enumerate(INSIDE[::3]):
        town.clock.move(minutes=6)  # what was not found is not asked for again before that
        somebody = await town["de"].doctor(f"somebody{number}")
        liar = Liar(town["de"], f"/doctors/{somebody.handle}", lambda document, url=url: _bent(document, field, url))
        since = len(town.contacts)
        answer = await says(somebody, fr, a_create(somebody))
        await town.settle()
        liar.honest()

        assert answer.status in (202, 401, 403), (field, url, answer.body)
        assert [] == strange(town, since), (field, url)


def _bent(document: dict[str, Any], field: str, url: str) -> dict[str, Any]:
    DOCUMENT[field](document, url)
    return document


async def test_a_redirect_to_an_address_inside_is_not_followed(town, fr):
    """A66: a sibling answers a read with a redirect into our network: not followed, nothing kept."""
    for number, url in enumerate(INSIDE[:6]):
        town.clock.move(minutes=6)
        somebody = await town["de"].doctor(f"mover{number}")
        away = Response(302, {"location": url}, b"")
        liar = Liar(town["de"], f"/doctors/{somebody.handle}", lambda document, away=away: away)
        since = len(town.contacts)
        answer = await says(somebody, fr, a_create(somebody))
        liar.honest()

        assert 401 == answer.status
        assert [] == strange(town, since)


async def test_a_chain_of_answers_without_end_costs_few_reads(town, fr, marie):
    """A78: each answer replies to one more that is not here: five reads a message at most, and the chain is not walked."""
    anna = await known(town, "de", "anna")
    slug = await marie.posts("T-1")
    post = f"{fr.node.origin}/posts/{slug}"
    await town.settle()
    walked = Endless(town["de"])
    for number in range(20):
        town.clock.move(seconds=2)
        since = len(town.contacts)
        parent = f"https://de.example/comments/endless-{number}"
        comment = a_comment(anna, post, in_reply_to=parent)
        body = bent(
            a_create(anna, comment), lambda document, parent=parent: document["object"].update(inReplyTo=parent)
        )
        answer = await anna.sends(fr, body)
        await town.settle()

        assert answer.status in (202, 400, 403)
        assert _reads_at(town, "https://de.example/", since) <= 5
    walked.honest()
    assert walked.served <= 20


async def test_a_collection_without_end_is_not_walked(town, fr, anna):
    """A78, A51: an outbox, a thread whose pages never end: five reads a message at most."""
    walked = Endless(town["de"])
    for kind in ("outbox", "followers", "context"):
        since = len(town.contacts)
        post = a_post(anna)
        document = json.loads(render.activity(a_create(anna, post)))
        document["object"]["replies"] = f"https://de.example/doctors/anna/{kind}?page=1"
        await anna.sends(fr, json.dumps(document).encode())
        await says(anna, fr, an_act(anna, Like, object=post.id))
        await town.settle()

        assert _reads_at(town, "https://de.example/", since) <= 5
    walked.honest()
    assert 0 == walked.served


def _reads_at(town: Network, home: str, since: int) -> int:
    return len([c for c in town.contacts[since:] if c.method == "GET" and c.url.startswith(home)])


class Endless:
    """Stands before an instance: every comment and every page leads to one more."""

    def __init__(self, place: Place) -> None:
        self._place, self._true, self.served = place, place.request, 0
        place.request = self  # type: ignore[method-assign,assignment]

    async def __call__(self, method: str, target: str, headers: Any, body: bytes = b"") -> Response:
        """Answer honestly but for what has no end."""
        if method != "GET" or ("endless" not in target and "page" not in target):
            return await self._true(method, target, headers, body)
        self.served += 1
        more = f"https://de.example{target}x"
        document = {
            "@context": "https://www.w3.org/ns/activitystreams", "id": f"https://de.example{target}", "type": "Note",
            "attributedTo": "https://de.example/doctors/anna", "content": "x", "inReplyTo": more, "next": more,
        }  # fmt: skip
        return Response(200, {"content-type": "application/activity+json"}, json.dumps(document).encode())

    def honest(self) -> None:
        """Let the instance speak for itself again."""
        self._place.request = self._true  # type: ignore[method-assign]
