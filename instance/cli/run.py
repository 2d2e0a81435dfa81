"""`esanum init`, `serve`, `work`, `check`, `version`, `backup` and `demo`."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from instance.cli.tools import Context, Failure, who

T = TypeVar("T")


@click.command()
@click.option("--origin", required=True, help="Scheme, host and port in every address; can never change.")
@click.option("--country", required=True, help="ISO 3166 alpha-2 code.")
@click.option("--name", required=True, help="What people call this instance.")
@click.option("--contact", default="", help="Whom siblings write to.")
@click.option("--language", default="en", show_default=True, help="Language of pages for new people.")
@click.option("--listen", default="127.0.0.1:8000", show_default=True, help="Where the server listens.")
@click.option("--metrics", default="", help="Where health and metrics listen (loopback).")
@click.option("--database", default="", help="postgresql://…; by default one SQLite file beside the configuration.")
@click.pass_obj
def init(context: Context, /, **values: str) -> None:
    """Make a new instance: its configuration, its secrets and its database."""
    from instance.config import BadConfig, read
    from instance.storage.store import StorageError
    from instance.vault import BadSecret, have_secrets, make_secrets
    from instance.wiring import NotPrepared, prepare

    path = context.path
    if path.exists():
        raise Failure(f"{path} is already there; nothing was changed")
    given = {name: value for name, value in values.items() if value}
    try:
        config = read(given, path.resolve().parent)
        config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Secrets that are there (lent by systemd, or of an `init` that was interrupted) are used, never made anew.
        found = have_secrets(config)
        if not found:
            make_secrets(config.secrets)
        asyncio.run(prepare(config))
    except (BadConfig, BadSecret, NotPrepared, StorageError) as error:
        raise Failure(str(error)) from None
    _write(path, given)
    click.echo(f"{path} written; secrets {'found' if found else 'made'} in {config.secrets}: back them up apart.")
    click.echo(f"Start with: esanum -c {path} serve")


@click.command()
@click.option("--server", type=click.Choice(["hypercorn", "uvicorn", "granian"]), help="Instead of the configured one.")
@click.pass_obj
def serve(context: Context, server: str | None) -> None:
    """Serve this instance until it is told to stop."""
    _keep_what_is_made()
    from instance import log
    from instance.serve import serve as serve_

    log.set_up("info")
    with _as_sentences():
        _run(serve_(context.config, server=server))


@click.command()
@click.pass_obj
def work(context: Context) -> None:
    """Work off queues without serving; with PostgreSQL any number of these may run."""
    _keep_what_is_made()
    from instance import log
    from instance.serve import work as work_

    if context.config.database.startswith("sqlite:"):
        raise Failure("with SQLite the serving process works off its queues itself; `work` is for PostgreSQL")
    log.set_up("info")
    with _as_sentences():
        _run(work_(context.config))


@click.command()
@click.pass_obj
def check(context: Context) -> None:
    """Say what is wrong with this instance: configuration, secrets, database, allowlist."""
    report = context.run("check")
    for finding in report["findings"]:
        click.echo(f"- {finding}")
    if any(not finding.startswith("warning: ") for finding in report["findings"]):
        raise Failure(f"{report['origin']} needs mending")
    click.echo(f"{report['origin']}: all is well; {report['siblings']} sibling(s).")


@click.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as installed

    click.echo(f"esanum-federation {installed('esanum-federation')}")


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--evidence", type=click.Path(path_type=Path, file_okay=False),
    help="A folder whose copy of the sealed evidence is brought up to date as well.",
)  # fmt: skip
@click.pass_obj
def backup(context: Context, target: Path, evidence: Path | None) -> None:
    """Write a consistent copy of the database to TARGET while the server runs (SQLite)."""
    if target.exists():
        raise Failure(f"{target} is already there; nothing was written")
    folder = "" if evidence is None else str(evidence.resolve())
    done = context.run("backup", target=str(target.resolve()), by=who(), evidence=folder)
    click.echo(f"{target} written. The secrets are not in it: keep them elsewhere.")
    if evidence is not None:
        click.echo(f"{evidence} is up to date, {done['added']} file(s) added. Their keys are not in it.")


@click.command()
@click.option("--countries", type=click.IntRange(2, 7), default=3, show_default=True, help="How many instances.")
@click.option("--port", type=int, default=8301, show_default=True, help="The first port; each instance takes the next.")
@click.option("--smoke", is_flag=True, help="Play the whole exchange over HTTP, print each step, then end.")
@click.option(
    "--empty", is_flag=True, help="Instances that list each other, without doctors' posts: a town to click in."
)
@click.option(
    "--server", type=click.Choice(["hypercorn", "uvicorn", "granian"]), default="hypercorn", help="The server."
)
def demo(countries: int, port: int, smoke: bool, empty: bool, server: str) -> None:
    """Start several countries on loopback, filled with made-up doctors, cases and applications."""
    from instance import demo as demo_

    if not _run(demo_.run(countries=countries, port=port, smoke=smoke, empty=empty, server=server)):
        raise click.exceptions.Exit(1)


def _keep_what_is_made() -> None:
    """Leave the collector out until the instance is open (`instance.serve` turns it on again).

    What a start makes stays: walking it every few hundred objects took a tenth of the start and found nothing.
    """
    gc.disable()


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run on uvloop, which costs a third less than the loop of the standard library."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(coroutine)
    return uvloop.run(coroutine)


@contextlib.contextmanager
def _as_sentences() -> Iterator[None]:
    """Turn what an administrator can mend into a Failure that says so."""
    from instance.serve import CannotServe
    from instance.storage.store import StorageError
    from instance.vault import BadSecret
    from instance.wiring import NotPrepared

    wanted = (CannotServe, StorageError, BadSecret, NotPrepared)
    try:
        yield
    except wanted as error:
        raise Failure(str(error)) from None
    except BaseExceptionGroup as group:
        first = _first(group)
        if not isinstance(first, wanted):
            raise first from None
        raise Failure(str(first)) from None


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _write(path: Path, values: dict[str, str]) -> None:
    lines = ["# One instance of the federation. Every setting: docs/operate/settings.md", ""]
    lines += [f"{name} = {_quoted(value)}" for name, value in values.items()]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
