"""Under which address a sign-in counts, and what a changed password is worth when a session cannot be opened."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

import pytest
from werkzeug.datastructures import Headers

from instance.services import passwords
from instance.services.accounts import _subject
from instance.services.errors import Rejected
from tests.instance.pages.house import OWN_PAGE
from tests.instance.pages.rows import PASSWORD
from tests.town import rows

PROXY = "10.0.0.5"


async def counted_under(house, *forwarded: str, peer: str = PROXY) -> list[str]:
    """Of some addresses, those under which a wrong password from that peer counts."""
    headers = Headers([*OWN_PAGE.items(), ("Content-Type", "application/x-www-form-urlencoded")])
    for value in forwarded:
        headers.add("X-Forwarded-For", value)
    body = urlencode({"login": "marie", "password": "not the password"})
    client = house.app.test_client()
    await client.post("/sign-in", headers=headers, data=body, scope_base={"client": (peer, 4711)})
    found = {row["subject"] for row in await rows(house.node, "select subject from sign_in_failures")}
    known = (PROXY, "192.0.2.1", "203.0.113.9", "198.51.100.7")
    return [address for address in known if _subject("address", address) in found]


@pytest.mark.parametrize(
    "forwarded",
    [("203.0.113.9",), ("192.0.2.1, 203.0.113.9",), ("192.0.2.1", "203.0.113.9"), ("203.0.113.9, 10.1.1.1",)],
)
async def test_behind_a_proxy_each_client_counts_by_itself(house, forwarded):
    """Or twenty wrong passwords of one stranger would lock out a whole country (A111)."""
    house.node.config = replace(house.node.config, trusted_proxies=("10.0.0.0/8",))

    assert ["203.0.113.9"] == await counted_under(house, *forwarded)


async def test_without_a_configured_proxy_the_socket_decides(house):
    """The twin: what a client claims of itself is not believed."""
    assert ["198.51.100.7"] == await counted_under(house, "203.0.113.9", peer="198.51.100.7")


async def test_a_changed_password_is_changed_even_where_no_session_can_begin(house, monkeypatch):
    """The doctor is led to the sign-in, never told that something failed."""
    marie = await house.doctor("marie")
    await marie.get("/me")
    real = house.node.people.sign_in

    async def full(*_: object) -> None:
        raise Rejected("too_busy", status=503)

    house.node.people.sign_in = full
    words = "three quiet rivers meet"
    answer = await marie.post("/me/password", old_password=PASSWORD, password=words, again=words)
    house.node.people.sign_in = real

    assert (303, "/sign-in") == (answer.status_code, answer.headers["Location"])
    kept = (await rows(house.node, "select password from accounts where login = 'marie'"))[0]["password"]
    assert await passwords.verify(words, kept)
