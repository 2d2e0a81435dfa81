"""The words a dossier decides on and a credential carries: role, assurance, country."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, NewType

Country = NewType("Country", str)
_COUNTRY: Final = re.compile(r"[A-Z]{2}\Z")


class Role(StrEnum):
    """What a doctor is; what a role may do is `standing`'s to say."""

    SPECIALIST = "specialist"
    GENERALIST = "generalist"
    RESIDENT = "resident"
    STUDENT = "student"
    RETIRED = "retired"


class Assurance(StrEnum):
    """How sure the issuer is; the best evidence in the dossier counts."""

    LOW = "low"
    SUBSTANTIAL = "substantial"
    HIGH = "high"


def read_country(text: object) -> Country:
    """Read an ISO 3166 alpha-2 code in capitals; raise ValueError for anything else."""
    if not isinstance(text, str) or not _COUNTRY.match(text):
        raise ValueError("not a country code of two capitals")
    return Country(text)
