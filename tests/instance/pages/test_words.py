"""Every text exists in every language, is used, and is declined right."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from federation.membership import MemberStatus
from federation.pairing import State as PairingState
from federation.trail import Step
from federation.vocabulary import Audience, PostKind
from instance import evidence, figures, i18n, rendering
from instance.routes import campaign_form, notifying, shell
from instance.routes.desk_forms import TICKED
from instance.routes.reactions import REASONS
from instance.services import (
    addresses,
    delivery_orders,
    dossiers,
    expelling,
    exports,
    farewells,
    federation_list,
    follows,
    joining,
    notice_wishes,
    own_refusals,
    pairing,
    people,
    policies,
    publishing,
    push,
    recovery,
    relocation,
    second_factor,
    sibling_csv,
    sibling_proposals,
    siblings,
    staff,
    standings,
    what_if,
)
from instance.services.dossiers import restoring, segments
from instance.services.dossiers.reminders import OVERDUE, WAITING
from instance.services.effects import (
    ANSWER,
    FOLLOW_ACCEPTED,
    FOLLOW_ASKED,
    FOLLOWED,
    LIKE,
    MENTION,
    MOVED,
    NAMED,
    RECOMMENDED,
    REPLY,
    REPORTED,
)
from instance.services.farewells import FOLLOWS_CUT, Cause
from instance.services.federation_list_holders import Holds
from instance.services.notice_kinds import KINDS, Filter, Group
from instance.views import (
    administration,
    annexes,
    application,
    arrivals,
    countries,
    deliveries,
    desk,
    desk_queue,
    export,
    feed,
    messages,
)
from instance.views import pairing as pairing_view
from instance.views import siblings as siblings_view
from verification import audit
from verification.acts import Notice
from verification.audit import STAFF_ACTS
from verification.countries import ProfileFault, Proof
from verification.dossier import Assurance, EvidenceClass, EvidenceKind, Role
from verification.evidence import Control
from verification.grounds import DOUBTS, SHORTCOMINGS, Ground, grounds_for
from verification.moves import AnnexKind, Choice, State
from verification.overlay import PERIODS, StudentRight
from verification.people import StaffRole
from verification.registers.numbers import Check

ROOT = Path(rendering.__file__).parent
CALL = re.compile(r"\b[tn]\('([a-z0-9_.-]+)'[,)]")
STEM = re.compile(r"\b[tn]\('([a-z0-9_.-]+)' ~ ")
SINGLE_CALL = re.compile(r"""(?:\.text|\.count|say)\("([a-z0-9_.-]+)"[,)]""")

#: What an applicant may be told of: both reviews look alike to them.
APPLICATION_STATES = [state.value for state in State if state is not State.SECOND_REVIEW]
#: The reasons that are shown to an applicant.
SHOWN_GROUNDS = (
    SHORTCOMINGS | DOUBTS | grounds_for(State.APPROVED, State.SUSPENDED) | grounds_for(State.APPROVED, State.REVOKED)
)
#: Where a key is put together from a value: the values it can take.
FAMILIES: dict[str, Iterable[str]] = {
    "nav.": [
        "application",
        "feed",
        "colleagues",
        "write",
        "notices",
        "me",
        "desk",
        "administration",
        "fedlist",
        "overdue",
        "campaigns",
        "staff",
        "policy",
        "suspend",
        "audit",
    ],
    "kind.": [kind.value for kind in PostKind],
    "role.": [role.value for role in Role],
    "audience.": [audience.value for audience in Audience if audience is not Audience.NATIONAL],
    "audience.short.": [audience.value for audience in Audience],
    "audience.national.": ["AT", "CH", "DE", "ES", "FR", "GB", "IT", "other"],
    "feed.tab.": feed.TABS,
    "feed.none.": feed.TABS,
    "report.reason.": REASONS,
    "report.title.": ["post", "comment"],
    "withdraw.title.": ["post", "comment"],
    "withdraw.text.": ["post", "comment"],
    "people.": ["followers", "following", "blocked"],
    "people.none.": ["followers", "following", "blocked"],
    "standing.": ["suspended", "revoked", "moved"],
    "move.": [f"{part}{more}" for part in ("goes", "stays", "ends") for more in ("", "_text")],
    "administration.tab.": [name for name, _ in administration.TABS],
    "health.chart.": administration.CHARTS.values(),
    "health.do.": [rule.code for rule in figures.RULES],
    "health.figure.": [
        administration.key_of(each, value) for each in figures.FIGURES for value in each.values or ("",)
    ],
    "health.go.": figures.PLACES,
    "health.more.": figures.PAGE_OF,
    "health.part.": list(figures.Part),
    "health.state.": [state.name.lower() for state in figures.State],
    "arrival.kept.": arrivals.KEPT,
    "arrival.refused.": arrivals.REFUSED,
    "arrival.not_sent.": arrivals.NOT_SENT,
    "deliveries.priority.": [str(each) for each in deliveries.PRIORITIES],
    "deliveries.state.": deliveries.STATES,
    "messages.": ["from", "to", "kinds_in", "kinds_out"],
    "messages.verdict.": messages.VERDICTS,
    "messages.direction.": messages.DIRECTIONS,
    "messages.code.": messages.KNOWN_CODES,
    "messages.step.": [str(int(step)) for step in Step if step],
    "messages.change.": what_if.CHANGES,
    "allowlist.": [*(f"{fate}_text" for fate in expelling.FATES), *(f"{cause}_on" for cause in Cause)],
    "allowlist.act.": siblings_view.ACTS,
    "allowlist.direction.": siblings_view.DIRECTIONS,
    "allowlist.fate.": ["labelled", "kept", "hidden", "purging", "purged"],
    "allowlist.proposal.": ["change", "import", "expel", *expelling.FATES],
    "allowlist.refused_": ["in", "out"],
    "allowlist.source.": ["local", "list"],
    "policy.": ["inherit", "read-only", "pause", "block"],
    "pairing.state.": [state.value for state in PairingState],
    "pairing.reason.": pairing_view.WHY,
    "write.reach.": ["federation", "alone", "colleagues", "named", "national"],
    "security.saved.": ["passkey_added", "passkey_removed", "app_added", "app_removed"],
    "staff.role.": [role.value for role in StaffRole],
    "fedlist.holds.": [each.value for each in Holds],
    "fedlist.holds_text.": [Holds.FORK.value, Holds.UNSIGNED.value],
    "fedlist.status.": [status.value for status in MemberStatus],
    "fedlist.what.": ["status", "countries", "issuer_keys", "instance_keys", "signers"],
    "country.fault.": [fault.value for fault in ProfileFault],
    "country.degree.": ["doctor", "trainee"],
    "country.period.": PERIODS,
    "country.right.": [right.value for right in StudentRight],
    "country.says.": ["students", "students_out", "proof_taken", "proof_refused", "degree_doctor", "degree_trainee"],
    "country.reason.": countries.REASONS,
    "country.state.": countries.STATES,
    "desk.audit_fault.": [fault.value for fault in audit.Fault],
    "desk.audit_gone.": [segments.DESTROYED, segments.LOST],
    "desk.audit_signing.": [restoring.ASKING, restoring.BEHIND],
    "desk.filter.": desk_queue.FILTERS,
    "desk.all.": desk_queue.FILTERS,
    "desk.kind.": desk_queue.KINDS,
    "desk.wants.": ["take", "review", "second", "decide", "annex", "propose", "confirm", "register", "others"],
    "desk.state.": [state.value for state in State],
    "desk.annex_state.": ["submitted", "in_review", "second_review"],
    "desk.ground.": [ground.value for ground in Ground],
    "desk.proof.": [proof.value for proof in Proof],
    "desk.same.": ["number", "file", "person"],
    "desk.found.": {fact for facts in TICKED.values() for fact in facts},
    "desk.column.": [
        "specialty",
        "specialty_kind",
        "category",
        "other_names",
        "specialist_since",
        "general_practitioner_since",
        "status",
        "division",
        "since",
    ],
    "desk.day.": ["issued_on", "valid_until", "training_ends", "year_ends"],
    "desk.control.": [control.value for control in Control],
    "desk.check.": [check.value for check in Check],
    "desk.assurance.": [assurance.value for assurance in Assurance],
    "desk.bar.": desk_queue.AGES,
    "desk.by.": ["applicant", "system"],
    "desk.late.": desk_queue.LATE,
    "desk.late_text.": desk_queue.LATE,
    "desk.late_none.": desk_queue.LATE,
    "desk.cohort.": [*campaign_form.TICKED, "since", "until"],
    "desk.rank.": [rank.value for rank in EvidenceClass],
    "desk.evidence_kind.": [kind.value for kind in EvidenceKind],
    "mail.desk.": [WAITING, OVERDUE, "disagreement", "set_aside", "second_needed", "appeal_overdue", "appeal_received"],
    "desk.act.": [*desk.ACTS, *STAFF_ACTS, "other"],
    "desk.choice.": [choice.value for choice in Choice],
    "desk.vote_": [choice.value for choice in Choice],
    "desk.two.": ["suspend", "confirm", "lift", "revoke", "death"],
    "desk.proposal.": ["approved", "revoked", "deceased"],
    "application.state.": APPLICATION_STATES,
    "application.next.": [*APPLICATION_STATES, "approved_retired", "suspended_for", "left"],
    "annex.act.": annexes.ACTS,
    "annex.kind.": [kind.value for kind in AnnexKind],
    "annex.text.": [kind.value for kind in AnnexKind],
    "annex.documents.": [kind.value for kind in AnnexKind],
    "annex.state.": annexes.STATES,
    "annex.next.": annexes.STATES,
    "join.birth_": ["day", "month", "year"],
    "add.": ["issued_on", "valid_until", "training_ends"],
    "add.title.": application.FORMS,
    "add.text.": application.FORMS,
    "add.medicine.": ["yes", "no", "none"],
    "proof.": [proof.value for proof in Proof],
    "ground.": [ground.value for ground in SHOWN_GROUNDS],
    "application.leave_ends.": ["verified", "siblings", "sessions", "evidence", "posts"],
    "told.": [notice.value for notice in Notice],
    "me.appearance.": ["auto", "light", "dark"],
    "me.saved.": ["preferences", "password", "session", "session_gone"],
    "own.": ["posts", "answers", "withdrawn"],
    "export.in.": ["account", "verification", "words", "reactions", "told", "log"],
    "export.not_in.": ["evidence", "others", "secrets"],
    "export.section.": [section.name for section in export.SECTIONS],
    "own.none.": ["posts", "answers", "withdrawn"],
    "done.": shell.DONE,
    "error_page.": ["forbidden", "signed_out", "missing", "too_large", "too_many", "method", "failed"],
    "notices.show.": [filter or "everything" for filter in Filter],
    "notices.none_of.": [filter for filter in Filter if filter],
    "notices.count.": list(Group),
    "digest.": ["cases", "open", "reports", "median"],
    "notify.": ["quiet_from", "quiet_until"],
    "notify.group.": list(Group),
    "notify.mail.": [mail or "never" for mail in notifying.MAILS],
    "notify.saved.": notifying.SAVED,
    "notice.": [
        *KINDS,
        *(f"{kind}.many" for kind, told in KINDS.items() if told.gathers),
        *(ANSWER, REPLY, MENTION, NAMED, LIKE, RECOMMENDED, REPORTED, MOVED),
        *(FOLLOWED, FOLLOW_ASKED, FOLLOW_ACCEPTED, "follow_rejected", FOLLOWS_CUT, "other"),
    ],
    **{f"{page}.{part}.": "1234" for page in ("help", "privacy", "accessibility") for part in ("heading", "text")},
}
#: Codes that a person can meet on a page or at the command line.
CODES = {
    *people.CODES,
    *dossiers.CODES,
    *publishing.CODES,
    *follows.CODES,
    *siblings.CODES,
    *federation_list.CODES,
    *expelling.CODES,
    *farewells.CODES,
    *sibling_csv.CODES,
    *sibling_proposals.CODES,
    *pairing.CODES,
    *notice_wishes.CODES,
    *push.CODES,
    *standings.CODES,
    *evidence.CODES,
    *second_factor.CODES,
    *staff.CODES,
    *joining.CODES,
    *policies.CODES,
    *addresses.CODES,
    *recovery.CODES,
    *relocation.CODES,
    *exports.CODES,
    *messages.CODES,
    *delivery_orders.CODES,
    *what_if.CODES,
    *own_refusals.CODES,
    *("number_odd", "proof_missing", "document_missing", "application_changed", "leave_unsure"),
    *("bad_birth_date", "bad_wish", "retire_unconfirmed", "retire_not_yet", "retired_already"),
    *("country_closed", "annex_open", "annex_suspended", "annex_expired", "annex_not_verified"),
    *("renewal_missing", "certificate_missing", "name_proof_missing"),
    *("unknown", "fault", "method_not_allowed", "form_too_large", "too_slow", "bad_text", "foreign_form"),
    *("stale_form", "not_signed_in", "passwords_differ", "reason_missing", "already_signed_in"),
    *("dossier_changed", "bad_day", "bad_ground", "bad_period", "handle_unknown"),
    *("bad_change", "bad_months", "reading_missing", "policy_reason_missing", "proposal_gone"),
}


def used() -> set[str]:
    """Every key a template or a page's code asks for."""
    found = {stem + value for stem, values in FAMILIES.items() for value in values} | {
        f"error.{code}" for code in CODES
    }
    for path in (ROOT / "pages").glob("*.html"):
        found |= set(CALL.findall(path.read_text("utf-8")))
    for path in (
        ROOT / "rendering.py",
        ROOT / "services/mails.py",
        ROOT / "services/notice_mails.py",
        ROOT / "services/push.py",
        *(ROOT / "routes").glob("*.py"),
    ):
        found |= set(SINGLE_CALL.findall(path.read_text("utf-8")))
    return found


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_no_text_is_missing_and_none_is_idle(language):
    """What pages ask for and what the catalogue holds are the same keys."""
    known = set(i18n.catalogue(language).texts)

    assert [] == sorted(used() - known)
    assert [] == sorted(known - used())


