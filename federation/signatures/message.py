"""A message whose headers are safe to read by name: proved single, ASCII, and of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from federation.errors import HeadersTooLarge, MalformedHeaders, UnsupportedMediaType, WrongHost

MAX_HEADER_BYTES: Final = 16_384
MAX_HEADERS: Final = 64

#: Names on which a decision rests; a second field of the name is an attack or a fault (RFC 9110 section 5.3).
SINGLE: Final = frozenset(
    {
        "host",
        "date",
        "digest",
        "content-digest",
        "content-type",
        "content-length",
        "content-encoding",
        "transfer-encoding",
        "signature",
        "signature-input",
        "authorization",
        "sibling-log",
        "collection-synchronization",
    }
)
_NO_NAMES: Final[frozenset[str]] = frozenset()
# RFC 9110 section 5.6.2 (token) for names; section 5.5 for values, where the tab is the only control allowed.
_TOKEN: Final = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CONTROLS: Final = bytes(code for code in (*range(32), 127) if code != 9)


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """A request as it stood on the wire, before its signature is believed.

    `origin` is our own configured one, never the request's. `body` is empty for GET and until it has been read.
    `repeated` names the fields that came several times and were joined; none of them may be covered.
    """

    method: str
    origin: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    repeated: frozenset[str] = _NO_NAMES

    @classmethod
    def from_raw(
        cls, method: str, origin: str, target: str, raw_headers: Iterable[tuple[bytes, bytes]]
    ) -> SignedMessage:
        """Check size, characters and repeats of the headers; `target` is the raw path with its query."""
        if not (method.isascii() and method.isalpha() and method.isupper()):
            raise MalformedHeaders("method")
        if not _is_target(target):
            raise MalformedHeaders("request target")
        headers, repeated = _single(list(raw_headers))
        _require_plain_framing(headers)
        return cls(method, origin, target, headers, b"", repeated)

    def with_body(self, body: bytes) -> SignedMessage:
        """The same message, now that its body has been read."""
        return SignedMessage(self.method, self.origin, self.target, self.headers, body, self.repeated)

    @property
    def authority(self) -> str:
        """Our host and port, as the Host header of a message meant for us carries them."""
        return self.origin.partition("://")[2]

    @property
    def declared_length(self) -> int | None:
        """The length the sender announces, or None."""
        length = self.headers.get("content-length")
        return None if length is None else int(length)


def require_host(message: SignedMessage) -> None:
    """Raise WrongHost unless the Host header names this server, spelled as we spell it."""
    if message.headers.get("host") != message.authority:
        raise WrongHost


def _is_target(target: str) -> bool:
    """Origin form only (RFC 9112 section 3.2.1): an absolute target could name another host."""
    return target[:1] == "/" and target.isascii() and target.isprintable() and " " not in target and "#" not in target


def _single(raw: list[tuple[bytes, bytes]]) -> tuple[dict[str, str], frozenset[str]]:
    """Read all fields in a few passes over joined texts: cheaper than a look at each field."""
    if not raw:
        return {}, _NO_NAMES
    count = len(raw)
    names_raw, values_raw = zip(*raw, strict=True)
    joined_names, joined_values = b"\n".join(names_raw), b"\n".join(values_raw)
    # On the wire each field takes four bytes more than its name and value (": " and CRLF).
    if count > MAX_HEADERS or len(joined_names) + len(joined_values) + 2 * count + 2 > MAX_HEADER_BYTES:
        raise HeadersTooLarge
    separators = count - 1
    if len(joined_names.translate(None, _TOKEN)) != separators:
        raise MalformedHeaders("field name")
    left = len(joined_values) - separators
    if not joined_values.isascii() or len(joined_values.translate(None, _CONTROLS)) != left:
        raise MalformedHeaders("not ASCII, folded, or with control characters")
    names = joined_names.decode("ascii").lower().split("\n")
    values = [value.strip(" \t") for value in joined_values.decode("ascii").split("\n")]
    headers = dict(zip(names, values, strict=True))
    if "" in headers:
        raise MalformedHeaders("field without a name")
    return (headers, _NO_NAMES) if len(headers) == count else _joined(names, values)


def _joined(names: list[str], values: list[str]) -> tuple[dict[str, str], frozenset[str]]:
    """Join repeated fields as RFC 9110 section 5.3 does; refuse the names that must be single."""
    headers: dict[str, str] = {}
    repeated: set[str] = set()
    for name, value in zip(names, values, strict=True):
        if name not in headers:
            headers[name] = value
            continue
        if name in SINGLE:
            raise MalformedHeaders(f"{name} repeated")
        repeated.add(name)
        headers[name] = f"{headers[name]}, {value}"
    return headers, frozenset(repeated)


def _require_plain_framing(headers: Mapping[str, str]) -> None:
    length = headers.get("content-length")
    if length is not None:
        if "transfer-encoding" in headers:  # RFC 9112 section 6.1: a sign of request smuggling
            raise MalformedHeaders("Content-Length beside Transfer-Encoding")
        if not length.isdigit() or len(length) > 18:
            raise MalformedHeaders("Content-Length")
    if "content-encoding" in headers:
        raise UnsupportedMediaType("encoded body")
