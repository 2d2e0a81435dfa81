"""What siblings read here, as bytes: our own objects, to those inside their audience.

Missing and forbidden raise the same NotFound. What was withdrawn is Gone for those who held it, and never was there
for anybody else.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson
from msgspec.structs import replace

from federation import audience, discovery, render
from federation.allowlist import Sibling
from federation.errors import Gone, NotFound
from federation.keys import PublicKey
from federation.uri import BadUri, Uri
from federation.vocabulary import (
    Audience,
    Comment,
    Doctor,
    Instance,
    KeyDocument,
    Mention,
    Multikey,
    Post,
    PostKind,
    Tombstone,
)
from instance.services import bulletins, case_parts
from instance.services.errors import Missing
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms

if TYPE_CHECKING:
    from datetime import datetime

    from instance.wiring import Node

#: How long the rendered instance actor is kept; a new key is published ten minutes before it signs.
_KEPT: Final = timedelta(seconds=10)
_REMEMBERED: Final = 4_096
#: Where siblings read our doctors, and how many stand on a page.
DIRECTORY: Final = "/directory"
_DOCTORS: Final = 200


class Withdrawn(Gone):
    """Gone, with the Tombstone to answer with."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.body = body


class Serving:
    """Documents by address."""

    def __init__(self, node: Node, version: str) -> None:
        self._node, self._version = node, version
        self._actor: tuple[datetime, bytes] | None = None
        self._doctors: dict[str, tuple[Doctor, bytes]] = {}

    # ── open to all ──

    async def instance(self, new: Sequence[PublicKey] = ()) -> Instance:
        """Return the instance actor with every key that counts now, and those about to be published."""
        node = self._node
        keys = (*new, *await node.keys.published(node.actor))
        return Instance(
            id=node.actor, name=node.config.name, inbox=node.shared_inbox,
            outbox=Uri.parse(f"{node.origin}/outbox"),
            public_keys=_rsa(keys), assertion_methods=_ed25519(keys),
            issuer_keys=(
                Multikey(id=node.keys.issuer_id, controller=node.actor, key=node.keys.issuer_multikey),
            ),
            country=node.config.country, contact=node.config.contact,
            software=f"{discovery.SOFTWARE} {self._version}", speaks_rfc9421=True,
        )  # fmt: skip

    async def instance_document(self) -> bytes:
        """Return the instance actor as bytes."""
        now = self._node.clock()
        if self._actor is None or not timedelta(0) <= now - self._actor[0] < _KEPT:
            self._actor = (now, render.instance(await self.instance()))
        return self._actor[1]

    async def webfinger_of_instance(self) -> bytes:
        """Return the JRD of the instance actor."""
        return orjson.dumps(discovery.webfinger_of_instance(await self.instance()))

    def nodeinfo_links(self) -> bytes:
        """Return `/.well-known/nodeinfo`."""
        return orjson.dumps(discovery.nodeinfo_links(self._node.origin))

    def nodeinfo(self) -> bytes:
        """Return `/nodeinfo/2.1`: no counts, no names."""
        return orjson.dumps(discovery.nodeinfo(self._version))

    # ── for siblings ──

    async def doctor(self, handle: str, reader: Sibling) -> bytes:
        """Return the actor of a doctor of ours; every sibling may know them, though not where else they were or are."""
        doctor = await self._doctor(handle)
        shown = self._known_to(doctor, reader)
        if shown is not doctor:
            return render.doctor(shown)
        kept = self._doctors.get(handle)
        if kept is None or kept[0] is not doctor:
            if len(self._doctors) >= _REMEMBERED:
                self._doctors.clear()
            kept = self._doctors[handle] = (doctor, render.doctor(doctor))
        return kept[1]

    async def webfinger_of_doctor(self, handle: str) -> bytes:
        """Return the JRD of a doctor of ours."""
        return orjson.dumps(discovery.webfinger_of_doctor(await self._doctor(handle)))

    async def post(self, slug: str, reader: Sibling) -> bytes:
        """Return a post inside its audience."""
        uri = self._uri("posts", slug)
        row = await self._post_row(uri, reader)
        names = await self._node.store.all("serving.mentions", object=uri)
        self._require_passage([name["uri"] for name in names], reader)
        await self._hand_out(uri, reader)
        # Whose things are thanked for is told as far as they speak with the reader (N3).
        shown = await case_parts.beside(
            self._node.store, post_of(row, names), lambda homes: self._node.sets.lets(homes, reader.origin)
        )
        return render.post(shown)

    async def context(self, slug: str, reader: Sibling) -> bytes:
        """Return the thread of a post inside its audience: addresses, oldest first (FEP-7888).

        An answer of an instance that does not speak with the reader, or to one, is not in it, nor counted; of a post
        that is kept from the reader for that reason there is no thread either.
        """
        uri = self._uri("posts", slug)
        await self._post_row(uri, reader)
        names = await self._node.store.all("serving.mentions", object=uri)
        self._require_passage([name["uri"] for name in names], reader)
        named: defaultdict[str, list[str]] = defaultdict(list)
        for row in await self._node.store.all("serving.thread_mentions", post=uri):
            named[row["object"]].append(row["doctor"])
        items = [
            Uri.parse(row["uri"])
            for row in await self._node.store.all("serving.thread", post=uri)
            if self._passes([row["uri"], row["parent"], *named[row["uri"]]], reader)
        ]
        return render.collection(Uri.parse(f"{uri}/context"), len(items), items)

    async def comment(self, slug: str, reader: Sibling) -> bytes:
        """Return a comment of one of our doctors, inside the audience of its thread."""
        uri = self._uri("comments", slug)
        row = await self._comment_row(uri, reader)
        names, named = await self._node.store.all("serving.mentions", object=uri), await self._named(row)
        about = [row["post"], row["parent"], row["post_author"], *(name["uri"] for name in names), *named]
        self._require_passage(about, reader)
        await self._hand_out(uri, reader)
        return render.comment(_comment(row, names, named))

    async def activity(self, slug: str, reader: Sibling) -> bytes:
        """Return an activity as it was sent, to an instance it was sent to."""
        uri = self._uri("activities", slug)
        row = await self._node.store.one("serving.activity", uri=uri, origin=reader.origin)
        if row is None or not self._node.sets.lets(row["homes"].split(), reader.origin):
            raise NotFound
        if row["type"] in ("Create", "Update"):
            about = Uri.parse(row["object"])
            await self._require_inside(about, reader)
            await self._hand_out(about, reader)
        return bytes(row["body"])

    async def collection(self, handle: str, name: str, reader: Sibling) -> bytes:
        """Return outbox, followers or following of a doctor, as far as this instance may know them (A103)."""
        doctor = await self._doctor(handle)
        key = "actor" if name == "outbox" else "doctor"
        rows = await self._node.store.all(f"serving.{name}", **{key: doctor.id}, origin=reader.origin)
        items = [
            Uri.parse(row["uri"])
            for row in rows
            if "homes" not in row or self._node.sets.lets(row["homes"].split(), reader.origin)
        ]
        total = int(rows[0]["total"]) if rows and "total" in rows[0] else len(items)
        return render.collection(Uri.parse(f"{doctor.id}/{name}"), total, items)

    async def directory(self, after: str) -> bytes:
        """Return the addresses of our doctors in good standing behind this handle, a page of them, by address.

        Every sibling may know them; who asks finds there whom no message has told of yet.
        """
        first = Uri.parse(f"{self._node.origin}{DIRECTORY}")
        here = self._uri(DIRECTORY[1:], after) if after else first
        start = self._uri("doctors", after) if after else ""
        now = to_ms(self._node.clock())
        rows = await self._node.store.all(
            "serving.directory", origin=self._node.origin, after=start, now=now, count=_DOCTORS + 1
        )
        items = [Uri.parse(row["uri"]) for row in rows[:_DOCTORS]]
        more = Uri.parse(f"{first}/{rows[_DOCTORS - 1]['handle']}") if len(rows) > _DOCTORS else None
        return render.collection(here, len(items), items, next=more, part_of=first)

    async def require_inbox(self, handle: str) -> None:
        """Raise NotFound or Gone where no doctor of ours has this inbox."""
        row = await self._node.store.one("serving.doctor", uri=self._uri("doctors", handle))
        if row is None:
            raise NotFound
        if row["gone_at"] is not None:
            raise Gone

    # ── parts ──

    def _passes(self, about: Iterable[str], reader: Sibling) -> bool:
        """Whether every instance whose things these are speaks with the reader itself (N3)."""
        return self._node.sets.lets({Uri.parse(each).origin for each in about}, reader.origin)

    def _require_passage(self, about: Iterable[str], reader: Sibling) -> None:
        """Raise NotFound, as for what never was, for something that names another's things beyond that one's set."""
        if not self._passes(about, reader):
            raise NotFound

    def _known_to(self, doctor: Doctor, reader: Sibling) -> Doctor:
        """The actor without addresses at instances that do not speak with the reader."""
        kept = tuple(uri for uri in doctor.also_known_as if self._passes([uri], reader))
        gone = doctor.moved_to is not None and not self._passes([doctor.moved_to], reader)
        if kept == doctor.also_known_as and not gone:
            return doctor
        return replace(doctor, also_known_as=kept, moved_to=None if gone else doctor.moved_to)

    async def _doctor(self, handle: str) -> Doctor:
        try:
            return await self._node.people.doctor_document(handle)
        except Missing:
            pass
        uri = self._uri("doctors", handle)
        row = await self._node.store.one("serving.doctor", uri=uri)
        if row is None or row["gone_at"] is None:
            raise NotFound
        keys = await self._node.keys.published(uri)
        raise Withdrawn(
            render.tombstone(
                Tombstone(
                    id=uri, former_type="Person", deleted=from_ms(row["gone_at"]), public_keys=_rsa(keys),
                    assertion_methods=_ed25519(keys),
                )
            )
        )  # fmt: skip

    async def _post_row(self, uri: Uri, reader: Sibling) -> Row:
        row = await self._node.store.one("serving.post", uri=uri, origin=reader.origin)
        if row is None or not _may_read(row, reader):
            raise await self._absent(uri, reader)
        return row

    async def _comment_row(self, uri: Uri, reader: Sibling) -> Row:
        row = await self._node.store.one("serving.comment", uri=uri, origin=reader.origin)
        if row is None or not _may_read_comment(row, reader):
            raise await self._absent(uri, reader)
        return row

    async def _require_inside(self, uri: Uri, reader: Sibling) -> None:
        """Raise for a post or comment whose audience, as it is now, leaves the reader out (an edit may have)."""
        if uri.startswith(f"{self._node.origin}/posts/"):
            await self._post_row(uri, reader)
        elif uri.startswith(f"{self._node.origin}/comments/"):
            await self._comment_row(uri, reader)

    async def _named(self, row: Row) -> tuple[Uri, ...]:
        if row["audience"] != Audience.NAMED:
            return ()
        people = [item["doctor"] for item in await self._node.store.all("serving.named", object=row["post"])]
        return tuple(Uri.parse(doctor) for doctor in (row["post_author"], *people) if doctor != row["author"])

    async def _hand_out(self, uri: Uri, reader: Sibling) -> None:
        """Note, before it is shown, that the reader holds a copy, though it was never sent one: it is withdrawn there
        like everywhere else (N15)."""
        if not uri.startswith((f"{self._node.origin}/posts/", f"{self._node.origin}/comments/")):
            return
        held = await self._node.store.one("serving.holder", object=uri, origin=reader.origin)
        if held is not None and held["delivered_at"] is not None and held["released_at"] is None:
            return
        handed = {"object": uri, "origin": reader.origin, "now": to_ms(self._node.clock())}

        async def work(tx: Transaction) -> None:
            await tx.run("copies.handed_out", **handed)

        await self._node.store.write(work)

    async def _absent(self, uri: Uri, reader: Sibling) -> NotFound | Gone:
        """Gone for whoever was sent it and may know that it is no more; NotFound for everybody else."""
        row = await self._node.store.one("serving.tombstone", uri=uri)
        if row is None or await self._node.store.one("serving.holder", object=uri, origin=reader.origin) is None:
            return NotFound()
        return Withdrawn(
            render.tombstone(Tombstone(id=uri, former_type=row["former_type"], deleted=from_ms(row["at"])))
        )

    def _uri(self, folder: str, name: str) -> Uri:
        try:
            return Uri.parse(f"{self._node.origin}/{folder}/{name}")
        except BadUri:
            raise NotFound from None


