"""Configuration: read once, whole and early. A wrong value stops everything with a sentence that names it.

One file, `esanum.toml`, holds everything but secrets; secrets are files of their own (instance.vault). No setting, flag
or variable opens federation beyond the allowlist: there is none to find here.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from federation.integrity import digest
from federation.membership import Signers
from federation.uri import BadUri, Uri, parse_origin

LANGUAGES: Final = ("en", "de", "fr")
SERVERS: Final = ("hypercorn", "uvicorn", "granian")
#: The services of Chrome and its kin, Firefox, Safari, Edge.
PUSH_HOSTS: Final = (
    "fcm.googleapis.com", "updates.push.services.mozilla.com", "web.push.apple.com", "*.notify.windows.com",
)  # fmt: skip
_LOOPBACK: Final = ("127.0.0.1", "[::1]", "localhost")


class BadConfig(Exception):
    """The file cannot be used; the text names the key, the value and what was expected."""


@dataclass(frozen=True, slots=True)
class ListAnchor:
    """From where the federation list is read, and what is trusted before the first was: pinned by whoever runs this."""

    url: Uri
    signers: Signers
    #: No list below this sequence was ever ours.
    min_sequence: int

    @property
    def mark(self) -> str:
        """Tells pinned sets apart: what was adopted under another counts only if this one has signed it too."""
        return digest([self.signers.threshold, *sorted(self.signers.keys)]).hex()


@dataclass(frozen=True, slots=True)
class Config:
    """Everything one instance was told. Defaults are the safe values."""

    #: Scheme, host and port in every address of this instance; can never change once doctors exist.
    origin: str
    #: ISO 3166 alpha-2 code of the country.
    country: str
    #: What people call this instance.
    name: str
    #: Folder of the database and, unless said otherwise, of the secrets.
    data: Path
    #: `sqlite:///absolute/path` or `postgresql://…`.
    database: str
    #: Folder of the secrets; files in $CREDENTIALS_DIRECTORY (systemd) come first.
    secrets: Path
    #: Whom to write to about this instance; siblings see it.
    contact: str = ""
    #: Language of pages for people who never chose one.
    language: str = "en"
    #: Countries for which our issuer key may vouch; siblings decide for themselves whom they believe.
    may_issue_for: tuple[str, ...] = ()
    #: Address and port the server listens on.
    listen: str = "127.0.0.1:8000"
    #: Address and port of health and metrics; loopback only. Empty: none.
    metrics: str = ""
    #: Which server runs the application: hypercorn, uvicorn or granian.
    server: str = "hypercorn"
    #: Peers whose X-Forwarded-For counts; none unless named.
    trusted_proxies: tuple[str, ...] = ()
    #: Largest message accepted from a sibling, in bytes.
    max_message: int = 262_144
    #: How far a message's date may lie from our clock.
    signature_window: timedelta = field(default=timedelta(seconds=300))
    #: How long a gap in the numbers of a sibling's messages stands before its log is read.
    catch_up_after: timedelta = field(default=timedelta(seconds=60))
    #: For how many days an invitation to become a sibling, or a request, waits for both administrators.
    pairing_days: int = 7
    #: Size of the RSA keys made here.
    rsa_bits: int = 3072
    #: Further certificate authorities (PEM file) trusted for siblings; empty: the system's.
    ca_file: str = ""
    #: Program that looks for malware in what applicants send; empty: none. It is not run through a shell.
    scan_command: tuple[str, ...] = ()
    #: Mail server that takes our mails; empty: they are written into the folder `mail` of the data folder.
    smtp_host: str = ""
    #: Its port: TLS from the start on 465, STARTTLS on every other; in plain only on this machine.
    smtp_port: int = 587
    #: Name to sign in with there, with the password in the secret `smtp_password`; empty: no sign-in.
    smtp_user: str = ""
    #: The address our mails come from; needed with a mail server.
    mail_from: str = ""
    #: For how many days what was imported from publishers' feeds is shown.
    imported_days: int = 90
    #: Push services of browsers that messages may go to; `*.` before a name: whatever is under it. Empty: none.
    push_hosts: tuple[str, ...] = PUSH_HOSTS
    #: The federation list that says who may be a sibling at all: `url` where it is read, the `signers` who may sign the
    #: first one read, how many of them must (`threshold`), and the least sequence (`min_sequence`, by default 1). None:
    #: the allowlist kept here stands alone.
    federation_list: ListAnchor | None = None

    @property
    def development(self) -> bool:
        """Whether this instance lives on loopback names: only then is plain http spoken, and only to such names."""
        return Uri.parse(self.origin).is_loopback

    @property
    def authority(self) -> str:
        """Host and port as they stand in addresses."""
        return Uri.parse(self.origin).authority

    @property
    def socket(self) -> Path:
        """Where a running server listens for `esanum` commands."""
        return self.data / "control.sock"


def load(path: Path) -> Config:
    """Read the file; raise BadConfig naming what is wrong. Relative paths count from the file's folder."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadConfig(f"{path}: cannot be read ({error.strerror}); make one with `esanum init`") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfig(f"{path}: is not TOML: {error}") from None
    return read(table, path.resolve().parent)


