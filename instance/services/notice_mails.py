"""What stands in mails about notices, and on devices: numbers of groups, and the way to the page. Never more."""

from __future__ import annotations

import json
from typing import Any, Final

from instance.i18n import Catalogue, Measures
from instance.services.notice_kinds import GROUPS

#: What such a mail is about, and to whom it goes.
NOTICES, DIGEST, READER = "notices", "digest", "reader"
_NUMBERS: Final = ("cases", "open", "reports")


def subject(words: Catalogue, notice: str) -> str:
    """The subject, without the name of the instance."""
    if notice == DIGEST:
        return words.text("mail.subject.digest")
    return words.text("mail.subject.notices")


def lines(words: Catalogue, notice: str, counts: str, origin: str) -> list[str]:
    """The paragraphs between greeting and foot."""
    numbers: dict[str, Any] = json.loads(counts)
    if notice == DIGEST:
        told = [words.count(f"digest.{name}", numbers[name]) for name in _NUMBERS if numbers.get(name)]
        if numbers.get("minutes"):
            told.append(f"{words.text('digest.median')} {Measures(words.language).span(numbers['minutes'] * 60)}")
        return [words.text("digest.intro"), _listed(told), f"{origin}/feed", words.text("mail.off"),
                f"{origin}/me/notifications"]  # fmt: skip
    told = counted(words, numbers)
    return [words.text("mail.notices"), _listed(told), f"{origin}/notices", words.text("mail.off"),
            f"{origin}/me/notifications"]  # fmt: skip


def counted(words: Catalogue, numbers: dict[str, Any]) -> list[str]:
    """`2 answers to your cases`: one for each group of which there is something."""
    return [words.count(f"notices.count.{group}", numbers[group.value]) for group in GROUPS if numbers.get(group.value)]


def headers(origin: str, token: str) -> dict[str, str]:
    """Where a mail program switches these mails off, with one press (RFC 2369, RFC 8058)."""
    return {
        "List-Unsubscribe": f"<{origin}/mail/off/{token}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def _listed(told: list[str]) -> str:
    return "\n".join(f"- {one}" for one in told)
