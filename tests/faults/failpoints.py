"""`esanum`, but the process is killed at the worst moment of the n-th message it takes.

FAILPOINT is `before_commit` (the effect is written, the transaction open) or `after_commit` (on disk, the answer not
sent); FAIL_AT is n.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from instance.cli import main
from instance.services.inbound import InboundQueue

_left = int(os.environ.get("FAIL_AT", "0"))


def _count_down() -> None:
    global _left
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)


def _fail_within(keep: Any) -> Any:
    async def keep_applied(self: InboundQueue, tx: Any, *rest: Any, **named: Any) -> Any:
        kept = await keep(self, tx, *rest, **named)
        _count_down()
        return kept

    return keep_applied


def _fail_behind(keep: Any) -> Any:
    async def keep_and_die(self: InboundQueue, arrival: Any) -> bool:
        kept: bool = await keep(self, arrival)
        _count_down()
        return kept

    return keep_and_die


if __name__ == "__main__":
    if os.environ.get("FAILPOINT") == "before_commit":
        InboundQueue._keep_applied = _fail_within(InboundQueue._keep_applied)  # type: ignore[method-assign]
    else:
        InboundQueue.keep = _fail_behind(InboundQueue.keep)  # type: ignore[method-assign]
    main()
