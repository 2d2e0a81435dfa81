"""`esanum deliveries`: how far behind each sibling is, which letters are dead, and what is sent again."""

from __future__ import annotations

import click

from instance.cli.tools import Context, show_json, show_table, who

_COLUMNS = (
    "origin", "waiting", "resting", "held", "dead", "in_flight", "oldest", "last_done", "failures", "next_try",
    "last_code", "closed",
)  # fmt: skip


@click.group()
def deliveries() -> None:
    """Messages on their way to siblings."""


@deliveries.command("list")
@click.option("--sibling", "origin", default="", help="Only those for this origin.")
@click.option("--state", default="", help="Only those in this state (waiting, held, dead, …).")
@click.option("--json", "as_json", is_flag=True, help="For another program.")
@click.pass_obj
def list_deliveries(context: Context, origin: str, state: str, as_json: bool) -> None:
    """Show every sibling's queue, its lag and its next try, and list what is dead or waits."""
    found = context.run("deliveries.list", origin=origin, state=state)
    if as_json:
        show_json(found)
        return
    lanes = [
        {**lane, **{name: lane[name][:16] for name in ("oldest", "last_done", "next_try")}} for lane in found["lanes"]
    ]
    show_table(lanes, _COLUMNS, empty="Nothing was ever queued.")
    if found["rows"]:
        click.echo()
        show_table(
            found["rows"], ("id", "origin", "type", "state", "attempts", "last_status", "last_code", "due"), empty=""
        )


@deliveries.command("show")
@click.argument("id")
@click.pass_obj
def show_delivery(context: Context, id: str) -> None:
    """Show one delivery; bodies are never shown."""
    show_json(context.run("deliveries.show", id=id))


@deliveries.command()
@click.argument("id", required=False, default="")
@click.option("--sibling", "origin", default="", help="All dead letters for this origin.")
@click.pass_obj
def retry(context: Context, id: str, origin: str) -> None:
    """Send a dead letter again, or all of a sibling's."""
    if not id and not origin:
        raise click.UsageError("name a delivery, or a sibling with --sibling")
    number = context.run("deliveries.retry", id=id, origin=origin, by=who())["retried"]
    click.echo(f"{number} will be sent again." if number else "0 will be sent again: nothing was dead there.")


@deliveries.command("try")
@click.argument("origin")
@click.pass_obj
def try_now(context: Context, origin: str) -> None:
    """Try what waits for ORIGIN now, rather than at its next try."""
    context.run("deliveries.try_now", origin=origin, by=who())
    click.echo(f"{origin} is tried now.")
