"""FEP-8fcf on the wire: the digest of the specification's own example, and headers that say nothing."""

from __future__ import annotations

import pytest

from federation import signatures, synchronisation
from federation.signatures import Profile, SignedMessage, sign
from federation.synchronisation import Said, digest, header, read
from federation.uri import Uri
from tests.ready import pooled_rsa
from tests.town import NOON

ORIGIN = "https://de.example"
FOLLOWERS = Uri.parse(f"{ORIGIN}/doctors/anna/followers")
INBOX = Uri.parse("https://fr.example/inbox")
ANNA = Uri.parse(f"{ORIGIN}/doctors/anna")
KEY = pooled_rsa(Uri.parse(f"{ANNA}#main-key"), ANNA, 2048)


def heard(value: str, *, covered: bool = True) -> Said | None:
    """What is read of a message that bears this header."""
    more = {synchronisation.HEADER: value}
    headers = sign("POST", INBOX, b"{}", KEY, Profile.CAVAGE, NOON, more=more if covered else {})
    raw = [(name.encode(), text.encode()) for name, text in {**more, **headers}.items()]
    message = SignedMessage.from_raw("POST", INBOX.origin, INBOX.target, raw)
    return read(message, signatures.read_claim(message))


def test_the_digest_is_that_of_the_specification() -> None:
    """FEP-8fcf, its example: two followers in either order, one of them named twice; nobody is all zeros."""
    one, other = (f"https://testing.example.org/users/{number}" for number in (1, 2))
    expected = "c33f48cd341ef046a206b8a72ec97af65079f9a3a9b90eef79c5920dce45c61f"

    assert expected == digest([one, other]) == digest([other, one, other])
    assert "0" * 64 == digest([])


def test_what_is_written_is_read() -> None:
    """The header comes back as it was said, also with its parts in another order."""
    value = digest(["https://fr.example/doctors/marie"])
    said = Said(FOLLOWERS, FOLLOWERS, value)

    assert said == heard(header(FOLLOWERS, FOLLOWERS, value))
    assert said == heard(f'digest="{value}",url="{FOLLOWERS}" , collectionId="{FOLLOWERS}"')


@pytest.mark.parametrize(
    "value",
    [
        "", "x", f'collectionId="{FOLLOWERS}"', f'collectionId="{FOLLOWERS}", url="{FOLLOWERS}", digest="00"',
        f'collectionId="{FOLLOWERS}", url="{FOLLOWERS}", digest="{"G" * 64}"',
        f'collectionId="{FOLLOWERS}", url="https://it.example/f", digest="{"0" * 64}"',
        f'collectionId="https://it.example/f", url="{FOLLOWERS}", digest="{"0" * 64}"',
        f'collectionId="{FOLLOWERS}", url="{FOLLOWERS}", url="{FOLLOWERS}", digest="{"0" * 64}"',
        f'collectionId="{FOLLOWERS}", url="not an address", digest="{"0" * 64}"',
    ],
)  # fmt: skip
def test_a_header_that_is_no_such_header_says_nothing(value: str) -> None:
    """Parts missing, doubled, of another origin, or no digest: the message counts, and the header does not."""
    assert None is heard(value)


def test_a_header_that_is_not_covered_says_nothing() -> None:
    """Whoever stands on the way can put one in."""
    assert None is heard(header(FOLLOWERS, FOLLOWERS, "0" * 64), covered=False)
