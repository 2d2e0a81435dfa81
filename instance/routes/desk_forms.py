"""What the forms of the desk hold: coded reasons, and what a reviewer found in one thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final

from msgspec import Struct
from quart import request

from instance.routes.forms import text_of
from instance.services.dossiers.values import Findings
from instance.services.errors import Rejected
from verification.dossier import Dossier
from verification.evidence import Control
from verification.grounds import Ground
from verification.moves import Choice, State

#: What is found or not, by kind of evidence: what the form asks, and nothing else is read.
TICKED: Final[Mapping[str, tuple[str, ...]]] = {
    "diploma": ("same_name", "from_authority"),
    "registration": (
        "same_name", "from_authority", "identity_shown", "specialist", "known", "active", "known_name",
        "known_specialist",
    ),
    "student_card": ("same_name", "residency"),
}  # fmt: skip
DAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "diploma": (), "registration": ("issued_on", "valid_until"), "student_card": ("training_ends",),
}  # fmt: skip
_MEDICINE: Final = {"yes": True, "no": False}
#: At which field a refusal is to be mended.
_FIELDS: Final = {"bad_ground": "ground", "open_hit": "hit"}
#: What a refusal is called here: elsewhere its sentence speaks of texts.
_CALLED: Final = {"changed_meanwhile": "dossier_changed", "bad_reason": "bad_ground"}

#: In which states what takes two was proposed and not done.
_TWO: Final[Mapping[str, Callable[[State], bool]]] = {
    "lift": lambda state: state is State.SUSPENDED, "revoke": lambda state: state is not State.REVOKED,
    "death": lambda state: state is not State.DECEASED,
}  # fmt: skip


class Kept(Struct, frozen=True, kw_only=True):
    """What was chosen in a form that could not be carried out, so that it stands there again.

    `known` is the last entry of the history on the page it was sent from: what came after it is what has changed.
    """

    act: str = ""
    ground: str = ""
    hit: str = ""
    known: int = 0


async def kept(act: str) -> Kept:
    """Read what was chosen."""
    known = await text_of("known")
    number = int(known) if known.isascii() and known.isdigit() and len(known) <= 15 else 0
    return Kept(act=act, ground=await text_of("ground"), hit=await text_of("hit"), known=number)


async def ground(name: str = "ground") -> Ground:
    """The coded reason; raise Rejected where none is chosen, or none of ours."""
    try:
        return Ground(await text_of(name))
    except ValueError:
        raise Rejected("bad_ground", name) from None


async def choice() -> Choice:
    """To approve or to reject; raise Rejected for anything else."""
    try:
        return Choice(await text_of("choice"))
    except ValueError:
        raise Rejected("bad_ground", "ground") from None


async def hit() -> Ground | None:
    """How a possible duplicate is explained, if it is."""
    return await ground("hit") if await text_of("hit") else None


def placed(error: Rejected) -> Rejected:
    """The refusal in the desk's words, with the field at which it is mended."""
    code = _CALLED.get(error.code, error.code)
    return Rejected(code, error.field or _FIELDS.get(code), error.status)


def done(act: str, after: object) -> str:
    """What is said once an act is carried out; of one that takes two, whether it was proposed or done."""
    proposed = act in _TWO and isinstance(after, Dossier) and _TWO[act](after.state)
    return "desk_proposed" if proposed else f"desk_{act}"


async def findings(kind: str) -> Findings:
    """What a reviewer found in a thing of this kind; raise Rejected(bad_day) for a day that is none."""
    form: Mapping[str, str] = await request.form
    facts: dict[str, Any] = {name: form.get(name, "") == "1" for name in TICKED[kind]}
    facts |= {name: _day(form.get(name, ""), name) for name in DAYS[kind]}
    if kind == "registration":
        facts["control"] = Control(said) if (said := form.get("control", "")) in set(Control) else None
    if kind == "student_card":
        facts |= {"medicine": _MEDICINE.get(form.get("medicine", "")), "year_ends": _year(form.get("year_ends", ""))}
    return Findings(**facts)


def _day(text: str, name: str) -> date | None:
    try:
        return date.fromisoformat(text.strip()) if text.strip() else None
    except ValueError:
        raise Rejected("bad_day", name) from None


def _year(text: str) -> int | None:
    if not text.strip():
        return None
    if not (text.isascii() and text.isdigit() and len(text) == 4):
        raise Rejected("day_impossible", "year_ends")
    return int(text)
