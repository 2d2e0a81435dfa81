"""`esanum demo`: several countries on this machine's loopback, filled with made-up doctors and cases.

Every country is a whole instance with its own database, keys and server; they speak over real sockets. All of it lives
in a temporary folder and is gone when the demo ends.
"""

from __future__ import annotations

import asyncio
import signal
import tempfile
from pathlib import Path

import click

from instance import log
from instance.demo.desk import furnish
from instance.demo.fill import fill
from instance.demo.smoke import smoke_test
from instance.demo.town import Country, open_town


async def run(*, countries: int, port: int, smoke: bool, empty: bool, server: str) -> bool:
    """Run until interrupted (or, with `smoke`, until the exchange is played); True when all went well."""
    log.set_up("error")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with tempfile.TemporaryDirectory(prefix="esanum-demo-") as folder:
        async with open_town(Path(folder), countries=countries, port=port, server=server, say=click.echo) as town:
            await fill(town, posts=not empty, say=click.echo)
            await furnish(town[1], say=click.echo)
            if smoke:
                return await smoke_test(town, say=click.echo)
            introduce(town)
            await stop.wait()
            click.echo("\nstopping …")
    return True


def introduce(town: list[Country]) -> None:
    """Print where to look and as whom."""
    click.echo("\nReady. Open any of these and sign in; Ctrl-C ends everything.\n")
    for country in town:
        click.echo(f"  {country.title}\n    {country.node.origin}")
        for login in country.logins[:3]:
            click.echo(f"    {login.handle:<22} {login.password}   {login.what}")
        if len(country.logins) > 3:
            click.echo(f"    … and {len(country.logins) - 3} more, all with the same password")
        for login in country.staff:
            click.echo(f"    {login.handle:<22} {login.password}   {login.what}")
        if country.staff:
            click.echo(f"    review desk: {country.node.origin}/desk (staff sign in with the password, then a code)")
    click.echo("")
