"""Made-up people, follows across borders, posts and answers, made through the services that pages use."""

from __future__ import annotations

import asyncio
import tomllib
from importlib import resources
from typing import Any, Final

from instance.demo.town import PASSWORD, Country, Login, Say
from instance.services.bulletins import BulletinDraft
from instance.services.people import NewDoctor
from instance.services.publishing import CommentDraft, PostDraft

_THREE_DOZEN: Final = 36


async def fill(town: list[Country], *, posts: bool, say: Say) -> None:
    """Fill the town: doctors everywhere, then follows, posts and answers unless it stays empty."""
    each = max(2, -(-_THREE_DOZEN // len(town))) if posts else 2
    await asyncio.gather(*(_people(country, country.people[:each]) for country in town))
    say(f"{sum(len(country.logins) for country in town)} doctors verified, each with a credential of their instance")
    if not posts:
        return
    await _follows(town)
    await settle(town)
    say("colleagues follow each other across borders")
    number = await _posts(town)
    await settle(town)
    say(f"{number} posts and their answers exchanged, every message signed and checked")


async def settle(town: list[Country]) -> None:
    """Wait until no instance has anything left to send or to work off (at most 30 seconds)."""
    async with asyncio.timeout(30):
        while any([await country.node.workers.busy() for country in town]):
            await asyncio.sleep(0.05)


async def _people(country: Country, people: list[Any]) -> None:
    # Two at a time: making RSA keys is the slow part, and it runs off the loop.
    gate = asyncio.Semaphore(2)

    async def add(entry: list[Any]) -> Login:
        handle, name, role, specialty, languages = entry
        async with gate:
            await country.node.people.add_doctor(
                NewDoctor(
                    handle=handle, name=name, role=role, country=country.code, specialties=(specialty,),
                    assurance="substantial", languages=tuple(languages), password=PASSWORD, roles=(),
                ),
                by="demo",
            )  # fmt: skip
        return Login(handle, PASSWORD, f"{role}, {specialty}")

    country.logins = list(await asyncio.gather(*(add(entry) for entry in people)))


async def _follows(town: list[Country]) -> None:
    for country in town:
        for login, entry in zip(country.logins, country.people, strict=False):
            for other in town:
                if other is not country:
                    colleague = _colleague(other, entry[3])
                    await country.node.follows.ask(_uri(country, login.handle), f"{colleague}@{other.node.authority}")


async def _posts(town: list[Country]) -> int:
    table = tomllib.loads((resources.files("instance.demo") / "cases.toml").read_text("utf-8"))
    by_code = {country.code: country for country in town}
    made = 0
    for entry in table["posts"]:
        country = by_code.get(entry["country"])
        if country is None or not await _lives(country, entry["author"]):
            continue
        slug = await _post(country, entry)
        made += 1
        await settle(town)
        await _answers(by_code, country, slug, entry["answers"], town)
    return made


async def _lives(country: Country, handle: str) -> bool:
    """Whether there is such a doctor: not everybody is where few people or no stories are asked for."""
    return await country.node.store.one("people.by_address", address=handle) is not None


async def _post(country: Country, entry: dict[str, Any]) -> str:
    draft = PostDraft(
        kind=entry["kind"], title=entry["title"], text=entry["text"].strip(), specialties=tuple(entry["specialties"]),
        audience=entry["audience"], language=entry["language"], named=(),
        bulletin=BulletinDraft(**entry.get("bulletin", {})),
    )  # fmt: skip
    return str(await country.node.publishing.publish(_uri(country, entry["author"]), draft))


async def _answers(
    by_code: dict[str, Country], home: Country, slug: str, answers: list[dict[str, str]], town: list[Country]
) -> None:
    row = await home.node.store.one("posts.by_slug", slug=slug)
    assert row is not None  # just made
    for answer in answers:
        country = by_code.get(answer["country"])
        if country is None:
            continue
        here = await country.node.store.one("posts.by_uri", uri=row["uri"])
        if here is None:
            continue  # not in its audience there
        author = _uri(country, _colleague(country, answer["specialty"]))
        await country.node.publishing.comment(
            author, here["slug"], CommentDraft(text=answer["text"], language=answer["language"], parent_slug=None)
        )
        await settle(town)


def _colleague(country: Country, specialty: str) -> str:
    there = [entry for entry in country.people[: len(country.logins)] if entry[2] != "retired"]
    return str(next((entry[0] for entry in there if entry[3] == specialty), there[0][0]))


def _uri(country: Country, handle: str) -> str:
    return f"{country.node.origin}/doctors/{handle}"
