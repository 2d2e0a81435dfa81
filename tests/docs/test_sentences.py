"""Every code a person can meet has a sentence in every language."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

import instance.services
from instance import evidence, i18n
from tests.tools.longest import ROOT

_RAISED: Final = {"Rejected", "Forbidden", "Mistake"}


def rejections() -> set[str]:
    """Every code of instance.services: those the modules list, and those that stand where something is raised."""
    found: set[str] = set()
    for module in _services():
        found |= set(getattr(module, "CODES", ()))
    for path in [*(ROOT / "instance/routes").glob("*.py"), ROOT / "instance/app.py"]:
        found |= set(_raised(ast.parse(path.read_text("utf-8"))))
    return found | {"not_found", *evidence.CODES}


def _services() -> list[ModuleType]:
    """Every module of the services, also those inside a package of their own."""
    found = pkgutil.walk_packages(instance.services.__path__, "instance.services.")
    return [importlib.import_module(module.name) for module in found]


def _raised(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in _RAISED:
            yield from (a.value for a in node.args[:1] if isinstance(a, ast.Constant) and isinstance(a.value, str))


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_every_code_has_a_sentence(language: str) -> None:
    """Nobody is answered with a bare code, in any language."""
    catalogue = i18n.catalogue(language)

    assert [] == sorted(code for code in rejections() if not catalogue.has(f"error.{code}"))


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_every_catalogue_has_the_same_texts(language: str) -> None:
    """A text that exists in English exists in German and French, and the other way round."""
    assert set(i18n.catalogue("en").texts) == set(i18n.catalogue(language).texts)


def test_codes_raised_in_services_are_listed() -> None:
    """A module that raises a code lists it in CODES, where others look; a code nobody listed is noticed."""
    listed: set[str] = {"not_found"}
    raised: set[str] = set()
    for module in _services():
        listed |= set(getattr(module, "CODES", ()))
        raised |= set(_raised(ast.parse(Path(str(module.__file__)).read_text("utf-8"))))

    assert set() == raised - listed
