"""The ways a mail leaves: through a mail server, or, where none is set, into files that an operator looks at."""

from __future__ import annotations

import asyncio
import os
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from pathlib import Path
from typing import Final, Protocol

from instance.config import Config
from instance.vault import SMTP_LOGIN, find_secret, read_secret

#: Seconds a mail server is given for one mail.
PATIENCE: Final = 30.0
_TLS_FROM_THE_START: Final = 465
_HERE: Final = ("127.0.0.1", "::1", "localhost")


#: Lines as long as a server must take (RFC 5321): an address that was broken over two is an address to few programs.
_ON_THE_WIRE: Final = SMTP.clone(max_line_length=998)


class NotSent(Exception):
    """The mail did not leave; it may be tried again. The text names the kind of fault alone, never an address."""


def in_bytes(message: EmailMessage) -> bytes:
    """The mail as it leaves."""
    return message.as_bytes(policy=_ON_THE_WIRE)


def _only(header: str) -> str:
    """The one address in a header."""
    return parseaddr(header)[1]


class Way(Protocol):
    """How mails leave."""

    async def send(self, id: str, message: EmailMessage) -> None:
        """Hand the mail on; raise NotSent where that failed."""


class Folder:
    """Mails as files, one each, readable by their owner alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, id: str, message: EmailMessage) -> None:
        """Write `ID.eml`; a file that is there is written again."""
        try:
            await asyncio.to_thread(self._write, f"{id}.eml", in_bytes(message))
        except OSError as fault:
            raise NotSent(type(fault).__name__) from None

    def _write(self, name: str, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        beside = self._folder / f".{name}.part"  # whoever looks for mails finds whole ones alone
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        beside.replace(self._folder / name)


class Smtp:
    """A mail server: TLS from the start on port 465, STARTTLS on every other; in plain only on this machine."""

    def __init__(self, config: Config) -> None:
        self._config = config

    async def send(self, id: str, message: EmailMessage) -> None:
        """Hand the mail to the server and wait until it has taken it."""
        import aiosmtplib

        config, first = self._config, self._config.smtp_port == _TLS_FROM_THE_START
        try:
            await aiosmtplib.send(
                in_bytes(message), sender=_only(message["From"]), recipients=[_only(message["To"])],
                hostname=config.smtp_host, port=config.smtp_port, username=config.smtp_user or None,
                password=self._password(), use_tls=first, start_tls=not first and config.smtp_host not in _HERE,
                tls_context=self._trust(), timeout=PATIENCE,
            )  # fmt: skip
        except (aiosmtplib.SMTPException, OSError, ValueError) as fault:
            raise NotSent(type(fault).__name__) from None

    def _password(self) -> str | None:
        if not self._config.smtp_user:
            return None
        return read_secret(find_secret(self._config, SMTP_LOGIN)).decode().strip()

    def _trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._config.ca_file:
            context.load_verify_locations(self._config.ca_file)
        return context


def way_of(config: Config) -> Way:
    """How mails leave this instance."""
    return Smtp(config) if config.smtp_host else Folder(config.data / "mail")
