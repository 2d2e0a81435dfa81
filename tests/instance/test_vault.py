"""Secrets: files that only their owner may read, never made anew silently; and what is sealed under them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from instance.config import Config, read
from instance.vault import BadSecret, CannotOpen, Vault, have_secrets, make_secrets, open_issuer_key, open_vault

Open = Callable[[Config], object]
#: One byte short of a key.
RANDOM = os.urandom(31)
BOTH = pytest.mark.parametrize(("name", "opened"), [("kek", open_vault), ("issuer.pem", open_issuer_key)])


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """An instance whose secrets have been made."""
    config = read({"origin": "https://fr.example", "country": "FR", "name": "France"}, tmp_path)
    make_secrets(config.secrets)
    return config


def replace(config: Config, name: str, content: bytes, mode: int = 0o600) -> Path:
    """Put something else in a secret's place."""
    path = config.secrets / name
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


def pem(key: object) -> bytes:
    """A private key as it stands in a file."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # type: ignore[attr-defined,no-any-return]


def test_secrets_are_made_for_their_owner_alone(config: Config) -> None:
    """The folder has mode 0700, each file 0600, and both can be used."""
    modes = {path.name: path.stat().st_mode & 0o777 for path in config.secrets.iterdir()}

    assert {"kek": 0o600, "issuer.pem": 0o600, "evidence_kek": 0o600} == modes
    assert 0o700 == config.secrets.stat().st_mode & 0o777
    assert open_issuer_key(config).sign(b"")
    assert open_vault(config).seal(b"", b"")


def test_secrets_are_never_made_anew(config: Config) -> None:
    """Where one is there, nothing is made and nothing is touched (F37)."""
    before = {path.name: path.read_bytes() for path in config.secrets.iterdir()}

    with pytest.raises(BadSecret, match="never made anew"):
        make_secrets(config.secrets)

    assert before == {path.name: path.read_bytes() for path in config.secrets.iterdir()}


@BOTH
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o602])
def test_a_secret_others_can_read_is_refused(config: Config, name: str, opened: Open, mode: int) -> None:
    """The file is named with the remedy (F37)."""
    (config.secrets / name).chmod(mode)

    with pytest.raises(BadSecret) as caught:
        opened(config)

    assert f"{config.secrets / name}: readable by others; run chmod 600 on it" == str(caught.value)


@BOTH
@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_secret_of_its_owner_alone_is_read(config: Config, name: str, opened: Open, mode: int) -> None:
    """Mode 0600, or stricter, is what is wanted."""
    (config.secrets / name).chmod(mode)

    assert opened(config)


@BOTH
def test_a_missing_secret_is_named_and_not_made(config: Config, name: str, opened: Open) -> None:
    """A start without its secret stops; afterwards the file is still missing (F37)."""
    (config.secrets / name).unlink()

    with pytest.raises(BadSecret) as caught:
        opened(config)

    assert str(config.secrets / name) in str(caught.value)
    assert not (config.secrets / name).exists()


@BOTH
def test_a_secret_beside_a_missing_one_is_no_start(config: Config, name: str, opened: Open) -> None:
    """`init` takes both, or makes both; one alone is a loss to be told, not to be mended."""
    (config.secrets / name).unlink()

    with pytest.raises(BadSecret, match="missing beside the other secrets"):
        have_secrets(config)


def test_secrets_that_are_there_are_found(config: Config, tmp_path: Path) -> None:
    """An interrupted `init` finds what it had made; a fresh folder has none."""
    fresh = read({"origin": "https://de.example", "country": "DE", "name": "Germany"}, tmp_path / "de")

    assert (True, False) == (have_secrets(config), have_secrets(fresh))


@BOTH
def test_a_link_in_a_secrets_place_is_refused(config: Config, name: str, opened: Open) -> None:
    """A secret is a file of its own: a link could lead anywhere."""
    path = config.secrets / name
    path.rename(config.secrets / "elsewhere")
    path.symlink_to(config.secrets / "elsewhere")

    with pytest.raises(BadSecret, match=f"{path}: is a symbolic link"):
        opened(config)


@BOTH
def test_a_pipe_or_folder_in_a_secrets_place_is_refused(config: Config, name: str, opened: Open) -> None:
    """Nothing waits for what a pipe may bring."""
    path = config.secrets / name
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(BadSecret, match=f"{path}: is not a file"):
        opened(config)
    path.unlink()
    path.mkdir()

    with pytest.raises(BadSecret, match=f"{path}: is not a file"):
        opened(config)


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"abc", b"00" * 31, RANDOM.hex().encode(), (RANDOM + b"ab").hex().encode(), b"x" * 64],
    ids=len,
)
def test_a_short_or_strange_kek_is_refused(config: Config, content: bytes) -> None:
    """Anything but 64 hexadecimal digits names the file and says what is expected; the content is not repeated."""
    path = replace(config, "kek", content)

    with pytest.raises(BadSecret) as caught:
        open_vault(config)

    assert str(caught.value).startswith(f"{path}: expected 64 hexadecimal digits")


@pytest.mark.parametrize(
    "known",
    [
        bytes(32), b"\xff" * 32, bytes(range(32)), bytes(range(32, 0, -1)), bytes.fromhex("0123456789abcdef" * 4),
        b"changemechangemechangemechangeme", b"please-replace-this-secret-key!!", RANDOM[:16] * 2,
    ],
    ids=["zeros", "ones", "counted up", "counted down", "digits", "typed", "sentence", "repeated"],
)  # fmt: skip
def test_a_known_kek_is_refused(config: Config, known: bytes) -> None:
    """A key from an example, or one a person typed, guards nothing (A128)."""
    path = replace(config, "kek", known.hex().encode())

    with pytest.raises(BadSecret, match=f"{path}: this is no random key"):
        open_vault(config)


@pytest.mark.parametrize(
    "seed",
    [
        bytes(32),
        bytes(range(32)),
        bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),
    ],
)
def test_a_known_issuer_key_is_refused(config: Config, seed: bytes) -> None:
    """A key printed in a standard could vouch for anybody (A128)."""
    path = replace(config, "issuer.pem", pem(Ed25519PrivateKey.from_private_bytes(seed)))

    with pytest.raises(BadSecret, match=f"{path}: this is no random key"):
        open_issuer_key(config)


@pytest.mark.parametrize(
    "content", [b"", b"no key", pem(generate_private_key(65537, 2048))], ids=["empty", "text", "an RSA key"]
)
def test_a_strange_issuer_key_is_refused(config: Config, content: bytes) -> None:
    """Only an Ed25519 key signs credentials."""
    path = replace(config, "issuer.pem", content)

    with pytest.raises(BadSecret, match=f"{path}: expected an Ed25519 private key"):
        open_issuer_key(config)


def test_a_hundred_random_keys_are_no_known_ones(config: Config) -> None:
    """The search for known keys does not refuse real ones."""
    for _ in range(100):
        replace(config, "kek", os.urandom(32).hex().encode())

        assert open_vault(config)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a file away")
def test_a_secret_of_another_user_is_refused(config: Config) -> None:
    """Whoever owns the file could change it."""
    os.chown(config.secrets / "kek", 65_534, 65_534)

    with pytest.raises(BadSecret, match="belongs to another user"):
        open_vault(config)


def test_lent_credentials_come_first(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What systemd lends is used instead of the folder; its access list shows as rights of the group."""
    lent = tmp_path / "lent"
    lent.mkdir()
    (lent / "kek").write_text(os.urandom(32).hex())
    (lent / "kek").chmod(0o440 if os.geteuid() == 0 else 0o400)
    sealed = open_vault(config).seal(b"made up", b"row")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(lent))

    with pytest.raises(CannotOpen, match="another key-encryption key"):
        open_vault(config).open(sealed, b"row")


