"""The wheel: built from this checkout, installed elsewhere, run there with everything it needs inside."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

#: One worker builds it for all tests here.
pytestmark = pytest.mark.xdist_group("wheel")
ROOT = Path(__file__).resolve().parents[2]
#: Makes a doctor with what is installed: no command does, since only two reviewers can.
ADD = """
import asyncio
from pathlib import Path
from instance.config import load
from instance.services.people import NewDoctor
from instance.wiring import open_node

async def add():
    node = await open_node(load(Path("esanum.toml")))
    new = NewDoctor(
        handle="madeup", name="Dr Made Up", role="specialist", country="FR", specialties=("cardiology",)
    )
    print((await node.people.add_doctor(new, by="test"))[0])
    await node.close()

asyncio.run(add())
"""
#: What a build looks at; a copy of it, so that nothing is left in the checkout.
SOURCES = ("federation", "instance", "verification", "static", "pyproject.toml", "README.md")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without network by the build backend of the virtual environment."""
    pytest.importorskip("hatchling", reason="hatchling comes with the extra dev")
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, source / name)
    shutil.copy(ROOT / ".gitignore", source / ".gitignore")
    build = "import hatchling.build, sys; print(hatchling.build.build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", build, str(target)], cwd=source, capture_output=True, text=True, check=True
    )
    return target / done.stdout.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def place(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel alone was installed; its packages come from the virtual environment."""
    place = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(place), str(wheel)], check=True)
    return place


def run(place: Path, *arguments: str, where: Path) -> subprocess.CompletedProcess[str]:
    """Run Python with what is installed there in front of everything, far from the checkout."""
    environment = {**os.environ, "PYTHONPATH": str(place), "PYTHONWARNINGS": "error"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=where, env=environment, capture_output=True, text=True, check=False
    )


def files_of(package: str) -> set[str]:
    """Every file of a package in the checkout, as the wheel names it."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in (".pyc", ".db", ".orig", ".rej")
    }


def test_everything_is_in_the_wheel(wheel: Path) -> None:
    """Every file of the three rooms, and the static files where the installed pages look for them."""
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    static = {f"instance/{name}" for name in files_of("static")}

    assert files_of("federation") | files_of("instance") | files_of("verification") | static == inside


@pytest.mark.parametrize(
    "name",
    [
        "instance/pages/feed.html", "instance/locale/de/LC_MESSAGES/messages.po", "instance/static/app.css",
        "instance/storage/schema/0001_core.sql", "instance/storage/queries/people.sql", "instance/demo/people.toml",
        "instance/demo/cases.toml", "verification/data/specialties.json", "federation/contexts",
    ],
)  # fmt: skip
def test_what_is_no_module_is_in_the_wheel_too(wheel: Path, name: str) -> None:
    """Pages, languages, styles, rows, made-up people, specialties and contexts are read from the package."""
    inside = zipfile.ZipFile(wheel).namelist()

    assert any(found == name or found.startswith(name + "/") for found in inside)


def test_tests_are_not_in_the_wheel(wheel: Path) -> None:
    """Nothing but the three packages is installed at the top."""
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}

    assert {"federation", "instance", "verification"} == {top for top in tops if not top.endswith(".dist-info")}


def test_the_installed_instance_is_imported(place: Path, tmp_path: Path) -> None:
    """Elsewhere, `instance` is the installed one, with its rows beside it."""
    look = (
        "import json, instance.app, instance.asgi, instance.serve, federation, verification\n"
        "from instance.storage import QUERIES, SCHEMA\n"
        "print(json.dumps([instance.__file__, federation.__file__, verification.__file__, str(QUERIES), str(SCHEMA)]))"
    )
    done = run(place, "-c", look, where=tmp_path)

    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.count(str(place)) == 5


def test_the_installed_command_runs(place: Path, tmp_path: Path) -> None:
    """`esanum version`, `init`, `check` and `doctors list` work where there is no checkout, with a doctor in it."""
    command = str(place / "bin" / "esanum")
    origin = ("--origin", "http://fr.localhost:8000", "--country", "FR", "--name", "France")
    steps = [
        run(place, command, "version", where=tmp_path),
        run(place, command, "init", *origin, where=tmp_path),
        run(place, command, "check", where=tmp_path),
        run(place, "-c", ADD, where=tmp_path),
        run(place, command, "doctors", "list", where=tmp_path),
    ]

    assert [(0, "")] * 5 == [(step.returncode, step.stderr) for step in steps]
    assert "esanum-federation 0.1.0\n" == steps[0].stdout
    assert "all is well" in steps[2].stdout
    assert "/doctors/madeup" in steps[3].stdout
    assert "madeup  specialist  FR       ok" in steps[4].stdout


def test_the_installed_pages_are_found(place: Path, tmp_path: Path) -> None:
    """The landing page renders with its style sheet, in each language, from the installed files."""
    look = (
        "from instance.i18n import catalogue\n"
        "from importlib.resources import files\n"
        "from verification import specialties\n"
        "from federation import jsonld\n"
        "print([catalogue(l).text('error.not_found') != '' for l in ('en', 'de', 'fr')],"
        " files('instance').joinpath('static/app.css').is_file(), specialties.name('cardiology', 'de') != '')"
    )
    done = run(place, "-c", look, where=tmp_path)

    assert ("[True, True, True] True True\n", "") == (done.stdout, done.stderr)
