"""Everything that is kept of one account and its doctor, section by section: what the file of the own data holds.

Each section is read by the account or the doctor it belongs to and by nothing else. A reviewer's name, a vote, a
finding and a person who has blocked the owner stand in no section. A table or column that no section reads is in
LEFT_OUT with the reason; a test holds both against the schema.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Final

from instance.services.dossiers.reading import OUTCOMES
from instance.storage.store import Reader, Row
from instance.times import from_ms, rfc3339
from verification.moves import AnnexState, State

PAGE: Final = 50
#: Where the pages of what is read newest first begin.
_FIRST: Final = (2**62, "")
_TIMES: Final = frozenset(
    {
        "at", "since", "until", "valid_from", "valid_until", "reverify_on", "training_ends", "year_ends", "not_before",
        "drop_after", "sent_at", "delivered_at", "released_at", "created_at", "last_seen_at", "last_used_at",
        "expires_at",
        "password_at", "factor_at", "confirmed_at", "used_at", "ended_at", "moved_at", "updated_at", "gone_at",
        "allotted_at", "submitted_at", "approved_at", "verified_at", "appealed_at", "decided_at", "stored_at",
        "destroy_at", "destroyed_at", "read_at", "published_at", "asked_at", "answered_at", "mark_at", "seen_at",
        "changed_at", "followed_at", "muted_at", "saved_at", "visited_at", "closes_at", "closed_at", "made_at",
        "resolved_at", "next_digest_at", "last_digest_at", "mailed_at", "pushed_at",
    }
)  # fmt: skip
_JSON: Final = frozenset(
    {
        "roles", "languages", "specialties", "transports", "countries", "sites", "credential", "also_known_as",
        "grounds", "facts", "claim", "reading", "options", "thanked",
    }
)  # fmt: skip
_TRUTHS: Final = frozenset({"approves_followers", "revoked", "suspended"})
#: What only says where the next page begins.
_PLACES: Final = frozenset({"key", "sort_at", "slug"})
#: What of the log an account's owner is told: what was decided, who looked at evidence (never by name), what was
#: destroyed, and that a file like this was made. No vote: it decides nothing by itself.
_LOGGED: Final = OUTCOMES | {
    "dossier.submitted", "dossier.retired", "annex.submitted", "annex.accepted", "annex.refused", "credential.issued",
    "evidence.viewed", "evidence.erased", "facts.erased", "decision.erased", "export.made",
}  # fmt: skip
_ENDS: Final = OUTCOMES | {"annex.accepted", "annex.refused"}
_LOOKED_AT: Final = frozenset({State.SUBMITTED, State.IN_REVIEW, State.SECOND_REVIEW, State.APPEALED})

#: Opens the sealed number of a piece.
OpenNumber = Callable[[bytes, str], str | None]


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose file it is; nothing in it belongs to anybody else."""

    account: str
    doctor: str | None


@dataclass(frozen=True, slots=True)
class Section:
    """One list of the file. `of` says whose rows they are: the account's or the doctor's."""

    name: str
    of: str
    paged: bool = False


#: In the order of the file.
SECTIONS: Final = (
    Section("account", "account"), Section("address_to_prove", "account"), Section("sessions", "account"),
    Section("passkeys", "account"), Section("apps", "account"), Section("recovery_codes", "account"),
    Section("staff", "account"), Section("invitations", "account"),
    Section("profile", "doctor"), Section("keys", "doctor"), Section("status", "doctor"),
    Section("applications", "account"), Section("elsewhere", "account"), Section("annexes", "account"),
    Section("pieces", "account"), Section("files", "account"), Section("kept_until", "account"),
    Section("told", "account", paged=True), Section("log", "account"), Section("mails", "account", paged=True),
    Section("posts", "doctor"), Section("comments", "doctor"), Section("withdrawn", "doctor", paged=True),
    Section("thanks", "doctor", paged=True), Section("recommendations", "doctor", paged=True),
    Section("polls", "doctor", paged=True), Section("voted", "doctor", paged=True),
    Section("endings", "doctor", paged=True), Section("kept", "doctor", paged=True),
    Section("following", "doctor", paged=True), Section("followers", "doctor", paged=True),
    Section("blocks", "doctor", paged=True),
    Section("mutes", "doctor", paged=True), Section("contact_rules", "doctor"), Section("lists", "doctor"),
    Section("list_members", "doctor", paged=True), Section("named_by_others", "doctor", paged=True),
    Section("notices", "doctor", paged=True), Section("notice_ways", "doctor"),
    Section("notice_wishes", "doctor"), Section("push_devices", "doctor"),
    Section("places", "doctor"), Section("reports", "doctor", paged=True),
)  # fmt: skip
WRITTEN: Final = frozenset({"posts", "comments"})


