"""Mails: rows become messages that say no more than that there is something to read, and to whom.

A mail holds no name, no evidence, no document and no clinical word; what it is about is read after signing in. Mails
to a part of the desk become one row for each of its people first. Codes overtake all others: they hold for minutes.
What cannot be sent is tried again, ever later, and dropped after three days; a code is dropped once it is past.
"""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final

from instance.i18n import LANGUAGES, Catalogue, catalogue
from instance.ids import new_ulid
from instance.mail_ways import NotSent, way_of
from instance.services import notice_mails
from instance.services.alerts import KEYS_CHANGED, PAIRING_REQUESTED, PLACES
from instance.services.dossiers.reminders import OVERDUE, WAITING
from instance.services.notice_mails import DIGEST, NOTICES, READER
from instance.services.owners import ADDED, GUESSED, OWNER, PASSWORD_CHANGED
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms
from instance.vault import BadSecret, CannotOpen
from verification.acts import Notice, Whom
from verification.people import StaffRole, what_holds

if TYPE_CHECKING:
    from instance.wiring import Node

#: A code for somebody who signs up, and the word to one who has an account already.
CODE, HAS_ACCOUNT = "join_code", "join_has_account"
#: A code that proves an address of an account, and those with which its password is renewed: asked for by whoever knows
#: the address, and sent on behalf of an administrator.
ADDRESS_CODE, PASSWORD_CODE, SENT_CODE = "address_code", "password_code", "password_code_sent"
#: What mails can be about.
SUBJECTS: Final = (
    CODE, HAS_ACCOUNT, ADDRESS_CODE, PASSWORD_CODE, SENT_CODE, ADDED, GUESSED, PASSWORD_CHANGED, WAITING, OVERDUE,
    *PLACES, NOTICES, DIGEST, *(notice.value for notice in Notice),
)  # fmt: skip
#: How long a code holds.
CODE_HOLDS: Final = timedelta(minutes=15)
#: How long the next try waits, by how many there were.
BACK_OFF: Final = (
    timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4),
    timedelta(hours=12),
)  # fmt: skip
GIVEN_UP: Final = timedelta(days=3)
#: How long the row of a mail stays that was sent.
KEPT: Final = timedelta(days=30)
_CODES: Final = frozenset({CODE, ADDRESS_CODE, PASSWORD_CODE, SENT_CODE})
_AT_ONCE: Final = 20
#: So many go at the same time, and so often it is looked what comes first now: a server that hangs holds a code up for
#: the time of one mail.
_TOGETHER, _ROUNDS = 8, 3
_PARTS: Final = {
    Whom.REVIEWERS: StaffRole.REVIEWER, Whom.LEADS: StaffRole.LEAD, Whom.ADMINISTRATORS: StaffRole.ADMINISTRATOR,
}  # fmt: skip


