"""F19: name servers that know nothing, fail, dawdle or change their mind."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time

import pytest
import trustme

from federation.ports import Answer
from federation.uri import Uri
from federation.wire import Deadlines, Wire
from tests.federation.servers import NOON, Listener, allow, answers, listening, sibling

OWN = "https://fr.localhost:8001"
QUICK = Deadlines(connect=1, fetch=0.5, delivery=0.5, media=0.5, body=0.1)


class Names:
    """A name server; what it answers next stands in `says`, by host: addresses, a fault, or seconds to wait."""

    def __init__(self, **says: object) -> None:
        self.says, self.asked = {host.replace("_", "."): said for host, said in says.items()}, 0

    async def __call__(self, host: str, port: int) -> list[str]:
        """Answer, fail or dawdle."""
        self.asked += 1
        said = self.says[host]
        if isinstance(said, BaseException):
            raise said
        if isinstance(said, float):
            await asyncio.sleep(said)
            return ["127.0.0.1"]
        return list(said)  # type: ignore[call-overload]


@pytest.fixture
def authority():
    """Who is believed here."""
    return trustme.CA()


@pytest.fixture
def wire(authority, tmp_path):
    """An instance on loopback that lists two siblings whose names have to be resolved."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")

    def make(names: Names, *listeners: Listener) -> tuple[Wire, list[Uri]]:
        urls = [Uri.parse(f"{one.origin}/inbox") for one in listeners]
        listed = allow(*(sibling(url.origin) for url in urls))
        return (
            Wire(listed, OWN, clock=lambda: NOON, deadlines=QUICK, resolve=names, extra_ca=tmp_path / "ca.pem"),
            urls,
        )

    return make


def _tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.mark.parametrize(
    "fault",
    [
        [],
        socket.gaierror(socket.EAI_NONAME, "NXDOMAIN"),
        socket.gaierror(socket.EAI_AGAIN, "SERVFAIL"),
        socket.gaierror(socket.EAI_FAIL, "FAIL"),
    ],
    ids=["nothing", "NXDOMAIN", "SERVFAIL", "FAIL"],
)
async def test_a_name_that_is_not_known_now_is_tried_again_and_reached(wire, authority, fault):
    """F19: the fault has a name, nobody is contacted; asked again when the name is back, the message arrives."""
    async with listening(answers(202), host="de.example", tls=_tls(authority, "de.example")) as de:
        names = Names(de_example=fault)
        out, (inbox,) = wire(names, de)
        first, contacts = await out.post(inbox, b"{}", {}), de.connections
        names.says["de.example"] = ["127.0.0.1"]
        second = await out.post(inbox, b"{}", {})
        await out.close()

    assert (Answer(0, "dns"), 0) == (first, contacts)
    assert Answer(202) == second


async def test_a_name_server_that_dawdles_delays_nobody_else(wire, authority):
    """F19, P4: given up at the deadline; meanwhile a sibling with a prompt name gets everything."""
    async with (
        listening(answers(202), host="de.example", tls=_tls(authority, "de.example")) as de,
        listening(answers(202), host="it.example", tls=_tls(authority, "it.example")) as it,
    ):
        out, (slow, prompt) = wire(Names(de_example=30.0, it_example=["127.0.0.1"]), de, it)
        waiting = asyncio.gather(*(out.post(slow, b"{}", {}) for _ in range(32)))
        began = time.monotonic()
        meanwhile = [await out.post(prompt, b"{}", {}) for _ in range(20)]
        took, still = time.monotonic() - began, waiting.done()
        given_up = await waiting
        await out.close()

    assert [Answer(202)] * 20 == meanwhile
    assert not still or took > QUICK.delivery
    assert [Answer(0, "deadline")] * 32 == given_up
    assert 0 == de.connections


async def test_a_name_that_now_leads_inside_is_not_followed(wire, authority):
    """F19, A65: the name changes to an address that may not be connected: refused, with the fault's name; then back."""
    async with listening(
        answers(202, headers={"Connection": "close"}), host="de.example", tls=_tls(authority, "de.example")
    ) as de:
        names = Names(de_example=["127.0.0.1"])
        seen = []
        for addresses in (["127.0.0.1"], ["10.0.0.7"], ["169.254.169.254"], ["127.0.0.1"]):
            out, (inbox,) = wire(names, de)  # a new one remembers no address
            names.says["de.example"] = addresses
            seen.append(await out.post(inbox, b"{}", {}))
            await out.close()

    assert [Answer(202), Answer(0, "address_refused"), Answer(0, "address_refused"), Answer(202)] == seen
    assert 2 == de.connections
