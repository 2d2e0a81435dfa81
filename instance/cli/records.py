"""`esanum audit` and `esanum registers`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from instance.cli.tools import Context, Failure, show_table, who


@click.group()
def audit() -> None:
    """The audit log of decisions on dossiers."""


@audit.command()
@click.option(
    "--head", "heads", multiple=True, metavar="'N sha256:…'",
    help="A head of this log that somebody else holds; may be repeated.",
)  # fmt: skip
@click.pass_obj
def verify(context: Context, heads: tuple[str, ...]) -> None:
    """Recompute the log from the first head that is kept, and hold it against the heads that siblings keep of it."""
    found = context.run("audit.verify", heads=list(heads))
    for alarm in found["alarms"]:
        click.echo(f"warning: {alarm} has shown two logs (audit_fork)")
    for claim in found["claims"]:
        why = "without our signature" if claim["why"] == "unsigned" else "of a log that was acknowledged as lost"
        click.echo(f"{claim['sibling']} names entry {claim['sequence']}, {why}: it does not count")
    for part in found["gone"]:
        why = "their time had come" if part["why"] == "destroyed" else "a restored back-up did not hold them"
        click.echo(f"entries {part['first']} to {part['last']} are gone: {why}")
    if found["broken"] is not None:
        raise Failure(f"the log is broken at entry {found['broken']['at']} ({found['broken']['fault']})")
    click.echo(f"{found['entries']} entries hold; the head is {found['entries']} {found['head']}")
    if not found["held"]:
        click.echo("No head of it is held elsewhere: whether its end was cut off cannot be told.")


@audit.command()
@click.option("--reason", required=True, help="Why; kept with the order.")
@click.option("--force", is_flag=True, help="Also where siblings saw somebody revoked who is not revoked here.")
@click.pass_obj
def resume(context: Context, reason: str, force: bool) -> None:
    """Sign again after an old back-up was put back, once what is lost has been done again (docs/operate/backup.md)."""
    for each in context.run("audit.lost"):
        what = "revoked" if each["purpose"] == "revocation" else "suspended"
        click.echo(f"warning: {each['doctor']} was {what} as {each['sibling']} read our lists, and is not so here")
    done = context.run("audit.resume", by=who(), reason=reason, force=force)
    if done["lost_to"]:
        click.echo(f"entries {done['lost_from']} to {done['lost_to']} are lost: siblings hold the head behind them.")
    click.echo(f"The log goes on with entry {done['entry']}; credentials and status lists are signed again.")


@click.group()
def registers() -> None:
    """Registers of doctors that were imported."""


@registers.command("import")
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--map", "map_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A column map (TOML)."
)
@click.option("--force", is_flag=True, help="Take it even with fewer than nine tenths of the doctors of the last one.")
@click.pass_obj
def bring_in(context: Context, name: str, file: Path, map_file: Path | None, force: bool) -> None:
    """Bring the FILE of the register NAME in, in the place of the last one."""
    map_text = "" if map_file is None else _text(map_file)
    done = context.run_long(
        "registers.import", "registers.progress", _show, name=name, path=str(file.resolve()), map_text=map_text,
        force=force, by=who(),
    )  # fmt: skip
    click.echo(
        f"{done['doctors']} doctors are in force ({done['before']} before); {done['bad_lines']} lines gave none."
    )
    click.echo(f"Of our own, {done['unchanged']} are as before; {done['changed']} wait for a reviewer.")


@registers.command("list")
@click.pass_obj
def list_registers(context: Context) -> None:
    """List the registers in force."""
    show_table(
        context.run("registers.list"), ("register", "country", "doctors", "bad_lines", "at"),
        empty="No register has been imported.",
    )  # fmt: skip


def _show(progress: Any) -> None:
    read, size, entries = progress
    if size:
        click.echo(f"  {100 * read // size:3} %  {entries} entries", err=True)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise Failure(f"{path}: is not UTF-8") from None