def test_every_put_together_key_is_declared():
    """A template that glues a key together names a family whose values are listed here."""
    stems = {stem for path in (ROOT / "pages").glob("*.html") for stem in STEM.findall(path.read_text("utf-8"))}

    assert set() == stems - set(FAMILIES)


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_no_text_stands_there_twice(language):
    """Of two texts under one key one would never be shown."""
    source = (ROOT / f"locale/{language}/LC_MESSAGES/messages.po").read_text("utf-8")
    keys = re.findall(r'^msgid "(.+)"$', source, re.MULTILINE)

    assert [] == sorted({key for key in keys if keys.count(key) > 1})


def test_languages_ask_for_the_same_values():
    """A placeholder of one language stands in all, so that no page fails in one language alone."""
    fields = re.compile(r"\{[a-z]+\}")

    def shape(language: str) -> dict[str, set[str]]:
        texts = i18n.catalogue(language).texts
        return {key: set(fields.findall(text if isinstance(text, str) else text[1])) for key, text in texts.items()}

    assert shape("en") == shape("de") == shape("fr")


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_no_text_stands_twice(language):
    """Of two texts under one key one would be shown in the place of the other."""
    text = (ROOT / f"locale/{language}/LC_MESSAGES/messages.po").read_text("utf-8")
    keys = re.findall(r'^msgid "(.+)"$', text, re.MULTILINE)

    assert [] == sorted({key for key in keys if keys.count(key) > 1})


