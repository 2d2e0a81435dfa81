"""The directory on both engines: every filter, its index that never differs from the doctors, suggestions, own lists."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from instance.storage import QUERIES, open_store
from instance.storage.queries import Queries
from instance.storage.store import Store, Transaction
from instance.views import doctors
from instance.views.doctors import Wanted

NOW = 1_800_000_000_000
DAY = 86_400_000
READER = "https://fr.example/doctors/reader"


@pytest.fixture
async def store(address: str) -> AsyncIterator[Store]:
    """The product's own schema and queries, on each engine in turn."""
    store = await open_store(address)
    try:
        await store.migrate()
        yield store
    finally:
        await store.close()


async def add(
    store: Store, handle: str, *specialties: str, country: str = "FR", role: str = "specialist",
    languages: tuple[str, ...] = ("fr",), standing: str = "ok", valid_until: int = NOW + DAY,
) -> str:  # fmt: skip
    """A doctor of a sibling, as the directory keeps one."""
    origin = f"https://{country.lower()}.example"
    uri = f"{origin}/doctors/{handle}"
    values = {
        "uri": uri, "origin": origin, "address": f"{handle}@{country.lower()}.example", "handle": handle,
        "name": handle, "folded": handle, "role": role, "country": country, "specialties": json.dumps(specialties),
        "assurance": "high", "valid_from": 1, "valid_until": valid_until, "standing": standing, "inbox": "",
        "shared_inbox": "", "outbox": "", "followers": "", "following": "", "summary": "",
        "languages": json.dumps(languages), "credential": "null", "document": "", "now": 1,
    }  # fmt: skip

    async def work(tx: Transaction) -> None:
        await tx.run("directory.put", **values)
        await tx.run("directory.drop_specialties", doctor=uri)
        for slug in specialties:
            await tx.run("directory.add_specialty", doctor=uri, specialty=slug)
        await tx.run("directory.add_word", doctor=uri, word=handle)

    await store.write(work)
    return uri


async def run(store: Store, query: str, **values: Any) -> None:
    """One statement, committed."""

    async def work(tx: Transaction) -> None:
        await tx.run(query, **values)

    await store.write(work)


async def follow(store: Store, follower: str, followee: str, state: str = "accepted") -> None:
    """A follow as a row."""
    await run(
        store, "follows.ask", follower=follower, followee=followee, id=f"{follower}>{followee}", state=state,
        now=1, answered_at=1,
    )  # fmt: skip


async def expelled(store: Store, doctor: str) -> None:
    """The doctor's instance was expelled, and what came from there is hidden."""
    origin = doctor.partition("/doctors/")[0]
    await run(
        store, "farewells.add", origin=origin, actor=f"{origin}/actor", name="n", country="IT", inbox="i",
        speaks_rfc9421=0, proposed_by="p", confirmed_by="c", now=1, words_until=1, erasures_until=1, cause="expelled",
    )  # fmt: skip
    await run(store, "farewells.set_fate", origin=origin, fate="hidden", seen="labelled", now=1)


async def names(store: Store, **wanted: Any) -> list[str]:
    """The handles found."""
    page = await doctors.find(store, READER, Wanted(**wanted), NOW)
    return [row.name for row in page.doctors]


async def test_each_condition_narrows(store: Store) -> None:
    """Specialty, country, language, role and words, one by one and together; each leaves the others out."""
    await add(store, "anna", "cardiology", country="DE", languages=("de", "en"))
    await add(store, "bea", "cardiology", "neurology", role="resident", languages=("fr",))
    await add(store, "carl", "neurology", country="DE", role="resident", languages=("de",))

    assert ["anna", "bea"] == await names(store, specialty="cardiology")
    assert ["anna", "carl"] == await names(store, country="DE")
    assert ["bea", "carl"] == await names(store, role="resident")
    assert ["anna", "carl"] == await names(store, language="de")
    assert ["carl"] == await names(store, role="resident", language="de")
    assert ["bea"] == await names(store, specialty="cardiology", role="resident", country="FR", language="fr")
    assert [] == await names(store, specialty="cardiology", role="resident", language="de")
    assert ["carl"] == await names(store, words=("ca",))
    assert [] == await names(store, words=("ca",), country="FR")
    assert ["anna"] == await names(store, words=("an",), language="en")
    assert [] == await names(store)


