"""Rows of a made-up instance: doctors here and at siblings, their discussions, follows and notices."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from instance.times import to_ms
from verification.names import fold

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FR = "http://fr.localhost:8001"
DE = "http://de.localhost:8002"
IT = "http://it.localhost:8003"
COUNTRY = {FR: "FR", DE: "DE", IT: "IT"}
#: The password of every account here; its hash is made once, with small costs.
PASSWORD = "a rainy day in Lyon"


@dataclass
class Rows:
    """Writes straight into the database file of an instance that is not running."""

    path: Path
    now: datetime = NOW
    _number: int = 0
    _db: sqlite3.Connection = field(init=False)

    def __enter__(self) -> Rows:
        self._db = sqlite3.connect(self.path)
        return self

    def __exit__(self, *_: object) -> None:
        self._db.commit()
        self._db.close()

    def insert(self, table: str, **values: object) -> None:
        """Add one row."""
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        self._db.execute(f"insert into {table} ({names}) values ({marks})", tuple(values.values()))

    def ulid(self) -> str:
        """An identifier that sorts after those before."""
        self._number += 1
        return f"01JDB{self._number:021d}"

    def sibling(self, origin: str, name: str, *, policy: str = "inherit", contact: timedelta | None = None) -> None:
        """Put an instance on the allowlist."""
        self.insert(
            "siblings",
            origin=origin,
            actor=f"{origin}/actor",
            name=name,
            country=COUNTRY[origin],
            inbox=f"{origin}/inbox",
            policy=policy,
            vouched_by="Ordre des médecins (made up)",
            instance_keys=json.dumps(["sha256:" + "0" * 64]),
            issuer_keys="[]",
            may_issue_for=json.dumps([COUNTRY[origin]]),
            kinds_in=json.dumps(["case", "observation", "question"]),
            kinds_out=json.dumps(["case", "observation", "question"]),
            since=to_ms(self.now - timedelta(days=90)),
        )
        if contact is not None:
            self.insert("sibling_contacts", origin=origin, last_in_at=to_ms(self.now - contact))

    def doctor(
        self,
        handle: str,
        name: str,
        *specialties: str,
        origin: str = FR,
        role: str = "specialist",
        standing: str = "ok",
        valid_days: int = 90,
        **more: object,
    ) -> str:
        """Add a doctor; an own one gets no account by this."""
        uri, local = f"{origin}/doctors/{handle}", origin == FR
        authority = origin.partition("://")[2]
        values: dict[str, object] = {
            "uri": uri,
            "origin": origin,
            "local": int(local),
            "address": handle if local else f"{handle}@{authority}",
            "handle": handle,
            "name": name,
            "folded": fold(name),
            "role": role,
            "country": COUNTRY[origin],
            "specialties": json.dumps(list(specialties)),
            "assurance": "high",
            "valid_from": to_ms(self.now - timedelta(days=9)),
            "valid_until": to_ms(self.now + timedelta(days=valid_days)),
            "standing": standing,
            "languages": json.dumps(["fr", "en"] if local else ["de", "en"]),
            "fetched_at": to_ms(self.now),
            "created_at": to_ms(self.now - timedelta(days=30)),
            "updated_at": to_ms(self.now - timedelta(days=9)),
        }
        values |= {place: f"{uri}/{place}" for place in ("inbox", "outbox", "followers", "following")}
        self.insert("doctors", **(values | more))
        for slug in specialties:
            self.insert("doctor_specialties", doctor=uri, specialty=slug)
        for word in sorted({*fold(name).split(), handle}):
            self.insert("doctor_words", doctor=uri, word=word)
        return uri

    def account(self, login: str, doctor: str | None, password_hash: str, **more: object) -> None:
        """Let somebody sign in."""
        values = {"id": self.ulid(), "login": login, "password": password_hash, "doctor": doctor}
        self.insert("accounts", **(values | {"created_at": to_ms(self.now)} | more))

    def post(
        self,
        author: str,
        title: str,
        text: str = "<p>Text.</p>",
        *,
        specialties: tuple[str, ...] = ("cardiology",),
        audience: str = "federation",
        language: str = "en",
        kind: str = "case",
        hours_ago: float = 1.0,
        role: str = "specialist",
        named: tuple[str, ...] = (),
    ) -> str:
        """Add a post; return its slug."""
        origin = author.partition("/doctors/")[0]
        slug, at = self.ulid(), to_ms(self.now - timedelta(hours=hours_ago))
        uri = f"{origin}/posts/{slug}"
        self.insert(
            "posts",
            uri=uri,
            slug=slug,
            origin=origin,
            local=int(origin == FR),
            author=author,
            kind=kind,
            title=title,
            content=text,
            source=text,
            language=language,
            specialties=json.dumps(list(specialties)),
            audience=audience,
            role_then=role,
            published_at=at,
            received_at=at,
            sort_at=at,
        )
        for specialty in specialties:
            self.insert("post_specialties", specialty=specialty, post=uri, sort_at=at)
        for doctor in named:
            self.insert("mentions", object=uri, doctor=doctor)
        return slug

    def uri_of(self, slug: str, table: str = "posts") -> str:
        """The address of a post or comment."""
        return str(self._db.execute(f"select uri from {table} where slug = ?", (slug,)).fetchone()[0])

    def comment(
        self,
        author: str,
        post: str,
        text: str,
        *,
        parent: str = "",
        language: str = "en",
        hours_ago: float = 0.5,
        role: str = "specialist",
    ) -> str:
        """Add an answer; return its slug."""
        origin = author.partition("/doctors/")[0]
        slug, at, whole = self.ulid(), to_ms(self.now - timedelta(hours=hours_ago)), self.uri_of(post)
        self.insert(
            "comments",
            uri=f"{origin}/comments/{slug}",
            slug=slug,
            origin=origin,
            local=int(origin == FR),
            post=whole,
            parent=self.uri_of(parent, "comments") if parent else whole,
            author=author,
            content=text,
            source=text,
            language=language,
            role_then=role,
            published_at=at,
            received_at=at,
        )
        self._db.execute("update posts set answers = answers + 1, last_answer_at = ? where slug = ?", (at, post))
        return slug

    def follow(self, follower: str, followee: str, state: str = "accepted") -> None:
        """Let one follow another."""
        at = to_ms(self.now)
        self.insert("follows", follower=follower, followee=followee, id=self.ulid(), state=state, asked_at=at)

    def block(self, doctor: str, blocked: str) -> None:
        """Let one block another."""
        self.insert("blocks", doctor=doctor, blocked=blocked, at=to_ms(self.now))

    def like(self, actor: str, thing: str) -> None:
        """Let somebody thank."""
        self.insert("likes", actor=actor, object=thing, id=self.ulid(), at=to_ms(self.now))

    def notice(
        self, doctor: str, kind: str, actor: str, *, post: str = "", about: str = "", read: bool = False
    ) -> None:
        """Tell a doctor something."""
        at = to_ms(self.now - timedelta(minutes=5))
        values = {"doctor": doctor, "kind": kind, "actor": actor, "post": post, "object": about or self.ulid()}
        self.insert("notifications", id=self.ulid(), at=at, read_at=at if read else None, **values)
