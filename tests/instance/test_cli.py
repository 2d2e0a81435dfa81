"""The command line: every command works with and without a running server; a failure is one sentence."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from instance import commands
from instance.cli import main
from tests.faults.countries import until
from tests.instance.served import Served
from tests.tools.ports import free_ports
from tests.verified import verified

REASON = ("--reason", "made up")
#: A made-up register of one doctor, in the form of France's.
REGISTER = (
    "Identification nationale PP|Nom d'exercice|Prénom d'exercice|Code profession|Code catégorie professionnelle|"
    "Code type savoir-faire|Code savoir-faire\n810001234565|MARIN|Luc|10|C|S|SM26\n"
)


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run `esanum` in this process; the logging of the test run is put back afterwards."""
    handlers, level = list(logging.root.handlers), logging.root.level
    for handler in handlers:
        logging.root.removeHandler(handler)

    def run_(*arguments: str | Path) -> Said:
        monkeypatch.setattr(sys, "argv", ["esanum", *map(str, arguments)])
        try:
            main()
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
        return Said(status, *capfd.readouterr())

    yield run_
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.fixture
def fr(tmp_path: Path, run: Run) -> Path:
    """The configuration of a new instance."""
    return begin(run, tmp_path / "fr", "fr", "FR")


def begin(run: Run, folder: Path, name: str, country: str) -> Path:
    """Make an instance with the command that does."""
    port, metrics = free_ports(2)
    file = folder / "esanum.toml"
    said = run(
        "-c", file, "init", "--origin", f"http://{name}.localhost:{port}", "--country", country, "--name", name,
        "--listen", f"127.0.0.1:{port}", "--metrics", f"127.0.0.1:{metrics}",
    )  # fmt: skip
    assert (0, "") == (said.status, said.err)
    return file


@pytest.mark.parametrize("running", [False, True], ids=["without a server", "with a server"])
def test_every_command_works(tmp_path: Path, run: Run, fr: Path, *, running: bool) -> None:
    """A day of an administrator: doctors, siblings, deliveries, keys, back-up; each command says what it did."""
    de = begin(run, tmp_path / "de", "de", "DE")
    fingerprint = json.loads(run("-c", de, "keys", "show").out)["fingerprint"]
    origin = Served.origin(de)
    assert "No doctor yet" in run("-c", fr, "doctors", "list").out
    verified(fr, "marie")
    with Served(de), Served(fr, wanted=running):

        def ok(*arguments: str | Path) -> str:
            said = run("-c", fr, *arguments)
            assert (0, "") == (said.status, said.err), arguments
            return said.out

        assert "all is well; 0 sibling(s)" in ok("check")
        assert "marie   specialist  FR       ok" in ok("doctors", "list")
        assert "No sibling" in ok("siblings", "list")
        assert "is a sibling now" in ok("siblings", "add", origin, "--fingerprint", fingerprint, *REASON)
        assert origin in ok("siblings", "list")
        assert origin == json.loads(ok("siblings", "list", "--json"))[0]["origin"]
        assert "1 sibling(s)" in ok("check")
        ok("doctors", "suspend", "marie", *REASON)
        assert "marie   specialist  FR       suspended" in ok("doctors", "list")
        ok("doctors", "reinstate", "marie", *REASON)
        ok("keys", "rotate", "marie", *REASON)
        assert "0 credentials were issued anew; siblings are being told. 1 stay" in ok("credentials", "renew", *REASON)
        assert "1 credentials were issued anew" in ok("credentials", "renew", "--all", "--country", "FR", *REASON)
        rotated = ok("keys", "rotate-kek", *REASON)
        assert "6 private keys sealed anew; 0 left" in rotated
        assert "0 keys of evidence wrapped anew; 0 left" in rotated
        assert f"repin {Served.origin(fr)}" in ok("keys", "rotate-instance", "--days", "2", *REASON)
        assert "what it shows is pinned now" in ok("siblings", "repin", origin, "--fingerprint", fingerprint, *REASON)
        touched = ok("siblings", "pause", origin, "--yes", *REASON)
        assert "This touches" in touched
        assert "policy is now pause" in touched
        assert "policy is now inherit" in ok("siblings", "resume", origin, "--yes", *REASON)
        assert "no message fits" in ok("messages", "find", "--code", "bad_signature").lower()
        # A server that has not heard of it yet holds a row once more, and lets it go at its next look.
        until(lambda: re.search(rf"{origin} +\d+ +\d+ +0 +0 +\d+ ", ok("deliveries", "list")), seconds=30, every=0.5)
        assert [origin] == [lane["origin"] for lane in json.loads(ok("deliveries", "list", "--json"))["lanes"]]
        assert "0 will be sent again" in ok("deliveries", "retry", "--sibling", origin)
        assert f"{origin} is tried now" in ok("deliveries", "try", origin)
        assert "no longer a sibling" in ok("siblings", "remove", origin, "--yes", *REASON)
        register = tmp_path / "register.txt"
        register.write_text(REGISTER, "utf-8")
        assert "1 doctors are in force" in ok("registers", "import", "rpps", register)
        assert "rpps      FR       1" in ok("registers", "list")
        assert "16 entries hold; the head is 16 sha256:" in ok("audit", "verify")
        assert "the evidence vault is open" in ok("evidence", "show")
        assert "0 file(s) added" in ok("backup", tmp_path / "copy.db", "--evidence", tmp_path / "copies" / "evidence")
        assert 0o600 == (tmp_path / "copy.db").stat().st_mode & 0o777
        with sqlite3.connect(tmp_path / "copy.db") as copy:
            acts = [act for (act,) in copy.execute("select act from staff_acts order by at, id")]
        assert ["doctor_added", "doctor_suspended", "doctor_reinstated", "keys_rotated"] == acts[:4]
        assert ["credentials_renewal_ordered"] * 2 == acts[4:6]
        assert ["kek_rotation_ordered", "instance_keys_rotated"] == acts[6:8]
        assert ["deliveries_retried", "lane_tried", "register_import_ordered", "backup_ordered"] == acts[8:]
        assert "seven days" in ok("evidence", "backup-keys", tmp_path / "keys.db")
        assert 0o600 == (tmp_path / "keys.db").stat().st_mode & 0o777