def test_lent_credentials_are_not_for_everybody(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lent file that all may read is refused like any other."""
    lent = tmp_path / "lent"
    lent.mkdir()
    (lent / "kek").write_text(os.urandom(32).hex())
    (lent / "kek").chmod(0o444)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(lent))

    with pytest.raises(BadSecret, match=f"{lent / 'kek'}: readable by others"):
        open_vault(config)


def test_what_is_sealed_is_opened_for_its_row_alone() -> None:
    """Sealed bytes open again, and not in another row, changed, cut, or under another key."""
    vault, other = Vault(os.urandom(32)), Vault(os.urandom(32))
    sealed = vault.seal(b"made up", b"row 1")

    assert b"made up" == vault.open(sealed, b"row 1")
    for opener, text, aad in [
        (vault, sealed, b"row 2"), (other, sealed, b"row 1"), (vault, sealed[:-1], b"row 1"), (vault, b"", b"row 1"),
        (vault, sealed[:10], b"row 1"), (vault, sealed[:-1] + bytes([sealed[-1] ^ 1]), b"row 1"),
    ]:  # fmt: skip
        with pytest.raises(CannotOpen):
            opener.open(text, aad)


def test_the_same_is_never_sealed_alike() -> None:
    """Nobody can see that two rows hold the same."""
    vault = Vault(os.urandom(32))

    assert vault.seal(b"made up", b"row") != vault.seal(b"made up", b"row")
