"""What tests of whole networks look at: everything stored, every contact, every refusal, and pages as readers see them."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import quote, urlencode

from federation import render
from federation.uri import Uri
from federation.wire import Response
from tests.doorway import a_create
from tests.town import PASSWORD, Network, Person, Place, refused, rows

#: Whatever an accepted message may change. Who was met (doctors, keys) is looked at apart.
CONTENT = (
    "inbound", "posts", "post_specialties", "comments", "mentions", "revisions", "tombstones", "follows", "likes",
    "recommendations", "notifications", "reports", "activities", "deliveries", "copies", "blocks", "siblings",
    "polls", "poll_votes", "resolutions",
)  # fmt: skip


async def stored(place: Place, tables: Iterable[str] = CONTENT) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of these tables."""
    return {
        table: sorted((tuple(row) for row in await rows(place.node, f"select * from {table}")), key=repr)
        for table in tables
    }


async def refusals(place: Place) -> list[str]:
    """Return the codes of every refusal on the record."""
    await place.node.audit.flush()
    return [row["code"] for row in await rows(place.node, "select code from refusals order by id")]


def reads_of(town: Network, part: str) -> int:
    """How often something was read from another instance."""
    return len([contact for contact in town.contacts if contact.method == "GET" and part in contact.url])


async def without_trace(
    place: Place, act: Callable[[], Awaitable[Response]], status: int, *codes: str, reads: int | None = 0
) -> Response:
    """Do something that must be refused: this status, one of these codes, nothing stored, one row on the record.

    `reads` is how many documents may be read at siblings for it (None: not counted); nobody is posted to. Status lists
    that have become a quarter of an hour old are read whoever comes next, and are not counted.
    """
    place.network.clock.move(seconds=2)
    before, noted, contacts = await stored(place), await refusals(place), len(place.network.contacts)

    answer = await act()

    assert status == answer.status, refused(answer)
    assert refused(answer)[1] in codes
    assert before == await stored(place)
    assert [refused(answer)[1]] == (await refusals(place))[len(noted) :]
    made = place.network.contacts[contacts:]
    assert [] == [contact for contact in made if contact.method != "GET"]
    read = [contact.url for contact in made if "/vc/status/" not in contact.url]
    assert reads is None or len(read) <= reads, read
    return answer


class Liar:
    """Stands before an instance and changes one of its documents; `honest()` ends it."""

    def __init__(self, place: Place, target: str, change: Callable[[dict[str, Any]], Any]) -> None:
        self._place, self._target, self._change = place, target, change
        self._true = place.request
        place.request = self  # type: ignore[method-assign,assignment]

    async def __call__(self, method: str, target: str, headers: Any, body: bytes = b"") -> Response:
        """Answer honestly but for the one document."""
        answer = await self._true(method, target, headers, body)
        if method != "GET" or target != self._target:
            return answer
        changed = self._change(json.loads(answer.body) if answer.status == 200 else {})
        if isinstance(changed, Response):
            return changed
        return Response(200, {"content-type": "application/activity+json"}, json.dumps(changed).encode())

    def honest(self) -> None:
        """Let the instance speak for itself again."""
        self._place.request = self._true  # type: ignore[method-assign]


class Visitor:
    """A signed-in doctor's browser without scripts."""

    def __init__(self, place: Place, token: str) -> None:
        self._place, self.token, self.csrf = place, token, ""

    @classmethod
    async def of(cls, person: Person) -> Visitor:
        """Sign in."""
        begun = await person.place.node.people.sign_in(person.handle, PASSWORD, "127.0.0.1", "")
        visitor = cls(person.place, begun.token)
        session = await person.place.node.people.session(begun.token)
        assert session is not None
        visitor.csrf = session.csrf
        return visitor

    @property
    def headers(self) -> dict[str, str]:
        """What the browser sends by itself."""
        return {
            "Host": self._place.node.authority, "Cookie": f"__Host-session={self.token}", "Accept": "text/html",
            "Sec-Fetch-Site": "same-origin",
        }  # fmt: skip

    async def get(self, target: str) -> Response:
        """Open a page."""
        return await self._place.request("GET", target, self.headers)

    async def text(self, target: str) -> str:
        """The page's HTML, or an empty text where it is not there for this reader."""
        answer = await self.get(target)
        return answer.body.decode() if answer.status == 200 else ""

    async def post(self, target: str, **form: Any) -> Response:
        """Send a form."""
        body = urlencode({"csrf": self.csrf, **form}, doseq=True).encode()
        headers = {**self.headers, "Content-Type": "application/x-www-form-urlencoded"}
        return await self._place.request("POST", target, headers, body)

    async def titles(self, target: str) -> set[str]:
        """The made-up titles ("<letter>-<number>") that a page shows."""
        return set(re.findall(r"\bT-\d+\b", await self.text(target)))

    async def feed_json(self) -> list[dict[str, Any]]:
        """The items of the JSON feed."""
        answer = await self.get("/api/feed?tab=all")
        found = json.loads(answer.body)["items"]
        assert isinstance(found, list)
        return found


def profile_path(author: Person, at: Place) -> str:
    """The page of a doctor at an instance."""
    return "/doctors/" + quote(author.handle if author.place is at else author.address, safe="@:")


def home_uri(place: Place, slug: str, folder: str = "posts") -> Uri:
    """The address of a post or comment at its home."""
    return Uri.parse(f"{place.node.origin}/{folder}/{slug}")


async def befriend(town: Network, follower: Person, followee: Person) -> None:
    """One follows the other, accepted on both sides."""
    await follower.follows(followee)
    await town.settle()


async def all_follow(town: Network, followed: str) -> dict[str, Person]:
    """Marie in France, Anna in Germany and Luca in Italy, of whom the two others follow this one."""
    found = {name: await town[place].doctor(name) for place, name in (("fr", "marie"), ("de", "anna"), ("it", "luca"))}
    for name, follower in found.items():
        if name != followed:
            await befriend(town, follower, found[followed])
    await town.catch_up()
    return found


async def known(town: Network, place: str, handle: str) -> Person:
    """A doctor of that instance whom France has met."""
    person = await town[place].doctor(handle)
    assert 202 == (await person.sends(town["fr"], render.activity(a_create(person)))).status
    return person
