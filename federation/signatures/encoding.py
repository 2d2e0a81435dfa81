"""Base64 with exactly one spelling for each value (RFC 4648 section 3.5: no stray bits, no line breaks)."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64


def decode_base64(text: str) -> bytes:
    """Return the bytes; raise ValueError unless writing them again gives the same text."""
    data = a2b_base64(text, strict_mode=True)
    if encode_base64(data) != text:
        raise ValueError("not canonical base64")
    return data


def encode_base64(data: bytes) -> str:
    """Write bytes in standard base64 with padding."""
    return b2a_base64(data, newline=False).decode("ascii")
