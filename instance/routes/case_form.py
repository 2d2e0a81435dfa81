"""The guided part of a post's form: what a case is about, in codes and a few short texts, and a poll with it."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from quart import request

from instance.routes.forms import lines
from instance.services.errors import Rejected
from instance.services.poll_drafts import DAYS, PollDraft
from verification import clinical
from verification.clinical import Summary


class CaseForm(Struct, frozen=True, kw_only=True):
    """What the guided part holds, as typed."""

    codes: dict[str, tuple[str, ...]] = {}
    texts: dict[str, str] = {}
    poll_options: str = ""
    poll_days: str = "0"

    @property
    def touched(self) -> bool:
        """Whether anything was chosen or typed: then the part is shown open."""
        return any(self.codes.values()) or any(self.texts.values()) or bool(self.poll_options)

    def summary(self, language: str) -> Summary:
        """What it says of the case, texts in the language of the post; raise Rejected for one that is too long."""
        for field, text in self.texts.items():
            if len(clinical.line(text)) > clinical.MAX_TEXT:
                raise Rejected("case_text_too_long", f"case_text_{field}")
        return clinical.summary(self.codes, self.texts, language)

    def poll(self) -> PollDraft | None:
        """The poll that was typed, if any was."""
        return PollDraft(options=self.poll_options, days=self.poll_days) if self.poll_options.strip() else None


def of_summary(said: Summary) -> CaseForm:
    """The form as it stands for a case that says this."""
    return CaseForm(codes=dict(said.codes), texts=dict(said.texts))


async def case_form() -> CaseForm:
    """Read the guided part."""
    form: Any = await request.form
    return CaseForm(
        codes={field: tuple(code for code in form.getlist(f"case_{field}") if code) for field in clinical.FIELDS},
        texts={field: lines(form.get(f"case_text_{field}", "")).strip() for field in clinical.TEXTS},
        poll_options=lines(form.get("poll_options", "")).strip(),
        poll_days=form.get("poll_days", "0"),
    )


def choices(language: str) -> dict[str, object]:
    """What the templates of the guided part need: every code of every field by its name, and for how long polls run."""
    return {
        "case_choices": {field: clinical.chosen(field, language) for field in clinical.FIELDS},
        "case_one": clinical.ONE,
        "case_several": clinical.SEVERAL,
        "case_texts": clinical.TEXTS,
        "poll_lasts": [str(days) for days in DAYS],
    }
