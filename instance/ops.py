"""Health and metrics, on a loopback listener of their own."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import orjson

from instance.views import health as health_figures
from instance.wiring import Node
from instance.workers import LATE

#: Seconds after which a database that does not answer counts as not writable.
_PATIENCE: Final = 3


class OpsApp:
    """`GET /health` (200 or 503, each part named) and `GET /metrics` (Prometheus text); nothing else."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        if scope["method"] != "GET":
            await _answer(send, 405, b"", b"text/plain")
        elif scope["path"] == "/health":
            report = await health(self._node)
            await _answer(send, 200 if report["ok"] else 503, orjson.dumps(report), b"application/json")
        elif scope["path"] == "/metrics":
            await count(self._node)
            await _answer(send, 200, self._node.metrics.render(), b"text/plain; version=0.0.4; charset=utf-8")
        else:
            await _answer(send, 404, b"", b"text/plain")


async def health(node: Node) -> dict[str, Any]:
    """Say whether this instance can do its work: rows readable and writable, allowlist readable, workers at work.

    One that is slow does its work, late: it is said, and is no reason to end it. Nor is an evidence vault that is
    closed: `evidence` is `open`, or says why not; nor one whose log is behind, `signing` says so (`current`).
    """
    parts = {"database": await _writable(node), "allowlist": node.allowlist.readable, "workers": node.workers.alive}
    slow = node.workers.late > LATE
    evidence, siblings = node.evidence.state, len(node.allowlist())
    return {
        "ok": all(parts.values()), "parts": parts, "evidence": evidence, "signing": node.dossiers.restoring.state,
        "slow": slow, "siblings": siblings,
    }  # fmt: skip


async def count(node: Node) -> None:
    """Bring the gauges up to date: with the figures that the page of administration shows."""
    node.metrics.take(await health_figures.read(node))
    node.metrics.allowlist_version.set(node.allowlist().version)


async def _writable(node: Node) -> bool:
    async def touch(tx: Any) -> None:
        await tx.run("settings.set", name="touched", value=str(int(node.clock().timestamp())))

    try:
        async with asyncio.timeout(_PATIENCE):
            await node.store.write(touch)
    except Exception as fault:
        node.log.error("database_not_writable", exc_info=fault)
        return False
    return True


async def _answer(send: Any, status: int, body: bytes, kind: bytes) -> None:
    headers = [(b"content-type", kind), (b"cache-control", b"no-store"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
