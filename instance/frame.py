"""What stands around every page: who looks, in which language, light or dark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from instance.i18n import CONTENT_LANGUAGES, LANGUAGES, negotiate
from instance.rendering import render
from instance.services.accounts import TEXT_SIZES, Stage
from instance.times import to_ms
from instance.views import notices
from instance.views.marks import moment
from verification.people import StaffRole

if TYPE_CHECKING:
    from instance.services.accounts import Session
    from instance.wiring import Node

APPEARANCES: Final = ("", "light", "dark")
_DESK: Final = frozenset({StaffRole.REVIEWER.value, StaffRole.LEAD.value})
#: What the bar leads to: the name of the entry, where it is, the picture beside it. Everybody has the account's page.
_DOCTORS: Final = (
    ("feed", "/feed", "feed"), ("search", "/search", "search"), ("write", "/write", "pen"),
    ("notices", "/notices", "bell"),
)  # fmt: skip
_OUTSIDE: Final = (("application", "/application", "pen"),)
_WORK: Final = {
    StaffRole.REVIEWER: (
        ("desk", "/desk", "feed"), ("overdue", "/desk/overdue", "clock"), ("campaigns", "/desk/campaigns", "people"),
    ),
    StaffRole.ADMINISTRATOR: (
        ("administration", "/administration", "federation"), ("staff", "/staff", "people"),
        ("policy", "/policy", "national"), ("suspend", "/desk/suspend", "stop"),
    ),
    StaffRole.GOVERNOR: (("fedlist", "/administration/list", "chain"),),
    StaffRole.DPO: (("audit", "/desk/audit", "chain"),),
    StaffRole.EDITOR: (("newsroom", "/newsroom", "pen"),),
}  # fmt: skip
#: How long before its end administrators are told on every page of theirs.
_SOON: Final = timedelta(days=7)
_ACCOUNT: Final = ("me", "/me", "me")


@dataclass(frozen=True, slots=True)
class Look:
    """One request for a page: by whom (or nobody), in which language, and where a form of the frame leads back to.

    To somebody whose session is not whole yet a page looks as to nobody, but for the token of its forms.
    """

    session: Session | None
    language: str
    back: str = "/"


def cookie_name(node: Node, kind: str) -> str:
    """`__Host-…` on https; a plain name on loopback http, where browsers refuse the prefix."""
    return f"__Host-{kind}" if node.origin.startswith("https://") else kind


def language_of(session: Session | None, on_device: str, accepted: str, default: str) -> str:
    """The account's language, else the one chosen on this device, else the browser's, else the instance's."""
    chosen = (session.language if session else "") or on_device
    return chosen if chosen in LANGUAGES else negotiate(accepted, default)


def appearance_of(session: Session | None) -> str:
    """Light, dark, or what the device prefers."""
    return session.appearance if session and session.appearance in APPEARANCES else ""


def text_size_of(session: Session | None) -> int:
    """How large text is, in per cent of what it is for everybody else."""
    return session.text_size if session else TEXT_SIZES[0]


def content_languages_of(session: Session | None) -> tuple[str, ...]:
    """What texts may be written in, those first that this person reads."""
    own = session.reading if session else ()
    return (*own, *(language for language in CONTENT_LANGUAGES if language not in own))


def is_applicant(session: Session | None) -> bool:
    """Whether this is somebody who is no doctor here (yet) and does not work here."""
    return session is not None and session.doctor is None and not session.roles


def is_at_desk(session: Session | None) -> bool:
    """Whether this is somebody who is here to review, and is no doctor of this instance."""
    return session is not None and session.doctor is None and bool(_DESK & set(session.roles))


def is_barred(session: Session | None) -> bool:
    """Whether this is a doctor of ours who may not read now: suspended, revoked, or verified too long ago."""
    return session is not None and session.doctor is not None and session.closed is not None


def is_outside(session: Session | None) -> bool:
    """Whether this is somebody to whom the network is closed, and who does not work here."""
    return is_applicant(session) or is_barred(session)


def bar_of(session: Session) -> tuple[tuple[str, str, str], ...]:
    """What this person's bar leads to, the first thing first: nothing that is closed to them."""
    if is_outside(session):
        return (*_OUTSIDE, _ACCOUNT)
    if session.doctor is not None:
        return (*_DOCTORS, _ACCOUNT)
    roles = {StaffRole.REVIEWER.value if role in _DESK else role for role in session.roles}
    return (*(entry for role, work in _WORK.items() if role.value in roles for entry in work), _ACCOUNT)


def _entry(here: str, bar: tuple[tuple[str, str, str], ...]) -> str:
    """The entry to mark: work that has none in this bar, a doctor's, is found by the account's page."""
    work = {name for each in _WORK.values() for name, _, _ in each}
    return _ACCOUNT[0] if here in work and all(here != name for name, _, _ in bar) else here


def _federation_list(node: Node) -> dict[str, Any]:
    """How the federation list stands, for pages that say so; `list_ends` (milliseconds) in its last seven days."""
    known = node.allowlist()
    soon = known.list_until is not None and known.list_until - node.clock() <= _SOON
    ends = to_ms(known.list_until) if known.list_until is not None and soon else 0
    return {"list_state": known.list_state.value, "list_ends": ends}


async def framed(
    node: Node, look: Look, template: str, /, *, here: str = "", said: Any = None, counted: bool = True, **values: Any
) -> str:
    """Return the page's HTML; `here` is the entry of the navigation it belongs to, `said` what is said once on it.

    Not `counted`, it asks the database nothing: a page that says what failed must not fail over the number of notices.
    """
    session = look.session
    whole = session is not None and session.stage is Stage.WHOLE
    doctor = session.doctor if session and whole else None
    unread = await notices.unread(node.store, doctor["uri"]) if doctor and counted else 0
    bar = bar_of(session) if session is not None and whole else ()
    return render(
        template,
        look.language,
        node.config.country,
        here=here,
        said=said,
        appearance=appearance_of(session),
        text_size=text_size_of(session),
        instance_name=node.config.name,
        contact=node.config.contact,
        csrf=session.csrf if session else "",
        signed_in=whole,
        owes_factor=session is not None and session.stage is Stage.ENROL,
        applicant=whole and is_applicant(session),
        at_desk=whole and is_at_desk(session),
        barred=whole and is_barred(session),
        bar=bar,
        current=_entry(here, bar),
        me=doctor,
        unread=unread,
        back=look.back,
        now=to_ms(node.clock()),
        moment=moment(node),
        **_federation_list(node),
        **values,
    )
