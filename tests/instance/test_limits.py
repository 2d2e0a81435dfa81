"""Who shares a limit of connections, and who is not counted at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from federation.errors import TooManyRequests
from instance.hot import limits
from instance.hot.limits import LOOPBACK, ClientAddress, ConnectionLimit, SlowLimit


def room(limit: ConnectionLimit, *addresses: str) -> list[bool]:
    """Whether each may stay."""
    return [limit.enter(address) for address in addresses]


def test_addresses_are_counted_apart():
    """One address that is full is nothing to the next."""
    limit = ConnectionLimit(most=2)

    assert [True, True, False, True] == room(limit, "203.0.113.7", "203.0.113.7", "203.0.113.7", "203.0.113.8")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"),
        ("203.0.113.7", "::ffff:203.0.113.7"),
        ("fe80::1%eth0", "fe80::2%eth1"),
    ],
)
def test_who_is_one_client_is_counted_as_one(one, other):
    """An IPv6 client has a /64 of addresses; an IPv4 address may come written as an IPv6 one."""
    assert [True, False] == room(ConnectionLimit(most=1), one, other)


def test_another_network_is_another_client():
    """The twin: the next /64, the next address."""
    assert [True] * 4 == room(
        ConnectionLimit(most=1), "2001:db8:1:2::1", "2001:db8:1:3::1", "203.0.113.7", "203.0.113.8"
    )


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "10.1.2.3", "2001:db8::9", ""]
)
def test_proxies_are_not_counted(address):
    """Loopback, a configured network, and who has no address (a local socket) may hold as many as they like."""
    limit = ConnectionLimit((*LOOPBACK, "10.0.0.0/8", "2001:db8::/64"), most=1)

    assert [True] * 5 == room(limit, *[address] * 5)


def test_without_a_list_nobody_is_spared():
    """The twin: an empty list counts everybody, loopback too."""
    assert [True, False] == room(ConnectionLimit((), most=1), "127.0.0.1", "127.0.0.1")


def test_in_all_there_is_room_for_so_many():
    """Whoever is not counted by address is counted in all; whoever leaves makes room for anybody."""
    limit = ConnectionLimit(most=2, total=3)
    came = room(limit, "127.0.0.1", "203.0.113.7", "127.0.0.1", "203.0.113.8", "127.0.0.1")
    full = limit.full
    limit.leave("127.0.0.1")

    assert [True, True, True, False, False] == came
    assert full
    assert not limit.full
    assert limit.enter("203.0.113.8")


@pytest.mark.parametrize(
    ("files", "connections"), [(64, 16), (20, 16), (256, 192), (4_096, 3_072), (10**9, 100_000), (-1, 100_000)]
)
def test_some_of_the_open_files_are_kept_for_rows_and_siblings(monkeypatch, files, connections):
    """A quarter, and 48 at least; without a limit of the system there is one of ours."""
    monkeypatch.setattr("resource.getrlimit", lambda which: (files, files))

    assert connections == limits.room()


def test_who_leaves_makes_room_once():
    """A place that was left is free for one, however often it is left."""
    limit = ConnectionLimit(most=2)
    room(limit, "203.0.113.7", "203.0.113.7")
    limit.leave("203.0.113.7")
    assert [True, False] == room(limit, "203.0.113.7", "203.0.113.7")
    for _ in range(9):
        limit.leave("203.0.113.7")

    assert [True, True, False] == room(limit, *["203.0.113.7"] * 3)


def client(peer: str, hops: str, *trusted: str) -> str:
    """Whom a request is from."""
    return ClientAddress(trusted)({"client": (peer, 1)}, {"x-forwarded-for": hops})


@pytest.mark.parametrize("peer", ["127.0.0.1", "::ffff:127.0.0.1"])
def test_a_proxy_is_known_however_its_address_is_written(peer):
    """Who listens on IPv6 hears of a proxy on IPv4 in another form; people behind it are still told apart."""
    assert "203.0.113.7" == client(peer, "203.0.113.7", "127.0.0.1/32")


@pytest.mark.parametrize("peer", ["10.0.0.1", "::ffff:10.0.0.1"])
def test_whoever_is_no_proxy_is_not_believed(peer):
    """The twin: another address in either form says nothing of whom it is from."""
    assert "10.0.0.1" == client(peer, "203.0.113.7", "127.0.0.1/32")


def test_requests_and_sign_ins_are_counted_like_connections():
    """Moving about in a /64 of one's own makes nobody new; the next /64 is somebody else."""
    same = {_seen(peer) for peer in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9")}

    assert {"2001:db8:1:2::/64"} == same
    assert "2001:db8:1:3::/64" == _seen("2001:db8:1:3::1")
    assert "203.0.113.7" == _seen("::ffff:203.0.113.7")


def _seen(peer: str) -> str:
    return ClientAddress(())({"client": (peer, 1)}, {})


def test_a_slow_limit_counts_in_a_minute_and_in_a_day() -> None:
    """Beyond either it says when to come back; another subject has its own count."""
    now = [datetime(2026, 11, 23, 12, 0, 15, tzinfo=UTC)]
    limit = SlowLimit(lambda: now[0], minute=2, day=3)
    for _ in range(2):
        limit.count("a")
    with pytest.raises(TooManyRequests) as minute:
        limit.count("a")
    limit.count("b")
    now[0] += timedelta(minutes=1)
    limit.count("a")
    with pytest.raises(TooManyRequests) as day:
        limit.count("a")
    now[0] += timedelta(days=1)
    limit.count("a")

    assert 45 == minute.value.retry_after
    assert 12 * 3_600 - 75 == day.value.retry_after
    assert 5 == TooManyRequests.retry_after
