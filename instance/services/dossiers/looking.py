"""Who may look at what was shown, and what for."""

from __future__ import annotations

from datetime import datetime

from instance.services.dossiers.values import File
from instance.services.errors import Missing
from verification import annexes, review
from verification.dossier import Dossier
from verification.moves import OPEN, AnnexState, State
from verification.people import Actor


def require(dossier: Dossier, actor: Actor, annex: str, now: datetime) -> None:
    """Raise an Unmoved unless this reviewer may enter findings now: in review, and before the own vote."""
    if annex:
        annexes.require_looking(dossier, actor, annex, now)
    else:
        review.require_looking(dossier, actor)


def viewed_for(file: File, file_id: str) -> str:
    """What a file is looked at for; raise Missing for one of no piece that counts, and outside a review."""
    piece = next((each for each in file.pieces if each.counts and file_id in each.files), None)
    if piece is None:
        raise Missing()
    dossier = file.dossier
    if piece.annex:
        annex = next((each for each in dossier.annexes if each.id == piece.annex and each.open), None)
        if annex is None:
            raise Missing()
        return "second-review" if annex.state is AnnexState.SECOND_REVIEW else "first-review"
    if dossier.state not in OPEN:
        raise Missing()
    if dossier.appealed_at is not None:
        return "appeal-review"
    return "second-review" if dossier.state is State.SECOND_REVIEW else "first-review"