class Mails:
    """The mails of one instance."""

    def __init__(self, node: Node) -> None:
        self._node, self._store = node, node.store
        self.way = way_of(node.config)

    async def send_due(self) -> int:
        """Send what is due, codes first and several at a time; return how many left."""
        await self._spread()
        sent = 0
        for _ in range(_ROUNDS):
            due = await self._store.all("mails.due", now=to_ms(self._node.clock()), most=_TOGETHER)
            if not due:
                break
            sent += sum(await asyncio.gather(*map(self._try, due)))
        return sent

    async def sweep(self) -> int:
        """Delete the rows of mails that were sent a month ago; return how many."""
        return await self._run("mails.drop_sent", before=to_ms(self._node.clock() - KEPT))

    # ── one for each ──

    async def _spread(self) -> None:
        if not await self._store.all("mails.for_the_desk", most=1):
            return

        async def work(tx: Transaction) -> None:
            await tx.take_turn("mails for the desk")
            people = await tx.all("mails.people_of_the_desk")
            for row in await tx.all("mails.for_the_desk", most=_AT_ONCE):
                meant = [person for person in people if _is_meant(row, person)]
                for person in meant:
                    await self._add_for(tx, row, person)
                await tx.run("mails.drop", id=row["id"])
                if not meant:
                    unread.append(row["notice"])

        unread: list[str] = []
        await self._store.write(work)
        for notice in unread:
            self._node.log.warning("mail_reaches_nobody", code=notice)

    async def findings(self) -> list[str]:
        """For which country and role there are staff whom no mail reaches, and nobody else; in sentences."""
        found: dict[tuple[StaffRole, str], bool] = {}
        for person in await self._store.all("mails.who_works_at_the_desk"):
            roles = json.loads(person["roles"])
            for role in [role for role in _PARTS.values() if role.value in roles]:
                for country in [""] if role is StaffRole.ADMINISTRATOR else json.loads(person["countries"]):
                    found[role, country] = found.get((role, country), False) or bool(person["reached"])
        return [
            f"warning: {country or 'everywhere'}: no mail reaches anybody who works as {role.value}, neither reminders "
            "nor what is urgent: each of them confirms an address under “Me”"
            for (role, country), reached in sorted(found.items())
            if not reached
        ]

    async def _add_for(self, tx: Transaction, row: Row, person: Row) -> None:
        await tx.run(
            "mails.add", id=new_ulid(self._node.clock()), whom=row["whom"], account=person["id"],
            country=row["country"], notice=row["notice"], language=person["language"], at=row["at"], address="",
            sealed=None,
        )  # fmt: skip

    # ── sending ──

    async def _try(self, row: Row) -> bool:
        """Send one; whatever goes wrong with it is said, and keeps no other from going."""
        try:
            return await self._send(row)
        except Exception as fault:
            self._node.log.error("mail_not_sent", code=row["notice"], count=row["tries"] + 1, error=_word(fault))
            return False

    async def _send(self, row: Row) -> bool:
        """Send one; whoever claims it first does."""
        now, address = self._node.clock(), row["address"] or row["email"]
        if not address or now - from_ms(row["at"]) >= _kept(row["notice"]):
            await self._run("mails.drop", id=row["id"])
            self._node.log.warning("mail_dropped", code=row["notice"], count=row["tries"])
            return False
        later = now + BACK_OFF[min(row["tries"], len(BACK_OFF) - 1)]
        if not await self._run("mails.claim", id=row["id"], later=to_ms(later), seen=row["next_at"]):
            return False
        try:
            await self.way.send(row["id"], self._message(row, address, now))
        except (NotSent, BadSecret, CannotOpen) as fault:
            self._node.log.warning("mail_not_sent", code=row["notice"], count=row["tries"] + 1, error=_word(fault))
            return False
        await self._run("mails.sent", id=row["id"], now=to_ms(now))
        return True

    def _message(self, row: Row, address: str, now: datetime) -> EmailMessage:
        config = self._node.config
        asked = row["chosen"] or row["language"]
        words = catalogue(asked if asked in LANGUAGES else config.language)
        message = EmailMessage()
        message["From"] = config.mail_from or f"no-reply@{_host(config.authority)}"
        message["To"] = address
        message["Subject"] = f"{_subject(words, row)} – {config.name}"
        message["Date"] = format_datetime(now)
        message["Message-ID"] = f"<{row['id'].lower()}@{_host(config.authority)}>"
        message["Auto-Submitted"] = "auto-generated"
        if row["whom"] == READER and row["off_token"]:
            for name, value in notice_mails.headers(self._node.origin, row["off_token"]).items():
                message[name] = value
        message.set_content("\n\n".join(self._lines(words, row)) + "\n")
        # Last: setting the content takes every header away that speaks of it.
        message["Content-Language"] = words.language
        return message

    def _lines(self, words: Catalogue, row: Row) -> list[str]:
        lines, origin, config = [words.text("mail.hello")], self._node.origin, self._node.config
        if row["notice"] in _CODES:
            code = self._node.vault.open(bytes(row["sealed"]), sealed_for(row["id"])).decode()
            lines += [_of_code(words, row["notice"]), code]
            lines += [f"{origin}/recover/team"] if row["notice"] == SENT_CODE else []
            lines += [words.text("mail.not_you")]
        elif row["notice"] == HAS_ACCOUNT:
            lines += [words.text("mail.join_has_account"), f"{origin}/sign-in", words.text("mail.not_you")]
        elif row["whom"] == READER:
            lines += notice_mails.lines(words, row["notice"], row["counts"], origin)
        elif row["whom"] == OWNER:
            lines += [_to_owner(words, row["notice"]), f"{origin}/me/security"]
        elif row["whom"] == Whom.APPLICANT.value:
            lines += [words.text(f"told.{row['notice']}"), words.text("mail.read_more"), f"{origin}/application"]
        elif row["notice"] in PLACES:
            lines += [_of_alert(words, row["notice"]), f"{origin}{PLACES[row['notice']]}"]
        else:
            of_this = f"mail.desk.{row['notice']}"
            lines += [words.text(of_this)] if words.has(of_this) else []
            lines += [words.text("mail.desk"), f"{origin}/desk{'/overdue' if row['notice'] == OVERDUE else ''}"]
        foot = words.text("mail.foot")
        contact = [f"{words.text('shell.contact')} {config.contact}"] if config.contact else []
        return [*lines, "\n".join([f"{foot} {config.name}", *contact])]

    async def _run(self, query: str, **values: object) -> int:
        async def work(tx: Transaction) -> int:
            return await tx.run(query, **values)

        return await self._store.write(work)


