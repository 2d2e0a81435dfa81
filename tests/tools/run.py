"""`make test`: everything but `slow`, with what it needs; says loudly what could not run.

Installs Debian's Chromium where it is missing and may be installed; in CI a missing browser is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def main(arguments: list[str]) -> int:
    """Run the suite; return its exit status."""
    browser = find_browser() or install_browser()
    if browser is None:
        say_loudly("NO CHROMIUM: the browser tests will not run. Install Debian's package `chromium`.")
    marks = "not slow" if browser else "not slow and not browser"
    command = [sys.executable, "-m", "pytest", "-q", "-m", marks, "-n", workers(), "--dist", "loadgroup", *arguments]
    status = subprocess.call(command, env=environment())
    if browser is None:
        say_loudly("The browser tests did not run.")
        # Where nobody reads along, a test that did not run counts as one that failed.
        return status or int(bool(os.environ.get("CI")))
    return status


def workers() -> str:
    """Two at a time unless said otherwise: the suite is planned for two cores."""
    return os.environ.get("TEST_WORKERS", "2")


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
