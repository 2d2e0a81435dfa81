"""What a start does not wait for: libraries of the first message and the first text, and the collector's walks."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.instance.served import ROOT

#: Runs in a process of its own, since this one has imported everything long ago.
_OPEN = """
import asyncio, gc, json, sys
from pathlib import Path
from instance.cli import run
run._keep_what_is_made()
from instance import serve
from instance.config import read
from instance.vault import make_secrets
from instance.wiring import open_node, prepare

LATE = ("aiohttp", "yarl", "markdown_it", "PIL", "pikepdf", "pypdfium2", "pyld", "uvicorn", "granian")

def there():
    return [name for name in LATE if name in sys.modules]

async def told(folder):
    config = read({"origin": "http://fr.localhost:8300", "country": "FR", "name": "France"}, folder)
    config.data.mkdir(parents=True, exist_ok=True)
    make_secrets(config.secrets)
    await prepare(config)
    node = await open_node(config)
    try:
        serve.application(node, "hypercorn")
        off = gc.isenabled()
        serve._settle_memory()
        found = {"start": there(), "collects": [off, gc.isenabled()], "kept": gc.get_freeze_count()}
        from instance.text import to_html
        found["html"] = to_html("*hello*")
        await node.wire._open()
        return {**found, "later": there()}
    finally:
        await node.close()

print(json.dumps(asyncio.run(told(Path(sys.argv[1])))))
"""


def test_a_start_waits_for_no_library_of_later(tmp_path):
    """None is imported when the instance could be served; the first text and the first message bring theirs."""
    told = _opened(tmp_path)

    assert [] == told["start"]
    assert "<p><em>hello</em></p>" == told["html"]
    assert ["aiohttp", "yarl", "markdown_it"] == told["later"]


def test_the_collector_rests_until_the_start_is_made(tmp_path):
    """It is off while the instance is opened; then it works, and leaves alone what the start made."""
    told = _opened(tmp_path)

    assert [False, True] == told["collects"]
    assert told["kept"] > 50_000


def _opened(folder):
    done = subprocess.run(
        [sys.executable, "-c", _OPEN, str(folder)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
