"""Three rooms, arrows one way, one door for each package with sharp edges; decisions/0001."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import ROOMS, ROOT, files, imports, name_of, text, tree

ONE_DOOR = {
    "httpsig": "federation/signatures/cavage.py",
    "pyld": "federation/jsonld.py",
    "aiohttp": "federation/wire.py",
    "rfc8785": "federation/integrity.py",
    "nh3": "federation/html.py",
    "feedparser": "instance/feeds.py",
    "PIL": "instance/media_work.py",
    "pikepdf": "instance/media_work.py",
    "pypdfium2": "instance/media_work.py",
    "http_ece": "instance/services/push.py",
    "py_vapid": "instance/services/push.py",
}
#: A client for the demo's own browser-like sign-ins on loopback; it is no way out for an instance.
DEMO = ROOT / "instance" / "demo"
PURE = [
    path for path in files() if path.is_relative_to(ROOT / "federation") or path.is_relative_to(ROOT / "verification")
]


def test_the_arrows_hold() -> None:
    """import-linter finds every contract of pyproject.toml kept."""
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stdout
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(("package", "door"), ONE_DOOR.items())
def test_each_sharp_package_has_one_door(package: str, door: str) -> None:
    """A package with sharp edges is imported in exactly one module, statement or by name."""
    users = [name_of(path) for path in files() if imports(path, package) and not path.is_relative_to(DEMO)]

    assert [door] == users


def test_every_way_of_importing_is_seen(tmp_path: Path) -> None:
    """A second door is noticed however it is written, and a mention in words is none."""
    ways = ["import httpsig", "from httpsig.sign import HeaderSigner", 'importlib.import_module("httpsig.utils")',
            "__import__('httpsig')", "def f():\n    import httpsig as h"]  # fmt: skip
    for number, way in enumerate(ways):
        path = tmp_path / f"way{number}.py"
        path.write_text(way)

        assert imports(path, "httpsig")
    other = tmp_path / "other.py"
    other.write_text('"""httpsig is not imported here."""\nimport httpsigs\n')

    assert not imports(other, "httpsig")


@pytest.mark.parametrize("package", ["requests", "httpx", "urllib3", "http_message_signatures", "pickle", "xml"])
def test_what_the_product_never_imports(package: str) -> None:
    """No second HTTP client, no oracle of the tests, no format that can execute or expand."""
    assert [] == [name_of(path) for path in files() if imports(path, package)]


def test_the_pure_rooms_read_no_clock() -> None:
    """Time is an argument: neither inner room asks for it."""
    clock = re.compile(
        r"\b(?:datetime|date)\.(?:now|utcnow|today)\(|\btime\.(?:time|monotonic|perf_counter)(?:_ns)?\(|\bloop\.time\("
    )
    found = [name_of(path) for path in PURE if clock.search(text(path)) and not _only_measures(path)]

    assert [] == found


def _only_measures(path: Path) -> bool:
    """Deadlines of sockets and gaps between turns are measured by the event loop, not by the clock on the wall."""
    measuring = {ROOT / "federation" / name for name in ("wire.py", "turns.py")}
    return path in measuring and not re.search(r"datetime\.(?:now|utcnow)|\btime\.time\(", text(path))


def test_the_pure_rooms_open_no_rows() -> None:
    """Neither inner room names a table or a query."""
    statement = re.compile(r"[\"'](?:select|insert into|update|delete from) \w+", re.IGNORECASE)

    assert [] == [name_of(path) for path in PURE if statement.search(text(path))]


def test_one_place_owns_the_clock() -> None:
    """In `instance` the wall clock is read where clocks are made, and by commands that have no node."""
    clock = re.compile(r"\bdatetime\.(?:now|utcnow|today)\(|\btime\.time\(")
    found = {name_of(path) for path in files() if clock.search(text(path))}

    assert {"instance/times.py"} == {name for name in found if not name.startswith("instance/demo/")}


def test_nothing_is_printed() -> None:
    """What the product says goes through the log, the page or the command line's own writer."""
    printing = [
        f"{name_of(path)}:{node.lineno}"
        for path in files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]

    assert [] == printing


def test_every_folder_of_sources_is_a_package() -> None:
    """A folder without `__init__.py` would be left out of the wheel, or shadow a room in the tests."""
    folders = {path.parent for room in (*ROOMS, "tests") for path in (ROOT / room).rglob("*.py")}

    assert [] == sorted(name_of(folder) for folder in folders if not (folder / "__init__.py").exists())


def test_rooms_begin_with_their_map() -> None:
    """Each room's first file says what the room is for."""
    for room in ROOMS:
        assert ast.get_docstring(tree(ROOT / room / "__init__.py"))
