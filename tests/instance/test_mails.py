"""Mails: what is in them and what never is, that each leaves once, and what happens where they cannot leave."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from instance.commands import check
from instance.config import BadConfig, read
from instance.mail_ways import Folder, NotSent, Smtp
from instance.services.joining import SignUp
from instance.services.mails import BACK_OFF, GIVEN_UP
from instance.services.staff import Invite
from instance.storage.store import Transaction
from tests.instance.dossiers.applying import Applicant
from tests.town import PASSWORD, Network, rows
from verification.acts import Notice

SIGN_UP = SignUp(
    email="eliane@mail.example", password=PASSWORD, name="Éliane Vauquelin", country="FR", role="specialist",
    specialties=("cardiology",),
)  # fmt: skip
SECRETS = ("Vauquelin", "Éliane", "10001234565", "cardiology", "licence", "specialist", "diploma")


@pytest.fixture
async def fr(tmp_path):
    """The French instance; mails are files."""
    network = await Network.open(tmp_path)
    yield await network.add(tmp_path, "fr", language="en")
    await network.close()


async def tell(place, *, whom="applicant", account="", address="", notice="approved", country="FR", language="") -> str:
    """A row that waits."""
    from instance.ids import new_ulid
    from instance.times import to_ms

    now, sealed = place.node.clock(), None
    id = new_ulid(now)

    async def work(tx) -> None:
        await tx.run("mails.add", id=id, whom=whom, account=account, country=country, notice=notice, at=to_ms(now),
                     language=language, address=address, sealed=sealed)  # fmt: skip

    await place.node.store.write(work)
    return id


def sent(place) -> list:
    """Every mail in the folder."""
    found = sorted((place.node.config.data / "mail").glob("*.eml"))
    return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in found]


async def addressed(place, login: str, email: str, *, language: str = "") -> Applicant:
    """Somebody who has handed in, with an address."""
    made = await Applicant.submits(place.node, login)

    async def work(tx) -> None:
        await tx.run("joining.set_address", account=made.account, email=email)
        await tx.run("people.set_preferences", id=made.account, language=language, appearance="")

    await place.node.store.write(work)
    return made


# ── what is in them ──


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Your application was received."),
        ("de", "Ihr Antrag ist eingegangen."),
        ("fr", "Votre demande est reçue."),
    ],
)
async def test_a_mail_says_that_there_is_something_to_read(fr, language, words):
    """In the language of the account, plain text, with the page to go to; nothing of the application."""
    await addressed(fr, "eliane", "eliane@mail.example", language=language)
    await fr.node.mails.send_due()
    mail = sent(fr)[0]
    text = mail.get_content()

    assert ("eliane@mail.example", language) == (mail["To"], mail["Content-Language"])
    assert "text/plain" == mail.get_content_type()
    assert "auto-generated" == mail["Auto-Submitted"]
    assert words in text
    assert "https://fr.example/application" in text
    assert [] == [word for word in SECRETS if word in mail.as_string() + text]


@pytest.mark.parametrize(("contact", "foot"), [("team@fr.example", ["Contact: team@fr.example"]), ("", [])])
async def test_a_mail_says_whom_to_ask(tmp_path, contact, foot):
    """Nobody can answer it: below stands who sends it, and the contact of the instance where there is one."""
    network = await Network.open(tmp_path)
    place = await network.add(tmp_path, "fr", language="en", contact=contact)
    await addressed(place, "eliane", "eliane@mail.example", language="en")
    await place.node.mails.send_due()
    lines = sent(place)[0].get_content().splitlines()
    last = lines[max(at for at, line in enumerate(lines) if not line) + 1 :]
    await network.close()

    assert [f"This mail was sent by {place.node.config.name}", *foot] == last


@pytest.mark.parametrize("notice", [each.value for each in Notice])
async def test_every_notice_can_be_sent_in_every_language(fr, notice):
    """No text is missing at the moment when a mail should leave."""
    made = await addressed(fr, "eliane", "eliane@mail.example")
    await fr.node.mails.send_due()
    for language in ("en", "de", "fr"):
        await tell(fr, account=made.account, notice=notice, language=language)

    assert 3 == await fr.node.mails.send_due()
    assert ["de", "en", "fr", "fr"] == sorted(mail["Content-Language"] for mail in sent(fr))


async def test_files_are_for_their_owner_alone(fr):
    """0600 in a folder 0700, and no half of one."""
    await addressed(fr, "eliane", "eliane@mail.example")
    await fr.node.mails.send_due()
    folder = fr.node.config.data / "mail"
    files = list(folder.iterdir())

    assert 0o700 == stat.S_IMODE(folder.stat().st_mode)
    assert [0o600] == [stat.S_IMODE(file.stat().st_mode) for file in files]
    assert [".eml"] == [file.suffix for file in files]


async def test_a_mail_is_found_whole_or_not_at_all(tmp_path, monkeypatch):
    """Who lists the mails while one is written sees none of it."""
    found, replace = [], Path.replace

    def look(beside: Path, target: Path) -> Path:
        found.append(sorted(file.name for file in tmp_path.glob("*.eml")))
        return replace(beside, target)

    monkeypatch.setattr(Path, "replace", look)
    mail = EmailMessage()
    mail.set_content("Made up.")
    await Folder(tmp_path).send("1", mail)

    assert [[]] == found
    assert ["1.eml"] == [file.name for file in tmp_path.glob("*.eml")]


async def test_each_leaves_once_and_its_address_is_wiped(fr):
    """Sent again nothing leaves; the row keeps neither address nor code."""
    await tell(fr, address="somebody@mail.example", notice="join_has_account")
    counts = [await fr.node.mails.send_due() for _ in range(2)]
    kept = (await rows(fr.node, "select address, sealed, sent_at from mails"))[0]

    assert [1, 0] == counts
    assert ("", None) == (kept["address"], kept["sealed"])
    assert kept["sent_at"] is not None


async def test_two_at_work_send_one(fr):
    """Whoever claims a row first sends it."""
    await tell(fr, address="somebody@mail.example", notice="join_has_account")
    counts = await asyncio.gather(*(fr.node.mails.send_due() for _ in range(4)))

    assert 1 == sum(counts)
    assert 1 == len(sent(fr))


async def test_somebody_without_an_address_gets_none(fr):
    """The row is gone, nothing is written, nothing is tried again."""
    await Applicant.submits(fr.node, "eliane")

    assert 0 == await fr.node.mails.send_due()
    assert [] == await rows(fr.node, "select * from mails where whom = 'applicant'")
    assert [] == sent(fr)


# ── the desk ──


async def staff(place, login: str, role: str, country: str = "FR") -> None:
    """Somebody of the staff, invited by mail, who has proved the address."""
    new = Invite(email=f"{login}@chamber.example", roles=(role,), countries=(country,))
    invited = await place.node.staff.invite(new, by="test")
    account = await place.node.staff.accept(invited.link.rpartition("/")[2], login, PASSWORD)

    async def prove(tx: Transaction) -> None:
        await tx.run("joining.set_address", account=account, email=new.email)

    await place.node.store.write(prove)


@pytest.mark.parametrize(
    ("whom", "meant"),
    [("reviewers", ["rita"]), ("leads", ["lea"]), ("administrators", ["ada"])],
)
async def test_a_part_of_the_desk_is_each_of_its_people(tmp_path, whom, meant):
    """Of the country, of that role, each a mail of their own; nobody else, and nobody who has left."""
    network = await Network.open(tmp_path)
    place = await network.add(tmp_path, "fr", language="en", may_issue_for=["FR", "DE"])
    for login, role, country in (
        ("rita", "reviewer", "FR"), ("greta", "reviewer", "DE"), ("lea", "lead", "FR"), ("ada", "administrator", "FR"),
        ("gone", {"reviewers": "reviewer", "leads": "lead", "administrators": "administrator"}[whom], "FR"),
    ):  # fmt: skip
        await staff(place, login, role, country)
    gone = next(each for each in await place.node.staff.list() if each.login == "gone")
    await place.node.staff.end(gone.id, by="test", reason="left")
    await tell(place, whom=whom, notice="second_needed")
    count = await place.node.mails.send_due()
    mails = sent(place)
    await network.close()

    assert len(meant) == count
    assert [f"{login}@chamber.example" for login in meant] == sorted(mail["To"] for mail in mails)
    assert all("review desk" in mail.get_content() for mail in mails)


async def test_where_no_mail_reaches_anybody_it_is_said(fr, capsys):
    """In the log by its code when a mail is meant for nobody, and by `esanum check` for each country and role before."""
    await staff(fr, "rita", "reviewer")
    await staff(fr, "lea", "lead")
    before = await check(fr.node)

    with sqlite3.connect(fr.config.database.removeprefix("sqlite:///")) as file:
        file.execute("update accounts set email = '' where login = 'rita'")
    after = await check(fr.node)
    await tell(fr, whom="reviewers", notice="second_needed")
    await tell(fr, whom="leads", notice="overdue")
    capsys.readouterr()
    count = await fr.node.mails.send_due()
    said = capsys.readouterr()

    assert [] == [each for each in before["findings"] if "no mail" in each]
    assert ["warning: FR: no mail reaches anybody who works as reviewer"] == [
        each.partition(",")[0] for each in after["findings"] if "no mail" in each
    ]
    assert 1 == count
    assert 1 == (said.out + said.err).count("mail_reaches_nobody")
    assert "second_needed" in said.out + said.err


async def test_who_reaches_nobody_is_no_matter_where_a_colleague_is_reached(fr):
    """One of two who has no address yet, and a role that nobody has: nothing is said."""
    await staff(fr, "rita", "reviewer")
    invited = await fr.node.staff.invite(
        Invite(email="rene@chamber.example", roles=("reviewer",), countries=("FR",)), by="test"
    )
    await fr.node.staff.accept(invited.link.rpartition("/")[2], "rene", PASSWORD)

    assert [] == await fr.node.mails.findings()


# ── what cannot leave ──


class Down:
    """A mail server that is down."""

    tries = 0

    async def send(self, id, message) -> None:
        """Fail."""
        self.tries += 1
        raise NotSent("ConnectionRefusedError")


async def test_what_cannot_leave_is_tried_ever_later_and_dropped_after_three_days(fr):
    """Not before its time; a minute, five, fifteen, hours; in the end the row is gone."""
    fr.node.mails.way = down = Down()
    await tell(fr, address="somebody@mail.example", notice="join_has_account")
    for number, wait in enumerate(BACK_OFF, start=1):
        await fr.node.mails.send_due()
        await fr.node.mails.send_due()
        assert number == down.tries
        fr.network.clock.now += wait
    fr.network.clock.now += GIVEN_UP
    await fr.node.mails.send_due()

    assert len(BACK_OFF) == down.tries
    assert [] == await rows(fr.node, "select * from mails")


async def test_a_code_that_is_past_is_not_sent(fr):
    """A quarter of an hour after it was made it helps nobody."""
    await tell(fr, address="somebody@mail.example", notice="join_code")
    fr.network.clock.move(minutes=15)

    assert 0 == await fr.node.mails.send_due()
    assert [] == sent(fr)
    assert [] == await rows(fr.node, "select * from mails")


async def test_one_that_cannot_leave_keeps_no_other_from_leaving(fr):
    """A code that cannot be opened stays behind; the next mail goes."""
    await tell(fr, address="first@mail.example", notice="join_has_account")
    await tell(fr, address="second@mail.example", notice="join_has_account")
    folder = Folder(fr.node.config.data / "mail")

    class Half:
        async def send(self, id, message) -> None:
            if message["To"].startswith("first"):
                raise NotSent("SMTPRecipientsRefused")
            await folder.send(id, message)

    fr.node.mails.way = Half()

    assert 1 == await fr.node.mails.send_due()
    assert ["second@mail.example"] == [mail["To"] for mail in sent(fr)]


async def test_codes_go_first_and_a_slow_one_holds_up_no_other(fr):
    """Ten that hang, and a code that came last: it leaves at once; no more than eight go at a time."""
    for number in range(10):
        await tell(fr, address=f"slow{number}@mail.example", notice="join_has_account")
    await fr.node.joining.begin(SIGN_UP, "127.0.0.1", "en")
    left, at_work, most, go_on = [], 0, 0, asyncio.Event()

    class Slow:
        async def send(self, id, message) -> None:
            nonlocal at_work, most
            at_work, most = at_work + 1, max(most, at_work + 1)
            await asyncio.sleep(0.01)
            if message["To"].startswith("slow"):
                await go_on.wait()
            at_work -= 1
            left.append(message["To"])

    fr.node.mails.way = Slow()
    sending = asyncio.create_task(fr.node.mails.send_due())
    async with asyncio.timeout(2):
        while not left:
            await asyncio.sleep(0.01)
    first = list(left)
    go_on.set()

    assert 11 == await sending
    assert [SIGN_UP.email] == first
    assert 8 == most


async def test_a_fault_of_any_kind_keeps_no_other_from_leaving(fr):
    """Also one that nobody thought of."""
    for name in ("first", "second"):
        await tell(fr, address=f"{name}@mail.example", notice="join_has_account")
    folder = Folder(fr.node.config.data / "mail")

    class Odd:
        async def send(self, id, message) -> None:
            if message["To"].startswith("first"):
                raise RuntimeError("made up")
            await folder.send(id, message)

    fr.node.mails.way = Odd()

    assert 1 == await fr.node.mails.send_due()
    assert ["second@mail.example"] == [mail["To"] for mail in sent(fr)]
    assert [("first@mail.example", 1)] == [
        tuple(row) for row in await rows(fr.node, "select address, tries from mails where sent_at is null")
    ]


# ── the mail server ──


@dataclass
class Taken:
    """What a mail server on loopback was told."""

    lines: list[str] = field(default_factory=list)
    port: int = 0


@asynccontextmanager
async def server(refuses: str = "") -> AsyncIterator[Taken]:
    """A mail server that takes everything, or refuses one command."""
    taken = Taken()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        data = False
        while line := (await reader.readline()).decode():
            taken.lines.append(line.rstrip("\r\n"))
            if data:
                data = line != ".\r\n"
                answer = b"" if data else b"250 taken\r\n"
            elif refuses and line.upper().startswith(refuses):
                answer = b"550 no\r\n"
            elif line.upper().startswith("DATA"):
                data, answer = True, b"354 go on\r\n"
            elif line.upper().startswith("QUIT"):
                answer = b"221 bye\r\n"
            else:
                answer = b"250 here\r\n"
            writer.write(answer)
            await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    taken.port = listening.sockets[0].getsockname()[1]
    try:
        yield taken
    finally:
        listening.close()


def through(place, port: int) -> Smtp:
    """A way through a server on this port of loopback."""
    from dataclasses import replace

    config = replace(place.node.config, smtp_host="127.0.0.1", smtp_port=port, mail_from="no-reply@fr.example")
    place.node.config = config
    return Smtp(config)


async def test_a_mail_server_takes_what_is_due(fr):
    """From, to, and the text, over a real socket; nothing is written into the folder."""
    await tell(fr, address="somebody@mail.example", notice="join_has_account")
    async with server() as taken:
        fr.node.mails.way = through(fr, taken.port)
        count = await fr.node.mails.send_due()

    assert 1 == count
    assert any(line.upper().startswith("MAIL FROM:<NO-REPLY@FR.EXAMPLE>") for line in taken.lines)
    assert any(line.upper().startswith("RCPT TO:<SOMEBODY@MAIL.EXAMPLE>") for line in taken.lines)
    assert "https://fr.example/sign-in" in taken.lines
    assert [] == sent(fr)


@pytest.mark.parametrize("refuses", ["RCPT", "MAIL"])
async def test_what_a_mail_server_refuses_waits(fr, refuses):
    """The row stays, with one try more; the log gets the kind of fault, never the address."""
    await tell(fr, address="somebody@mail.example", notice="join_has_account")
    async with server(refuses) as taken:
        fr.node.mails.way = through(fr, taken.port)
        count = await fr.node.mails.send_due()
    row = (await rows(fr.node, "select tries, sent_at, address from mails"))[0]

    assert 0 == count
    assert (1, None, "somebody@mail.example") == tuple(row)


async def test_where_nobody_listens_it_waits(fr):
    """A server that is away is no fault of ours."""
    await tell(fr, address="somebody@mail.example", notice="join_has_account")
    async with server() as taken:
        pass
    fr.node.mails.way = through(fr, taken.port)

    assert 0 == await fr.node.mails.send_due()
    assert 1 == len(await rows(fr.node, "select * from mails where sent_at is null"))


async def test_a_server_elsewhere_gets_nothing_in_plain(fr, monkeypatch):
    """Not on this machine and without STARTTLS: nothing is sent, not even who it is for."""
    await tell(fr, address="somebody@mail.example", notice="join_has_account")
    async with server() as taken:
        way = through(fr, taken.port)
        monkeypatch.setattr("instance.mail_ways._HERE", ())
        fr.node.mails.way = way
        count = await fr.node.mails.send_due()

    assert 0 == count
    assert [] == [line for line in taken.lines if line.upper().startswith(("MAIL", "RCPT"))]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"smtp_host": "mail.example"}, "mail_from"), ({"smtp_host": "a b"}, "smtp_host"),
        ({"smtp_port": 0}, "smtp_port"), ({"smtp_port": "25"}, "smtp_port"), ({"mail_from": "a@b\nBcc: c"}, "mail_from"),
        ({"mail_from": "nobody"}, "mail_from"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(tmp_path: Path, settings, named):
    """Nothing starts with half of a mail server."""
    values = {"origin": "https://fr.example", "country": "FR", "name": "Instance fr", **settings}

    with pytest.raises(BadConfig, match=named):
        read(values, tmp_path)
