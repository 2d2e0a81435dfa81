"""What an instance's health is told by: every figure, and from where on somebody has to look or to act.

One table for the page `/administration`, for the series that Prometheus reads, for the example of alert rules and for
the documentation. Pure: `findings` is asked with values, and `instance.views.health` alone reads them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final, TypeAlias

from federation.allowlist import LocalPolicy
from federation.delivery import Priority
from instance.storage.sqlite_care import MOST_WAL

#: By name of the figure and value of its label, empty where it has none. What does not apply here is missing.
Values: TypeAlias = "Mapping[tuple[str, str], float]"

PREFIX: Final = "esanum_"
MINUTE, HOUR, DAY = 60, 3_600, 86_400


class Part(StrEnum):
    """What an administrator asks about, in the order of the page."""

    FEDERATION = "federation"
    QUEUES = "queues"
    VERIFICATION = "verification"
    STORAGE = "storage"
    KEYS = "keys"
    LIST = "list"


class Unit(StrEnum):
    """How a figure is shown to people; series are in seconds, bytes and shares of one."""

    NUMBER = "number"
    SECONDS = "seconds"
    BYTES = "bytes"
    RATIO = "ratio"
    TRUTH = "truth"


class State(IntEnum):
    """What somebody has to do about it: nothing, look at it in working hours, act now."""

    OK = 0
    LOOK = 1
    ACT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One series; with a label, one for each of its values."""

    name: str
    part: Part
    help: str
    unit: Unit = Unit.NUMBER
    label: str = ""
    #: The values of the label, in the order of the page; empty where they are codes: then only those that apply.
    values: tuple[str, ...] = ("",)
    #: Shown at the first look also where it is 0 or as it should be.
    main: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """From where on a figure asks for somebody. `code` names the sentence that says what to do (`health.do.CODE`)."""

    code: str
    figure: str
    #: The value of the figure's label that is meant.
    value: str = ""
    look: float | None = None
    act: float | None = None
    #: Whether less than that is meant, and not more.
    below: bool = False
    #: Counts only where this figure is 1.
    only: str = ""
    #: The page where it is done, one of PLACES, and the command.
    place: str = ""
    command: str = ""
    #: How long it lasts before an alert is sent (Prometheus); the page says it at once.
    lasts: str = "5m"
    #: Whether the page says it in a sentence of its own, above everything.
    loud: bool = False

    def found(self, values: Values) -> float:
        """Return the value that is meant, of codes the highest; NaN where there is none."""
        if BY_NAME[self.figure].values:
            return values.get((self.figure, self.value), math.nan)
        return max((found for (name, _), found in values.items() if name == self.figure), default=math.nan)

    def state(self, values: Values) -> State:
        """Return what these values ask for; nothing where the figure is missing."""
        if self.only and not values.get((self.only, "")):
            return State.OK
        found = self.found(values)
        if self._beyond(found, self.act):
            return State.ACT
        return State.LOOK if self._beyond(found, self.look) else State.OK

    def _beyond(self, found: float, limit: float | None) -> bool:
        return limit is not None and (found < limit if self.below else found > limit)


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that asks for somebody, and the value it asks because of."""

    rule: Rule
    state: State
    found: float


#: Where things are done.
PLACES: Final[Mapping[str, str]] = {
    "siblings": "/administration/siblings", "pairing": "/administration/pairing",
    "messages": "/administration/messages", "deliveries": "/administration/deliveries",
    "dead": "/administration/deliveries",
    "failed": "/administration/messages?verdict=failed", "refused": "/administration/messages?verdict=refused",
    "list": "/administration/list", "staff": "/staff",
}  # fmt: skip
#: The page of each part.
PAGE_OF: Final[Mapping[Part, str]] = {
    Part.FEDERATION: "siblings", Part.QUEUES: "deliveries", Part.VERIFICATION: "staff", Part.KEYS: "siblings",
    Part.LIST: "list",
}  # fmt: skip

_F, _Q, _V, _S, _K, _L = Part
FIGURES: Final = (
    Figure(
        name="siblings", part=_F, help="Siblings by policy, as far as the federation list has them", label="policy",
        values=tuple(policy.value for policy in LocalPolicy),
    ),
    Figure(name="siblings_listed", part=_F, main=True, help="Siblings that may be spoken with under any policy"),
    Figure(
        name="allowlist_readable", part=_F, unit=Unit.TRUTH,
        help="1 while the allowlist can be read; where not, nobody is a sibling",
    ),
    Figure(
        name="sibling_silence_seconds", part=_F, unit=Unit.SECONDS,
        help="Since a connected sibling was heard or reached, of the one for which it is longest",
    ),
    Figure(name="siblings_behind", part=_F, help="Siblings for which something has waited longer than an hour"),
    Figure(
        name="refusals_day", part=_F, help="Refused within 24 hours: of siblings' messages (in), of ours there (out)",
        label="direction", values=("in", "out"),
    ),
    Figure(
        name="clock_skew_seconds", part=_F, unit=Unit.SECONDS, help="Farthest clock of a sibling, beyond a minute",
    ),
    Figure(name="log_gaps", part=_F, help="Siblings in whose log something is missing here"),
    Figure(
        name="log_doubts", part=_F,
        help="Siblings that say they heard more of our log than we know, and prove none of it",
    ),
    Figure(name="pairings_waiting", part=_F, help="Invitations and requests to become siblings that wait"),
    Figure(
        name="sibling_proposals_waiting", part=_F,
        help="Changes of the allowlist that wait for a second administrator",
    ),
    Figure(
        name="deliveries", part=_Q, main=True, help="Deliveries that are not over, by state", label="state",
        values=("waiting", "resting", "held", "dead"),
    ),
    Figure(
        name="deliveries_by_priority", part=_Q, help="Deliveries that wait or rest, by priority", label="priority",
        values=tuple(each.name.lower() for each in Priority),
    ),
    Figure(
        name="delivery_oldest_seconds", part=_Q, main=True, unit=Unit.SECONDS,
        help="Age of the oldest delivery that waits or rests; held ones do not count",
    ),
    Figure(name="lanes_hanging", part=_Q, help="Siblings that did not take the last delivery and are tried again"),
    Figure(name="lanes_alarming", part=_Q, help="Siblings whose lane stands for a reason that people must mend"),
    Figure(name="inbound_waiting", part=_Q, main=True, help="Kept activities not yet worked off"),
    Figure(
        name="inbound_oldest_seconds", part=_Q, unit=Unit.SECONDS,
        help="Age of the oldest kept activity not yet worked off; those that wait for a standing do not count",
    ),
    Figure(name="inbound_failed", part=_Q, help="Kept activities set aside after five tries"),
    Figure(name="mails_waiting", part=_Q, help="Mails not yet handed to the mail server"),
    Figure(name="mail_oldest_seconds", part=_Q, unit=Unit.SECONDS, help="Age of the oldest of these mails"),
    Figure(
        name="late_seconds", part=_Q, unit=Unit.SECONDS,
        help="How late the process is, on average of ten seconds",
    ),
    Figure(name="dossiers_waiting", part=_V, main=True, help="Applications and annexes that wait for the desk"),
    Figure(
        name="dossier_oldest_seconds", part=_V, unit=Unit.SECONDS, help="How long the first of these has waited",
    ),
    Figure(name="dossiers_overdue", part=_V, main=True, help="Of these, how many wait longer than two working days"),
    Figure(
        name="signing", part=_V, unit=Unit.TRUTH, help="1 while credentials and status lists are signed",
    ),
    Figure(
        name="audit_log_holds", part=_V, unit=Unit.TRUTH,
        help="1 while every entry of the audit log is what it was",
    ),
    Figure(name="database_bytes", part=_S, main=True, unit=Unit.BYTES, help="Size of the database"),
    Figure(name="wal_bytes", part=_S, unit=Unit.BYTES, help="Size of SQLite's write-ahead log"),
    Figure(
        name="disk_free_bytes", part=_S, unit=Unit.BYTES, help="Free where the data folder lies",
    ),
    Figure(
        name="disk_free_ratio", part=_S, main=True, unit=Unit.RATIO, help="Free where the data folder lies, of 1",
    ),
    Figure(name="evidence_files", part=_S, help="Files of evidence that are kept"),
    Figure(name="evidence_bytes", part=_S, unit=Unit.BYTES, help="Size of the files of evidence that are kept"),
    Figure(
        name="evidence_vault_open", part=_S, main=True, unit=Unit.TRUTH, help="1 while evidence can be taken and shown",
    ),
    Figure(
        name="backup_age_seconds", part=_S, main=True, unit=Unit.SECONDS,
        help="Since `esanum backup` has written a copy; +Inf before the first, NaN with PostgreSQL",
    ),
    Figure(
        name="instance_key_age_seconds", part=_K, main=True, unit=Unit.SECONDS,
        help="Age of the keys that sign for this instance",
    ),
    Figure(
        name="instance_key_announced_seconds", part=_K, unit=Unit.SECONDS,
        help="Until announced keys of this instance sign; 0 where none are announced",
    ),
    Figure(name="sibling_key_alarms", part=_K, help="Siblings suspended since their keys have changed"),
    Figure(name="siblings_other_keys", part=_K, help="Siblings that show other keys than are pinned here"),
    Figure(
        name="evidence_key_usable", part=_K, main=True, unit=Unit.TRUTH,
        help="1 while the secret that wraps the keys of evidence is there, is safe and fits",
    ),
    Figure(
        name="key_rotation_unfinished", part=_K, unit=Unit.TRUTH,
        help="1 while a key-encryption key of a rotation lies beside the one in force",
    ),
    Figure(name="federation_list_kept", part=_L, main=True, unit=Unit.TRUTH, help="1 where a federation list is kept"),
    Figure(name="federation_list_sequence", part=_L, help="Sequence of the federation list in force"),
    Figure(name="federation_list_signatures", part=_L, help="Signers who have signed it"),
    Figure(name="federation_list_threshold", part=_L, help="Signers who have to"),
    Figure(
        name="federation_list_seconds", part=_L, unit=Unit.SECONDS,
        help="Until the federation list runs out; 0 without one, negative beyond",
    ),
    Figure(
        name="federation_list_read_seconds", part=_L, unit=Unit.SECONDS,
        help="Since the federation list was last read; +Inf before the first time, 0 without one",
    ),
    Figure(
        name="federation_list_siblings", part=_L, help="Siblings by the federation list they hold, seen from ours",
        label="holds", values=("same", "behind", "ahead", "fork", "unsigned", "unknown"),
    ),
    Figure(
        name="federation_list_alarm", part=_L, help="1 beside why the last list was not adopted or read", label="code",
        values=(),
    ),
)  # fmt: skip

RULES: Final = (
    Rule(code="unreadable", figure="allowlist_readable", act=1, below=True, lasts="1m", loud=True),
    Rule(code="nobody", figure="siblings_listed", look=1, below=True, place="pairing", loud=True),
    Rule(code="silent", figure="sibling_silence_seconds", look=2 * DAY, act=7 * DAY, place="siblings"),
    Rule(code="behind", figure="siblings_behind", look=0, place="deliveries", lasts="15m"),
    Rule(code="refused_in", figure="refusals_day", value="in", look=9, act=999, place="refused"),
    Rule(code="refused_out", figure="refusals_day", value="out", look=9, act=999, place="siblings"),
    Rule(code="clock", figure="clock_skew_seconds", look=60, act=240, place="siblings"),
    Rule(code="gaps", figure="log_gaps", look=0, place="siblings", lasts="1h"),
    Rule(code="doubts", figure="log_doubts", look=0, place="siblings", lasts="1h"),
    Rule(code="pairings", figure="pairings_waiting", look=0, place="pairing", loud=True),
    Rule(code="proposals", figure="sibling_proposals_waiting", look=0, place="siblings"),
    Rule(code="dead", figure="deliveries", value="dead", look=0, place="dead", command="esanum deliveries retry"),
    Rule(code="oldest", figure="delivery_oldest_seconds", look=HOUR, act=DAY, place="deliveries"),
    Rule(code="hanging", figure="lanes_hanging", look=0, place="deliveries", lasts="15m"),
    Rule(code="alarming", figure="lanes_alarming", act=0, place="deliveries"),
    Rule(code="inbound", figure="inbound_oldest_seconds", look=10 * MINUTE, act=HOUR, place="messages"),
    Rule(code="inbound_failed", figure="inbound_failed", look=0, place="failed"),
    Rule(code="mails", figure="mail_oldest_seconds", look=HOUR, act=DAY, command="esanum check"),
    Rule(code="late", figure="late_seconds", look=0.1, act=1, command="esanum check", lasts="15m"),
    Rule(code="overdue", figure="dossiers_overdue", look=0, place="staff"),
    Rule(code="overdue_week", figure="dossier_oldest_seconds", act=7 * DAY, place="staff"),
    Rule(code="signing", figure="signing", act=1, below=True, command="esanum audit verify", lasts="30m"),
    Rule(code="audit", figure="audit_log_holds", act=1, below=True, command="esanum audit verify", lasts="1m"),
    Rule(code="wal", figure="wal_bytes", look=MOST_WAL, command="esanum check", lasts="15m"),
    Rule(code="disk", figure="disk_free_ratio", look=0.2, act=0.05, below=True, command="df -h"),
    Rule(code="vault", figure="evidence_vault_open", act=1, below=True, command="esanum evidence show"),
    Rule(code="backup", figure="backup_age_seconds", look=26 * HOUR, act=7 * DAY, command="esanum backup"),
    Rule(code="key_old", figure="instance_key_age_seconds", look=400 * DAY, command="esanum keys rotate-instance"),
    Rule(code="key_announced", figure="instance_key_announced_seconds", look=0, place="siblings"),
    Rule(code="key_alarm", figure="sibling_key_alarms", act=0, place="pairing", lasts="1m", loud=True),
    Rule(code="other_keys", figure="siblings_other_keys", look=0, place="siblings", command="esanum siblings repin"),
    Rule(code="evidence_key", figure="evidence_key_usable", act=1, below=True, command="esanum evidence show"),
    Rule(code="rotation", figure="key_rotation_unfinished", look=0, command="esanum keys rotate-kek", lasts="1h"),
    Rule(
        code="list_ends", figure="federation_list_seconds", look=7 * DAY, act=3 * DAY, below=True,
        only="federation_list_kept", place="list",
    ),
    Rule(code="list_alarm", figure="federation_list_alarm", look=0, place="list", lasts="2h"),
    Rule(code="list_fork", figure="federation_list_siblings", value="fork", act=0, place="list", lasts="1m"),
    Rule(
        code="list_unread", figure="federation_list_read_seconds", look=6 * HOUR, act=2 * DAY,
        only="federation_list_kept", place="list",
    ),
)  # fmt: skip
BY_NAME: Final[Mapping[str, Figure]] = {figure.name: figure for figure in FIGURES}


def findings(values: Values) -> list[Finding]:
    """Return the rules that ask for somebody, those for whom it is urgent first, then in the order of the page."""
    found = [Finding(rule, rule.state(values), rule.found(values)) for rule in RULES]
    return sorted((each for each in found if each.state is not State.OK), key=lambda each: -each.state)


def state_of(part: Part, found: Iterable[Finding]) -> State:
    """Return the worst of what is found in one part."""
    return max((each.state for each in found if BY_NAME[each.rule.figure].part is part), default=State.OK)
