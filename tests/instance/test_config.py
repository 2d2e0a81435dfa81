"""Configuration: one file, read whole; a wrong value is named with its key, the value and what was expected."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from federation.membership import Signers
from instance.config import BadConfig, Config, expected, load, read, settings
from tests.federation.chambers import did

LIST: dict[str, Any] = {
    "url": "https://anchor.example/federation/list", "signers": [did("a"), did("b"), did("c")], "threshold": 2,
}  # fmt: skip
GOOD: dict[str, Any] = {"origin": "https://fr.example", "country": "FR", "name": "France"}

#: For every setting, values that must be refused.
WRONG: dict[str, list[Any]] = {
    "origin": [
        "", "fr.example", "https://fr.example/", "https://FR.example", "http://fr.example", "https://10.0.0.1",
        "https://fr.example:443", "https://user@fr.example", "ftp://fr.example", 7, None,
    ],
    "country": ["", "fr", "FRA", "F", 33, ["FR"]],
    "name": ["", "   ", "a\nb", "x" * 201, 7],
    "data": ["", 7, "a\x00b"],
    "database": ["", "mysql://host/db", "sqlite://", "sqlite:///", "sqlite:esanum.db", "postgresql://", "postgres", 7],
    "secrets": ["", 7],
    "contact": ["a\nb", "x" * 201, 7],
    "language": ["", "es", "EN", 7, ["en"]],
    "may_issue_for": [[], "FR", ["fr"], ["FR", 7], [["FR"]]],
    "listen": ["", "127.0.0.1", ":8000", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:+80",
               "127.0.0.1:8_0", "a b:80", "[::1:80", 8000],
    "metrics": ["0.0.0.0:9000", "10.0.0.1:9000", "fr.example:9000", "9000", 9000],
    "server": ["", "apache", "Hypercorn", 7],
    "trusted_proxies": ["10.0.0.0/8", ["10.0.0.1/8"], ["proxy.example"], [5], [True]],
    "max_message": [4_095, 262_145, "262144", 5_000.0, True, -1],
    "signature_window": [29, 901, "300", 300.0, True],
    "catch_up_after": [9, 3_601, "60", 60.0, True],
    "pairing_days": [0, 31, "7", 7.0, True],
    "imported_days": [0, 3_651, "90", 9.0, True],
    "rsa_bits": [1024, 2047, 8192, 3072.0, "3072", True],
    "ca_file": ["/nowhere/ca.pem", "a\nb", 7],
    "scan_command": ["/usr/bin/clamscan -", ["clamscan", "-"], ["/usr/bin/clamscan", ""], ["/usr/bin/clamscan", 7],
                     ["/usr/bin/clamscan", "a\nb"], ["/bin/x"] * 21, 7],
    "smtp_host": ["a b", "mail.example:25", "-a.example", "a\nb", 7],
    "smtp_port": [0, 65_536, "587", 587.0, True],
    "smtp_user": ["a\nb", "x" * 201, 7],
    "push_hosts": ["fcm.googleapis.com", ["*"], ["https://fcm.googleapis.com"], ["FCM.googleapis.com"], [7]],
    "federation_list": [
        "https://anchor.example/federation/list", {}, {**LIST, "surplus": 1}, {**LIST, "url": "http://anchor.example/list"},
        {**LIST, "url": "https://anchor.example/list?new"}, {**LIST, "url": "https://anchor.example/list/"},
        {**LIST, "signers": []}, {**LIST, "signers": [did("a"), did("a")], "threshold": 1}, {**LIST, "signers": did("a")},
        {**LIST, "signers": ["did:key:z6Mk"]}, {**LIST, "signers": [7]}, {**LIST, "threshold": 0},
        {**LIST, "threshold": 4}, {**LIST, "threshold": "2"}, {**LIST, "threshold": True}, {**LIST, "min_sequence": 0},
        {**LIST, "min_sequence": "1"}, {name: value for name, value in LIST.items() if name != "threshold"},
    ],
    "mail_from": ["nobody", "a@b@c.example", "A <a@b.example>", "a@b.example\nBcc: c@d.example", 7],
}  # fmt: skip


def test_every_setting_has_wrong_values_here() -> None:
    """No setting is without a test of what it refuses."""
    assert set(settings()) == set(WRONG)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_is_named(tmp_path: Path, name: str, value: Any) -> None:
    """The sentence holds the key, the value and what was expected, whatever the value is."""
    with pytest.raises(BadConfig) as caught:
        read({**GOOD, name: value}, tmp_path)

    assert f"{name} = {value!r}: expected {expected(name)}" == str(caught.value)


@pytest.mark.parametrize("name", ["origin", "country", "name"])
def test_a_missing_value_is_named(tmp_path: Path, name: str) -> None:
    """What has no default must be there, and the sentence says what is expected."""
    with pytest.raises(BadConfig) as caught:
        read({key: value for key, value in GOOD.items() if key != name}, tmp_path)

    assert f"{name} is missing; expected {expected(name)}" == str(caught.value)


def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    """A misspelt key stops the start; it is not passed over."""
    with pytest.raises(BadConfig, match=r"^lisen = '127.0.0.1:1': unknown key; known are ca_file, "):
        read({**GOOD, "lisen": "127.0.0.1:1"}, tmp_path)


def test_nothing_opens_federation() -> None:
    """There is no setting that lets anybody in: the list is complete, and a new one must be thought about here."""
    assert (
        "origin", "country", "name", "data", "database", "secrets", "contact", "language", "may_issue_for", "listen",
        "metrics", "server", "trusted_proxies", "max_message", "signature_window", "catch_up_after", "pairing_days",
        "rsa_bits", "ca_file", "scan_command", "smtp_host", "smtp_port", "smtp_user", "mail_from",
        "imported_days", "push_hosts", "federation_list",
    ) == settings()  # fmt: skip


def test_a_password_is_not_repeated(tmp_path: Path) -> None:
    """The sentence about a wrong database address leaves its password out."""
    with pytest.raises(BadConfig) as caught:
        read({**GOOD, "database": "postgre://esanum:hush@db.example/fr"}, tmp_path)

    assert "hush" not in str(caught.value)
    assert "database = 'postgre://esanum:…@db.example/fr'" in str(caught.value)


def test_defaults_are_the_safe_values(tmp_path: Path) -> None:
    """Three lines are a configuration: loopback listener, no metrics, no proxy, own country, files beside it."""
    config = read(GOOD, tmp_path)

    assert ("127.0.0.1:8000", "", "hypercorn", ()) == (
        config.listen, config.metrics, config.server, config.trusted_proxies
    )  # fmt: skip
    assert (("FR",), 3072, 262_144, timedelta(seconds=300)) == (
        config.may_issue_for, config.rsa_bits, config.max_message, config.signature_window
    )  # fmt: skip
    assert (tmp_path.resolve(), tmp_path.resolve() / "secrets") == (config.data, config.secrets)
    assert f"sqlite:///{tmp_path.resolve() / 'esanum.db'}" == config.database


def test_relative_paths_count_from_the_file(tmp_path: Path) -> None:
    """Where the command is run does not matter."""
    (tmp_path / "ca.pem").write_text("made up")
    file = tmp_path / "esanum.toml"
    file.write_text(
        'origin = "https://fr.example"\ncountry = "FR"\nname = "F"\n'
        'data = "rows"\nsecrets = "hush"\nca_file = "ca.pem"\n'
    )

    config = load(file)

    here = tmp_path.resolve()
    assert (here / "rows", here / "hush", str(here / "ca.pem")) == (config.data, config.secrets, config.ca_file)


@pytest.mark.parametrize("listen", ["0.0.0.0:8000", "10.0.0.5:8000", "[::]:8000"])
def test_a_loopback_instance_listens_on_loopback(tmp_path: Path, listen: str) -> None:
    """Plain http is for one machine: a name under .localhost cannot be served to a network."""
    with pytest.raises(BadConfig, match="expected a loopback address"):
        read({**GOOD, "origin": "http://fr.localhost:8000", "listen": listen}, tmp_path)


@pytest.mark.parametrize("listen", ["127.0.0.1:8000", "[::1]:8000", "localhost:8000"])
def test_a_loopback_instance_may_listen_there(tmp_path: Path, listen: str) -> None:
    """The development mode follows from the origin alone."""
    config = read({**GOOD, "origin": "http://fr.localhost:8000", "listen": listen}, tmp_path)

    assert (True, "fr.localhost:8000") == (config.development, config.authority)


def test_a_real_instance_may_listen_to_its_proxy(tmp_path: Path) -> None:
    """An https instance chooses its listener; it is no development mode."""
    config = read({**GOOD, "listen": "10.0.0.5:8000", "trusted_proxies": ["10.0.0.0/8"]}, tmp_path)

    assert (False, ("10.0.0.0/8",)) == (config.development, config.trusted_proxies)


def test_metrics_have_an_address_of_their_own(tmp_path: Path) -> None:
    """Health and metrics never share the public listener."""
    with pytest.raises(BadConfig, match="expected another address than listen"):
        read({**GOOD, "metrics": "127.0.0.1:8000"}, tmp_path)


@pytest.mark.parametrize(("content", "said"), [(b"origin = ", "is not TOML"), (b"\xff\xfe", "is not TOML")])
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    """The file is named, and that it is not TOML."""
    file = tmp_path / "esanum.toml"
    file.write_bytes(content)

    with pytest.raises(BadConfig) as caught:
        load(file)

    assert f"{file}: {said}" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The sentence names the file and the command that makes one."""
    with pytest.raises(BadConfig) as caught:
        load(tmp_path / "esanum.toml")

    assert str(tmp_path / "esanum.toml") in str(caught.value)
    assert "esanum init" in str(caught.value)


