"""What siblings' answers about our log are worth: who counts as a witness, and what was looked at before.

a head of ours      counts, with or without our signature: a hash of our log cannot be guessed
one we signed       counts where it is on our log or was acknowledged; else it is news, and stops us
"I hold none"       counts from a sibling that was never seen to hold one, and only where no sibling ever was
"not my sibling"    counts as that does: who has not added us yet keeps nobody waiting
anything else       a number that nothing proves, a refusal, silence: no answer
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from instance.services.dossiers import chain
from instance.storage.store import Reader, Store, Transaction
from instance.times import from_ms, to_ms
from verification.audit import AuditHead, Head

if TYPE_CHECKING:
    from instance.services.dossiers.heads import Held

_WITNESSES: Final = "audit witnesses"
_ACKNOWLEDGED: Final = "audit acknowledged"
_ACKNOWLEDGED_UNTIL: Final = "audit acknowledged until"


@dataclass(frozen=True, slots=True)
class Weight:
    """How many were asked who can know something, and how many of them said it."""

    asked: int
    answered: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A head that does not count: `unsigned`, or `acknowledged` as one that a restored back-up did not hold."""

    sibling: str
    sequence: int
    why: str


async def weigh(store: Store, answers: Sequence[Held]) -> Weight:
    """Count answers, and remember who has shown a head of ours."""
    shown = {each.sibling for each in answers if await _shows_ours(store, each)}
    known = await _known(store)
    if not shown <= known:
        await store.write(lambda tx: _remember(tx, shown))
    holders = known | shown
    if not any(each.sibling in holders for each in answers):
        return Weight(len(answers), sum(_holds_none(each) for each in answers))
    asked = [each for each in answers if each.sibling in holders or not _holds_none(each)]
    return Weight(len(asked), sum(each.sibling in shown for each in asked))


async def is_news(rows: Reader, proof: AuditHead) -> bool:
    """Whether a head we signed is none of our log: longer, or another where both are, and not acknowledged."""
    return not await _is_on_log(rows, proof.head) and not await _is_acknowledged(rows, proof)


async def acknowledge(tx: Transaction, held: Iterable[AuditHead], now: datetime) -> None:
    """Take these heads as known, and every other that we signed before this moment.

    Its time stands in the document that we signed, so nobody can make up another. One that our clock dated later than
    now is known only where it was shown.
    """
    known = sorted({*await _acknowledged(tx), *(_named(proof.head) for proof in held)})
    await tx.run("settings.set", name=_ACKNOWLEDGED, value=json.dumps(known))
    await tx.run("settings.set", name=_ACKNOWLEDGED_UNTIL, value=str(to_ms(now.replace(microsecond=0))))


async def evidence(rows: Reader, answers: Iterable[Held]) -> tuple[list[Head], list[Claim]]:
    """Part what siblings hold: heads that the log has to agree with, and what only is said."""
    counted, claims = [], []
    for each in answers:
        if each.proof is not None and (
            await _is_on_log(rows, each.head) or not await _is_acknowledged(rows, each.proof)
        ):
            counted.append(each.head)
        elif each.head.sequence > 0:
            why = "unsigned" if each.proof is None else "acknowledged"
            claims.append(Claim(each.sibling, each.head.sequence, why))
    return counted, claims


# ── parts ──


def _holds_none(answer: Held) -> bool:
    return answer.answered and answer.head.sequence == 0


async def _shows_ours(rows: Reader, answer: Held) -> bool:
    """Whether a sibling has shown that it knows our log: by a head that is on it, or one we signed."""
    if answer.proof is not None:
        return True
    return answer.head.sequence > 0 and await chain.at(rows, answer.head.sequence) == answer.head


async def _is_on_log(rows: Reader, head: Head) -> bool:
    """Whether the log has this head; where the entry is gone, nobody can say otherwise."""
    if head.sequence > (await chain.head(rows)).sequence:
        return False
    own = await chain.at(rows, head.sequence)
    return own is None or own == head


async def _is_acknowledged(rows: Reader, proof: AuditHead) -> bool:
    until = await rows.one("settings.get", name=_ACKNOWLEDGED_UNTIL)
    if until is not None and proof.at < from_ms(int(until["value"])):
        return True
    return _named(proof.head) in await _acknowledged(rows)


async def _acknowledged(rows: Reader) -> set[str]:
    return _read(await rows.one("settings.get", name=_ACKNOWLEDGED))


async def _known(rows: Reader) -> set[str]:
    """Siblings that were seen to hold a head of ours, also some that are none any more."""
    return _read(await rows.one("settings.get", name=_WITNESSES))


async def _remember(tx: Transaction, shown: set[str]) -> None:
    value = json.dumps(sorted(await _known(tx) | shown))
    await tx.run("settings.set", name=_WITNESSES, value=value)


def _read(row: Any) -> set[str]:
    return set(json.loads(row["value"])) if row is not None else set()


def _named(head: Head) -> str:
    return f"{head.sequence} {head}"
