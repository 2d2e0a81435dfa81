"""Signing up: an account without a doctor, for whoever can read the mail sent to the address they gave.

Nothing is made before the code of that mail is typed. An address that has an account already is answered like a new
one; a mail alone says so. No right comes of an address, its domain included. Codes raised here: CODES.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from instance.ids import new_ulid
from instance.services import attempts, mailed_codes, passwords
from instance.services.accounts import hashed
from instance.services.dossiers.values import NewApplication
from instance.services.errors import Rejected
from instance.services.mailed_codes import ALL_TRIES, Purpose, Said, bound, new_code
from instance.services.mails import CODE, CODE_HOLDS, HAS_ACCOUNT, sealed_for
from instance.storage.store import Row, Transaction
from instance.times import to_ms
from verification.dossier import Country, Role
from verification.people import Actor, DoctorId

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = (
    *attempts.CODES, "bad_email", "code_wrong", "code_past", "code_used_up", "sign_up_gone", "students_not_admitted",
)  # fmt: skip
_DIGITS: Final = 6
#: One mailbox that every program reads alike: no quotes, comments, routes (% and !), no addresses in numbers.
_LOCAL: Final = re.compile(r"[A-Za-z0-9_+'=-]+(?:\.[A-Za-z0-9_+'=-]+)*\Z")
_DOMAIN: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUp:
    """What somebody who signs up has said."""

    email: str
    password: str
    name: str
    country: str
    role: str
    specialties: tuple[str, ...]
    languages: tuple[str, ...] = ()
    handle: str = ""
    birth_date: date | None = None

    def application(self, email: str) -> NewApplication:
        """The application that comes of it."""
        return NewApplication(
            name=self.name, country=self.country, role=self.role, specialties=self.specialties, email=email,
            languages=self.languages, handle=self.handle, birth_date=self.birth_date,
        )  # fmt: skip


class Joining:
    """Sign-ups of one instance."""

    def __init__(self, node: Node) -> None:
        self._node, self._store = node, node.store

    def countries(self) -> tuple[str, ...]:
        """The countries that this instance may vouch for and whose profile holds, the own one first."""
        config, known = self._node.config, self._node.dossiers.policies()
        return tuple(code for code in dict.fromkeys((config.country, *config.may_issue_for)) if Country(code) in known)

    def roles(self) -> tuple[str, ...]:
        """The roles one can apply for in at least one of the countries."""
        policies = [self._node.dossiers.policies()[Country(code)] for code in self.countries()]
        return tuple(
            role.value for role in Role
            if any(policy.accepts(role, proof) for policy in policies for proof in policy.accepted.get(role, ()))
        )  # fmt: skip

    async def begin(self, new: SignUp, client: str, language: str) -> str:
        """Keep what was said and send a code; return the token that the browser keeps.

        Raises Rejected: bad_email, too_many_attempts, students_not_admitted, and what passwords, names, countries,
        roles and specialties are refused for.
        """
        email = read_address(new.email)
        await self._node.dossiers.check(new.application(email))
        passwords.check_password(new.password, email, email.partition("@")[0])
        await mailed_codes.count(self._node, email, client, Purpose.SIGN_UP)
        stored, token, code = await self._node.hash_password(new.password), secrets.token_urlsafe(32), new_code(_DIGITS)
        said = await self._said(new)

        async def work(tx: Transaction) -> None:
            await tx.run(
                "joining.begin", token=hashed(token), email=email, password=stored, said=json.dumps(said),
                language=language, code=bound(token, code), now=to_ms(self._node.clock()),
            )  # fmt: skip
            await self._mail(tx, email, code, language)

        await self._store.write(work)
        self._node.wake.mails.set()
        return token

    async def again(self, token: str, client: str) -> None:
        """Send another code; the one before no longer fits, and what was tried counts on.

        Raises Rejected: sign_up_gone, also where every try was used; too_many_attempts.
        """
        row = await self._row(token)
        await mailed_codes.count(self._node, row["email"], client, Purpose.SIGN_UP)
        code = new_code(_DIGITS)

        async def work(tx: Transaction) -> None:
            changed = await tx.run(
                "joining.new_code", token=hashed(token), code=bound(token, code), now=to_ms(self._node.clock())
            )
            if not changed:
                raise _gone()
            await self._mail(tx, row["email"], code, row["language"])

        await self._store.write(work)
        self._node.wake.mails.set()

    async def address(self, token: str) -> str:
        """The address the code went to; raise Rejected(sign_up_gone) where nobody signs up under this token."""
        return str((await self._row(token))["email"])

    async def address_of(self, account_id: str) -> str:
        """Where mails about an account go; raise Rejected(bad_email) where nobody has said."""
        row = await self._store.one("joining.address_of", account=account_id)
        return read_address("" if row is None else row["email"])

    async def confirm(self, token: str, typed: str) -> str:
        """Take the code, make the account and begin the application; return the account.

        Raises Rejected: sign_up_gone, code_past, code_used_up, code_wrong.
        """
        account = new_ulid(self._node.clock())

        async def work(tx: Transaction) -> tuple[Said, Row | None]:
            await tx.take_turn(f"sign-up {hashed(token).hex()}")
            row = await tx.one("joining.get", token=hashed(token))
            row = None if row is None or row["tried"] >= ALL_TRIES else row
            said = mailed_codes.judge(row, token, typed, self._node.clock())
            if said is Said.WRONG:
                await tx.run("joining.count_try", token=hashed(token))
                said = Said.GONE if row is not None and row["tried"] + 1 >= ALL_TRIES else said
            if said is not Said.RIGHT or row is None:
                return said, row
            return (said if await self._make(tx, row, token, account) else Said.WRONG), row

        said, row = await self._store.write(work)
        if said is not Said.RIGHT or row is None:
            raise _gone() if said is Said.GONE else Rejected(said.value, "code")
        await self._node.dossiers.open(account, _application(row))
        return account

    async def sweep(self) -> int:
        """Forget sign-ups that were not finished within the hour; return how many."""

        async def work(tx: Transaction) -> int:
            return await tx.run("joining.drop_passed", since=to_ms(self._node.clock() - 4 * CODE_HOLDS))

        return await self._store.write(work)

    # ── parts ──

    async def _row(self, token: str) -> Row:
        row = await self._store.one("joining.get", token=hashed(token))
        if row is None or row["tried"] >= ALL_TRIES:
            raise _gone()
        return row

    async def _said(self, new: SignUp) -> dict[str, Any]:
        """What is kept until the code is typed; of the birth date no more than later: a keyed hash."""
        identity = await self._node.dossiers.identity(new.name, new.birth_date)
        return {
            "name": new.name, "country": new.country, "role": new.role, "specialties": new.specialties,
            "languages": new.languages, "handle": new.handle, "identity": "" if identity is None else identity.hex(),
        }  # fmt: skip

    async def _make(self, tx: Transaction, row: Row, token: str, account: str) -> bool:
        """Make the account; False where somebody has one under this address."""
        if await tx.one("joining.account_of", email=row["email"]) is not None:
            return False
        added = await tx.run(
            "people.add_account", id=account, login=row["email"], password=row["password"], doctor=None, roles="[]",
            language=row["language"], now=to_ms(self._node.clock()),
        )  # fmt: skip
        await tx.run("joining.set_address", account=account, email=row["email"])
        await tx.run("joining.drop", token=hashed(token))
        return bool(added)

    async def _mail(self, tx: Transaction, email: str, code: str, language: str) -> None:
        now = self._node.clock()
        id, known = new_ulid(now), await tx.one("joining.account_of", email=email)
        sealed = self._node.vault.seal(code.encode(), sealed_for(id))
        await tx.run(
            "mails.add", id=id, whom="applicant", account="", country=self._node.config.country,
            notice=CODE if known is None else HAS_ACCOUNT, language=language, at=to_ms(now), address=email,
            sealed=sealed,
        )  # fmt: skip


def read_address(text: str) -> str:
    """Read an e-mail address, in small letters; raise Rejected(bad_email) for what could be read in two ways."""
    local, _, domain = text.casefold().partition("@")
    fits = text.isascii() and len(text) <= 254 and len(local) <= 64
    if not fits or not _LOCAL.match(local) or not _DOMAIN.match(domain):
        raise Rejected("bad_email", "email")
    return f"{local}@{domain}"


def applicant(account_id: str) -> Actor:
    """Who the owner of an account is to the medical room."""
    return Actor.applicant(DoctorId(account_id))


def _application(row: Row) -> NewApplication:
    said = json.loads(row["said"])
    return NewApplication(
        name=said["name"], country=said["country"], role=said["role"], specialties=tuple(said["specialties"]),
        email=row["email"], languages=tuple(said.get("languages", ())), handle=said.get("handle", ""),
        identity=bytes.fromhex(said.get("identity", "")) or None,
    )  # fmt: skip


def _gone() -> Rejected:
    return Rejected("sign_up_gone", status=404)