def test_no_text_is_empty():
    """An untranslated text does not pass for a translated one."""
    empty = [
        (language, key)
        for language in i18n.LANGUAGES
        for key, text in i18n.catalogue(language).texts.items()
        if not all(text if isinstance(text, tuple) else (text,))
    ]

    assert [] == empty


@pytest.mark.parametrize(
    ("language", "number", "expected"),
    [
        ("en", 0, "0 answers"),
        ("en", 1, "1 answer"),
        ("de", 0, "0 Antworten"),
        ("de", 1, "1 Antwort"),
        ("fr", 0, "0 réponse"),
        ("fr", 1, "1 réponse"),
        ("fr", 2, "2 réponses"),
        ("fr", 1_000_000, "1000000 réponses"),
    ],
)
def test_plurals_follow_the_language(language, number, expected):
    """French zero is singular, English and German zero is plural."""
    assert expected == i18n.catalogue(language).count("post.answers", number)


def test_french_keeps_its_spaces():
    """Before a colon, a question mark and inside quotation marks stands a space that does not break."""
    texts = [text for text in i18n.catalogue("fr").texts.values() if isinstance(text, str)]

    assert [] == [text for text in texts if re.search(r"[^\u00a0\u202f/*][:;!?»](\s|$)", text)]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("de-AT,de;q=0.9,en;q=0.5", "de"),
        ("it,fr;q=0.3", "fr"),
        ("en;q=0.1,fr;q=0.2", "fr"),
        ("", "de"),
        ("xx", "de"),
        ("en;q=0", "de"),
        ("fr;q=nonsense", "de"),
        ("," * 5000, "de"),
    ],
)
def test_the_browser_names_a_language(header, expected):
    """The best language we have is taken, the instance's own where there is none."""
    assert expected == i18n.negotiate(header, "de")


def test_times_name_their_zone():
    """Where countries meet, an hour says whose hour it is."""
    at = 1_795_438_800_000

    assert "23 November 2026, 14:00 CET" == i18n.Clock("en", "FR").date_time(at)
    assert "23. November 2026, 14:00 MEZ" == i18n.Clock("de", "DE").date_time(at)
    assert "23 novembre 2026, 13:00 GMT" == i18n.Clock("fr", "GB").date_time(at)
