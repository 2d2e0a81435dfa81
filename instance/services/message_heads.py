"""What is kept of a message's headers, so that a refusal can be explained: never a secret, never much, always ASCII.

One line for what was asked (milliseconds, method, path), then one `name: value` a line; of what we sent, an empty line
and what came back follow. Values are kept of headers that a decision rests on; of a signature only how it begins;
of cookies, credentials and addresses of people the name alone; of others a few characters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from federation.ports import Exchange
from federation.trail import Trail

#: Bytes of a whole head: of a sibling's message, of a stranger's, and of a delivery (both ways together).
MOST: Final = 2_048
MOST_OF_STRANGERS: Final = 1_024
#: Characters of one value: of a header we know, and of any other.
KNOWN: Final = 512
UNKNOWN: Final = 64
#: How much of a signature is kept: enough to tell two apart, too little to be used.
BEGINNING: Final = 8

_KNOWN: Final = frozenset({
    "accept", "accept-encoding", "accept-signature", "allow", "cache-control", "connection", "content-digest",
    "content-encoding", "content-length", "content-type", "date", "digest", "host", "retry-after", "server",
    "signature", "signature-input", "te", "transfer-encoding", "user-agent", "vary",
})  # fmt: skip
#: Parts of names whose values are secrets, or say where a person sits.
_HIDDEN: Final = re.compile(
    r"cookie|auth|token|secret|passw|session|api-?key|credential|csrf|forwarded|-ip\b|^via$|referer|^from$|location"
)
_OF_SIGNATURE: Final = re.compile(r"(signature\s*=\s*\"?|=\s*:)([A-Za-z0-9+/=_-]+)")
_LONG_RUN: Final = re.compile(r"[A-Za-z0-9+/=_-]{60,}")
_HIDDEN_VALUE: Final = "(not kept)"


def of_trail(trail: Trail, took: int, *, most: int = MOST) -> str:
    """Return what is kept of a message that came in; `took` is how long it took here, in milliseconds."""
    if trail.head is None:
        return ""
    lines = [_first(took, trail.head.method, trail.head.target), *_lines(trail.head.headers)]
    return _bounded(lines, most)


def of_exchange(exchange: Exchange | None, status: int) -> str:
    """Return what is kept of one try to deliver: what we sent, an empty line, what came back."""
    if exchange is None:
        return ""
    sent = _bounded([_first(exchange.took, "POST", exchange.target), *_lines(exchange.sent)], MOST // 2)
    received = _bounded([str(status), *_lines(exchange.received)], MOST // 2)
    return f"{sent}\n\n{received}"


def _first(took: int, method: str, target: str) -> str:
    """Queries name people: that there was one is all that is kept of it."""
    path, mark, _ = target.partition("?")
    return f"{max(0, took)} {_cut(_plain(method), 8)} {_cut(_plain(path), KNOWN)}{mark}"


def _lines(headers: Mapping[str, str]) -> list[str]:
    return [_line(name, value) for name, value in headers.items()]


def _line(name: str, value: str) -> str:
    shown, most, is_signature = _rule(name) if len(name) <= UNKNOWN else _ruled(name)
    if not most:
        return f"{shown}: {_HIDDEN_VALUE}"
    if is_signature:
        value = _OF_SIGNATURE.sub(lambda found: found[1] + _beginning(found[2]), value)
        value = _LONG_RUN.sub(lambda found: _beginning(found[0]), value)
    return f"{shown}: {_cut(_plain(value), most)}"


def _ruled(name: str) -> tuple[str, int, bool]:
    """How a name is shown, how much of its value is kept, and whether that is a signature."""
    lower = name.lower()
    most = 0 if _HIDDEN.search(lower) else KNOWN if lower in _KNOWN else UNKNOWN
    return _cut(_plain(name), UNKNOWN), most, lower == "signature"


#: The same names come with every message.
_rule: Final = lru_cache(maxsize=256)(_ruled)


def _beginning(text: str) -> str:
    return text if len(text) <= BEGINNING else text[:BEGINNING] + "..."


def _plain(text: str) -> str:
    """Nothing but visible ASCII and spaces: whatever else came is shown by its escape."""
    if text.isascii() and text.isprintable():
        return text
    return text.encode("unicode_escape", "backslashreplace").decode("ascii")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def _bounded(lines: list[str], most: int) -> str:
    text = "\n".join(lines)
    if len(text) <= most:
        return text
    return text[: most - 4].rpartition("\n")[0] + "\n..."
