"""`esanum demo`: several countries on this machine's loopback, filled with made-up doctors and cases.

Every country is a whole instance with its own database, keys and server; they speak over real sockets. At the review
desk of the first there is something of everything (past.py); a board says who can sign in, and shows codes and mails
(board.py). All of it lives in a temporary folder and is gone when the demo ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import click

from instance import log
from instance.demo import desk, past
from instance.demo.board import Board
from instance.demo.fill import fill
from instance.demo.smoke import smoke_test
from instance.demo.town import Country, free_ports, open_town, until_listening
from instance.serve import run_hypercorn


async def run(*, countries: int, port: int, smoke: bool, empty: bool, server: str) -> bool:
    """Run until interrupted (or, with `smoke`, until the exchange is played); True when all went well."""
    log.set_up("error")
    stop, told, say = asyncio.Event(), past.Told(), click.echo
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with tempfile.TemporaryDirectory(prefix="esanum-demo-") as folder:
        before = None if empty else partial(past.live, told=told)
        opened = open_town(Path(folder), countries=countries, port=port, server=server, say=say, before=before)
        async with opened as town, _board(town, port + countries) as board:
            await _furnish(town, told)
            await fill(town, posts=not empty, say=say)
            await past.suspend(town[0].node)
            if smoke:
                return await smoke_test(town, say=say)
            _introduce(town, board)
            await stop.wait()
            say("\nstopping …")
    return True


async def _furnish(town: list[Country], told: past.Told) -> None:
    """Appoint staff in every country; the first may have its own already, and applicants."""
    town[0].staff, town[0].applicants = told.staff, told.applicants
    for country in town:
        if not country.staff:
            country.staff = [await desk.appoint(country.node, login, role) for login, role in desk.STAFF]
    if told.applicants:
        # What the calendar has to do about the past is done before anybody looks.
        await town[0].node.dossiers.tick()
        click.echo(f"{len(told.applicants)} applications at the review desk of {town[0].code}, somewhere on their way")


@contextlib.asynccontextmanager
async def _board(town: list[Country], port: int) -> AsyncIterator[str]:
    """Serve the board beside the instances; yield its address."""
    listen, stop = f"127.0.0.1:{free_ports(port, 1)[0]}", asyncio.Event()
    serving = asyncio.ensure_future(run_hypercorn(Board(town), listen, stop))
    await until_listening(listen)
    try:
        yield f"http://{listen.replace('127.0.0.1', 'localhost')}"
    finally:
        stop.set()
        await serving


def _introduce(town: list[Country], board: str) -> None:
    """Print where to look and as whom."""
    password = town[0].logins[0].password
    click.echo("\nReady; Ctrl-C ends everything.\n")
    click.echo(f"  Everybody who can sign in, the codes of staff now, and every mail:  {board}")
    click.echo(f"  Everybody's password:  {password}\n")
    for country in town:
        click.echo(f"  {country.title}: {country.node.origin} (review desk: {country.node.origin}/desk)")
        for who, people in (
            ("doctors", country.logins[:3]), ("applicants", country.applicants), ("staff", country.staff),
        ):  # fmt: skip
            for number, login in enumerate(people):
                click.echo(f"    {who if number == 0 else '':<11}{login.handle:<34}{login.what}")
            if who == "doctors" and len(country.logins) > len(people):
                click.echo(f"    {'':<11}… and {len(country.logins) - len(people)} more")
    click.echo("")
