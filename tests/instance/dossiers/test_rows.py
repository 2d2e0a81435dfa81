"""Dossiers as rows: whatever is saved is read back, member by member, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instance.services.dossiers import rows as dossier_rows
from instance.services.dossiers.rows import Beside
from instance.services.errors import Rejected
from instance.storage.errors import Conflict
from instance.storage.store import Transaction
from instance.wiring import Node, open_node
from tests.contract.conftest import ENGINES, postgres_server
from tests.contract.databases import fresh_postgres
from tests.examples import examples
from tests.instance.dossiers.applying import APPROVE, RENE, RITA, Applicant
from tests.ready import light_hash, pooled_rsa, put_instance
from tests.town import MovedClock, describe
from verification.dossier import (
    Annex,
    Country,
    Dossier,
    DossierId,
    Emergency,
    Evidence,
    EvidenceClass,
    EvidenceKind,
    Proposal,
    Role,
    Vote,
)  # fmt: skip
from verification.grounds import Ground
from verification.moves import AnnexKind, AnnexState, Choice, State
from verification.people import DoctorId, SiteId, StaffId

__all__ = ["postgres_server"]

FIRST, LAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2060, 1, 1, tzinfo=UTC)
times = st.integers(0, int((LAST - FIRST).total_seconds() * 1000)).map(lambda ms: FIRST + timedelta(milliseconds=ms))
maybe = st.none() | times
people = st.integers(1, 30).map(lambda number: StaffId(f"staff-{number}"))
ids = st.integers(0, 10**9).map(lambda number: f"e-{number:08x}")
evidence = st.builds(
    Evidence, id=ids, kind=st.sampled_from(EvidenceKind), rank=st.sampled_from(EvidenceClass), at=times,
    automatic=st.booleans(), matched=st.booleans(),
)  # fmt: skip
votes = st.lists(
    st.builds(
        Vote, reviewer=people, round=st.integers(1, 4), choice=st.sampled_from(Choice), ground=st.sampled_from(Ground),
        at=times, hit=st.none() | st.sampled_from(Ground), lead=st.booleans(),
    ),
    max_size=4, unique_by=lambda vote: (vote.round, vote.reviewer),
).map(tuple)  # fmt: skip
annexes = st.lists(
    st.builds(
        Annex, id=ids, kind=st.sampled_from(AnnexKind), state=st.sampled_from(AnnexState), changed_at=times,
        submitted_at=times, training_ends=maybe, year_ends=maybe, votes=votes, evidence=st.just(()),
    ),
    max_size=3, unique_by=lambda annex: annex.id,
).map(tuple)  # fmt: skip
proposals = st.lists(
    st.builds(
        Proposal, to=st.sampled_from(State), by=people, reviewer=st.booleans(), ground=st.sampled_from(Ground), at=times
    ),
    max_size=3, unique_by=lambda proposal: proposal.to,
).map(lambda found: tuple(sorted(found, key=lambda each: (each.at, each.to.value))))  # fmt: skip


@st.composite
def dossiers(draw: Any) -> Dossier:
    """Any dossier, whether or not it could have come to be."""
    shown = draw(st.lists(evidence, max_size=5, unique_by=lambda each: each.id))
    added = draw(annexes)
    cut = draw(st.integers(0, len(shown)))
    if added:
        added = (replace(added[0], evidence=tuple(shown[cut:])), *added[1:])
    return Dossier(
        id=DossierId("d-0001"), doctor=DoctorId("account"), country=Country("FR"), role=draw(st.sampled_from(Role)),
        changed_at=draw(times), state=draw(st.sampled_from(State)), evidence=tuple(shown[:cut]), annexes=added,
        sites=frozenset(draw(st.lists(st.sampled_from(["site-1", "site-2"]).map(SiteId)))), round=draw(st.integers(1, 9)),
        votes=draw(votes), proposals=draw(proposals), submitted_at=draw(maybe), approved_at=draw(maybe),
        verified_at=draw(maybe), reverify_on=draw(maybe), appealed_at=draw(maybe),
        appeal_round=draw(st.integers(0, 9)), training_ends=draw(maybe), year_ends=draw(maybe),
        emergency=draw(st.none() | st.builds(Emergency, by=people, at=times, until=times, confirmed=st.booleans())),
        followed=draw(st.booleans()), open_hit=draw(st.booleans()), campaign=draw(st.none() | st.just("c-1")),
        reminded=draw(st.integers(0, 3)), asked=draw(st.none() | st.sampled_from(Ground)),
    )  # fmt: skip


@pytest.fixture(params=ENGINES)
async def node(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Node]:
    """France on each engine in turn."""
    settings_ = {}
    if request.param == "postgres":
        settings_["database"] = await fresh_postgres(request.getfixturevalue("postgres_server"))
    config, clock = describe(tmp_path / "fr", "fr", **settings_), MovedClock()
    await put_instance(config, clock)
    opened = await open_node(config, clock=clock, make_rsa=pooled_rsa, hash_password=light_hash)
    yield opened
    await opened.close()


class _Undo(Exception):
    """Ends a unit of work without a trace."""


async def saved(node: Node, id: str, dossier: Dossier) -> Dossier:
    """Save over a fresh application, read it back, and leave no trace."""
    found: list[Dossier] = []

    async def work(tx: Transaction) -> None:
        file = await node.dossiers.load(tx, await dossier_rows.require(tx, id))
        for each in (*dossier.evidence, *(one for annex in dossier.annexes for one in annex.evidence)):
            await tx.run(
                "dossiers.add_piece", id=each.id, dossier=id, annex="", kind=each.kind.value, rank="E4", automatic=0,
                claim='{"proof":"licence"}', number_kind="", number_system="", number_index=None, at=0,
            )  # fmt: skip
        whole = replace(dossier, id=DossierId(id), doctor=file.dossier.doctor)
        await dossier_rows.save(tx, file, whole, Beside(assurance="", taken_by=""), node.clock())
        found.append(await dossier_rows.value_of(tx, await dossier_rows.require(tx, id)))
        raise _Undo

    with pytest.raises(_Undo):
        await node.store.write(work)
    return found[-1]


async def test_what_is_saved_is_read_back(node: Node) -> None:
    """Every member of every dossier survives the rows."""
    eliane = await Applicant.begins(node)
    account = DoctorId(eliane.account)

    @settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
    @given(dossiers())
    def collect(dossier: Dossier) -> None:
        made.append(dossier)

    made: list[Dossier] = []
    collect()

    assert len(made) >= min(10, examples(40))
    for dossier in made:
        assert replace(dossier, id=DossierId(eliane.id), doctor=account) == await saved(node, eliane.id, dossier)


async def test_an_older_version_is_not_saved(node: Node) -> None:
    """Of two who read the same, the second to save is refused."""
    eliane = await Applicant.begins(node)
    file = await eliane.file()

    async def work(tx: Transaction) -> None:
        await dossier_rows.save(tx, file, file.dossier, Beside(assurance="", taken_by=""), node.clock())

    await node.store.write(work)
    with pytest.raises(Rejected) as refused:
        await node.store.write(work)

    assert ("changed_meanwhile", 409) == (refused.value.code, refused.value.status)


async def test_the_table_keeps_a_second_vote_out(node: Node) -> None:
    """Even where the code forgot to ask, nobody's second vote of a round gets into the table."""
    eliane = await Applicant.begins(node)
    one = {
        "dossier": eliane.id, "annex": "", "round": 1, "reviewer": "staff-1", "place": 0, "choice": "approve",
        "ground": "evidence_holds", "hit": None, "at": 0, "lead": 0,
    }  # fmt: skip

    async def work(tx: Transaction) -> None:
        await tx.run("dossiers.add_vote", **one)
        await tx.run("dossiers.add_vote", **{**one, "place": 1})

    with pytest.raises(Conflict):
        await node.store.write(work)


async def test_of_two_decisions_at_once_one_wins(node: Node) -> None:
    """On either engine the second decision on one version is told that it came too late."""
    eliane = await Applicant.submits(node)
    await eliane.does("take", by=RITA)
    await eliane.is_found(RITA)
    await eliane.is_found(RENE)
    seen = (await eliane.file()).version
    results = await asyncio.gather(
        *(node.dossiers.vote(eliane.id, by, *APPROVE, seen=seen) for by in (RITA, RENE)), return_exceptions=True
    )

    assert ["changed_meanwhile"] == [each.code for each in results if isinstance(each, Rejected)]
    assert 1 == len((await eliane.file()).dossier.votes)


async def test_a_doctor_is_made_on_either_engine(node: Node) -> None:
    """The whole way, from the draft to the doctor."""
    eliane = await Applicant.submits(node)
    dossier = await eliane.is_approved()

    assert State.APPROVED is dossier.state
    assert (await eliane.file()).doctor == f"{node.origin}/doctors/eliane.vauquelin"
    assert 0 == await node.dossiers.tick()
