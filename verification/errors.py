"""What this room refuses at home. A remote doctor is never refused by exception: see `verdicts`.

NotAllowed
├── NotIssuable      the issuer would sign what a sibling must refuse
├── BadName          not a name that can be shown
└── BadStatusList    a fetched status list that may not be stored
"""

from __future__ import annotations

from typing import ClassVar


class NotAllowed(ValueError):
    """A rule of the medical room does not hold. The message names the rule and carries no personal data."""

    code: ClassVar[str] = "not_allowed"


class NotIssuable(NotAllowed):
    """A credential on these terms would be refused by every sibling."""

    code = "not_issuable"


class BadName(NotAllowed):
    """Nothing that can be shown as a name is left, or it is too long."""

    code = "bad_name"


class BadStatusList(NotAllowed):
    """The fetched list is no status list of this issuer that holds now; the last good copy stays, with its age."""

    def __init__(self, failure: str) -> None:
        super().__init__(failure)
        self.failure = failure
