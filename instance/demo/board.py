"""The notice board of the demo: who can sign in where, the codes of staff at this moment, and every mail that left.

No instance has such a page. It stands on loopback, for people who are all made up.
"""

from __future__ import annotations

import asyncio
import time
from email import message_from_bytes, policy
from html import escape
from typing import Any, Final

import pyotp

from instance.demo.town import Country, Login

_SHOWN: Final = 20
_STEP: Final = 30
_STYLE: Final = (
    "body{font:18px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem;color-scheme:light dark}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid}"
    "code{font-size:1.1em}pre{white-space:pre-wrap;border:1px solid;padding:.6rem}.wide{overflow-x:auto}"
)


class Board:
    """`GET /`; nothing else."""

    def __init__(self, town: list[Country]) -> None:
        self._town = town

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        found = scope["method"] in ("GET", "HEAD") and scope["path"] == "/"
        body = (await asyncio.to_thread(self.page) if found else "nothing here; the board is at /").encode()
        kind = b"text/html; charset=utf-8" if found else b"text/plain; charset=utf-8"
        headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200 if found else 404, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def page(self) -> str:
        """The page; browsers ask for it again every ten seconds."""
        parts = "".join(self._country(country) for country in self._town)
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="10">'
            '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Demo: notice board</title>'
            f"<style>{_STYLE}</style></head><body><main><h1>Notice board of the demo</h1>"
            "<p>Everybody here is made up. A code is taken once; the next comes within half a minute. Instead of this "
            f"page, any app that shows codes can be given a key of the last column.</p>{parts}</main></body></html>"
        )

    def _country(self, country: Country) -> str:
        people = [*country.staff, *country.applicants, *country.logins]
        rows = "".join(_row(each) for each in people)
        mails = "".join(f"<pre>{escape(each)}</pre>" for each in _mails(country)) or "<p>No mail has left yet.</p>"
        origin, title = escape(country.node.origin), escape(country.title)
        return (
            f'<section><h2>{title}</h2><p><a href="{origin}">{origin}</a> · review desk: '
            f'<a href="{origin}/desk">{origin}/desk</a></p><details{" open" if country.applicants else ""}><summary>'
            f'{len(people)} sign-ins</summary><div class="wide"><table><thead><tr><th>name</th><th>password</th>'
            f"<th>who</th><th>code now</th><th>key of the app</th></tr></thead><tbody>{rows}</tbody></table></div>"
            f"</details><details{' open' if country.applicants else ''}><summary>Mails, the last first</summary>{mails}"
            "</details></section>"
        )


def code_now(login: Login) -> str:
    """What the app of this member of staff shows now."""
    return pyotp.TOTP(login.secret.replace(" ", "")).now()


def _row(login: Login) -> str:
    left = _STEP - int(time.time()) % _STEP
    code = f"<code>{code_now(login)}</code> ({left} s)" if login.secret else ""
    cells = (escape(login.handle), escape(login.password), escape(login.what), code, escape(login.secret))
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _mails(country: Country) -> list[str]:
    """The last mails, as an instance without a mail server lays them down."""
    files = sorted((country.node.config.data / "mail").glob("*.eml"), reverse=True)[:_SHOWN]
    read = [message_from_bytes(file.read_bytes().replace(b"\r\n", b"\n"), policy=policy.default) for file in files]
    return [f"To: {mail['To']}\nSubject: {mail['Subject']}\n\n{mail.get_content()}" for mail in read]  # type: ignore[attr-defined]
