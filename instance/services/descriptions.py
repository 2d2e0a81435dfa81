"""What doctors say of themselves, apart from what was verified: kept as typed, shown as HTML, told to siblings.

Codes raised here: CODES, and those of `standings`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Final

from federation.delivery import Priority
from federation.uri import Uri
from federation.vocabulary import Doctor, Update
from instance.services import acting, doctors, sending
from instance.services.accounts import Accounts
from instance.services.errors import Missing, Rejected
from instance.storage.store import Row, Transaction
from instance.text import to_html
from instance.times import to_ms
from verification.standing import Action

CODES: Final = ("summary_too_long", "changed_meanwhile")
#: In characters, as typed.
MAX_SUMMARY: Final = 2_000
#: As HTML; siblings refuse an actor with more.
_MAX_HTML: Final = 4_096


class Descriptions(Accounts):
    """Doctors in their own words."""

    async def set_profile(
        self, doctor_uri: str, summary: str, languages: Sequence[str], approves_followers: bool, *, seen: str = ""
    ) -> None:
        """Keep what a doctor in good standing says of themselves (Markdown) and whether follows wait; tell siblings.

        What changes nothing keeps nothing and tells nobody. `seen` names the version it was made from (version_of):
        Rejected with changed_meanwhile where that is another than the present one; empty is made from the present.
        """
        await acting.doctor(self._node, doctor_uri, Action.EDIT)
        doctors.check_languages(languages)
        uri = Uri.parse(doctor_uri)
        values = {"summary": _checked(summary), "languages": json.dumps(list(languages))}
        keys = await self._node.keys.published(uri)

        async def work(tx: Transaction) -> None:
            # Read here and not before: a credential renewed meanwhile must not be taken back by what siblings are told.
            row, kept = await tx.one("people.doctor", uri=uri), await tx.one("own.profile", reader=uri)
            if row is None or kept is None:
                raise Missing()
            typed = (summary, sorted(languages), int(approves_followers))
            if (typed, values["summary"]) == (_said(kept), row["summary"]):
                return
            if seen not in ("", version_of(kept)):
                raise Rejected("changed_meanwhile", status=409)
            now = later(row, to_ms(self._node.clock()))
            changed = await tx.run(
                "people.set_profile", uri=uri, summary_source=summary, approves_followers=int(approves_followers),
                now=now, seen=row["updated_at"], **values,
            )  # fmt: skip
            if not changed:
                raise Rejected("changed_meanwhile", status=409)
            document = doctors.document({**row, **values, "updated_at": now}, keys, self._node.config.authority)
            await self._tell_siblings(tx, document)

        await self._store.write(work)
        self._node.wake.deliveries.set()

    async def _tell_siblings(self, tx: Transaction, document: Doctor) -> None:
        """Queue an `Update` in the doctor's own name, the whole actor inside."""
        await sending.to_all_siblings(
            self._node, tx, Update, actor=document.id, object=document, priority=Priority.REST
        )


def version_of(kept: Row) -> str:
    """A short name for what a doctor says of themselves; it changes when that does, and when nothing else does."""
    return hashlib.sha256(json.dumps(_said(kept)).encode()).hexdigest()[:16]


def _said(kept: Row) -> tuple[str, list[str], int]:
    return kept["summary"], sorted(json.loads(kept["languages"])), int(kept["approves_followers"])


def later(row: Row, now: int) -> int:
    """A moment after the row's last change even where the clock stood still, so that no copy is taken for current."""
    return max(now, int(row["updated_at"]) + 1)


def _checked(summary: str) -> str:
    """Return the HTML; raise Rejected for more than siblings take."""
    html = to_html(summary)
    if len(summary) > MAX_SUMMARY or len(html) > _MAX_HTML:
        raise Rejected("summary_too_long", "summary")
    return html