def test_every_command_has_been_thought_of() -> None:
    """A new command needs a line in the day above, or a reason to be missing there."""
    without = {"deliveries.show", "siblings.show", "audit.lost", "audit.resume"}  # tested with their refusals below
    without |= {
        f"staff.{act}" for act in ("invite", "list", "end", "withdraw", "reset_factors", "send_recovery")
    }  # test_staff_commands
    without |= {"policy.show", "messages.show"}  # test_policy_commands, below
    without |= {
        f"siblings.{act}" for act in ("invite", "requests", "read", "confirm", "decline")
    }  # test_pairing_commands
    without |= {
        f"federation_list.{act}" for act in ("show", "entry", "verify", "publish")
    }  # test_federation_list_commands

    assert {
        "siblings.look_up", "siblings.add", "siblings.preview", "siblings.set_policy", "siblings.remove",
        "siblings.list", "siblings.compare", "siblings.repin", "siblings.refusals", "messages.find", "doctors.list", "doctors.suspend",
        "doctors.reinstate", "deliveries.list", "deliveries.retry", "deliveries.try_now", "keys.show", "keys.rotate", "keys.rotate_instance",
        "keys.rotate_kek", "backup", "check", "evidence.show", "evidence.back_up_keys",
        "registers.import", "registers.list", "registers.progress", "audit.verify", "credentials.renew",
        "credentials.progress",
    } == set(commands.ALL) - without  # fmt: skip


def test_an_order_that_cannot_be_is_refused_in_a_sentence(run: Run, fr: Path) -> None:
    """No key, both at once, a country that is not ours: nothing is issued, and the exit status says so."""
    orders = (["--signed-with", "vc-1"], ["--signed-with", "z6Mk", "--all"], ["--country", "XX"])
    said = [run("-c", fr, "credentials", "renew", *order, *REASON) for order in orders]

    assert [1, 1, 1] == [each.status for each in said]
    for each, code in zip(said, ("bad_key", "one_or_the_other", "country_not_allowed"), strict=True):
        assert f"({code})" in each.err


def test_a_register_that_is_none_is_told_by_its_line(tmp_path: Path, run: Run, fr: Path) -> None:
    """The sentence names the line and the column; nothing is imported."""
    file = tmp_path / "other.txt"
    file.write_text("a|b\n1|2\n", "utf-8")
    said = run("-c", fr, "registers", "import", "rpps", file)
    forged = run("-c", fr, "audit", "verify", "--head", "3 sha256:" + "0" * 64)

    assert 1 == said.status
    assert "Line 1: the column" in said.err
    assert "No register has been imported." in run("-c", fr, "registers", "list").out
    assert (1, "esanum: the log is broken at entry 1 (cut)\n") == (forged.status, forged.err)


