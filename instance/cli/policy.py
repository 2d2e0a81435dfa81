"""`esanum policy`: what is in force for a country, from its file and from what administrators have laid over it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from instance.cli.tools import Context, Failure


@click.group()
def policy() -> None:
    """The policies of countries: profiles in files, and what administrators have changed at the page."""


@policy.command()
@click.argument("country", default="")
@click.pass_obj
def show(context: Context, country: str) -> None:
    """Show what is in force for COUNTRY (ISO 3166), or for every country this instance may vouch for.

    A line that the page has changed ends with what the file says. A file that does not hold is named first, and the
    exit status is 1: nobody is admitted from there.
    """
    found = context.run("policy.show", country=country.upper())
    for number, each in enumerate(found["countries"]):
        click.echo(("\n" if number else "") + f"{each['country']}  {each['file']}")
        if each["closed"]:
            click.echo(f"  closed: {each['closed']}")
        for name, value, in_file in each["lines"]:
            click.echo(f"  {name:<28}{value}" + (f"  (file: {in_file})" if in_file != value else ""))
        for waiting in each["waiting"]:
            click.echo(f"  waits for a second administrator: {_proposal(waiting)}")
    for fault in found["faults"]:
        click.echo(f"{fault['name']} does not hold ({fault['fault']}): {fault['words']}", err=True)
    if found["faults"] or any(each["closed"] for each in found["countries"]):
        raise Failure("a profile does not hold: nobody is admitted from there")


def _proposal(waiting: Mapping[str, Any]) -> str:
    return f"{waiting['item']} until {waiting['until'][:16].replace('T', ' ')} UTC, proposed by {waiting['by']}"
