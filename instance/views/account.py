"""What the account's owner sees of it."""

from __future__ import annotations

from msgspec import Struct

from instance.storage.store import Reader


class AccountRow(Struct, frozen=True, kw_only=True):
    """Settings of an account."""

    login: str
    roles: str
    language: str
    appearance: str
    text_size: int
    #: Languages (a JSON array).
    reading: str
    created_at: int


async def has_mail(store: Reader, account_id: str) -> bool:
    """Whether an address is proved to which mails can go."""
    row = await store.one("views.account_mail", account=account_id)
    return bool(row and row["reached"])


async def account(store: Reader, account_id: str) -> AccountRow:
    """Return the account's settings."""
    row = await store.one("views.account", account=account_id)
    if row is None:
        raise LookupError(account_id)
    return AccountRow(**row)
