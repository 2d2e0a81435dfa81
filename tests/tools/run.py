"""`make test`: everything but `slow`, with what it needs; says loudly what could not run.

Installs Debian's Chromium where it is missing and may be installed; in CI a missing browser is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

#: Where files are in memory alone, and how much must be free there: thousands of databases wait for no disk. What tests
#: prove of a process that is killed needs none; file systems that fail and fill up they make themselves.
MEMORY, ROOM = Path("/dev/shm"), 6 << 30
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def main(arguments: list[str]) -> int:
    """Run the suite; return its exit status."""
    browser = find_browser() or install_browser()
    if browser is None:
        say_loudly("NO CHROMIUM: the browser tests will not run. Install Debian's package `chromium`.")
    marks = "not slow" if browser else "not slow and not browser"
    command = [sys.executable, "-m", "pytest", "-q", "-m", marks, "-n", workers(), "--dist", "loadgroup", *arguments]
    status = run(command)
    if browser is None:
        say_loudly("The browser tests did not run.")
        # Where nobody reads along, a test that did not run counts as one that failed.
        return status or int(bool(os.environ.get("CI")))
    return status


def run(command: list[str]) -> int:
    """Run with temporary files in memory where there is room; what failed tests left there is kept, and named."""
    if (folder := in_memory()) is None:
        return subprocess.call(command, env=environment())
    # Without the folders pytest adds for whoever runs it: a local socket's path may not be longer than 107 bytes.
    command = [*command, f"--basetemp={folder / 't'}"]
    status = subprocess.call(command, env=environment() | {"TMPDIR": str(folder)})
    if status == 0:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"what the failed tests left is in {folder}", flush=True)
    return status


def in_memory() -> Path | None:
    """Make a folder in memory; None where TMPDIR says where, where there is no room, or where nothing may be run."""
    if "TMPDIR" in os.environ or not MEMORY.is_dir():
        return None
    there = os.statvfs(MEMORY)
    if there.f_bavail * there.f_frsize < ROOM or free_memory() < ROOM or there.f_flag & os.ST_NOEXEC:
        return None
    folder = Path(tempfile.mkdtemp(prefix="e", dir=MEMORY))
    folder.chmod(0o755)  # the embedded PostgreSQL runs as somebody else
    return folder


def free_memory() -> int:
    """The bytes of memory that may be used, 0 where the system does not say."""
    file = Path("/proc/meminfo")
    lines = file.read_text().splitlines() if file.exists() else []
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")), 0)


def workers() -> str:
    """Three at a time unless said otherwise: the suite is planned for two cores, and half its tests wait for others."""
    return os.environ.get("TEST_WORKERS", "3")


def environment() -> dict[str, str]:
    """The environment, but with compiled files kept: without them every process compiles tests and product anew."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def find_browser() -> str | None:
    """Return the path of a Chromium, or None."""
    return next((path for name in CHROMIUM if (path := shutil.which(name))), None)


def install_browser() -> str | None:
    """Install Debian's Chromium where apt is here and may be used."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return None
    print("installing chromium …", flush=True)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.call(["apt-get", "update", "-q"], **quiet)
    subprocess.call(["apt-get", "install", "-q", "-y", "--no-install-recommends", "chromium"], **quiet)
    return find_browser()


def say_loudly(text: str) -> None:
    """Print where nobody can miss it."""
    line = "!" * min(len(text), 100)
    print(f"\n{line}\n{text}\n{line}\n", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
