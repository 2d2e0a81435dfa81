"""What doctors see of themselves: how they describe themselves, their posts, and every answer they gave.

An answer stays its author's to withdraw when its discussion is closed to them; then only their own words are here.
"""

from __future__ import annotations

from msgspec import Struct

from instance.services.descriptions import version_of
from instance.services.errors import Missing
from instance.storage.store import Reader
from instance.views.feed import read_cursor

PAGE_SIZE = 20


class OwnProfile(Struct, frozen=True, kw_only=True):
    """What a doctor says of themselves, as typed."""

    summary: str
    languages: str
    approves_followers: int
    #: Names what stands above (descriptions.version_of); a form sends it back.
    version: str


class OwnPost(Struct, frozen=True, kw_only=True):
    """A post on its author's list."""

    slug: str
    kind: str
    title: str
    language: str
    audience: str
    published_at: int
    updated_at: int | None
    sort_at: int
    answers: int


class OwnAnswer(Struct, frozen=True, kw_only=True):
    """An answer on its author's list; without a post where the discussion is closed to them or gone."""

    slug: str
    content: str
    language: str
    published_at: int
    updated_at: int | None
    post: str
    post_title: str
    post_language: str


class OwnPosts(Struct, frozen=True, kw_only=True):
    """A page of posts, newest first, and the cursor of the next."""

    posts: list[OwnPost]
    next: str = ""


class OwnAnswers(Struct, frozen=True, kw_only=True):
    """A page of answers, newest first, and the cursor of the next."""

    answers: list[OwnAnswer]
    next: str = ""


async def profile(store: Reader, reader: str) -> OwnProfile:
    """Return what the reader's own form of the profile shows; raise Missing for whoever is no doctor of ours."""
    row = await store.one("own.profile", reader=reader)
    if row is None:
        raise Missing
    return OwnProfile(**row, version=version_of(row))


async def posts(store: Reader, reader: str, before: str = "", count: int = PAGE_SIZE) -> OwnPosts:
    """Return a page of the reader's own posts."""
    at, slug = read_cursor(before)
    rows = await store.all("own.posts", reader=reader, before_at=at, before_slug=slug, count=count + 1)
    found = [OwnPost(**row) for row in rows[:count]]
    return OwnPosts(posts=found, next=f"{found[-1].sort_at}-{found[-1].slug}" if len(rows) > count else "")


async def answers(store: Reader, reader: str, before: str = "", count: int = PAGE_SIZE) -> OwnAnswers:
    """Return a page of the reader's own answers, those in discussions that are closed to them included."""
    at, slug = read_cursor(before)
    rows = await store.all("own.answers", reader=reader, before_at=at, before_slug=slug, count=count + 1)
    found = [OwnAnswer(**row) for row in rows[:count]]
    return OwnAnswers(answers=found, next=f"{found[-1].published_at}-{found[-1].slug}" if len(rows) > count else "")


async def answer(store: Reader, reader: str, slug: str) -> OwnAnswer:
    """Return one own answer; raise Missing for anything that is not the reader's."""
    row = await store.one("own.answer", reader=reader, slug=slug)
    if row is None:
        raise Missing
    return OwnAnswer(**row)