@pytest.mark.parametrize(
    "why", ["suspended", "expired", "gone", "moved", "hidden", "blocked me", "oneself"]
)  # fmt: skip
async def test_who_is_not_to_be_found_is_not(store: Store, why: str) -> None:
    """Of two alike only the one in good standing comes up, whatever is asked for, and in suggestions."""
    await add(store, "anna", "cardiology", country="DE")
    handle = "reader" if why == "oneself" else "bernd"
    country = {"oneself": "FR", "hidden": "IT"}.get(why, "DE")
    uri = await add(
        store, handle, "cardiology", country=country, standing="suspended" if why == "suspended" else "ok",
        valid_until=NOW if why == "expired" else NOW + DAY,
    )  # fmt: skip
    if why == "gone":
        await run(store, "apply.doctor_gone", uri=uri, now=NOW)
    if why == "moved":
        await run(store, "relocation.has_moved", uri=uri, target="https://it.example/doctors/b", now=NOW)
    if why == "hidden":
        await expelled(store, uri)
    if why == "blocked me":
        await run(store, "follows.block", doctor=uri, blocked=READER, now=1)

    assert ["anna"] == await names(store, specialty="cardiology")
    assert (["anna"] if country == "DE" else []) == await names(store, country=country)
    assert [] == await names(store, words=(handle,))
    assert ["anna"] == [row.name for row in await doctors.suggestions(store, READER, ["cardiology"], "FR", NOW)]


async def test_the_index_follows_the_doctors(store: Store) -> None:
    """Whatever is written of a doctor, they are found by what stands there now and by nothing else."""
    await add(store, "anna", "cardiology", country="DE", languages=("de",))
    await add(store, "anna", "neurology", country="DE", role="retired", languages=("it",))

    assert [] == [*await names(store, specialty="cardiology"), *await names(store, language="de")]
    assert ["anna"] * 3 == [
        *await names(store, specialty="neurology"), *await names(store, language="it"),
        *await names(store, role="retired"),
    ]  # fmt: skip
    uri = "https://de.example/doctors/anna"
    await run(store, "directory.set_standing", uri=uri, standing="suspended", document="", now=2)
    assert [] == await names(store, country="DE")
    assert await add(store, "anna", "neurology", country="DE")
    assert ["anna"] == await names(store, country="DE")


@pytest.mark.parametrize("wanted", [{"country": "DE"}, {"words": ("a",)}, {"country": "DE", "words": ("a",)}])
async def test_pages_join_without_gap_or_double(store: Store, wanted: dict[str, Any]) -> None:
    """A cursor leads through everybody once, also where two bear one name."""
    for number in range(7):
        await add(store, f"a{number // 2}", country="DE")
        await add(store, f"a{number}", country="DE")
    whole = [row.uri for row in (await doctors.find(store, READER, Wanted(**wanted), NOW)).doctors]
    walked: list[str] = []
    after = ""
    while True:
        page = await doctors.find(store, READER, Wanted(**wanted), NOW, after=after, count=2)
        walked += [row.uri for row in page.doctors]
        after = page.next
        if not after:
            break

    assert whole == walked
    assert 7 == len(whole)


