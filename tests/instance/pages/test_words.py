"""Every text exists in every language, is used, and is declined right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
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
    contact,
    delivery_orders,
    dossiers,
    expelling,
    exports,
    farewells,
    federation_list,
    follows,
    joining,
    lists,
    newsroom,
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
    ASKED,
    CASE_ANSWER,
    CASE_UPDATE,
    FOLLOW_ACCEPTED,
    FOLLOW_ASKED,
    FOLLOWED,
    LIKE,
    MENTION,
    MOVED,
    NAMED,
    POLL_CLOSED,
    RECOMMENDED,
    REPLY,
    REPORTED,
    RESOLVED,
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
    doctors,
    export,
    feed,
    feed_page,
    messages,
    news,
)
from instance.views import pairing as pairing_view
from instance.views import search as search_view
from instance.views import siblings as siblings_view
from verification import audit, clinical
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
#: Every language whose catalogue has to be whole: those that pages are shown in. It is listed in instance.config alone.
REQUIRED = i18n.LANGUAGES
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
        "search",
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
        "newsroom",
    ],
    "kind.": [kind.value for kind in PostKind],
    "role.": [role.value for role in Role],
    "audience.": [audience.value for audience in Audience if audience is not Audience.NATIONAL],
    "audience.short.": [audience.value for audience in Audience],
    "audience.national.": ["AT", "CH", "DE", "ES", "FR", "GB", "IT", "other"],
    "feed.tab.": feed.TABS,
    "feed.none.": feed.TABS,
    "feed.solved.": feed_page.SOLVED,
    "report.reason.": REASONS,
    "news.only_conflict.": news.INTERESTS,
    "news.when.": news.WHEN,
    "report.title.": ["post", "comment"],
    "withdraw.title.": ["post", "comment"],
    "withdraw.text.": ["post", "comment"],
    "people.": list(doctors.OWN_LISTS),
    "people.none.": list(doctors.OWN_LISTS),
    "why.": ["near", "specialty", "country"],
    "proof_level.": [assurance.value for assurance in Assurance],
    "contact.may_": ["follow", "name"],
    "contact.who_": contact.WHO,
    "search.": search_view.THINGS,
    "search.more.": search_view.THINGS,
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
    "me.saved.": ["preferences", "password", "session", "sessions", "session_gone"],
    "own.": ["posts", "answers", "withdrawn"],
    "export.in.": ["account", "verification", "words", "reactions", "told", "log"],
    "export.not_in.": ["evidence", "others", "secrets"],
    "export.section.": [section.name for section in export.SECTIONS],
    "own.none.": ["posts", "answers", "withdrawn"],
    "case.": clinical.FIELDS,
    "case.text.": clinical.TEXTS,
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
        *(ANSWER, REPLY, MENTION, NAMED, ASKED, LIKE, RECOMMENDED, REPORTED, MOVED),
        *KINDS,
        *(f"{kind}.many" for kind, told in KINDS.items() if told.gathers),
        *(ANSWER, REPLY, MENTION, NAMED, LIKE, RECOMMENDED, REPORTED, MOVED),
        *(CASE_ANSWER, CASE_UPDATE, RESOLVED, POLL_CLOSED),
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
    *contact.CODES,
    *lists.CODES,
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
    *newsroom.CODES,
    *own_refusals.CODES,
    *("number_odd", "proof_missing", "document_missing", "application_changed", "leave_unsure"),
    *("contact_unknown", "bad_birth_date", "bad_wish", "retire_unconfirmed", "retire_not_yet", "retired_already"),
    *("country_closed", "annex_open", "annex_suspended", "annex_expired", "annex_not_verified"),
    *("renewal_missing", "certificate_missing", "name_proof_missing"),
    *("unknown", "fault", "method_not_allowed", "form_too_large", "too_slow", "bad_text", "foreign_form"),
    *("stale_form", "not_signed_in", "passwords_differ", "reason_missing", "already_signed_in"),
    *("dossier_changed", "bad_day", "bad_ground", "bad_period", "handle_unknown"),
    "case_text_too_long",
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


Texts = Mapping[str, str | tuple[str, ...]]
PLACEHOLDER = re.compile(r"\{[a-z_]+\}")
WORD = re.compile(r"[^\W\d_]{2,}")


def faults(texts: Texts, english: Texts) -> list[str]:
    """What a required catalogue may not have, in sentences: keys missing or idle, texts empty, left in English or of another
    shape."""
    found = [f"missing: {key}" for key in sorted(used() - set(texts))]
    found += [f"idle: {key}" for key in sorted(set(texts) - used())]
    for key in sorted(set(texts) & set(english)):
        mine, theirs = forms(texts[key]), forms(english[key])
        if not all(mine):
            found.append(f"empty: {key}")
        elif type(texts[key]) is not type(english[key]) or len(mine) != len(theirs):
            found.append(f"no plural: {key}")
        elif PLACEHOLDER.findall(mine[-1]) and set(PLACEHOLDER.findall(mine[-1])) - set(
            PLACEHOLDER.findall(theirs[-1])
        ):
            found.append(f"asks for more: {key}")
        elif set(PLACEHOLDER.findall(theirs[-1])) - set(PLACEHOLDER.findall(mine[-1])):
            found.append(f"leaves out a value: {key}")
        elif texts is not english and mine == theirs and len(WORD.findall(PLACEHOLDER.sub("", mine[-1]))) > 1:
            found.append(f"untranslated: {key}")  # one word alone may be the same in two languages
    return found


def forms(text: str | tuple[str, ...]) -> tuple[str, ...]:
    """The text, or what it is for one and for more."""
    return (text,) if isinstance(text, str) else text


@pytest.mark.parametrize("language", REQUIRED)
def test_a_catalogue_is_whole(language):
    """What pages ask for and what the catalogue holds are the same keys, each with a text of that language."""
    assert [] == faults(i18n.catalogue(language).texts, i18n.catalogue("en").texts)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"feed.title": None}, "missing: feed.title"),
        ({"feed.tilte": "Discussioni"}, "idle: feed.tilte"),
        ({"feed.title": ""}, "empty: feed.title"),
        ({"post.answers": ("{number} risposta", "")}, "empty: post.answers"),
        ({"post.answers": "risposte"}, "no plural: post.answers"),
        ({"me.valid": "Verificato."}, "leaves out a value: me.valid"),
        ({"me.valid": "Verificato fino al {date} {hour}."}, "asks for more: me.valid"),
        ({"shell.skip": "Skip to content"}, "untranslated: shell.skip"),
    ],
)
def test_a_catalogue_that_is_not_whole_is_named(change, fault):
    """The twin: whatever a language more may lack is found, at the key that lacks it, and nothing else is."""
    english = i18n.catalogue("en").texts
    whole: dict[str, str | tuple[str, ...]] = {key: translated(text) for key, text in english.items()}
    assert [] == faults(whole, english)
    made = {key: text for key, text in (whole | change).items() if text is not None}

    assert [fault] == faults(made, english)


def translated(text: str | tuple[str, ...]) -> str | tuple[str, ...]:
    """Stands for a translation: other words with the same values."""
    return f"x{text}" if isinstance(text, str) else tuple(f"x{form}" for form in text)


def test_every_catalogue_there_is_is_required():
    """A file that no list names would be shown to nobody and checked by nobody; a name without its file fails at once."""
    there = {path.parent.parent.name for path in ROOT.glob("locale/*/LC_MESSAGES/messages.po")}

    assert set(REQUIRED) == there


@pytest.mark.parametrize("language", REQUIRED)
def test_a_catalogue_says_its_language_and_its_two_forms(language):
    """The head of the file is of that language, and no text has forms that no number asks for."""
    texts = i18n.catalogue(language).texts

    assert f"Language: {language}\\n" in i18n.source(language).decode()
    assert {1, 2} == {len(forms(text)) for text in texts.values()}
    assert i18n.own_name(language)[0].isupper()


def test_every_put_together_key_is_declared():
    """A template that glues a key together names a family whose values are listed here."""
    stems = {stem for path in (ROOT / "pages").glob("*.html") for stem in STEM.findall(path.read_text("utf-8"))}

    assert set() == stems - set(FAMILIES)


@pytest.mark.parametrize("language", REQUIRED)
def test_no_text_stands_there_twice(language):
    """Of two texts under one key one would never be shown."""
    source = (ROOT / f"locale/{language}/LC_MESSAGES/messages.po").read_text("utf-8")
    keys = re.findall(r'^msgid "(.+)"$', source, re.MULTILINE)

    assert [] == sorted({key for key in keys if keys.count(key) > 1})
