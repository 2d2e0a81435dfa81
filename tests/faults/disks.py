"""File systems of their own for one instance: small ones, and ones that turn read-only. Needs root and mount(8)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def small(folder: Path, size: str) -> Iterator[Path]:
    """A file system in memory that holds so much; the test is skipped where that may not be made."""
    folder.mkdir()
    try:
        _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("file systems may not be mounted here")
    try:
        yield folder
    finally:
        _run("umount", "--lazy", str(folder))


@contextmanager
def failing(folder: Path) -> Iterator[Path]:
    """An ext4 in a file, which the kernel makes read-only at the first error; `fail` makes that error."""
    folder.mkdir()
    image = folder.with_name(f"{folder.name}.img")
    try:
        with image.open("wb") as file:
            file.truncate(64 * 1_048_576)
        _run("mkfs.ext4", "-q", "-F", str(image))
        _run("mount", "-o", "loop,errors=remount-ro", str(image), str(folder))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("file systems may not be mounted here")
    try:
        os.chmod(folder, 0o700)
        yield folder
    finally:
        _run("umount", "--lazy", str(folder))


def fail(folder: Path) -> None:
    """Have the kernel find an error: from now on it writes nothing more there, whoever holds files open."""
    device = Path(_run("findmnt", "--noheadings", "--output", "SOURCE", str(folder))).name
    trigger = Path(f"/sys/fs/ext4/{device}/trigger_fs_error")
    if not trigger.exists():
        pytest.skip("this kernel triggers no errors")
    trigger.write_text("test")


def repair(folder: Path) -> None:
    """Mount it again, as after fsck; whoever held files open has ended before."""
    image = folder.with_name(f"{folder.name}.img")
    _run("umount", str(folder))
    subprocess.run(["fsck.ext4", "-f", "-y", str(image)], check=False, capture_output=True)
    _run("mount", "-o", "loop,errors=remount-ro", str(image), str(folder))
