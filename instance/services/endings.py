"""How a case ends: the final diagnosis, the outcome and thanks, by its author alone; corrected, and opened again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

from federation.vocabulary import PostKind
from instance.services import acting, case_parts, drafts, effects, hearing
from instance.services.case_parts import CLINICAL, MAX_DIAGNOSIS, MAX_OUTCOME, MAX_THANKED
from instance.services.case_telling import say_anew
from instance.services.errors import Missing, Rejected
from instance.storage.store import Row, Transaction
from instance.text import one_line
from instance.times import to_ms
from verification.standing import Action

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = ("diagnosis_missing", "diagnosis_too_long", "outcome_too_long", "too_many_thanked", "not_a_case")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionDraft:
    """The end of a case as typed; `thanked` are slugs of answers."""

    diagnosis: str
    outcome: str
    language: str
    thanked: tuple[str, ...] = ()


class Endings:
    """Resolving an own case, and opening it again."""

    _node: Node

    async def resolve(self, doctor_uri: str, slug: str, draft: ResolutionDraft) -> None:
        """Say how it ended, or say it anew; whoever hears of the case is told, and siblings are."""
        await acting.doctor(self._node, doctor_uri, Action.EDIT)
        post = await self._own_case(doctor_uri, slug)
        diagnosis, outcome = one_line(draft.diagnosis), case_parts.lines_of(draft.outcome)
        _require_texts(diagnosis, outcome)
        language = drafts.check_language(draft.language)
        thanked = await self._thanked(doctor_uri, post, draft.thanked)

        async def work(tx: Transaction) -> None:
            at = await self._set(
                tx, post["uri"], diagnosis=diagnosis, outcome=outcome, language=language, thanked=thanked
            )
            await tx.run("cases.set_solved", post=post["uri"], solved_at=at)
            about = post["uri"]
            await hearing.tell(tx, self._node.clock(), post["uri"], effects.RESOLVED, doctor_uri, about=about)
            await say_anew(self._node, tx, post["uri"])

        await self._node.store.write(work)
        self._node.wake.deliveries.set()

    async def reopen(self, doctor_uri: str, slug: str) -> None:
        """Take the end back: the case is open again, here and at siblings. Twice is once."""
        await acting.doctor(self._node, doctor_uri, Action.EDIT)
        post = await self._own_case(doctor_uri, slug)

        async def work(tx: Transaction) -> None:
            before = await tx.one("cases.resolution", post=post["uri"])
            if before is None or before["resolved_at"] is None:
                return
            await self._set(tx, post["uri"], diagnosis="", outcome="", language="", thanked=[], ended=False)
            await tx.run("cases.set_solved", post=post["uri"], solved_at=None)
            await tx.run("cases.drop_told", kind=effects.RESOLVED, post=post["uri"])
            await say_anew(self._node, tx, post["uri"])

        await self._node.store.write(work)
        self._node.wake.deliveries.set()

    async def _set(self, tx: Transaction, uri: str, *, thanked: list[str], ended: bool = True, **said: str) -> int:
        """Keep a version that is newer than the last; a correction leaves the day on which the case ended."""
        before = await tx.one("cases.resolution", post=uri)
        now = to_ms(self._node.clock())
        at = max(now, before["updated_at"] + 1 if before is not None else 0)
        resolved = (before["resolved_at"] if before is not None else None) or now
        await tx.run(
            "cases.resolve", post=uri, thanked=orjson.dumps(thanked).decode(), updated_at=at,
            resolved_at=resolved if ended else None, **said,
        )  # fmt: skip
        return int(resolved)

    async def _own_case(self, doctor_uri: str, slug: str) -> Row:
        post = await self._own_post(doctor_uri, slug)
        if PostKind(post["kind"]) not in CLINICAL:
            raise Rejected("not_a_case", status=409)
        return post

    async def _thanked(self, doctor_uri: str, post: Row, slugs: tuple[str, ...]) -> list[str]:
        """The answers of this thread by others that the author sees; raise Missing for any other."""
        if len(slugs) > MAX_THANKED:
            raise Rejected("too_many_thanked", "thanked")
        found: list[str] = []
        for slug in dict.fromkeys(slugs):
            row = await self._node.store.one("comments.visible", slug=slug, reader=doctor_uri)
            if row is None or row["post"] != post["uri"] or row["author"] == doctor_uri:
                raise Missing()
            found.append(row["uri"])
        return found

    if TYPE_CHECKING:

        async def _own_post(self, doctor_uri: str, slug: str) -> Row: ...


def _require_texts(diagnosis: str, outcome: str) -> None:
    if not diagnosis:
        raise Rejected("diagnosis_missing", "diagnosis")
    if len(diagnosis) > MAX_DIAGNOSIS:
        raise Rejected("diagnosis_too_long", "diagnosis")
    if len(outcome) > MAX_OUTCOME:
        raise Rejected("outcome_too_long", "outcome")


__all__ = ["CODES", "Endings", "ResolutionDraft"]
