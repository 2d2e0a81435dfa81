"""Whoever runs an instance finds every setting, every command and every file of a secret."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from instance import config, evidence, vault
from tests.docs.pages import ROOT, blocks, text
from tests.tools.docs_parts import helps
from tests.tools.longest import files
from verification import countries
from verification.countries import ProfileFault


@pytest.mark.parametrize("name", config.settings())
def test_every_setting_is_documented(name: str) -> None:
    """A setting stands in the table with what it expects, and says above itself what it is for."""
    rows = [line for line in text("docs/operate/settings.md").splitlines() if line.startswith(f"| `{name}` |")]

    assert 1 == len(rows)
    assert config.expected(name) in rows[0]
    assert rows[0].rstrip("| ").rpartition("|")[2].strip()


@pytest.mark.parametrize("path", [path for path, _ in helps()])
def test_every_command_is_documented(path: str) -> None:
    """A command stands on the page with the help it prints, and the help says what it does."""
    page = text("docs/operate/commands.md")
    help_text = dict(helps())[path]

    assert f"### {path}\n" in page
    assert help_text in page
    assert len(help_text.splitlines()) > 2


@pytest.mark.parametrize("change", ["add", "repin", "pause", "resume", "remove", "list", "show"])
def test_every_act_on_the_allowlist_is_explained(change: str) -> None:
    """An administrator reads what a change does before making it."""
    assert f"siblings {change}" in text("docs/operate/siblings.md")


@pytest.mark.parametrize("name", vault.SECRETS)
def test_every_secret_is_explained(name: str) -> None:
    """Where a secret lies, with which mode, and what its loss means."""
    rows = [line for line in text("docs/operate/keys.md").splitlines() if f"`{name}`" in line and "0600" in line]

    assert 1 == len(rows)


def test_the_service_file_is_whole() -> None:
    """The unit file starts what the program calls `serve`, and gives it longer to stop than it takes."""
    unit = blocks(text("docs/operate/install.md"), "ini")[0]

    assert "esanum.toml serve" in unit
    assert "TimeoutStopSec=15" in unit
    assert "ProtectSystem=strict" in unit


@pytest.mark.parametrize("code", evidence.CLOSED)
def test_every_reason_why_the_vault_is_closed_is_explained(code: str) -> None:
    """Whoever is woken by the alarm finds its code, what it means and what to do."""
    rows = [line for line in text("docs/operate/evidence.md").splitlines() if line.startswith(f"| `{code}` |")]

    assert 1 == len(rows)
    assert 5 == rows[0].count("|") + 1


def test_no_upload_lies_in_plain_at_the_proxy() -> None:
    """The example proxy passes uploads on as they come, and lets the largest through; the service leaves no core."""
    page = text("docs/operate/install.md")

    assert "proxy_request_buffering off;" in blocks(page, "nginx")[0]
    assert "client_max_body_size 13m;" in blocks(page, "nginx")[0]
    assert "LimitCORE=0" in blocks(page, "ini")[0]


def test_the_example_of_a_country_holds_and_has_every_key(tmp_path: Path) -> None:
    """Whoever copies the example begins with a profile that is used; each key stands in the table below it."""
    page = text("docs/operate/countries.md")
    (tmp_path / "SE.toml").write_text(blocks(page, "toml")[0], "utf-8")
    loaded = countries.load(tmp_path)
    written = tomllib.loads(blocks(page, "toml")[0])
    keys = set(countries.CountryPolicy.__struct_fields__)

    assert ((), {"SE"}) == (loaded.faults, set(loaded.policies))
    assert keys == set(written)
    assert keys == set(re.findall(r"^\| `(\w+)` \| ", page, re.MULTILINE)) - {fault.value for fault in ProfileFault}


@pytest.mark.parametrize("code", [fault.value for fault in ProfileFault])
def test_every_fault_of_a_profile_is_explained(code: str) -> None:
    """Whoever reads the code in the log finds what is wrong."""
    assert f"| `{code}` |" in text("docs/operate/countries.md")


def test_the_proxy_hands_host_on() -> None:
    """Signatures cover Host: the example proxy passes it as it came, and changes no body."""
    proxy = blocks(text("docs/operate/install.md"), "nginx")[0]

    assert "proxy_set_header Host $host;" in proxy
    assert "sub_filter" not in proxy


def test_the_example_of_init_is_a_good_configuration(tmp_path: Path) -> None:
    """What the installation page tells people to type makes a configuration that can be read."""
    values = {
        "origin": "https://fr.esanum.example", "country": "FR", "name": "esanum France",
        "contact": "federation@fr.esanum.example", "listen": "127.0.0.1:8000", "metrics": "127.0.0.1:9000",
    }  # fmt: skip
    page = text("docs/operate/install.md")

    assert [] == [value for value in values.values() if value not in page]
    assert "https://fr.esanum.example" == config.read(values, tmp_path).origin


def test_what_the_program_says_is_quoted_as_it_says_it() -> None:
    """Whoever searches the page for a sentence of the program finds it, because it is that sentence."""
    page = text("docs/operate/troubleshoot.md")
    said = re.findall(r"^\| `([^`]+)` \|", page.partition("## Nothing goes out")[0], re.MULTILINE)
    source = "".join(path.read_text("utf-8") for path in files() if path.is_relative_to(ROOT / "instance"))
    pieces = [piece.strip() for line in said for piece in line.split("…") if len(piece.strip()) > 3]

    assert len(said) >= 8
    assert [] == [piece for piece in pieces if piece not in source]


@pytest.mark.parametrize("state", ["waiting", "resting", "held", "done", "dead", "dropped"])
def test_every_state_of_a_delivery_is_explained(state: str) -> None:
    """The states are those of the table, and each has its line."""
    schema = (ROOT / "instance/storage/schema/0001_core.sql").read_text("utf-8")

    assert f"'{state}'" in schema.partition("create table deliveries")[2].partition(");")[0]
    assert re.search(rf"^\| {state} \| ", text("docs/operate/troubleshoot.md"), re.MULTILINE)
