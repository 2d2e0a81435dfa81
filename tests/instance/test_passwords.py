"""What is kept of a password, where nothing ready is handed over."""

from __future__ import annotations

from argon2 import extract_parameters
from argon2.low_level import Type

from instance.services import passwords
from instance.services.people import NewDoctor
from instance.wiring import open_node, prepare
from tests.ready import pooled_rsa
from tests.town import configure, rows

ANNA = NewDoctor(
    handle="anna", name="Dr Anna", role="specialist", country="DE", specialties=("cardiology",),
    assurance="substantial", languages=("de",), password=None, roles=(),
)  # fmt: skip


def cost(stored: str) -> tuple[Type, int, int]:
    """The kind of a hash, its memory in KiB and its passes."""
    found = extract_parameters(stored)
    return found.type, found.memory_cost, found.time_cost


async def test_a_hash_costs_what_rfc_9106_asks_for():
    """Argon2id, 64 MiB, and no two hashes of one password are alike."""
    one, other = [await passwords.hash_password("a-long-enough-passphrase") for _ in range(2)]

    assert (Type.ID, 65_536, 2) == cost(one)
    assert one != other


async def test_an_instance_keeps_such_a_hash_of_a_new_doctors_password(tmp_path):
    """A node hashes at full cost unless it was opened with something else, which no setting does."""
    config = configure(tmp_path, "de")
    await prepare(config, make_rsa=pooled_rsa)
    node = await open_node(config, make_rsa=pooled_rsa)
    try:
        _, password = await node.people.add_doctor(ANNA, by="test")
        stored = (await rows(node, "select password from accounts"))[0]["password"]

        assert (Type.ID, 65_536, 2) == cost(stored)
        assert await passwords.verify(password, stored)
        assert not await passwords.verify(password + "x", stored)
    finally:
        await node.close()
