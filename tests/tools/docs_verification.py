"""The parts of docs/verification.md that tell a dossier's life, made of the tables the code obeys."""

from __future__ import annotations

from enum import Enum

from verification import retention
from verification.grounds import SHORTCOMINGS, grounds_for
from verification.moves import ANNEX_MOVES, FINAL, MOVES, State
from verification.retention import Moment, Row
from verification.standing import OwnAct, own_acts
from verification.terms import PERIODS

#: From every state that is not final; drawn once, in words.
_EVERYWHERE = frozenset({State.WITHDRAWN, State.DECEASED})


def diagram() -> str:
    """The life of a dossier, drawn; leaving and death are left out, since they lead from everywhere."""
    lines = ["stateDiagram-v2", "    [*] --> draft"]
    for here, moves in MOVES.items():
        lines += [f"    {here} --> {to}" for to in moves if to not in _EVERYWHERE]
    lines += [f"    {state} --> [*]" for state in State if state in FINAL - _EVERYWHERE]
    return "```mermaid\n" + "\n".join(lines) + "\n```"


def moves() -> list[tuple[str, ...]]:
    """Every move, who makes it, and the reasons that may stand with it."""
    rows = [
        (_code(here), _code(to), "; ".join(ways), _grounds(here, to))
        for here, moves_here in MOVES.items()
        for to, ways in moves_here.items()
        if to not in _EVERYWHERE
    ]
    leaving = [("every state that is not final", _code(to), *_leaving(to)) for to in sorted(_EVERYWHERE, reverse=True)]
    return [("from", "to", "by", "reasons"), *rows, *leaving]


def _leaving(to: State) -> tuple[str, str]:
    """By whom, and why; refuse to draw once for all what is not the same from everywhere."""
    found = {(MOVES[here].get(to), grounds_for(here, to)) for here in State if here not in FINAL}
    if len(found) != 1:
        raise ValueError(f"{to} is not reached alike from every state")
    return "; ".join(MOVES[State.DRAFT][to]), _grounds(State.DRAFT, to)


def annex_moves() -> list[tuple[str, ...]]:
    """The same for annexes."""
    rows = [
        (_code(here), _code(to), "; ".join(ways))
        for here, moves_here in ANNEX_MOVES.items()
        for to, ways in moves_here.items()
    ]
    return [("from", "to", "by"), *rows]


def shortcomings() -> str:
    """What may be wrong with evidence."""
    return ", ".join(f"`{ground}`" for ground in sorted(SHORTCOMINGS))


def _code(member: Enum) -> str:
    return f"`{member.value}`"


def _grounds(here: State, to: State) -> str:
    found = grounds_for(here, to)
    return "a shortcoming" if found == SHORTCOMINGS else ", ".join(f"`{ground}`" for ground in sorted(found))


def own() -> list[tuple[str, ...]]:
    """What an account may do for itself in each state."""
    head = ("state", *(act.value.replace("_", " ") for act in OwnAct))
    return [head, *((_code(state), *("yes" if act in own_acts(state) else "" for act in OwnAct)) for state in State)]


def periods() -> list[tuple[str, ...]]:
    """How long a role is verified at most."""
    return [("role", "verified again after"), *((role.value, f"{months} months") for role, months in PERIODS.items())]


def kept() -> list[tuple[str, ...]]:
    """What is destroyed, and when."""
    rows = [
        (retention.WORDS[row.thing], ", ".join(sorted(map(_code, row.states))), _when(row)) for row in retention.TABLE
    ]
    log = ("a month of the audit log (its head is kept)", "", f"{retention.AUDIT_MONTHS} months after its end")
    return [("thing", "while the dossier is", "destroyed"), *rows, log]


def _when(row: Row) -> str:
    if row.years:
        return f"{row.years} years after {row.since}"
    days = row.after.days
    return f"{days} days after {row.since}" if days else f"at once, on {Moment(row.since)}"