async def test_frequent_words_are_walked_in_order(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What many bear and what few bear is found alike, alone and with other conditions."""
    for number in range(9):
        await add(store, f"a{number}", "cardiology" if number % 2 else "neurology", country="DE")
    asked = [{"words": ("a",)}, {"words": ("a",), "specialty": "cardiology"}, {"words": ("a", "a3")}]
    few = [await names(store, **each) for each in asked]
    monkeypatch.setattr(doctors, "_FEW", 2)

    assert few == [await names(store, **each) for each in asked]
    assert [9, 4, 0] == [len(each) for each in few[:2]] + [0]


async def test_suggestions_say_why(store: Store) -> None:
    """Common colleagues first, then specialty and country, then specialty; each once, with one reason."""
    friends = [await add(store, f"f{number}", "neurology", country="IT") for number in range(3)]
    both = await add(store, "common", "dermatology", country="IT")
    await add(store, "near", "cardiology")
    await add(store, "wide", "cardiology", country="DE")
    await add(store, "other", "urology")
    single = await add(store, "single", "urology", country="DE")
    for friend in friends:
        await follow(store, READER, friend)
    await follow(store, friends[0], both)
    await follow(store, friends[1], both)
    await follow(store, friends[2], both, "pending")
    await follow(store, friends[0], single)
    found = await doctors.suggestions(store, READER, ["cardiology"], "FR", NOW)

    assert [("common", "common", 2), ("near", "near", 0), ("wide", "specialty", 0)] == [
        (row.name, row.why, row.common) for row in found
    ]
    assert 2 == await doctors.common(store, READER, both)
    assert 0 == await doctors.common(store, READER, single)


@pytest.mark.parametrize("why", ["followed", "asked", "muted", "blocked", "blocked me"])
async def test_who_is_not_to_be_suggested_is_not(store: Store, why: str) -> None:
    """Neither by common colleagues nor by specialty."""
    friends = [await add(store, f"f{number}", "neurology", country="IT") for number in range(2)]
    uri = await add(store, "bea", "cardiology")
    await add(store, "anna", "cardiology")
    for friend in friends:
        await follow(store, READER, friend)
        await follow(store, friend, uri)
    before = {row.name for row in await doctors.suggestions(store, READER, ["cardiology"], "FR", NOW)}
    if why in ("followed", "asked"):
        await follow(store, READER, uri, "accepted" if why == "followed" else "pending")
    elif why == "muted":
        await run(store, "contact.mute", doctor=READER, muted=uri, now=1)
    elif why == "blocked":
        await run(store, "follows.block", doctor=READER, blocked=uri, now=1)
    else:
        await run(store, "follows.block", doctor=uri, blocked=READER, now=1)

    assert {"anna", "bea"} == before
    assert ["anna"] == [row.name for row in await doctors.suggestions(store, READER, ["cardiology"], "FR", NOW)]


async def test_a_list_of_ones_own_is_searched_by_name(store: Store) -> None:
    """Followers by the beginning of a name; other names stay out."""
    for handle in ("anna", "antje", "bea"):
        await follow(store, await add(store, handle, "cardiology"), READER)

    async def found(*words: str) -> list[str]:
        return [row.name for row in (await doctors.own_list(store, READER, "followers", words=words)).doctors]

    assert ["anna", "antje", "bea"] == await found()
    assert ["anna", "antje"] == await found("an")
    assert [] == await found("zoe")


async def test_doctors_who_were_here_before_the_index_stand_in_it(address: str, tmp_path: Path) -> None:
    """An instance that has long had doctors finds them by every condition after it was brought up to date."""
    schema = QUERIES.parent / "schema"
    before = shutil.copytree(schema, tmp_path / "before", ignore=lambda _, names: [n for n in names if n > "0035"])
    old = await open_store(address, schema_dir=before)
    await old.migrate()
    await add(old, "anna", "cardiology", country="DE", role="retired", languages=("de", "it"))
    await add(old, "bernd", "cardiology", country="DE", standing="suspended")
    await old.close()
    store = await open_store(address)
    await store.migrate()
    try:
        for wanted in ({"specialty": "cardiology"}, {"country": "DE"}, {"role": "retired"}, {"language": "it"}):
            assert ["anna"] == await names(store, **wanted)
    finally:
        await store.close()


WALKS = (
    "views.doctors_by_facet", "views.doctors_by_word", "views.directory_sizes", "views.suggested_by_colleagues",
    "views.followers", "views.following", "views.following_numbers", "views.common", "own.muted", "own.blocked",
    "lists.mine", "lists.members", "lists.posts", "contact.closed_to_follow", "contact.closed_to_name",
    "serving.directory", "sibling_directories.known", "notifications.add",
)  # fmt: skip
#: What a statement has made itself is bounded by it.
OWN = r"SCAN (c|r|s|mine|theirs|merged|m|u|j|counted|\(subquery-\d+\)|CONSTANT ROW|\d+ CONSTANT ROWS?)\b"


@pytest.mark.parametrize("name", WALKS)
def test_no_look_at_people_reads_a_whole_table(name: str) -> None:
    """Each statement searches an index, so that its cost is that of a page and not of eighty thousand doctors."""
    db = sqlite3.connect(":memory:")
    for path in sorted((QUERIES.parent / "schema").glob("*.sql")):
        if not path.name.endswith(".postgres.sql"):
            db.executescript(path.read_text("utf-8"))
    query = Queries(QUERIES, "sqlite")[name]
    plan = [row[3] for row in db.execute("explain query plan " + query.text, [1] * len(query.names))]

    assert [] == [step for step in plan if step.startswith("SCAN") and not re.match(OWN, step)]
    if name == "views.doctors_by_facet":
        assert any("doctor_facets" in step and "facet=? AND (folded,doctor)>" in step for step in plan), plan
        assert not any("TEMP B-TREE" in step for step in plan), plan
