"""Which network addresses may be connected to: global unicast, and nothing that leads back into somebody's network."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Network, ip_address, ip_network
from typing import Final

# RFC 6890 and its registry, with what has been added since; deprecated ranges stay refused.
_NOT_GLOBAL_4: Final = tuple(
    ip_network(net)
    for net in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
#: Global unicast is what IANA has handed out; v4-mapped, v4-compatible, NAT64, unique local, link-local and multicast
#: all lie outside.
_GLOBAL_6: Final = IPv6Network("2000::/3")
# Protocol assignments with Teredo and ORCHID, documentation, 6to4, AS 112, documentation (RFC 9637).
_NOT_GLOBAL_6: Final = tuple(
    IPv6Network(net) for net in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)


def may_connect(address: str, *, loopback: bool) -> bool:
    """Whether a socket may be connected to this address.

    `loopback` is for an instance that is itself on loopback: then loopback is allowed and nothing else.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if loopback:
        return found.is_loopback and getattr(found, "ipv4_mapped", None) is None
    if isinstance(found, IPv4Address):
        return not any(found in net for net in _NOT_GLOBAL_4)
    if found.scope_id is not None:
        return False
    return found in _GLOBAL_6 and not any(found in net for net in _NOT_GLOBAL_6)
