"""A doctor's browser for the smoke test: plain HTTP, cookies, and forms with their tokens; nothing else."""

from __future__ import annotations

import asyncio
import http.client
import re
import secrets
import time
from dataclasses import dataclass
from html import unescape
from typing import Final
from urllib.parse import quote, urlencode

from federation.uri import Uri

_HIDDEN: Final = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')
_PATIENCE: Final = 10.0
_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Page:
    """What came back."""

    status: int
    text: str
    location: str
    path: str

    @property
    def hidden(self) -> dict[str, str]:
        """The hidden fields of the page's forms."""
        return {name: unescape(value) for name, value in _HIDDEN.findall(self.text)}

    def holds(self, text: str) -> bool:
        """Whether the page shows this text."""
        return text in unescape(self.text)


class Browser:
    """One person at one instance. `*.localhost` is this machine (RFC 6761), whatever the resolver says."""

    def __init__(self, origin: str) -> None:
        self._uri = Uri.parse(origin)
        self._cookies: dict[str, str] = {}

    async def get(self, path: str) -> Page:
        """Open a page."""
        return await asyncio.to_thread(self._request, "GET", path, None)

    async def post(self, path: str, **fields: str) -> Page:
        """Send a form and follow where it leads."""
        answer = await asyncio.to_thread(self._request, "POST", path, urlencode(fields).encode(), _FORM)
        return await self.get(answer.location) if answer.location else answer

    async def send(self, page: str, path: str, content: bytes, kind: str, name: str) -> Page:
        """Send a file with the form of a page, and follow where it leads."""
        mark = secrets.token_hex(16)
        parts = [(f'name="{key}"', value.encode()) for key, value in (await self.get(page)).hidden.items()]
        parts.append((f'name="file"; filename="{name}"\r\nContent-Type: {kind}', content))
        heads = [(f"--{mark}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode(), body) for head, body in parts]
        body = b"".join(head + value + b"\r\n" for head, value in heads) + f"--{mark}--\r\n".encode()
        answer = await asyncio.to_thread(self._request, "POST", path, body, f"multipart/form-data; boundary={mark}")
        return await self.get(answer.location) if answer.location else answer

    async def submit(self, page: str, path: str, **fields: str) -> Page:
        """Open a page and send one of its forms, hidden fields included."""
        hidden = (await self.get(page)).hidden
        return await self.post(path, **{**hidden, **fields})

    async def until(self, path: str, text: str, *, there: bool = True) -> tuple[Page, float]:
        """Reload until the text is there (or gone); TimeoutError after ten seconds. Also says how long it took."""
        began = time.monotonic()
        while True:
            page = await self.get(path)
            if page.holds(text) is there:
                return page, time.monotonic() - began
            if time.monotonic() - began > _PATIENCE:
                raise TimeoutError(f"{path} did not change in {_PATIENCE:.0f} seconds")
            await asyncio.sleep(0.03)

    def _request(self, method: str, path: str, body: bytes | None, kind: str = "") -> Page:
        connection = http.client.HTTPConnection("127.0.0.1", self._uri.port, timeout=_PATIENCE)
        headers = {
            "Host": self._uri.authority, "Accept": "text/html", "Accept-Language": "en",
            "Sec-Fetch-Site": "same-origin",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items()),
        }  # fmt: skip
        if body is not None:
            headers["Content-Type"] = kind
        try:
            connection.request(method, quote(path, safe="/?=&@:%#-._~").partition("#")[0], body, headers)
            answer = connection.getresponse()
            for field in answer.headers.get_all("Set-Cookie", []):
                name, _, value = field.partition(";")[0].partition("=")
                self._cookies[name] = value
            text = answer.read().decode("utf-8", "replace")
            return Page(answer.status, text, answer.headers.get("Location", ""), path)
        finally:
            connection.close()
