"""What one network address may cost us without a sibling's signature."""

from __future__ import annotations

import ipaddress
import resource
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from federation.errors import TooManyRequests
from federation.ports import Clock

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Unsigned and strangers' requests a second.
STRANGERS: Final = 20
#: Reads of the few open documents a second: siblings read our instance actor before they can know us.
OPEN: Final = 100
#: Open connections at a time.
CONNECTIONS: Final = 64
#: Seconds for the client to take an answer, or at least some more of it.
UNREAD: Final = 10.0
#: Who connects from this machine is a proxy of ours, or ourselves.
LOOPBACK: Final = ("127.0.0.0/8", "::1/128")
_ADDRESSES: Final = 10_000
#: Descriptors that are never given to connections, and connections that there may be at least and at most.
_KEPT_BACK, _FEWEST, _MOST = 48, 16, 100_000


class AddressLimit:
    """So many a second for each address; the addresses seen last are counted, however many there are."""

    def __init__(self, clock: Clock, most: int) -> None:
        self._clock, self._most = clock, most
        self._counts: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def count(self, address: str) -> None:
        """Count one; raise TooManyRequests beyond the limit."""
        second = int(self._clock().timestamp())
        then, number = self._counts.pop(address, (second, 0))
        number = number + 1 if then == second else 1
        self._counts[address] = (second, number)
        if len(self._counts) > _ADDRESSES:
            self._counts.popitem(last=False)
        if number > self._most:
            raise TooManyRequests("address")


class ClientAddress:
    """The address under which a client is counted: the socket's, or what a configured proxy says (A111)."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self._trusted = tuple(ipaddress.ip_network(network) for network in trusted)

    def __call__(self, scope: Mapping[str, Any], headers: Mapping[str, str]) -> str:
        """Return the address, of an IPv6 client its /64; empty where the server does not know it."""
        return counted_as(self._address(scope, headers))

    def _address(self, scope: Mapping[str, Any], headers: Mapping[str, str]) -> str:
        peer = (scope.get("client") or ("",))[0]
        if not self._trusted or not self._is_trusted(peer):
            return str(peer)
        # From the right: everything a proxy of ours did not write itself may be made up.
        for hop in reversed(headers.get("x-forwarded-for", "").split(",")):
            address = hop.strip()
            if not self._is_address(address):
                break
            if not self._is_trusted(address):
                return address
        return str(peer)

    def _is_trusted(self, text: str) -> bool:
        if not self._is_address(text):
            return False
        address = _plain(ipaddress.ip_address(text))
        return any(address in network for network in self._trusted)

    def _is_address(self, text: str) -> bool:
        try:
            ipaddress.ip_address(text)
        except ValueError:
            return False
        return True


def _plain(address: Address) -> Address:
    """An IPv4 address that came in the form of an IPv6 one is what it is."""
    return address if address.version == 4 else address.ipv4_mapped or address


def counted_as(address: str) -> str:
    """Under what a client is counted: an IPv6 client has a whole /64 to itself. What is no address stays as it is."""
    found = _parsed(address)
    return address if found is None else _name(found)


def _parsed(address: str) -> Address | None:
    """The address, without the zone of a local one; None where it is none."""
    try:
        return _plain(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return None


def _name(address: Address) -> str:
    return str(ipaddress.ip_network((address, 64), strict=False) if address.version == 6 else address)


def room() -> int:
    """How many connections there may be in all: the rest of what this process may open is for rows and siblings."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if soft == resource.RLIM_INFINITY else max(_FEWEST, min(_MOST, soft - max(_KEPT_BACK, soft // 4)))


class ConnectionLimit:
    """So many open connections for each address. Behind a proxy stand many people: those named are not counted."""

    def __init__(self, uncounted: Iterable[str] = LOOPBACK, most: int = CONNECTIONS, total: int | None = None) -> None:
        self._uncounted = tuple(ipaddress.ip_network(network) for network in uncounted)
        self._most, self._open = most, dict[str, int]()
        self.total, self._all = room() if total is None else total, 0

    @property
    def full(self) -> bool:
        """Whether nobody may enter, whatever the address."""
        return self._all >= self.total

    def enter(self, address: str) -> bool:
        """Count one more, and say that it may stay; or say that it may not. Whoever may stay leaves once."""
        holder = self._holder(address)
        number = self._open.get(holder, 0)
        if self.full or (holder and number >= self._most):
            return False
        self._all += 1
        if holder:
            self._open[holder] = number + 1
        return True

    def leave(self, address: str) -> None:
        """Count one less."""
        holder = self._holder(address)
        self._all = max(0, self._all - 1)
        if self._open.get(holder, 0) > 1:
            self._open[holder] -= 1
        else:
            self._open.pop(holder, None)

    def _holder(self, address: str) -> str:
        """Under what a connection is counted. Empty: not at all."""
        found = _parsed(address)
        if found is None or any(found in network for network in self._uncounted):
            return ""
        return _name(found)


class SlowLimit:
    """So many of each subject in a minute and in a day; the subjects seen last are counted, however many there are."""

    def __init__(self, clock: Clock, *, minute: int, day: int) -> None:
        self._clock = clock
        self._spans = ((60, minute), (86_400, day))
        self._counts: OrderedDict[tuple[int, str], tuple[int, int]] = OrderedDict()

    def count(self, subject: str) -> None:
        """Count one; raise TooManyRequests beyond a limit, which says when to come back."""
        now = int(self._clock().timestamp())
        for span, most in self._spans:
            then, number = self._counts.pop((span, subject), (now // span, 0))
            number = number + 1 if then == now // span else 1
            self._counts[span, subject] = (now // span, number)
            if len(self._counts) > 2 * _ADDRESSES:
                self._counts.popitem(last=False)
            if number > most:
                refusal = TooManyRequests("slowly")
                refusal.retry_after = span - now % span
                raise refusal
