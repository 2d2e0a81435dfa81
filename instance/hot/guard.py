"""The form of every request, for pages and siblings alike: servers differ in what they let through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from federation.errors import MalformedHeaders, MethodNotAllowed
from federation.signatures import SignedMessage, require_host

METHODS: Final = frozenset({"GET", "HEAD", "POST"})


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