def _may_read_comment(row: Row, reader: Sibling) -> bool:
    """In our own threads the post decides; elsewhere its home may read, and everybody where it is for everybody."""
    return not (row["post_local"] or row["audience"] == Audience.FEDERATION) or _may_read(row, reader)


def _may_read(row: Row, reader: Sibling) -> bool:
    """Whether the sibling may be shown what was found for it: the statement has looked for its doctors already."""
    found = (reader.origin,)
    return audience.may_read_at_sibling(Audience(row["audience"]), PostKind(row["kind"]), reader, found, found)


def post_of(row: Row, names: list[Row]) -> Post:
    """Return an own post as siblings know it, by its row and those it names; what stands beside its text is apart."""
    to, cc = audience.addressing(
        Audience(row["audience"]), Uri.parse(row["followers"]), [Uri.parse(name["uri"]) for name in names]
    )
    return Post(
        id=Uri.parse(row["uri"]), author=Uri.parse(row["author"]), kind=PostKind(row["kind"]), title=row["title"],
        content=row["content"], language=row["language"], specialties=tuple(json.loads(row["specialties"])), to=to,
        cc=cc, mentions=_mentions(names), published=from_ms(row["published_at"]), updated=_time(row["updated_at"]),
        context=Uri.parse(row["context"]) if row["context"] else None, asked_country=row["asked_country"],
        **bulletins.words(row["facts"]),
    )  # fmt: skip