def test_a_sibling_is_read_once_and_its_changes_are_on_record(tmp_path: Path, run: Run, fr: Path) -> None:
    """`show` tells the entry and every change: what, by whom, why."""
    de = begin(run, tmp_path / "de", "de", "DE")
    fingerprint = json.loads(run("-c", de, "keys", "show").out)["fingerprint"]
    origin = Served.origin(de)
    with Served(de):
        run("-c", fr, "siblings", "add", origin, "--fingerprint", fingerprint, "--reason", "met in person")

    shown = json.loads(run("-c", fr, "siblings", "show", origin).out)
    assert origin == shown["entry"]["origin"]
    assert ({}, 0) == (shown["queue"], shown["lane"]["failures"])
    assert ["met in person"] == [change["reason"] for change in shown["changes"]]
    assert shown["changes"][0]["by"].startswith("command line: ")


def test_a_sibling_is_asked_what_it_refused(tmp_path: Path, run: Run, fr: Path) -> None:
    """Who does not list us says so; who does tells what it refused, and a message is shown whole by its id."""
    de = begin(run, tmp_path / "de", "de", "DE")
    ours, theirs = (json.loads(run("-c", each, "keys", "show").out)["fingerprint"] for each in (fr, de))
    origin, own = Served.origin(de), Served.origin(fr)
    with Served(de):
        run("-c", fr, "siblings", "add", origin, "--fingerprint", theirs, *REASON)
        before = run("-c", fr, "siblings", "refusals", origin)
    with Served(fr):
        run("-c", de, "siblings", "add", own, "--fingerprint", ours, *REASON)
        with Served(de):
            after = run("-c", fr, "siblings", "refusals", origin)
    refused = json.loads(run("-c", de, "messages", "find", "--verdict", "refused", "--json").out)
    shown = json.loads(run("-c", de, "messages", "show", refused[0]["id"]).out)

    assert (1, True) == (before.status, "(not_listed_there)" in before.err)
    assert (0, True) == (after.status, "not_a_sibling" in after.out)
    assert {"not_a_sibling"} == {each["code"] for each in refused}
    assert ("not_a_sibling", 7, own) == (shown["line"]["code"], shown["line"]["step"], shown["line"]["origin"])
    assert "GET /siblings/" in shown["head"]
    assert (1, True) == (
        (missing := run("-c", de, "messages", "show", "0" * 26)).status,
        "unknown_message" in missing.err,
    )


def test_another_fingerprint_stores_nothing(tmp_path: Path, run: Run, fr: Path) -> None:
    """Without the fingerprint that the other administrator tells, nobody is admitted."""
    de = begin(run, tmp_path / "de", "de", "DE")
    with Served(de):
        said = run("-c", fr, "siblings", "add", Served.origin(de), "--fingerprint", "sha256:" + "0" * 64, *REASON)

    assert 1 == said.status
    assert "nothing was stored (fingerprint_differs)" in said.err
    assert "No sibling" in run("-c", fr, "siblings", "list").out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("siblings", "add", "http://nobody.localhost:9", *REASON), "(not_reached)"),
        (("siblings", "add", "not an address", *REASON), "(bad_origin)"),
        (("siblings", "show", "https://nobody.example"), "(unknown_sibling)"),
        (("siblings", "pause", "https://nobody.example", *REASON), "(unknown_sibling)"),
        (("siblings", "remove", "https://nobody.example", *REASON), "(unknown_sibling)"),
        (("doctors", "suspend", "nobody", *REASON), "(not_found)"),
        (("keys", "rotate", "nobody", *REASON), "(not_found)"),
        (("keys", "rotate-instance", "--reason", " "), "(reason_missing)"),
        (("keys", "rotate-kek", "--reason", " "), "(reason_missing)"),
        (("siblings", "repin", "https://nobody.example", *REASON), "(unknown_sibling)"),
        (("deliveries", "show", "01ARZ3NDEKTSV4RRFFQ69G5FAV"), "There is no such delivery. (unknown_delivery)"),
        (("doctors", "suspend", "nobody", *REASON), "There is no doctor with this handle here."),
        (("doctors", "suspend", "nobody", "--reason", " "), "say why, in words that can be kept with the act."),
        (("deliveries", "retry", "01ARZ3NDEKTSV4RRFFQ69G5FAV"), "There is no such delivery. (unknown_delivery)"),
        (("deliveries", "retry", "--sibling", "https://nobody.example"), "(deliveries_kept)"),
        (("deliveries", "try", "https://nobody.example"), "(deliveries_kept)"),
        (("backup", "/nowhere/at/all/copy.db"), "No such file or directory (system)"),
        (("work",), "`work` is for PostgreSQL"),
    ],
)  # fmt: skip
def test_a_refused_command_is_one_sentence(run: Run, fr: Path, arguments: tuple[str, ...], sentence: str) -> None:
    """Exit status 1 and a sentence; never a trace."""
    said = run("-c", fr, *arguments)

    assert (1, "") == (said.status, said.out)
    assert said.err.startswith("esanum: ")
    assert sentence in said.err
    assert 1 == said.err.count("\n")


