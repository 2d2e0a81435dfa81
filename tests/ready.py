"""What every instance of a town needs and what takes long to make: key pairs, rows, hashed passwords, the pages' routes.

Tests about making these take the product's own way, and so does whatever is not a town.
"""

from __future__ import annotations

import copy
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path

from argon2 import PasswordHasher
from quart import Quart

from federation.keys import PrivateKey, make_rsa
from federation.ports import Clock
from federation.uri import Uri
from instance.app import make_app
from instance.config import Config
from instance.storage import open_store
from instance.vault import SECRETS, make_secrets
from instance.wiring import Node, prepare

_LIGHT = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
_instances: dict[tuple[str, int, datetime], list[bytes]] = {}
_empty: list[bytes] = []


def pooled_rsa(id: Uri, owner: Uri, bits: int) -> PrivateKey:
    """A real RSA pair, made once a run for each owner; making one takes a tenth of a second."""
    return PrivateKey.of(id, owner, _pair(str(id), bits).key)


@lru_cache(maxsize=1_024)
def _pair(id: str, bits: int) -> PrivateKey:
    uri = Uri.parse("https://pool.example/key")
    return make_rsa(uri, uri, bits)


async def light_hash(password: str) -> str:
    """An argon2id hash that costs a thousandth of the product's, to make and, at every sign-in, to compare."""
    return _LIGHT.hash(password)


def pages_of(node: Node) -> Quart:
    """The pages of this node. Their routes, which take a tenth of a second to compile, are made once a run and shared.

    No route can be added to it: a test that adds one makes an application of its own.
    """
    app = copy.copy(_pages())
    app.config = copy.copy(app.config)
    app.config["NODE"] = node
    app.background_tasks, app.extensions = set(), {}
    app._got_first_request = True  # from here on Quart refuses to change what is set up
    return app


@cache
def _pages() -> Quart:
    return make_app(None)  # type: ignore[arg-type]  # routes ask nothing of the node


async def put_rows(file: Path) -> None:
    """Put a migrated database without rows: made once a run, and then copied."""
    if _empty:
        _copy(_empty, [file])
        return
    store = await open_store(file)
    await store.migrate()
    await store.close()
    _empty.append(file.read_bytes())


async def put_instance(config: Config, clock: Clock) -> None:
    """Put secrets and a prepared database where none is yet: made once a run for each origin, and then copied."""
    file = Path(config.database.removeprefix("sqlite://"))
    if file.exists():
        return
    if config.secrets.exists() or not config.database.startswith("sqlite:"):
        await _make(config, clock)
        return
    same, files = (config.origin, config.rsa_bits, clock()), [*(config.secrets / name for name in SECRETS), file]
    if same in _instances:
        _copy(_instances[same], files)
    else:
        await _make(config, clock)
        _instances[same] = [path.read_bytes() for path in files]


async def _make(config: Config, clock: Clock) -> None:
    if not config.secrets.exists():
        make_secrets(config.secrets)
    await prepare(config, clock=clock, make_rsa=pooled_rsa)


def _copy(contents: list[bytes], files: list[Path]) -> None:
    for content, path in zip(contents, files, strict=True):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(content)
