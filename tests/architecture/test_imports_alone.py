"""Every module of the product can be the first one imported: which command runs decides which one is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: Others' libraries and the inner rooms are imported once; then each module in a fork that knows none of its neighbours.
PROGRAM = """
import importlib, os, pathlib, sys
for name in ("aiohttp", "cryptography.x509", "httpsig", "hypercorn.asyncio", "jinja2", "msgspec", "orjson", "quart", "structlog"):
    importlib.import_module(name)
for room in ("federation", "verification"):
    for path in sorted(pathlib.Path(room).rglob("*.py")):
        importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
wrong = []
for path in sorted(pathlib.Path("instance").rglob("*.py")):
    name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
    if name.endswith("__main__"):
        continue
    if (child := os.fork()) == 0:
        try:
            importlib.import_module(name)
        except ImportError:
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        wrong.append(name)
print(" ".join(wrong))
"""


@pytest.mark.long
def test_every_module_can_be_imported_first() -> None:
    """Two modules that need each other fail only for whoever begins with the wrong one: a command, and no test."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)

    assert [] == done.stdout.split()