@pytest.mark.parametrize(
    "arguments", [("check",), ("serve",), ("doctors", "list"), ("siblings", "list"), ("keys", "show")]
)
def test_a_wrong_configuration_is_one_sentence(run: Run, fr: Path, arguments: tuple[str, ...]) -> None:
    """Every command stops at the same sentence, which names the key."""
    fr.write_text(fr.read_text().replace('country = "FR"', 'country = "France"'))

    said = run("-c", fr, *arguments)

    assert (1, "esanum: country = 'France': expected two capital letters (ISO 3166), such as FR\n") == (
        said.status, said.err
    )  # fmt: skip


@pytest.mark.parametrize("arguments", [("check",), ("serve",), ("doctors", "list")])
@pytest.mark.parametrize(("name", "change"), [("kek", "chmod"), ("issuer.pem", "unlink"), ("kek", "zeros")])
def test_a_bad_secret_stops_every_command(
    run: Run, fr: Path, arguments: tuple[str, ...], name: str, change: str
) -> None:
    """The file is named, and nothing is made anew in its place (F37, A128)."""
    path = fr.parent / "secrets" / name
    {
        "chmod": lambda: path.chmod(0o644), "unlink": path.unlink, "zeros": lambda: path.write_text("0" * 64)
    }[change]()  # fmt: skip

    said = run("-c", fr, *arguments)

    assert 1 == said.status
    assert said.err.startswith(f"esanum: {path}: ")
    assert (change != "unlink") == path.exists()


def test_a_kek_that_others_may_read_is_not_rotated_while_the_server_runs(run: Run, fr: Path) -> None:
    """The same refusal through the socket: the file is named, and it is the one that was there."""
    path = fr.parent / "secrets" / "kek"
    with Served(fr):
        path.chmod(0o644)
        before = path.read_bytes()
        said = run("-c", fr, "keys", "rotate-kek", *REASON)

    assert (1, f"esanum: {path}: readable by others; run chmod 600 on it (bad_secret)\n") == (said.status, said.err)
    assert before == path.read_bytes()


@pytest.mark.parametrize("running", [False, True], ids=["without a server", "with a server"])
def test_a_siblings_new_keys_are_shown_and_pinned(
    tmp_path: Path, run: Run, fr: Path, monkeypatch: pytest.MonkeyPatch, *, running: bool
) -> None:
    """`check` tells of them, `repin` shows new, gone and pinned, and asks for what the other administrator reads out."""
    de = begin(run, tmp_path / "de", "de", "DE")
    origin = Served.origin(de)
    fingerprint = json.loads(run("-c", de, "keys", "show").out)["fingerprint"]
    run("-c", de, "keys", "rotate-kek", *REASON)
    with Served(de), Served(fr, wanted=running):
        run("-c", fr, "siblings", "add", origin, "--fingerprint", fingerprint, *REASON)
    run("-c", de, "keys", "rotate-instance", *REASON)
    de.write_text(f'{de.read_text()}\ncontact = "+49 30 0000"\n')
    shown = json.loads(run("-c", de, "keys", "show").out)
    new = [key["fingerprint"] for key in shown["instance"] if not key["signs"]]
    with Served(de), Served(fr, wanted=running):
        wrong = run("-c", fr, "siblings", "repin", origin, "--fingerprint", fingerprint, *REASON)
        monkeypatch.setattr(sys, "stdin", io.StringIO(f" {shown['fingerprint'].upper()} \n"))
        right = run("-c", fr, "siblings", "repin", origin, *REASON)
        again = run("-c", fr, "siblings", "repin", origin, "--yes", *REASON)

    assert 2 == len(new)
    assert (1, True) == (wrong.status, "nothing was changed (fingerprint_differs)" in wrong.err)
    assert all(f"  new          {key}" in right.out for key in new)
    assert f"  pinned now   {fingerprint}" in right.out
    assert all(
        line in right.out for line in ("  contact      not said\n", "  says now     contact +49 30 0000: ask the")
    )
    assert f"{origin}: what it shows is pinned now." in right.out
    assert (1, True) == (again.status, "(no_change)" in again.err)
    entry = json.loads(run("-c", fr, "siblings", "show", origin).out)
    assert ["repin", {"new": [], "gone": []}] == [entry["changes"][-1]["act"], entry["keys"]]


