"""Keys and signatures as text: multibase base58btc, and Multikey for Ed25519 (FEP-521a, FEP-8b32).

Every mistake is a ValueError; what it means is for the caller to say.
"""

from __future__ import annotations

from typing import Final

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS: Final = {letter: value for value, letter in enumerate(_ALPHABET)}
_ED25519_PUB: Final = b"\xed\x01"
#: Longest text read: the work grows with the square of the length, and a signature needs 89 letters.
MAX_LENGTH: Final = 1024

# Curve25519's prime, and the y of the eight points whose order divides 8 (RFC 8032 section 5.1):
# under such a key signatures can be made that fit nearly any message, without a secret.
_P: Final = 2**255 - 19
_Y_OF_ORDER_8: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER: Final = frozenset({0, 1, _P - 1, _Y_OF_ORDER_8, _P - _Y_OF_ORDER_8})


def encode_base58(data: bytes) -> str:
    """Write bytes in base58btc, without the multibase prefix."""
    number, letters = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        letters = _ALPHABET[digit] + letters
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + letters


def decode_base58(text: str) -> bytes:
    """Read base58btc without a prefix; the inverse of `encode_base58`."""
    if len(text) > MAX_LENGTH:
        raise ValueError("base58 text too long")
    number = 0
    for letter in text:
        if (digit := _DIGITS.get(letter)) is None:
            raise ValueError("not a base58 text")
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")


def encode_multibase(data: bytes) -> str:
    """Write bytes as multibase: `z` and base58btc."""
    return "z" + encode_base58(data)


def decode_multibase(text: object) -> bytes:
    """Read a multibase text; only base58btc is accepted."""
    if not isinstance(text, str) or not text.startswith("z") or len(text) == 1:
        raise ValueError("not a multibase text in base58btc")
    return decode_base58(text[1:])


def encode_multikey(raw: bytes) -> str:
    """Write a raw Ed25519 public key as `publicKeyMultibase`."""
    if len(raw) != 32:
        raise ValueError("an Ed25519 public key has 32 bytes")
    return encode_multibase(_ED25519_PUB + raw)


def decode_multikey(text: object) -> bytes:
    """Read the raw Ed25519 public key from a `publicKeyMultibase`; refuse keys that anybody can sign for."""
    data = decode_multibase(text)
    if data[:2] != _ED25519_PUB:
        raise ValueError("not an Ed25519 Multikey")
    return usable_ed25519(data[2:])


def usable_ed25519(raw: bytes) -> bytes:
    """Return the raw public key; refuse a wrong length and the keys that anybody can sign for."""
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if len(raw) != 32 or y >= _P or y in _SMALL_ORDER:
        raise ValueError("not a usable Ed25519 public key")
    return raw
