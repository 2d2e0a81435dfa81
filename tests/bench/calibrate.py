"""The yardstick: how long this machine, now, takes to verify one RSA-2048 signature."""

from __future__ import annotations

import time

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

ROUNDS = 4_000


def calibrate() -> float:
    """Return microseconds of CPU for one RSA-2048 verification: the best of five batches."""
    key = generate_private_key(65537, 2048)
    data = b"x" * 300
    signature = key.sign(data, PKCS1v15(), SHA256())
    public = key.public_key()
    best = float("inf")
    for _ in range(5):
        began = time.process_time()
        for _ in range(ROUNDS // 5):
            public.verify(signature, data, PKCS1v15(), SHA256())
        best = min(best, (time.process_time() - began) / (ROUNDS // 5))
    return best * 1e6
