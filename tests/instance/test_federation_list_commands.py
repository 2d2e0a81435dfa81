"""`esanum federation-list`: three signers make a list on machines of their own, and an instance takes it in."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from instance.config import load
from tests.instance.test_cli import fr, run

__all__ = ["fr", "run"]

ADDRESS = "https://anchor.example/federation/list"


@pytest.fixture
def list_of(run: Any, fr: Path, tmp_path: Path) -> Any:
    """Make three keys and pin them two of three; the function runs `federation-list` in a folder of its own."""
    folder = tmp_path / "signers"
    folder.mkdir()

    def command(name: str, *words: Any, ok: bool = True) -> Any:
        shown = run("-c", fr, "federation-list", name, *words)
        assert (0 if ok else 1) == shown.status, shown.err
        return shown

    command.folder = folder  # type: ignore[attr-defined]
    signers = [command("init", folder / name).out.strip() for name in "abc"]
    with fr.open("a") as config:
        config.write(f"\n[federation_list]\nurl = '{ADDRESS}'\nsigners = {json.dumps(signers)}\nthreshold = 2\n")
    return command


def proposed(list_of: Any) -> Path:
    """A first list with this instance in it, unsigned."""
    folder: Path = list_of.folder
    entry = json.loads(list_of("entry").out)
    (folder / "fr.json").write_text(json.dumps({**entry, "status": "active"}))
    list_of("propose", "--url", ADDRESS, "--member", folder / "fr.json", "--out", folder / "draft")
    return folder / "draft"


def signed(list_of: Any, file: Path, *names: str) -> Path:
    """The list with the signatures of these, each made apart and put together."""
    copies = []
    for name in names:
        copies.append(file.with_suffix(f".{name}"))
        list_of("sign", file, "--key", list_of.folder / name, "--out", copies[-1], "--yes")
    whole = file.with_suffix(".signed")
    list_of("merge", *copies, "--out", whole)
    return whole


def test_a_signers_key_is_its_owners_alone(list_of: Any) -> None:
    """Mode 0600, never overwritten, and of no use once others can read it."""
    key = list_of.folder / "a"
    again = list_of("init", key, ok=False)
    draft = proposed(list_of)
    mode = stat.S_IMODE(key.stat().st_mode)
    key.chmod(0o640)
    refused = list_of("sign", draft, "--key", key, "--out", list_of.folder / "x", "--yes", ok=False)

    assert 0o600 == mode
    assert "never overwritten" in again.err
    assert "can be read by others" in refused.err
    assert not (list_of.folder / "x").exists()


def test_a_list_is_made_signed_and_published(list_of: Any, fr: Path) -> None:
    """From nothing to a list in force, and the next one that suspends a member."""
    first = signed(list_of, proposed(list_of), "a", "c")
    host = load(fr).authority
    judged = list_of("verify", first).out
    published = list_of("publish", first, "--yes").out
    shown = json.loads(list_of("show").out)
    folder = list_of.folder
    list_of("propose", "--from", first, "--status", f"{host}=suspended", "--out", folder / "next")
    following = list_of("verify", signed(list_of, folder / "next", "a", "b")).out

    assert "list 1 would be adopted." in judged
    assert f"{host} status: nothing -> active" in judged
    assert "list 1 is in force here until" in published
    assert (1, "active", 2) == (shown["list"]["sequence"], shown["state"], shown["signers"]["threshold"])
    assert f"{host} status: active -> suspended" in following
    assert "doctors" in following


def test_what_a_list_would_do_is_shown_before_it_is_handed_in(list_of: Any, fr: Path) -> None:
    """Unconfirmed nothing is in force; confirmed, what it did stands in `show`."""
    first = signed(list_of, proposed(list_of), "a", "c")
    host = load(fr).authority
    unconfirmed = list_of("publish", first, ok=False)
    before = json.loads(list_of("show").out)
    list_of("publish", first, "--yes")
    after = json.loads(list_of("show").out)

    assert f"{host} status: nothing -> active" in unconfirmed.out
    assert "copies" in unconfirmed.out
    assert "is in force" not in unconfirmed.out
    assert (None, []) == (before["list"], before["changed"])
    assert [host] == [each["domain"] for each in after["changed"]]
    assert {"what": "status", "before": "", "after": "active"} in after["changed"][0]["differences"]


def test_one_signature_publishes_nothing(list_of: Any) -> None:
    """The twin: one of two is refused with its code, and there is no list."""
    alone = signed(list_of, proposed(list_of), "a")

    assert "too_few_signatures" in list_of("publish", alone, "--yes", ok=False).err
    assert "too_few_signatures" in list_of("verify", alone, ok=False).err
    assert json.loads(list_of("show").out)["list"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--from"),
        (("--url", ADDRESS, "--status", "de.example=active"), "no member"),
        (("--url", ADDRESS, "--threshold", "2"), "as many signers"),
        (("--url", ADDRESS, "--emergency", "made up"), "--review-by"),
    ],
)
def test_what_cannot_be_proposed_is_said(list_of: Any, words: tuple[str, ...], said: str) -> None:
    """In a sentence, and nothing is written."""
    refused = list_of("propose", *words, "--out", list_of.folder / "draft", ok=False)

    assert said in refused.err
    assert not (list_of.folder / "draft").exists()


def test_a_list_that_does_not_follow_is_not_signed(list_of: Any) -> None:
    """A signer compares with the list before."""
    draft = proposed(list_of)
    folder = list_of.folder
    list_of("propose", "--url", ADDRESS, "--sequence", "7", "--out", folder / "other")
    refused = list_of(
        "sign", folder / "other", "--from", draft, "--key", folder / "a", "--out", folder / "x", "--yes", ok=False
    )

    assert "list_fork" in refused.err


def test_an_instance_without_a_list_says_so(run: Any, fr: Path) -> None:
    """Nothing is pinned, so nothing can be judged."""
    shown = run("-c", fr, "federation-list", "show")

    assert (1, "") == (shown.status, shown.out)
    assert "no_federation_list" in shown.err