def _host(authority: str) -> str:
    """The host of an authority, as it stands in addresses of mail."""
    host, _, port = authority.rpartition(":")
    return host if host and port.isdigit() else authority


def sealed_for(id: str) -> bytes:
    """What the sealed code of a mail is bound to."""
    return f"mail/{id}".encode()


def _kept(notice: str) -> timedelta:
    return CODE_HOLDS if notice in _CODES else GIVEN_UP


def _of_code(words: Catalogue, notice: str) -> str:
    if notice == ADDRESS_CODE:
        return words.text("mail.address_code")
    if notice == SENT_CODE:
        return words.text("mail.password_code_sent")
    return words.text("mail.password_code") if notice == PASSWORD_CODE else words.text("mail.join_code")


def _to_owner(words: Catalogue, notice: str) -> str:
    if notice == PASSWORD_CHANGED:
        return words.text("mail.password_changed")
    return words.text("mail.factor_added") if notice == ADDED else words.text("mail.factor_guessed")


def _of_alert(words: Catalogue, notice: str) -> str:
    if notice == PAIRING_REQUESTED:
        return words.text("mail.pairing_requested")
    if notice == KEYS_CHANGED:
        return words.text("mail.sibling_key_changed")
    return words.text("mail.sibling_opened_alone")


def _subject(words: Catalogue, row: Row) -> str:
    if row["notice"] in (CODE, HAS_ACCOUNT):
        return words.text("mail.subject.join")
    if row["whom"] == READER:
        return notice_mails.subject(words, row["notice"])
    if row["whom"] == OWNER:
        return words.text("mail.subject.owner")
    if row["whom"] == Whom.APPLICANT.value:
        return words.text("mail.subject.applicant")
    if row["notice"] in PLACES:
        return words.text("mail.subject.administration")
    return words.text("mail.subject.desk")


def _is_meant(row: Row, person: Row) -> bool:
    """Whether this person works in that part of the desk, for that country (administrators: for every one)."""
    role = _PARTS.get(Whom(row["whom"]))
    near = role is StaffRole.ADMINISTRATOR or row["country"] in json.loads(person["countries"])
    return role is not None and role in what_holds(map(StaffRole, json.loads(person["roles"]))) and near


def _word(fault: Exception) -> str:
    return str(fault) if isinstance(fault, NotSent) else type(fault).__name__
