"""What commands share: the configuration, the running server or the database, and how results are shown."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from instance.config import Config


class Failure(Exception):
    """The command could not be carried out; the text is a sentence for the person at the keyboard."""


class Context:
    """The instance a command is about."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    @cached_property
    def config(self) -> Config:
        """The configuration; Failure where it is missing or wrong."""
        from instance.config import BadConfig, load

        try:
            return load(self.path)
        except BadConfig as error:
            raise Failure(str(error)) from None

    def run(self, name: str, /, **values: Any) -> Any:
        """Carry out a command: by the running server where there is one, otherwise on the database."""
        return asyncio.run(self._run(name, values))

    async def _run(self, name: str, values: dict[str, Any]) -> Any:
        from instance import control

        try:
            return await control.ask(self.config.socket, name, values)
        except control.NoServer:
            return await self._run_here(name, values)
        except control.CommandFailed as failure:
            raise Failure(_sentence(failure.code, str(failure))) from None

    def run_long(self, name: str, watch: str, show: Callable[[Any], object], /, **values: Any) -> Any:
        """The same for what takes minutes: once a second `watch` is asked how far it is, and `show` gets the answer."""
        return asyncio.run(self._run_long(name, values, watch, show))

    async def _run_long(self, name: str, values: dict[str, Any], watch: str, show: Callable[[Any], object]) -> Any:
        from instance import control, log

        socket = self.config.socket
        try:
            await control.ask(socket, watch, {})
        except control.NoServer:
            log.set_up("error")
            node = await self._open()
            try:
                return await _watched(lambda asked, given: control.run(node, asked, given), name, values, watch, show)
            finally:
                await node.close()
        return await _watched(lambda asked, given: control.ask(socket, asked, given), name, values, watch, show)

    async def _run_here(self, name: str, values: dict[str, Any]) -> Any:
        from instance import control, log

        log.set_up("error")
        node = await self._open()
        try:
            return await control.run(node, name, values)
        except control.CommandFailed as failure:
            raise Failure(_sentence(failure.code, str(failure))) from None
        finally:
            await node.close()

    async def _open(self) -> Any:
        from instance.storage.store import StorageError
        from instance.vault import BadSecret
        from instance.wiring import NotPrepared, open_node

        self._check_owner()
        try:
            return await open_node(self.config)
        except (BadSecret, NotPrepared, StorageError) as error:
            raise Failure(str(error)) from None

    def _check_owner(self) -> None:
        """Files that root makes in the service's folder would lock the service out of its own database."""
        folder = self.config.data
        if folder.is_dir() and (owner := folder.stat().st_uid) != os.geteuid():
            raise Failure(f"{folder} belongs to the user {_user(owner)}: run this as that user, or start the server")


async def _watched(
    run: Callable[[str, dict[str, Any]], Awaitable[Any]], name: str, values: dict[str, Any], watch: str,
    show: Callable[[Any], object],
) -> Any:  # fmt: skip
    from instance import control

    work = asyncio.ensure_future(run(name, values))
    try:
        while not (await asyncio.wait([work], timeout=1))[0]:
            show(await run(watch, {}))
        return work.result()
    except control.CommandFailed as failure:
        raise Failure(_sentence(failure.code, str(failure))) from None


def who() -> str:
    """The person who gives the order, as recorded beside the act: by the process, not by what a variable claims."""
    return f"command line: {_user(os.getuid())}"


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def show_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, empty: str) -> None:
    """Print rows in columns as wide as their content, or the sentence for none."""
    lines = [[_text(row.get(column, "")) for column in columns] for row in rows]
    if not lines:
        click.echo(empty)
        return
    widths = [max(len(line[at]) for line in [list(columns), *lines]) for at in range(len(columns))]
    for line in [[column.upper() for column in columns], *lines]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def show_json(value: Any) -> None:
    """Print a value for another program."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def show_touched(touched: Mapping[str, Any]) -> None:
    """Print what a change touches."""
    for name, number in touched.items():
        click.echo(f"  {name.replace('_', ' '):<24}{_text(number)}")


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(item) for item in value)
    return "" if value is None else str(value)


def _sentence(code: str, text: str) -> str:
    return f"{text} ({code})" if text and text != code else f"refused: {code}"
