"""Annexes at the desk: a reviewer sees what is claimed beside the documents, and decides on that alone."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from instance.services.dossiers.values import Claim, Findings
from tests.instance.dossiers.applying import RPPS, Applicant
from tests.instance.files import pdf
from tests.instance.pages.desk_house import Desk, known, open_desk, seen
from tests.instance.pages.house import OWN_PAGE, Visitor
from verification.countries import Proof
from verification.moves import AnnexKind

TITLE = Findings(same_name=True, from_authority=True, specialist=True)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """The French desk at noon."""
    opened = await open_desk(tmp_path)
    yield opened
    await opened.network.close()


async def annexed(desk: Desk, kind: AnnexKind, claim: Claim, **about: str) -> tuple[Applicant, str, str]:
    """A doctor who has handed an annex in with a document; the annex, and the file."""
    made, _ = await desk.applicant()
    await made.is_approved()
    piece = await desk.node.dossiers.add_piece(made.id, made.actor, claim, kind)
    kept = await desk.node.evidence.put(made.id, claim.proof.value, "application/pdf", pdf(text=kind.value))
    await desk.node.dossiers.attach(made.id, made.actor, piece, kept.id)
    dossier = await made.does("hand_in", kind, **about)
    return made, dossier.annexes[-1].id, kept.id


async def sends(visitor: Visitor, dossier: str, path: str, **form: str) -> Any:
    """Send a form of the desk from the page as it is."""
    page = await visitor.text(f"/desk/{dossier}")
    return await visitor.post(f"/desk/{dossier}/{path}", seen=seen(page), known=known(page), **form)


async def test_a_certificate_shows_the_specialty_it_is_claimed_for(desk: Desk) -> None:
    """In the queue by its kind; on the page the specialty, the document as pictures, and two who agree."""
    claim = Claim(proof=Proof.SPECIALIST_CERTIFICATE, specialist=True)
    made, annex, file = await annexed(desk, AnnexKind.SPECIALIST, claim, specialty="geriatrics")
    for login in ("rita.m", "rene.m"):
        reviewer = await desk.staff(login, "reviewer")
        queue, page = await reviewer.text("/desk?kind=specialist"), await reviewer.text(f"/desk/{made.id}")
        picture = await reviewer.client.get(f"/desk/{made.id}/files/{file}/1.jpg", headers=OWN_PAGE)
        if login == "rita.m":
            await sends(reviewer, made.id, f"annexes/{annex}/take")
        actor = await desk.actor(login)
        await made.is_found(actor, TITLE)
        answer = await sends(reviewer, made.id, f"annexes/{annex}/vote", choice="approve", ground="evidence_holds")

        assert f'href="/desk/{made.id}"' in queue
        assert re.search(r"Specialty claimed: <strong>Geriatric", page)
        assert 200 == picture.status_code
        assert 303 == answer.status_code

    dossier = (await made.file()).dossier
    assert ("specialist", "accepted") == (dossier.role, dossier.annexes[0].state)


async def test_a_new_name_is_what_the_register_is_asked_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the old one: a register that has changed it already would seem to differ."""
    asked: list[str] = []
    real = desk.node.dossiers.registers.answer

    async def answer(number: Any, country: str, name: str) -> Any:
        asked.append(name)
        return await real(number, country, name)

    monkeypatch.setattr(desk.node.dossiers.registers, "answer", answer)
    claim = Claim(proof=Proof.LICENCE, number_kind="rpps", number=RPPS)
    made, annex, _ = await annexed(desk, AnnexKind.NAME, claim, name="Dr Éliane Marchal")
    reviewer = await desk.staff("rita.m", "reviewer")
    asked.clear()
    page = await reviewer.text(f"/desk/{made.id}")

    assert re.search(r"New name:[^<]*<strong><bdi>Dr Éliane Marchal", page)
    assert {"Dr Éliane Marchal"} == set(asked)
    assert f'action="/desk/{made.id}/annexes/{annex}/take"' in page


async def test_the_documents_of_an_annex_are_closed_once_it_is_taken_back(desk: Desk) -> None:
    """What nobody decides on any more nobody looks at."""
    made, annex, file = await annexed(desk, AnnexKind.RENEWAL, Claim(proof=Proof.LICENCE))
    reviewer = await desk.staff("rita.m", "reviewer")
    before = await reviewer.client.get(f"/desk/{made.id}/files/{file}/1.jpg", headers=OWN_PAGE)
    await made.does("take_back", annex)
    after = await reviewer.client.get(f"/desk/{made.id}/files/{file}/1.jpg", headers=OWN_PAGE)

    assert (200, 404) == (before.status_code, after.status_code)