def test_check_finds_what_was_lost_while_the_server_runs(run: Run, fr: Path) -> None:
    """The running server holds its keys in memory; that the file is gone is found before the next start."""
    with Served(fr):
        (fr.parent / "secrets" / "kek").unlink()
        said = run("-c", fr, "check")

    assert 1 == said.status
    assert f"- {fr.parent / 'secrets' / 'kek'}: cannot be read" in said.out


def test_init_does_not_touch_what_is_there(run: Run, fr: Path) -> None:
    """A second `init` changes nothing: neither file, nor secrets, nor database."""
    before = {path: path.read_bytes() for path in fr.parent.rglob("*") if path.is_file() and path.suffix != ".lock"}
    again = ("init", "--origin", "http://fr.localhost:1", "--country", "FR", "--name", "x")

    first = run("-c", fr, *again)
    second = run("-c", fr.with_name("other.toml"), *again)

    assert (1, f"esanum: {fr} is already there; nothing was changed\n") == (first.status, first.err)
    assert (1, "esanum: this database is already in use\n") == (second.status, second.err)
    assert all(before[path] == path.read_bytes() for path in before)


def test_an_interrupted_init_goes_on_with_its_secrets(run: Run, fr: Path) -> None:
    """Secrets without a database are used as they are."""
    kek = (fr.parent / "secrets" / "kek").read_bytes()
    for path in (fr, fr.parent / "esanum.db"):
        path.unlink()

    said = run("-c", fr, "init", "--origin", "http://fr.localhost:1", "--country", "FR", "--name", "x")

    assert 0 == said.status
    assert "secrets found in" in said.out
    assert kek == (fr.parent / "secrets" / "kek").read_bytes()


def test_a_database_of_another_origin_is_refused(run: Run, fr: Path) -> None:
    """The origin can never change: it stands in every address."""
    fr.write_text(fr.read_text().replace("http://fr.localhost", "http://gb.localhost"))

    said = run("-c", fr, "check")

    assert 1 == said.status
    assert "the database belongs to http://fr.localhost" in said.err


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a folder away")
def test_root_does_not_lock_the_service_out(run: Run, fr: Path) -> None:
    """Without a server, root would leave files of its own in the service's folder; it is told to be that user."""
    os.chown(fr.parent, 65_534, 65_534)

    said = run("-c", fr, "check")

    assert 1 == said.status
    assert "run this as that user" in said.err


def test_the_one_who_gives_the_order_is_not_made_up(run: Run, fr: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record names the user of the process, whatever a variable claims."""
    from instance.cli.tools import who

    honest = who()
    monkeypatch.setenv("LOGNAME", "somebody-else")
    monkeypatch.setenv("USER", "somebody-else")

    assert honest == who()


def test_a_defect_is_one_sentence_too(run: Run, fr: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody thought of is told by its type and place, without its text and without a trace."""

    async def fails(node: Any) -> None:
        raise RuntimeError("made-up clinical text")

    monkeypatch.setitem(commands.ALL, "check", fails)

    said = run("-c", fr, "check")

    assert 1 == said.status
    assert said.err.startswith("esanum: a defect in this program: RuntimeError in test_cli.py:")
    assert "clinical" not in said.err


def test_help_is_quick() -> None:
    """`--help` imports no server, no database and no cryptography."""
    import subprocess

    code = "import sys, instance.cli; print(*sorted(m for m in sys.modules if m in %r))"
    heavy = ("quart", "hypercorn", "aiohttp", "cryptography", "aiosqlite", "pyld", "jinja2", "sqlite3")
    found = subprocess.run(
        [sys.executable, "-c", code % (heavy,)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )

    assert "" == found.stdout.strip()


def test_nothing_is_resumed_where_nothing_is_behind(run: Run, fr: Path) -> None:
    """Without a restore the order is refused by a sentence; without a reason it is none."""
    said, silent = run("-c", fr, "audit", "resume", *REASON), run("-c", fr, "audit", "resume")

    assert (1, 2) == (said.status, silent.status)
    assert "no sibling holds a longer log" in said.err
