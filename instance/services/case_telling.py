"""An own post told again to whoever holds it, because of what stands beside its text: the poll, the end of the case.

The version of the text stays what it is: a sibling takes from this what is newer than what it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from federation.delivery import Priority
from federation.uri import Uri
from federation.vocabulary import Audience, Post, PostKind, Update
from instance.services import case_parts, sending
from instance.services.sending import Message
from instance.services.serving import post_of
from instance.storage.store import Row, Transaction

if TYPE_CHECKING:
    from federation.audience import Target
    from instance.wiring import Node


async def say_anew(node: Node, tx: Transaction, uri: str) -> None:
    """Queue an Update for every holder who is inside the audience still; thanks name what each may know of."""
    row = await tx.one("cases.own_post", post=uri)
    if row is None or row["audience"] == Audience.NATIONAL:
        return
    names = await tx.all("serving.mentions", object=uri)
    word = post_of(row, names)
    groups: list[tuple[Post, list[Target]]] = []
    for target in await _holders(node, tx, row, names):
        told = await case_parts.beside(tx, word, lambda homes, to=target.origin: node.sets.lets(homes, to))  # type: ignore[misc]
        same = next((targets for post, targets in groups if post == told), None)
        if same is None:
            groups.append((told, [target]))
        else:
            same.append(target)
    for post, targets in groups:
        update = Update(
            id=sending.activity_id(node), actor=Uri.parse(row["author"]), to=post.to, cc=post.cc,
            published=node.clock(), object=post,
        )  # fmt: skip
        urgent = Priority.NAMED if row["audience"] == Audience.NAMED else Priority.REST
        await sending.send(node, tx, Message(update, post.id, row["audience"], urgent), targets)


async def _holders(node: Node, tx: Transaction, row: Row, names: list[Row]) -> list[Target]:
    kind = PostKind(row["kind"])
    match Audience(row["audience"]):
        case Audience.FEDERATION:
            targets = sending.of_federation(node, kind)
        case Audience.COLLEAGUES:
            targets = sending.of_doctors(node, await tx.all("posts.followers", doctor=row["author"]), kind)
        case _:
            targets = sending.of_doctors(node, [{"origin": Uri.parse(name["uri"]).origin} for name in names], kind)
    held = {each["origin"] for each in await tx.all("posts.holders", object=row["uri"])}
    return [target for target in targets if target.origin in held]
