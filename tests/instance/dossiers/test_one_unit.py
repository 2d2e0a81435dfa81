"""Issued, superseded, suspended, lifted, revoked: state, bit, credential, audit entry and `Update` are one transaction."""

from __future__ import annotations

from typing import Any, Final

import pytest

from instance.services.dossiers import carrying
from tests.instance.dossiers.applying import ADMIN, APPROVE, RENE, RITA, Applicant
from tests.network.scene import stored
from tests.town import Network, Place, rows
from verification.countries import Proof
from verification.grounds import Ground
from verification.moves import AnnexKind

TABLES: Final = (
    "dossiers", "annexes", "votes", "proposals", "doctors", "status_places", "versions", "activities", "deliveries",
    "audit", "mails", "sessions",
)  # fmt: skip
#: What is done by the one who decides, the act in the log, the bits (revoked, suspended), and whether a credential is new.
MOVES: Final = {
    "issued": ("dossier.approved", (0, 0), True),
    "superseded": ("annex.accepted", (0, 0), True),
    "suspended": ("dossier.suspended", (0, 1), False),
    "lifted": ("dossier.approved", (0, 0), True),
    "revoked": ("dossier.revoked", (1, 0), False),
}


@pytest.fixture
async def fr(network: Any) -> Place:
    """France, whom Germany hears."""
    town: Network = await network("fr", "de")
    return town["fr"]


async def before(fr: Place, move: str) -> tuple[Applicant, Any]:
    """Bring somebody to where one more act does it; return that act."""
    eliane = await Applicant.submits(fr.node)
    await eliane.does("take", by=RITA)
    await eliane.is_voted(RITA)
    await eliane.is_found(RENE)
    if move == "issued":
        return eliane, lambda: eliane.does("vote", *APPROVE, by=RENE)
    await eliane.does("vote", *APPROVE, by=RENE)
    fr.network.clock.move(days=1)
    if move == "superseded":
        await eliane.shows(Proof.LICENCE)
        annex = (await eliane.does("hand_in", AnnexKind.RENEWAL)).annexes[-1].id
        await eliane.does("take_annex", annex, by=RITA)
        for reviewer in (RITA, RENE):
            await eliane.is_found(reviewer)
        await eliane.does("vote_annex", annex, *APPROVE, by=RITA)
        return eliane, lambda: eliane.does("vote_annex", annex, *APPROVE, by=RENE)
    if move == "suspended":
        return eliane, lambda: eliane.does("suspend", Ground.AUTHORITY_LETTER, by=ADMIN)
    if move == "lifted":
        await eliane.does("suspend", Ground.AUTHORITY_LETTER, by=ADMIN)
        await eliane.does("lift", Ground.CLEARED, by=RITA)
        return eliane, lambda: eliane.does("lift", Ground.CLEARED, by=RENE)
    await eliane.does("revoke", Ground.STRUCK_OFF, by=ADMIN)
    return eliane, lambda: eliane.does("revoke", Ground.STRUCK_OFF, by=RITA)


async def credential(fr: Place) -> str:
    """The one that siblings are shown, where there is one."""
    return "".join(row["credential"] for row in await rows(fr.node, "select credential from doctors where local = 1"))


@pytest.mark.parametrize("move", MOVES)
async def test_all_of_it_or_nothing(fr: Place, monkeypatch: pytest.MonkeyPatch, move: str) -> None:
    """The last statement fails: no row has changed. It does not: every part is there at once."""
    act, bits, is_new = MOVES[move]
    _, does = await before(fr, move)
    whole, was, held = carrying.chain.append, await stored(fr, TABLES), await credential(fr)

    async def fails(*_: Any, **__: Any) -> None:
        raise OSError("made to fail")

    monkeypatch.setattr(carrying.chain, "append", fails)
    with pytest.raises(OSError, match="made to fail"):
        await does()
    left = await stored(fr, TABLES)
    monkeypatch.setattr(carrying.chain, "append", whole)
    await does()
    now = await stored(fr, TABLES)
    entries = await rows(fr.node, "select entry from audit order by n desc limit 3")
    updates = await rows(fr.node, "select type from activities order by uri")

    assert was == left
    assert any(f'"{act}"' in row["entry"] for row in entries)
    assert (is_new, True) == (held != await credential(fr), len(now["activities"]) > len(was["activities"]))
    assert {"Update"} == {row["type"] for row in updates}
    assert len(now["deliveries"]) == len(now["activities"])
    assert [bits] == [tuple(row) for row in await rows(fr.node, "select revoked, suspended from status_places")]