def read(table: Mapping[str, Any], base: Path) -> Config:
    """Make a Config of a table; raise BadConfig for unknown keys, missing keys and wrong values."""
    known = _READERS
    if surplus := sorted(set(table) - set(known)):
        raise BadConfig(
            f"{surplus[0]} = {_shown(table[surplus[0]])}: unknown key; known are {', '.join(sorted(known))}"
        )
    values = {name: _read_one(name, table[name], known[name]) for name in table}
    for name in ("origin", "country", "name"):
        if name not in values:
            raise BadConfig(f"{name} is missing; expected {_EXPECTED[name]}")
    config = Config(**_complete(values, base))
    _agree(config)
    return config


def _complete(values: dict[str, Any], base: Path) -> dict[str, Any]:
    data = (base / values.get("data", ".")).resolve()
    values["data"] = data
    values["secrets"] = (base / values["secrets"]).resolve() if "secrets" in values else data / "secrets"
    values.setdefault("database", f"sqlite:///{data / 'esanum.db'}")
    values.setdefault("may_issue_for", (values["country"],))
    if values.get("ca_file"):
        values["ca_file"] = str((base / values["ca_file"]).resolve())
    return values


def _agree(config: Config) -> None:
    """Raise BadConfig where values are good one by one and wrong together."""
    if config.development and not _is_loopback(config.listen):
        raise BadConfig(f"listen = {config.listen!r}: expected a loopback address, since origin is a name of loopback")
    if config.metrics == config.listen:
        raise BadConfig(f"metrics = {config.metrics!r}: expected another address than listen")
    anchor = config.federation_list
    if anchor is not None and anchor.url.is_loopback and not config.development:
        raise BadConfig(f"federation_list.url = {str(anchor.url)!r}: expected an https address, not one of loopback")
    if config.smtp_host and not config.mail_from:
        raise BadConfig(f"mail_from is missing: expected {_EXPECTED['mail_from']}, since smtp_host is set")
    if config.ca_file and not Path(config.ca_file).is_file():
        raise BadConfig(f"ca_file = {config.ca_file!r}: expected {_EXPECTED['ca_file']}")


def _read_one(name: str, value: Any, reader: Callable[[Any], Any]) -> Any:
    try:
        return reader(value)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise BadConfig(f"{name} = {_shown(value)}: expected {_EXPECTED[name]}") from None


def _shown(value: Any) -> str:
    """The value as it may stand in a sentence: a password in an address stays out of logs and terminals."""
    return re.sub(r"(://[^/@\s:]*):[^/\s]*@", r"\1:…@", repr(value))


def _origin(value: Any) -> str:
    try:
        return parse_origin(value)
    except BadUri as error:
        raise ValueError from error


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 200 or any(ord(letter) < 32 for letter in value):
        raise ValueError
    return value


def _some_text(value: Any) -> str:
    if not _text(value).strip():
        raise ValueError
    return str(value)


def _country(value: Any) -> str:
    if not re.fullmatch(r"[A-Z]{2}", value):
        raise ValueError
    return str(value)


