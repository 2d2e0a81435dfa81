"""Secrets: files of mode 0600, and what is sealed under them in the database.

`kek` is the key-encryption key (32 random bytes, hexadecimal), `issuer.pem` the Ed25519 key that signs credentials. A
file that is missing, short, a known default, or readable by others stops the start and is named; none is ever made anew
silently. `evidence_kek` wraps the keys of what applicants show; it stops the evidence vault alone (evidence.py). While
`esanum keys rotate-kek` is at work (kek.py) another key-encryption key lies beside the first: `kek.new` until it is in
force, `kek.old` while rows are sealed under it; and so beside `evidence_kek`.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from instance.config import Config, credentials_folder

KEK: Final = "kek"
KEK_NEW: Final = "kek.new"
KEK_OLD: Final = "kek.old"
ISSUER: Final = "issuer.pem"
EVIDENCE_KEK: Final = "evidence_kek"
EVIDENCE_KEK_NEW: Final = "evidence_kek.new"
EVIDENCE_KEK_OLD: Final = "evidence_kek.old"
SMTP_LOGIN: Final = "smtp_password"
#: What `esanum init` makes, or finds.
SECRETS: Final = (KEK, ISSUER, EVIDENCE_KEK)
#: Seeds of the private keys printed in RFC 8032 section 7.1, which everybody knows.
_PUBLISHED_SEEDS: Final = frozenset(
    bytes.fromhex(seed)
    for seed in (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5",
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
    )
)
_VERSION: Final = b"\x01"
_ID: Final = 4
_NONCE: Final = 12


class BadSecret(Exception):
    """A secret cannot be used; the text names the file and the remedy, never the content."""


class CannotOpen(Exception):
    """Sealed bytes were changed, belong to another row, or to another key-encryption key."""


@dataclass(frozen=True, slots=True)
class _Held:
    """The key-encryption keys by their ids; replaced whole, since a unit of work may be sealing in another thread."""

    current: bytes
    all: Mapping[bytes, AESGCM]


class Vault:
    """Seals small secrets with AES-256-GCM under one key-encryption key; opens what any of those it holds has sealed.

    `reread` reads the files again: another process may have changed the key-encryption key.
    """

    def __init__(self, kek: bytes, *others: bytes, reread: Callable[[], Sequence[bytes]] | None = None) -> None:
        self._reread = reread
        self._keys = _held((kek, *others))

    @property
    def id(self) -> str:
        """Which key-encryption key seals unless another is named; it says nothing of the key."""
        return self._keys.current.hex()

    def seal(self, plain: bytes, aad: bytes, under: str = "") -> bytes:
        """Return version, key id, nonce and ciphertext; `aad` names the row, so that rows cannot be swapped.

        `under` names another key-encryption key than the first; raise CannotOpen where it is not to be had.
        """
        head, nonce = head_under(under or self.id), secrets.token_bytes(_NONCE)
        if not self.opens(head):
            raise CannotOpen("rows are sealed under a key-encryption key that is not here")
        return head + nonce + self._keys.all[head[1:]].encrypt(nonce, plain, aad)

    def open(self, sealed: bytes, aad: bytes) -> bytes:
        """Return what was sealed; raise CannotOpen for anything else."""
        head, nonce, text = sealed[: 1 + _ID], sealed[1 + _ID : 1 + _ID + _NONCE], sealed[1 + _ID + _NONCE :]
        if not self.opens(head):
            raise CannotOpen("sealed under another key-encryption key")
        try:
            return self._keys.all[head[1:]].decrypt(nonce, text, aad)
        except (InvalidTag, ValueError):
            raise CannotOpen("changed, or another row's") from None

    def opens(self, head: bytes) -> bool:
        """Whether what begins so was sealed under a key that is held, or lies in the files now."""
        if head[:1] != _VERSION:
            return False
        if head[1:] not in self._keys.all:
            self.read_anew()
        return head[1:] in self._keys.all

    def reseal(self, sealed: bytes, aad: bytes, under: str) -> bytes:
        """Return the same sealed under this key-encryption key; raise CannotOpen."""
        return self.seal(self.open(sealed, aad), aad, under)

    def read_anew(self) -> None:
        """Hold what lies in the files now; raise BadSecret where one of them cannot be used."""
        if self._reread is not None:
            self._keys = _held(self._reread())


def kek_id(kek: bytes) -> str:
    """Return the name under which rows know a key-encryption key."""
    return hashlib.sha256(b"kek-id" + kek).digest()[:_ID].hex()


def head_under(key_id: str) -> bytes:
    """Return what everything begins with that is sealed under this key-encryption key."""
    return _VERSION + bytes.fromhex(key_id)


def _held(keks: Sequence[bytes]) -> _Held:
    if any(len(kek) != 32 for kek in keks):
        raise BadSecret("the key-encryption key must have 32 bytes")
    by_id = {bytes.fromhex(kek_id(kek)): AESGCM(kek) for kek in keks}
    return _Held(next(iter(by_id)), by_id)


def make_secrets(folder: Path) -> None:
    """Make the secrets in a new folder of mode 0700; raise BadSecret where one is already there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in SECRETS:
        if os.path.lexists(folder / name):
            raise BadSecret(f"{folder / name} is already there; secrets are never made anew")
    for name in (KEK, EVIDENCE_KEK):
        _write_private(folder / name, secrets.token_hex(32).encode() + b"\n")
    issuer = Ed25519PrivateKey.generate()
    _write_private(folder / ISSUER, issuer.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def have_secrets(config: Config) -> bool:
    """Whether the secrets are there; False when none is, and BadSecret names the one that is missing."""
    there = {name: os.path.lexists(find_secret(config, name)) for name in SECRETS}
    if any(there.values()) and not all(there.values()):
        gone = next(name for name in there if not there[name])
        raise BadSecret(f"{find_secret(config, gone)}: missing beside the other secrets; restore it from your back-up")
    return all(there.values())


def open_vault(config: Config) -> Vault:
    """Read the key-encryption key, and others beside it; raise BadSecret naming the file and what is wrong."""
    return _open(config, KEK, KEK_OLD, KEK_NEW)


def open_evidence_kek(config: Config) -> Vault:
    """The same for the key that wraps the keys of evidence."""
    return _open(config, EVIDENCE_KEK, EVIDENCE_KEK_OLD, EVIDENCE_KEK_NEW)


def _open(config: Config, name: str, *beside: str) -> Vault:
    def read() -> list[bytes]:
        kek = read_kek(find_secret(config, name))
        return [kek, *filter(None, (_read_beside(find_secret(config, other)) for other in beside))]

    return Vault(*read(), reread=read)


def _read_beside(path: Path) -> bytes | None:
    """Read another key-encryption key; None where there is none, or none any more: a rotation may be at work."""
    if not os.path.lexists(path):
        return None
    try:
        return read_kek(path)
    except BadSecret:
        if os.path.lexists(path):
            raise
        return None


def read_kek(path: Path) -> bytes:
    """Read a key-encryption key; raise BadSecret naming the file and what is wrong with it."""
    try:
        kek = bytes.fromhex(read_secret(path).decode("ascii").strip())
    except (ValueError, UnicodeDecodeError):
        raise BadSecret(f"{path}: expected 64 hexadecimal digits") from None
    if len(kek) != 32:
        raise BadSecret(f"{path}: expected 64 hexadecimal digits, found {len(kek) * 2}")
    if _is_known(kek):
        raise BadSecret(f"{path}: this is no random key; anybody could guess it")
    return kek


def write_kek(path: Path, kek: bytes) -> None:
    """Put a key-encryption key in a file of mode 0600, whole or not at all, and on the disk before this returns."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    _write_private(part, kek.hex().encode() + b"\n")
    move_secret(part, path)


def move_secret(source: Path, target: Path) -> None:
    """Put a file in another's place at once, and on the disk before this returns."""
    source.replace(target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Return when the folder's entries are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_issuer_key(config: Config) -> Ed25519PrivateKey:
    """Read the key that signs credentials; raise BadSecret naming the file and what is wrong with it."""
    path = find_secret(config, ISSUER)
    try:
        key = load_pem_private_key(read_secret(path), None)
    except ValueError:
        raise BadSecret(f"{path}: expected an Ed25519 private key (PKCS #8, PEM)") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadSecret(f"{path}: expected an Ed25519 private key")
    if _is_known(key.private_bytes_raw()):
        raise BadSecret(f"{path}: this is no random key; anybody could guess it")
    return key


def find_secret(config: Config, name: str) -> Path:
    """Return where a secret lies: systemd's credentials first, then the configured folder."""
    folder = credentials_folder()
    if folder is not None and (folder / name).is_file():
        return folder / name
    return config.secrets / name


def read_secret(path: Path) -> bytes:
    """Read a file that only its owner may read; raise BadSecret naming it otherwise."""
    if path.is_symlink():
        raise BadSecret(f"{path}: is a symbolic link; a secret is a file of its own")
    try:
        # Without O_NONBLOCK opening a pipe put in the file's place would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise BadSecret(f"{path}: cannot be read ({error.strerror}); restore it from your back-up") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BadSecret(f"{path}: is not a file")
    with os.fdopen(descriptor, "rb") as file:
        _check_owner_and_mode(path, os.fstat(file.fileno()))
        return file.read(16_384)


def _check_owner_and_mode(path: Path, found: os.stat_result) -> None:
    # systemd lends a credential through an access list, whose mask stands where the group's rights are shown.
    lent = found.st_uid == 0 and path.parent == credentials_folder()
    if found.st_mode & (0o037 if lent else 0o077):
        raise BadSecret(f"{path}: readable by others; run chmod 600 on it")
    if found.st_uid not in (os.geteuid(), 0):
        raise BadSecret(f"{path}: belongs to another user")


def _is_known(key: bytes) -> bool:
    """Whether the key was made by a person: published, repeated, counted up or down, or plain text."""
    steps = {(after - before) % 256 for before, after in pairwise(key)}
    return key in _PUBLISHED_SEEDS or key[:16] == key[16:] or len(set(key)) < 8 or len(steps) < 8 or key.isascii()


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