def _comment(row: Row, names: list[Row], named: tuple[Uri, ...]) -> Comment:
    to, cc = audience.addressing(Audience(row["audience"]), Uri.parse(row["followers"]), named)
    return Comment(
        id=Uri.parse(row["uri"]), author=Uri.parse(row["author"]), content=row["content"], language=row["language"],
        in_reply_to=Uri.parse(row["parent"]), context=Uri.parse(row["post"]), to=to, cc=cc,
        mentions=_mentions(names), published=from_ms(row["published_at"]), updated=_time(row["updated_at"]),
        note_kind=row["note_kind"],
    )  # fmt: skip


def _rsa(keys: Iterable[PublicKey]) -> tuple[KeyDocument, ...]:
    return tuple(KeyDocument(id=key.id, owner=key.owner, pem=key.pem) for key in keys if key.algorithm == "rsa")


def _ed25519(keys: Iterable[PublicKey]) -> tuple[Multikey, ...]:
    return tuple(
        Multikey(id=key.id, controller=key.owner, key=key.multikey) for key in keys if key.algorithm == "ed25519"
    )


def _mentions(names: list[Row]) -> tuple[Mention, ...]:
    return tuple(Mention(href=Uri.parse(row["uri"]), name=f"@{row['address']}") for row in names)


def _time(ms: Any) -> datetime | None:
    return None if ms is None else from_ms(ms)
