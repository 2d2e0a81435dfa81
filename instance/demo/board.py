"""The notice board of the demo: who can sign in where, the codes of staff at this moment, and every mail that left.

No instance has such a page. It stands on loopback, for people who are all made up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from email import message_from_bytes, policy
from html import escape
from typing import Any, Final

import pyotp

from instance.demo.town import PASSWORD, Country, Login

_SHOWN: Final = 20
_STEP: Final = 30
#: Where each part of the staff begins.
_PLACES: Final = {"reviewer": "/desk", "lead": "/desk", "administrator": "/desk/suspend", "dpo": "/desk/audit"}
_STYLE: Final = (
    "body{font:18px/1.5 system-ui,sans-serif;max-width:72rem;margin:0 auto;padding:1rem;color-scheme:light dark}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid}"
    "pre{white-space:pre-wrap;border:1px solid;padding:.6rem}.wide{overflow-x:auto}"
    "code{white-space:nowrap}h2{overflow-wrap:anywhere}"
)
_HEAD: Final = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="10">'
    '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Demo: notice board</title>'
    f"<style>{_STYLE}</style></head><body><main><h1>Notice board of the demo</h1>"
    f"<p>Everybody here is made up. Everybody’s password: <code>{PASSWORD}</code></p>"
    "<p>Staff sign in with the password, then with the code of this moment. A code is taken once; the next comes "
    "within half a minute. Instead of looking here, give the key beside it to any app that shows codes.</p>"
)


class Board:
    """`GET /`; nothing else."""

    def __init__(self, town: list[Country]) -> None:
        self._town = town

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        found = scope["method"] == "GET" and scope["path"] == "/"
        body = (await asyncio.to_thread(self.page) if found else "The board is at /").encode()
        kind = b"text/html; charset=utf-8" if found else b"text/plain; charset=utf-8"
        headers = [
            (b"content-type", kind),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 200 if found else 404, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def page(self) -> str:
        """The page; browsers ask for it again every ten seconds."""
        return _HEAD + "".join(_country(country) for country in self._town) + "</main></body></html>"


def code_now(login: Login) -> str:
    """What the app of this member of staff shows now."""
    return pyotp.TOTP(login.secret.replace(" ", "")).now()


def mails(country: Country) -> list[str]:
    """The last mails, the newest first, as an instance without a mail server lays them down."""
    files = sorted((country.node.config.data / "mail").glob("*.eml"), reverse=True)[:_SHOWN]
    read = [message_from_bytes(file.read_bytes().replace(b"\r\n", b"\n"), policy=policy.default) for file in files]
    return [f"To: {mail['To']}\nSubject: {mail['Subject']}\n\n{mail.get_content()}" for mail in read]


def _country(country: Country) -> str:
    origin, known = escape(country.node.origin), mails(country)
    shown = "".join(f"<pre>{escape(each)}</pre>" for each in known[:3]) or "<p>No mail has left yet.</p>"
    older = "".join(f"<pre>{escape(each)}</pre>" for each in known[3:])
    older = f"<details><summary>{len(known) - 3} older mails</summary>{older}</details>" if older else ""
    return (
        f'<section><h2>{escape(country.title)}: <a href="{origin}">{origin}</a></h2>'
        f"{_table('Staff', country.staff, origin)}{_table('At the review desk', country.applicants, origin)}"
        f"<details><summary>{len(country.logins)} doctors</summary>{_table('Doctors', country.logins, origin)}"
        "</details>"
        f"<h3>Mails of {escape(country.title)}, the newest first</h3>{shown}{older}</section>"
    )


def _table(title: str, people: Iterable[Login], origin: str) -> str:
    rows = "".join(_row(each, origin) for each in people)
    return f'<h3>{title}</h3><div class="wide"><table><tbody>{rows}</tbody></table></div>' if rows else ""


def _row(login: Login, origin: str) -> str:
    left, place = _STEP - int(time.time()) % _STEP, _PLACES.get(login.what, "/sign-in")
    cells = [f"<code>{escape(login.handle)}</code>", escape(login.what), f'<a href="{origin}{place}">{place}</a>']
    if login.secret:
        cells += [
            f"code now: <strong>{code_now(login)}</strong> ({left} s)",
            f"key: <code>{escape(login.secret)}</code>",
        ]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
