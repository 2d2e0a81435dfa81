"""What tests of status lists do: homes whose lists say something else, lost messages, what is stored abroad."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from federation.uri import Uri
from federation.vocabulary import Update
from federation.wire import NotReached, Response
from tests.doorway import (
    a_create,
    a_post,
    new_id,
    says,
)
from tests.network.scene import Liar
from tests.town import Network, Person, Place, rows
from verification import statuslist
from verification.statuslist import Purpose

FOLDER = "/vc/status/"
REVOCATION, SUSPENSION = FOLDER + "revocation/1", FOLDER + "suspension/1"
UNREADABLE = Response(503, {}, b"")
Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
async def town(network: Any) -> Network:
    """France and Germany, which list each other."""
    return await network("fr", "de")


@pytest.fixture
def de(town: Network) -> Place:
    """The home of Anna and Berta."""
    return town["de"]


@contextmanager
def lists_are(home: Place, change: Change | Response, *purposes: Purpose) -> Iterator[None]:
    """Have an instance answer for its lists (both, unless named) with something else."""
    answer = (lambda _: change) if isinstance(change, Response) else change
    liars = [Liar(home, f"{FOLDER}{purpose}/1", answer) for purpose in purposes or tuple(Purpose)]
    try:
        yield
    finally:
        for liar in reversed(liars):
            liar.honest()


@contextmanager
def no_post_reaches(place: Place) -> Iterator[None]:
    """Lose whatever is posted to an instance before it has seen it."""
    true = place.request

    async def lossy(method: str, target: str, headers: Any, body: bytes = b"") -> Response:
        if method == "POST":
            raise NotReached("reset")
        return await true(method, target, headers, body)

    place.request = lossy  # type: ignore[method-assign]
    try:
        yield
    finally:
        place.request = true  # type: ignore[method-assign]


def as_list(document: dict[str, Any]) -> Response:
    """A list as it is served."""
    return Response(200, {"content-type": "application/vc"}, orjson.dumps(document))


async def altered(
    home: Place, purpose: Purpose, now: datetime, bits: bytes | None = None, *, at: str = ""
) -> Response:  # fmt: skip
    """A list in its home's hand, with something in it that must not be; at another list's address where one is named."""
    address = Uri.parse(home.node.origin + (at or f"{FOLDER}{purpose}/1"))
    made = statuslist.issue_list(
        address, purpose, statuslist.blank() if bits is None else bits, home.node.keys.signer, now=now
    )
    return as_list(made)


async def standing(at: Place, doctor: Person) -> str:
    """The standing in the row of a doctor."""
    found = await rows(at.node, f"select standing from doctors where uri = '{doctor.uri}'")
    return str(found[0]["standing"]) if found else "unknown"


async def read_at(place: Place) -> set[int]:
    """When the lists that an instance keeps were read."""
    return {row["fetched_at"] for row in await rows(place.node, "select fetched_at from sibling_lists")}


async def suspend(doctor: Person) -> None:
    """Suspend a doctor at home."""
    await doctor.place.node.people.suspend(doctor.handle, by="test", reason="test")


async def reinstate(doctor: Person) -> None:
    """Give a doctor's standing back at home."""
    await doctor.place.node.people.reinstate(doctor.handle, by="test", reason="test")


async def posts_to(doctor: Person, to: Place, title: str) -> Response:
    """Post a case by hand."""
    return await says(doctor, to, a_create(doctor, a_post(doctor, title=title)))


def announcement(home: Place, address: str = SUSPENSION, *, of: Place | None = None) -> Update:
    """The instance says that a list has changed."""
    object_ = Uri.parse((of or home).node.origin + address)
    return Update(
        id=new_id(home.node.origin, "activities"), actor=home.node.actor, object=object_, published=home.node.clock()
    )


async def until(town: Network, at: Place, holds: Callable[[], Any], *, every: timedelta, most: timedelta) -> timedelta:
    """Move the clock in steps, doing what is due, until something holds; return how long that took."""
    begun = town.clock()
    while not await holds():
        assert town.clock() - begun < most, "it never came"
        town.clock.now += every
        await at.node.workers.housekeep()
        await town.settle()
    return town.clock() - begun
