"""One strict URL type for checking and for fetching, so that both always mean the same place.

A `Uri` is ASCII, absolute, https (http only for loopback names), without userinfo, without an IP literal,
in one canonical spelling. Two addresses are the same exactly when their texts are equal (FEP-fe34 compares origins;
RFC 3986 section 6 lists the many spellings that are refused here instead of being normalised).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

MAX_LENGTH: Final = 512

_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_SHAPE = re.compile(
    rf"(?P<scheme>https?)://(?P<host>{_LABEL}(?:\.{_LABEL})*)(?::(?P<port>[1-9][0-9]{{0,4}}))?"
    # RFC 3986 section 3.3 and 3.4: pchar, "/" and "?" only; a percent sign starts an octet in capitals.
    r"(?P<path>/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-F]{2})*)?"
    r"(?:\?(?P<query>(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})*))?"
    r"(?:#(?P<fragment>(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})*))?\Z"
)
_ORIGIN = re.compile(r"[a-z]+://[^/?#]*")
_NUMERIC_LABEL = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z")
_DEFAULT_PORT: Final = {"https": 443, "http": 80}


class BadUri(ValueError):
    """The text is not an address this federation may use."""


class Uri(str):
    """An absolute address in its one canonical spelling; only `Uri.parse` makes one."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> Uri:
        """Return the address; raise BadUri for anything else, whatever its type."""
        if type(text) is Uri:
            return text
        if not isinstance(text, str) or len(text) > MAX_LENGTH:
            raise BadUri("an address is a text of at most 512 characters")
        return _parse(text)

    @property
    def origin(self) -> str:
        """Scheme, host and port (the port only where it is not the scheme's own)."""
        return self[: _end_of_origin(self)]

    @property
    def authority(self) -> str:
        """Host and port as the Host header carries them."""
        return self.origin.partition("://")[2]

    @property
    def host(self) -> str:
        """The host name, without the port."""
        return self.authority.partition(":")[0]

    @property
    def scheme(self) -> str:
        """`https`, or `http` between loopback names."""
        return self.partition(":")[0]

    @property
    def port(self) -> int:
        """The port connected to."""
        port = self.authority.partition(":")[2]
        return int(port) if port else _DEFAULT_PORT[self.scheme]

    @property
    def target(self) -> str:
        """Path and query as the request line carries them; `/` where there is no path."""
        rest = self.without_fragment()[_end_of_origin(self) :]
        return rest if rest.startswith("/") else "/" + rest

    @property
    def is_loopback(self) -> bool:
        """Whether the host is a name that RFC 6761 section 6.3 reserves for this machine."""
        return _is_loopback_name(self.host)

    def without_fragment(self) -> Uri:
        """The document in which this address stands: `…/actor#main-key` is read in `…/actor`."""
        head, mark, _ = self.partition("#")
        return Uri(head) if mark else self

    def same_origin(self, other: Uri) -> bool:
        """Whether both have the same scheme, host and port (FEP-fe34)."""
        return self.origin == other.origin


def parse_origin(text: object) -> str:
    """Return `scheme://host[:port]`; raise BadUri when the text holds anything more."""
    uri = Uri.parse(text)
    if uri.origin != uri:
        raise BadUri("an origin has no path")
    return str(uri)


def is_uri(text: object) -> bool:
    """Whether `Uri.parse` would return."""
    try:
        Uri.parse(text)
    except BadUri:
        return False
    return True


@lru_cache(maxsize=16_384)
def _parse(text: str) -> Uri:
    found = _SHAPE.match(text)
    if found is None:
        raise BadUri("not an absolute https address in canonical form")
    scheme, host, port = found["scheme"], found["host"], found["port"]
    if len(host) > 253 or _NUMERIC_LABEL.match(host.rpartition(".")[2]):
        raise BadUri("the host is not a name")  # WHATWG URL: a numeric last label is an IPv4 address
    if port is not None and (int(port) > 65_535 or int(port) == _DEFAULT_PORT[scheme]):
        raise BadUri("the port is out of range, or the scheme's own and left out")
    if scheme == "http" and not _is_loopback_name(host):
        raise BadUri("http is for loopback names only")
    if _has_dot_segment(found["path"] or ""):
        raise BadUri("the path is not canonical")
    return Uri(text)


def _has_dot_segment(path: str) -> bool:
    if "/." not in path and "%2E" not in path:
        return False
    return any(segment in (".", "..") for segment in path.replace("%2E", ".").split("/"))


def _is_loopback_name(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")


# Asked several times for every message, of few addresses.
@lru_cache(maxsize=16_384)
def _end_of_origin(text: str) -> int:
    return _ORIGIN.match(text).end()  # type: ignore[union-attr]  # whatever is a Uri matches
