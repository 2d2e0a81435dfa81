"""What several statements share stands once."""

from __future__ import annotations

import pytest

from instance.storage.errors import Misused
from instance.storage.queries import Queries


def write(folder, **files: str) -> None:
    """Write query files."""
    for name, text in files.items():
        (folder / f"{name}.sql").write_text(text)


def test_a_fragment_is_used_by_statements_of_every_file(tmp_path):
    """A fragment of one file stands in a statement of another, with its placeholders, also through a fragment."""
    write(
        tmp_path,
        rules="-- fragment: mine\n(owner = :reader)\n-- fragment: open\n({{mine}} or shared = 1)\n",
        lists="-- name: all\nselect * from things where kind = :kind and {{open}};\n",
    )
    query = Queries(tmp_path, "sqlite")["lists.all"]

    assert ("kind", "reader") == query.names
    assert "((owner = ?2)" in query.text
    assert "shared = 1" in query.text


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("", "there is no fragment open"),
        ("-- fragment: open\n{{open}}\n", "fragment open uses itself"),
        ("-- fragment: open\n{{mine}}\n-- fragment: mine\n{{open}}\n", "fragment open uses itself"),
        ("-- fragment: open\n1\n-- fragment: open\n2\n", "second fragment called open"),
    ],
)
def test_an_unknown_or_circular_fragment_is_refused(tmp_path, rules, said):
    """A rule that is missing, doubled or made of itself stops the start; no statement runs without its rule."""
    write(tmp_path, rules=rules, lists="-- name: all\nselect * from things where {{open}};\n")

    with pytest.raises(Misused, match=said):
        Queries(tmp_path, "sqlite")
