"""The vocabulary of specialties, as it is packaged."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.verification.helpers import VECTORS, needs_vectors
from verification import specialties


def test_there_are_58_specialties_with_slugs_of_their_own() -> None:
    """54 headings of Annex V, general practice, and three it does not list; no slug twice."""
    slugs = [specialty.slug for specialty in specialties.all()]

    assert (58, 58) == (len(slugs), len(set(slugs)))
    assert 55 == sum(specialty.annex_v is not None for specialty in specialties.all())
    assert [] == [slug for slug in slugs if not re.fullmatch(r"[a-z]+(-[a-z]+)*", slug)]


@pytest.mark.parametrize("language", ["en", "de", "fr", "it", "es"])
def test_every_specialty_has_a_name_in_each_language(language: str) -> None:
    """A reader never meets a bare slug of ours."""
    assert [] == [one.slug for one in specialties.all() if not one.names.get(language)]


def test_a_name_is_given_in_the_readers_language() -> None:
    """In English where we do not speak it; an unknown slug is shown as it stands."""
    assert "Kardiologie" == specialties.name("cardiology", "de")
    assert specialties.name("cardiology", "en") == specialties.name("cardiology", "nl")
    assert "new-one" == specialties.name("new-one", "de")


@pytest.mark.parametrize(("slug", "known"), [("cardiology", True), ("Cardiology", False), ("", False), (None, False)])
def test_a_slug_is_known_or_not(slug: Any, known: bool) -> None:
    """Exactly as written."""
    assert known == specialties.known(slug)


def test_the_codes_of_general_practice_lead_to_it() -> None:
    """Three codes of the French register mean the general practitioner."""
    found = specialties.get("general-practice")

    assert found is not None
    assert {"SM26", "SM53", "SM54"} <= set(found.rpps_r38)


@needs_vectors
def test_the_packaged_vocabulary_is_the_shared_one() -> None:
    """Nothing was lost or renamed on the way into the package."""
    shared = json.loads((VECTORS.parent / "data" / "specialties.json").read_text("utf-8"))["specialties"]

    assert [entry["slug"] for entry in shared] == [specialty.slug for specialty in specialties.all()]
