"""Instances behind TLS: real certificates, real sockets, the product's own wire."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from federation.uri import Uri
from instance.demo.town import admit, until_listening
from instance.serve import application, run_hypercorn, running
from instance.services.people import NewDoctor
from instance.services.publishing import CommentDraft, PostDraft
from instance.wiring import Node, prepare
from tests.tls.proxy import TlsProxy
from tests.tools.ports import free_ports
from tests.town import PASSWORD, configure, pooled_rsa


@dataclass
class House:
    """One instance, and the TLS in front of it."""

    node: Node
    proxy: TlsProxy
    port: int
    authority: trustme.CA

    async def shows(self, certificate: trustme.LeafCert) -> None:
        """Show this certificate from now on; connections that are open are cut."""
        await self.proxy.stop()
        inner = int(self.node.config.listen.rpartition(":")[2])
        self.proxy = TlsProxy(server_context(certificate), self.port, inner)
        await self.proxy.start()

    @property
    def host(self) -> str:
        """The name it is reached by."""
        return Uri.parse(self.node.origin).host

    async def doctor(self, handle: str) -> Uri:
        """A verified doctor."""
        uri, _ = await self.node.people.add_doctor(
            NewDoctor(
                handle=handle, name=f"Dr {handle.title()}", role="specialist", country=self.node.config.country,
                specialties=("cardiology",), assurance="substantial", languages=("en",), password=PASSWORD, roles=(),
            ),
            by="test",
        )  # fmt: skip
        return uri

    async def posts(self, author: Uri, title: str) -> str:
        """Publish for the federation; return the address of the post."""
        draft = PostDraft(
            kind="case", title=title, text="Made up.", specialties=("cardiology",), audience="federation",
            language="en",
        )  # fmt: skip
        return f"{self.node.origin}/posts/{await self.node.publishing.publish(author, draft)}"

    async def has(self, uri: str) -> Any:
        """The row of a post, when it is here."""
        return await self.node.store.one("posts.by_uri", uri=uri)

    async def comments(self, author: Uri, post: str, text: str) -> None:
        """Answer a post that is here."""
        row = await self.has(post)
        await self.node.publishing.comment(author, row["slug"], CommentDraft(text=text, language="en"))


def server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """What the proxy speaks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def certificate_for(authority: trustme.CA, host: str, *, until: datetime | None = None) -> trustme.LeafCert:
    """A certificate of this authority."""
    return authority.issue_cert(host) if until is None else authority.issue_cert(host, not_after=until)


async def eventually(what: Callable[[], Awaitable[Any]], *, seconds: float = 10) -> Any:
    """Return what `what` finds, as soon as it finds something."""
    async with asyncio.timeout(seconds):
        while not (found := await what()):
            await asyncio.sleep(0.02)
    return found


@pytest.fixture
async def houses(tmp_path: Path) -> AsyncIterator[list[House]]:
    """France and Germany over https; each lists the other, both trust one authority."""
    authority = trustme.CA()
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    ports, stop, found = free_ports(4), asyncio.Event(), []
    async with AsyncExitStack() as stack:
        for name, port, inner in zip(("fr", "de"), ports[:2], ports[2:], strict=True):
            config = configure(
                tmp_path / name, name, origin=f"https://{name}.localhost:{port}", listen=f"127.0.0.1:{inner}",
                ca_file=str(tmp_path / "ca.pem"),
            )  # fmt: skip
            await prepare(config, make_rsa=pooled_rsa)
            node = await stack.enter_async_context(running(config))
            serving = asyncio.ensure_future(run_hypercorn(application(node, "hypercorn"), config.listen, stop))
            stack.push_async_callback(asyncio.gather, serving, return_exceptions=True)
            await until_listening(config.listen)
            proxy = TlsProxy(server_context(authority.issue_cert(f"{name}.localhost")), port, inner)
            await proxy.start()
            found.append(House(node, proxy, port, authority))
        fr, de = found
        await admit(fr.node, de.node)
        await admit(de.node, fr.node)
        yield found
        stop.set()
        for house in found:
            await house.proxy.stop()
