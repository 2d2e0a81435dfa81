"""A doctor of ours at a browser over a world made at random, and the ways to ask what they are shown."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from federation.wire import Response
from tests.network.scene import Visitor
from tests.property.worlds import Answer, Doctor, Post, World
from tests.town import Network

NEVER: Final = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
LABEL: Final = re.compile(rb"\b[TA]-\d{4,}\b")
#: Of two answers that must be one: what differs from answer to answer whatever was asked.
_PASSING: Final = frozenset({"date", "set-cookie"})
Thing = Post | Answer
May = Callable[[World, Doctor, Any], bool]


@dataclass
class Eye:
    """A doctor of ours at a browser, and what they should see."""

    world: World
    reader: Doctor
    visitor: Visitor
    town: Network

    @property
    def may_read(self) -> bool:
        """Whether anything at all is open to them."""
        return self.reader.standing == "ok"

    async def labels(self, target: str) -> set[str]:
        """What of this world a page shows."""
        answer = await self.visitor.get(target)
        assert answer.status < 500, (target, answer.status)
        here = {each.label for each in (*self.world.posts, *self.world.answers)}
        return {label.decode() for label in LABEL.findall(answer.body)} & here

    async def shows(self, target: str, expected: Iterable[str], spared: Iterable[str] = ()) -> None:
        """The page shows exactly this of the world; `spared` may be left out of it."""
        seen, may = await self.labels(target), set(expected) if self.may_read else set()

        assert may - set(spared) <= seen <= may, (target, self.reader.handle)

    async def opens(self, address: str, things: Iterable[Thing], may: May) -> None:
        """The page is there for whoever may, and for others as if the thing had never been."""
        never = await self.visitor.get(address.format(slug=NEVER))
        for each in things:
            answer = await self.visitor.get(address.format(slug=each.slug))
            if self.may_read and may(self.world, self.reader, each):
                assert answer.status in (200, 303), (address, each.label, self.reader.handle, answer.status)
            else:
                assert plainly(never, NEVER) == plainly(answer, each.slug), (address, each.label, self.reader.handle)

    async def refuses(self, address: str, things: Iterable[Thing], may: May, **form: str) -> None:
        """The form is refused to whoever may not, as it is about something that never was."""
        never = await self.visitor.post(address.format(slug=NEVER), **form)
        assert 400 <= never.status < 500
        for each in things:
            if self.may_read and may(self.world, self.reader, each):
                continue
            answer = await self.visitor.post(address.format(slug=each.slug), **form)
            assert plainly(never, NEVER) == plainly(answer, each.slug), (address, each.label, self.reader.handle)


def plainly(answer: Response, slug: str) -> tuple[Any, ...]:
    """An answer without what was asked for and what passes."""
    headers = sorted((name, value.replace(slug, "")) for name, value in answer.headers.items() if name not in _PASSING)
    return answer.status, headers, answer.body.replace(slug.encode(), b"")


Check = Callable[[Eye], Awaitable[None]]


def silent(*targets: str) -> Check:
    """Pages on which nothing of any discussion stands."""

    async def check(eye: Eye) -> None:
        for target in targets:
            assert set() == await eye.labels(target), (target, eye.reader.handle)

    return check


def apart(why: str) -> Check:
    """A door that is about nothing the rule knows; why."""
    assert why

    async def check(eye: Eye) -> None:
        """Nothing to ask."""

    return check