def _countries(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError
    return tuple(_country(item) for item in value)


def _one_of(*allowed: str) -> Callable[[Any], str]:
    def reader(value: Any) -> str:
        if value not in allowed:
            raise ValueError
        return str(value)

    return reader


def _address(value: Any) -> str:
    host, colon, port = _text(value).rpartition(":")
    if not colon or not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > 65_535:
        raise ValueError
    if host.startswith("[") and host.endswith("]"):
        ipaddress.IPv6Address(host[1:-1])
    elif not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", host):
        raise ValueError
    return str(value)


def _loopback_address(value: Any) -> str:
    if value != "" and not _is_loopback(_address(value)):
        raise ValueError
    return str(value)


def _is_loopback(address: str) -> bool:
    return address.rpartition(":")[0] in _LOOPBACK


def _host(value: Any) -> str:
    if not re.fullmatch(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|::1)?", _text(value)):
        raise ValueError
    return str(value)


def _mail_address(value: Any) -> str:
    if not re.fullmatch(r"(?:[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,253})?", _text(value)):
        raise ValueError
    return str(value)


def _between(low: int, high: int) -> Callable[[Any], int]:
    def reader(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise ValueError
        return value

    return reader


def _database(value: Any) -> str:
    if not re.fullmatch(r"(?:sqlite:////?[^/]|postgresql://[^/]|postgresql:///).*", _text(value)):
        raise ValueError
    return str(value)


def _proxies(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError
    # A network given as a number would be read as an address, so texts only.
    return tuple(str(ipaddress.ip_network(_text(item))) for item in value)


def _command(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > 20:
        raise ValueError
    words = tuple(_some_text(item) for item in value)
    if words and not Path(words[0]).is_absolute():
        raise ValueError
    return words


def _hosts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > 50:
        raise ValueError
    for host in value:
        if not re.fullmatch(r"(?:\*\.)?[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*", _text(host)) or host == "*":
            raise ValueError
    return tuple(value)


def _federation_list(value: Any) -> ListAnchor:
    """A table of its own; whatever is missing or surplus in it is wrong."""
    if not set(value) <= {"url", "signers", "threshold", "min_sequence"}:
        raise ValueError
    url, signers = Uri.parse(value["url"]), value["signers"]
    if not isinstance(signers, list) or len(set(signers)) != len(signers):
        raise ValueError
    if "?" in url or "#" in url or url.endswith("/"):
        raise ValueError
    least = _between(1, 2**53 - 1)(value.get("min_sequence", 1))
    return ListAnchor(url, Signers(value["threshold"], frozenset(signers)), least)


def _window(value: Any) -> timedelta:
    return timedelta(seconds=_between(30, 900)(value))


def _patience(value: Any) -> timedelta:
    return timedelta(seconds=_between(10, 3_600)(value))


def _rsa_bits(value: Any) -> int:
    if type(value) is not int or value not in (2048, 3072, 4096):
        raise ValueError
    return value


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "origin": _origin,
    "country": _country,
    "name": _some_text,
    "data": _some_text,
    "database": _database,
    "secrets": _some_text,
    "contact": _text,
    "language": _one_of(*LANGUAGES),
    "may_issue_for": _countries,
    "listen": _address,
    "metrics": _loopback_address,
    "server": _one_of(*SERVERS),
    "trusted_proxies": _proxies,
    "max_message": _between(4_096, 262_144),
    "signature_window": _window,
    "catch_up_after": _patience,
    "pairing_days": _between(1, 30),
    "imported_days": _between(1, 3_650),
    "rsa_bits": _rsa_bits,
    "ca_file": _text,
    "scan_command": _command,
    "smtp_host": _host,
    "smtp_port": _between(1, 65_535),
    "smtp_user": _text,
    "mail_from": _mail_address,
    "push_hosts": _hosts,
    "federation_list": _federation_list,
}

_EXPECTED: Final = {
    "origin": "an address without a path such as https://fr.esanum.example (http only for names under .localhost)",
    "country": "two capital letters (ISO 3166), such as FR",
    "name": "a short text",
    "data": "a folder",
    "database": "sqlite:///absolute/path or postgresql://…",
    "secrets": "a folder",
    "contact": "a short text, such as an e-mail address",
    "language": "one of " + ", ".join(LANGUAGES),
    "may_issue_for": 'a list of countries, such as ["DE", "AT"]',
    "listen": "address:port, such as 127.0.0.1:8000 or [::1]:8000",
    "metrics": "a loopback address:port, such as 127.0.0.1:9000, or nothing",
    "server": "one of " + ", ".join(SERVERS),
    "trusted_proxies": 'a list of networks, such as ["10.0.0.0/8"]',
    "max_message": "a number of bytes from 4096 to 262144",
    "signature_window": "a number of seconds from 30 to 900",
    "catch_up_after": "a number of seconds from 10 to 3600",
    "pairing_days": "a number of days from 1 to 30",
    "imported_days": "a number of days from 1 to 3650",
    "rsa_bits": "2048, 3072 or 4096",
    "ca_file": "the path of a PEM file, or nothing",
    "scan_command": 'a list of words, the first an absolute path, such as ["/usr/bin/clamdscan", "--stream", "-"]',
    "smtp_host": "a host name, such as mail.esanum.example, or nothing",
    "smtp_port": "a port from 1 to 65535",
    "smtp_user": "a short text, or nothing",
    "mail_from": "an e-mail address such as no-reply@esanum.example, or nothing",
    "push_hosts": 'a list of hosts, such as ["fcm.googleapis.com", "*.notify.windows.com"]',
    "federation_list": "a table with url (https), signers (a list of did:key ids), threshold (how many must sign) and"
    " min_sequence",
}


def settings() -> tuple[str, ...]:
    """The names of all settings, in the order of the class."""
    return tuple(item.name for item in fields(Config))


def expected(name: str) -> str:
    """What a setting wants, in words."""
    return _EXPECTED[name]


def credentials_folder() -> Path | None:
    """Where systemd laid LoadCredential files, if it did."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(folder) if folder else None
