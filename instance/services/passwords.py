"""Passwords: what is accepted, and argon2id in a bounded pool so that a flood of sign-ins cannot take the machine."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from importlib.resources import files
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from instance.services.errors import Rejected

MIN_LENGTH: Final = 12
MAX_LENGTH: Final = 128
AT_A_TIME: Final = 2
WAITING: Final = 64
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS: Final = 5
_AROUND: Final = "0123456789 .,;:-_!?*+#@$"

T = TypeVar("T")
#: Makes what is kept of a password.
HashPassword = Callable[[str], Awaitable[str]]

# RFC 9106: argon2id, 64 MiB; one lane, because two hashes at a time already use both cores.
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=65_536, parallelism=1)
# One pool for the process: the memory it may take does not grow with the number of instances in it.
_POOL: Final = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="argon2")
_in_hand = 0


def check_password(password: object, *familiar: str) -> str:
    """Return an acceptable password; raise Rejected for one that is too short, too long, or among the common ones.

    `familiar` are words an attacker tries first: the login and the like.
    """
    if not isinstance(password, str) or len(password) < MIN_LENGTH:
        raise Rejected("password_too_short", "password")
    if len(password) > MAX_LENGTH:
        raise Rejected("password_too_long", "password")
    folded = password.casefold()
    # What people put around a common word does not make it a rare one.
    if not _common().isdisjoint((folded, folded.strip(_AROUND))) or len(set(folded)) < 4 or _only(folded, familiar):
        raise Rejected("password_common", "password")
    return password


def make_password() -> str:
    """Return a new password of about 123 bits that can be read out over the telephone."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(_GROUPS))
    return "-".join(groups)


async def hash_password(password: str) -> str:
    """Return the argon2id hash; raise Rejected(too_busy) when too many wait."""
    return await _in_pool(lambda: _HASHER.hash(password))


async def verify(password: str, stored: str | None) -> bool:
    """Whether the password fits; takes as long where there is no stored hash. Raises Rejected(too_busy)."""
    return await _in_pool(lambda: _fits(password, stored or _dummy())) and stored is not None


def _fits(password: str, stored: str) -> bool:
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


async def _in_pool(work: Callable[[], T]) -> T:
    global _in_hand
    if _in_hand >= AT_A_TIME + WAITING:
        raise Rejected("too_busy", status=503)
    job = asyncio.get_running_loop().run_in_executor(_POOL, work)
    _in_hand += 1
    # Counted until the thread is done, even where the caller went away before: its memory is still in use.
    job.add_done_callback(_done)
    return await asyncio.shield(job)


def _done(job: asyncio.Future[T]) -> None:
    global _in_hand
    _in_hand -= 1
    if not job.cancelled():
        job.exception()


def _only(folded: str, familiar: tuple[str, ...]) -> bool:
    rest = folded
    for word in familiar:
        if len(word) >= 3:
            rest = rest.replace(word.casefold(), "")
    return len(rest.strip(_AROUND)) < 3


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    return frozenset(files("instance").joinpath("data/common_passwords.txt").read_text("utf-8").split("\n"))


@lru_cache(maxsize=1)
def _dummy() -> str:
    return _HASHER.hash(secrets.token_hex(16))
