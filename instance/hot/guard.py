"""The form of every request, for pages and siblings alike: servers differ in what they let through."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from federation.errors import MalformedHeaders, MethodNotAllowed, Refused, WrongHost
from federation.signatures import SignedMessage, require_host
from federation.signatures.message import MAX_HEADERS
from federation.trail import Head, Step, Trail

METHODS: Final = frozenset({"GET", "HEAD", "POST"})
#: Which check of the door refuses with this; every other refusal here is about the form of the headers.
_STEPS: Final = {MethodNotAllowed: Step.REQUEST, WrongHost: Step.HOST}


class Guard:
    """Turns a scope into a message whose headers are safe to read by name, or raises Refused."""

    def __init__(self, origin: str, server: str) -> None:
        self._origin = origin
        # granian hides Content-Length where Transfer-Encoding stands beside it.
        self._no_chunks = server == "granian"

    def message(self, scope: Mapping[str, Any]) -> SignedMessage:
        """Check method, target, framing, sizes and Host; raise MethodNotAllowed, MalformedHeaders, WrongHost, … ."""
        method = scope["method"]
        if method not in METHODS:
            raise MethodNotAllowed(method)
        message = SignedMessage.from_raw(method, self._origin, target(scope), scope["headers"])
        if self._no_chunks and "transfer-encoding" in message.headers and scope.get("http_version") == "1.1":
            raise MalformedHeaders("Transfer-Encoding")
        require_host(message)
        return message


def trail(scope: Mapping[str, Any], refusal: Refused, now: datetime) -> Trail:
    """Return what a refused form leaves for the record: its headers as they came, whatever is wrong with them."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"][:MAX_HEADERS]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    path = bytes(scope.get("raw_path") or b"").decode("latin-1")
    query = "?" if scope.get("query_string") else ""
    step = _STEPS.get(type(refusal), Step.FORM)
    return Trail(now, Head(str(scope["method"]), path + query, headers), step)


def target(scope: Mapping[str, Any]) -> str:
    """The request target as it stood on the wire; raise MalformedHeaders where it is not ASCII."""
    path: bytes | None = scope.get("raw_path")
    if path is None:
        raise MalformedHeaders("the server hides the request target")
    query: bytes = scope.get("query_string", b"")
    try:
        return (path + b"?" + query if query else path).decode("ascii")
    except UnicodeDecodeError:
        raise MalformedHeaders("request target") from None