def test_a_configuration_cannot_change(tmp_path: Path) -> None:
    """It is read once; nothing that runs can loosen it."""
    config: Config = read(GOOD, tmp_path)

    with pytest.raises(AttributeError):
        config.max_message = 10**9  # type: ignore[misc]


def test_a_federation_list_is_pinned_by_its_signers(tmp_path: Path) -> None:
    """Address, signers and threshold; the least sequence is the first where nothing is said."""
    found = read({**GOOD, "federation_list": LIST}, tmp_path).federation_list

    assert found is not None
    assert (LIST["url"], Signers(2, frozenset(LIST["signers"])), 1) == (found.url, found.signers, found.min_sequence)
    assert found.mark != read({**GOOD, "federation_list": {**LIST, "threshold": 3}}, tmp_path).federation_list.mark  # type: ignore[union-attr]


def test_a_list_on_loopback_is_for_instances_on_loopback(tmp_path: Path) -> None:
    """A real instance that read its list from its own machine would trust whatever runs there."""
    local = {**LIST, "url": "http://anchor.localhost:8000/federation/list"}

    with pytest.raises(BadConfig, match=r"federation_list\.url"):
        read({**GOOD, "federation_list": local}, tmp_path)
    assert read({**GOOD, "origin": "http://fr.localhost:8001", "federation_list": local}, tmp_path).federation_list