async def pages(
    rows: Reader, section: Section, owner: Owner, opened: OpenNumber
) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield the owner's rows of a section as plain values, a page at a time; none where there is no doctor."""
    whose = owner.account if section.of == "account" else owner.doctor
    if whose is None:
        return
    if section.name in WRITTEN:
        async for found in _written(rows, section.name, whose):
            yield found
    elif section.name == "log":
        yield await _log(rows, whose)
    elif section.paged:
        async for found in _by_key(rows, section.name, whose):
            yield found
    else:
        every = await rows.all(f"export.{section.name}", owner=whose)
        yield [plain(_told(section.name, row, opened)) for row in every]


def plain(row: Row) -> dict[str, Any]:
    """A row as it stands in the file: times of RFC 3339, lists and facts as such, hashes in hexadecimal digits."""
    return {name: _plain(name, value) for name, value in row.items() if name not in _PLACES}


def _plain(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in _TIMES:
        return rfc3339(from_ms(value))
    if name in _JSON:
        return json.loads(value)
    if name in _TRUTHS:
        return bool(value)
    return f"sha256:{bytes(value).hex()}" if name == "hash" else value


# ── what needs more than a query ──


def _told(name: str, row: Row, opened: OpenNumber) -> Row:
    """What the owner may be told of it: nobody learns of a first vote, and a number is readable to whom it belongs."""
    if name in ("applications", "annexes") and row["state"] in (State.SECOND_REVIEW, AnnexState.SECOND_REVIEW):
        return {**row, "state": State.IN_REVIEW.value}
    if name == "pieces":
        return {**row, "number": None if row["number"] is None else opened(row["number"], row["id"])}
    return row


async def _by_key(rows: Reader, name: str, whose: str) -> AsyncIterator[list[dict[str, Any]]]:
    after = ""
    while found := await rows.all(f"export.{name}", owner=whose, after=after, most=PAGE):
        yield [plain(row) for row in found]
        after = found[-1]["key"]


async def _written(rows: Reader, name: str, whose: str) -> AsyncIterator[list[dict[str, Any]]]:
    """Posts or comments, the newest first, each with its earlier versions, whom it names, and where copies are."""
    before = _FIRST
    while found := await rows.all(f"export.{name}", owner=whose, before_at=before[0], before_slug=before[1], most=PAGE):
        last = found[-1]["sort_at"], found[-1]["slug"]
        window = {
            "owner": whose, "before_at": before[0], "before_slug": before[1], "last_at": last[0], "last_slug": last[1],
        }  # fmt: skip
        beside = {
            each: _by_object(await rows.all(f"export.{each}_{'in' if each == 'named' else 'of'}_{name}", **window))
            for each in ("revisions", "named", "copies")
        }
        yield [{**plain(row), **{each: beside[each][row["uri"]] for each in beside}} for row in found]
        before = last


def _by_object(found: list[Row]) -> dict[str, list[dict[str, Any]]]:
    gathered: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in found:
        gathered[row["object"]].append(plain({name: value for name, value in row.items() if name != "object"}))
    return gathered


async def _log(rows: Reader, account: str) -> list[dict[str, Any]]:
    """What the audit log says of the own applications, without anybody's id.

    While somebody is looking at one it ends with the last decision: who looks, and when, belongs to what comes next.
    """
    lines = []
    for row in await rows.all("export.dossiers", owner=account):
        entries = [json.loads(each["entry"]) for each in await rows.all("audit.of_dossier", dossier=row["id"])]
        if row["open"] or row["state"] in _LOOKED_AT:
            entries = entries[: _decided(entries)]
        lines += [
            {name: entry[name] for name in ("at", "act", "dossier", "thing") if name in entry}
            for entry in entries
            if entry["act"] in _LOGGED
        ]
    return lines


def _decided(entries: list[dict[str, Any]]) -> int:
    """How many entries there are until the last decision, that one included."""
    return max((number for number, entry in enumerate(entries, 1) if entry["act"] in _ENDS), default=0)


# ── what stands in no section, and why ──

_OTHERS: Final = "holds nothing of an account"
_OFFICE: Final = "acts of office: they belong to the log of the instance and name others"
_CARRIED: Final = "carries between instances what stands under posts, comments, thanks and following"
_SEALED: Final = "a secret, or the hash of one"
_DERIVED: Final = "made from what is in the file"
_INNER: Final = "how the work goes on; says nothing of the person"
_REVIEW: Final = "what reviewers found and said before a decision; the decision is under told and log"

#: By table, or by `table.column` where the rest of a table is in the file.
LEFT_OUT: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            "settings",
            "versions",
            "siblings",
            "sibling_contacts",
            "sibling_lists",
            "sibling_logs",
            "sibling_sets",
            "sibling_farewells",
            "sibling_federation_lists",
            "sibling_days",
            "sibling_directories",
            "health_days",
            "federation_lists",
            "federation_list_state",
            "missing_answers",
            "unasked",
            "lanes",
            "refusals",
            "unkept",
            "audit_heads",
            "audit_segments",
            "register_snapshots",
            "register_entries",
            "country_overlays",
            "imported_items",
        ),
        _OTHERS,
    ),
    **dict.fromkeys(
        (
            "sibling_changes",
            "sibling_proposals",
            "pairings",
            "staff_acts",
            "policy_changes",
            "campaigns",
            "news_sources",
        ),
        _OFFICE,
    ),
    **dict.fromkeys(
        ("inbound", "received", "activities", "deliveries", "sibling_last_words", "ended_follows"), _CARRIED
    ),
    **dict.fromkeys(("enrolments", "challenges", "mailed_codes", "sign_ups", "push_keys"), _SEALED),
    **dict.fromkeys(
        (
            "doctor_specialties",
            "doctor_words",
            "doctor_facets",
            "post_specialties",
            "lists.folded",
            "search_due",
            "search_texts",
            "askings",
            "posts.specialty_1",
            "posts.specialty_2",
            "posts.specialty_3",
            "posts.behind_1",
            "posts.behind_2",
            "posts.first_answer_at",
        ),
        _DERIVED,
    ),
    **dict.fromkeys(
        ("submissions", "reverifications", "sign_in_failures", "campaign_members", "notice_due", "notice_marks"), _INNER
    ),
    **dict.fromkeys(("votes", "proposals", "findings", "register_tasks"), _REVIEW),
    "doctor_places": "where doctors of siblings stand in the lists of their own instance",
    **dict.fromkeys(
        (
            "accounts.password",
            "sessions.token",
            "sessions.csrf",
            "invitations.token",
            "passkeys.id",
            "passkeys.public_key",
            "passkeys.sign_count",
            "totp.secret",
            "totp.session",
            "totp.last_step",
            "keys.private",
            "mails.sealed",
            "notice_wishes.off_token",
            "push_devices.public_key",
            "push_devices.secret",
            "push_devices.session",
            "dossiers.identity",
            "evidence_pieces.number_index",
        ),
        _SEALED,
    ),
    **dict.fromkeys(
        (
            "accounts.disabled_at",
            "accounts.unsafe",
            "sessions.owes_factor",
            "sessions.enrols",
            "keys.origin",
            "keys.fetched_at",
            "doctors.fetched_at",
            "doctors.origin",
            "posts.received_at",
            "posts.origin",
            "polls.voted_at",
            "polls.told_at",
            "comments.received_at",
            "comments.origin",
            "comments.outside",
            "copies.withheld",
            "tombstones.origin",
            "copies.version",
            "mails.tries",
            "mails.next_at",
            "mails.country",
            "mails.whom",
            "dossiers.version",
            "dossiers.round",
            "dossiers.changed_at",
            "dossiers.appeal_round",
            "dossiers.handed_at",
            "dossiers.due_at",
            "dossiers.reminded",
            "dossiers.campaign",
            "dossiers.asked",
            "annexes.changed_at",
            "evidence_pieces.automatic",
            "dossier_notices.country",
            "dossiers.doctor",
            "dossiers.followed",
            "audit.n",
            "audit.hash",
            "likes.actor",
            "recommendations.id",
            "recommendations.actor",
            "follows.id",
            "totp.id",
            "piece_files.at",
        ),
        _INNER,
    ),
    **dict.fromkeys(
        (
            "doctors.folded",
            "doctors.summary",
            "doctors.document",
            "doctors.inbox",
            "doctors.outbox",
            "doctors.shared_inbox",
            "doctors.followers",
            "doctors.following",
            "keys.spki",
            "posts.document",
            "posts.answers",
            "posts.solved_at",
            "posts.first_answer_at",
            "polls.totals",
            "polls.by_specialty",
            "posts.last_answer_at",
            "posts.interests",
            "posts.event_from",
            "comments.document",
            "dossiers.folded",
        ),
        _DERIVED,
    ),
    **dict.fromkeys(
        (
            "dossiers.open_hit",
            "dossiers.taken_by",
            "dossiers.emergency_by",
            "dossiers.emergency_at",
            "dossiers.emergency_until",
            "dossiers.emergency_confirmed",
            "dossiers.decided_before",
            "evidence_pieces.matched",
        ),
        _REVIEW,
    ),
    "staff.invited_by": "somebody else",
    "invitations.invited_by": "somebody else",
    "invitations.former": _DERIVED,
}
