"""Uploads are read into memory and counted: what people send never lies on the disk in plain.

The framework's own form would write files to the temporary folder, and counts nothing of a body without a length.
A request with files is large, so it is let in before anything of it is read (`Uploads`), on one address alone, and it
keeps its place only while it comes: accounts cost nothing, so what is counted is from where it is sent and how fast.
"""

from __future__ import annotations

import asyncio
import io
import re
from typing import IO, Any, Final, cast

from quart import Request
from quart.formparser import FormDataParser
from quart.wrappers.request import Body
from werkzeug.exceptions import RequestEntityTooLarge, RequestTimeout

from instance.services.errors import Rejected

#: Where files are taken; everywhere else the limits of forms hold.
FILES: Final = re.compile(r"/(?:application/pieces/[^/]+/files|newsroom/sources/[^/]+/file)\Z")
#: The largest request with files, in bytes, and the seconds it may take: at 400 kbit/s it comes in four minutes.
MAX_UPLOAD: Final = 12 * 1024 * 1024
UPLOAD_SECONDS: Final = 270
#: After so many seconds a request must have brought so many bytes a second on average, or it is ended (240 kbit/s).
SLOW_AT_FIRST: Final = 10.0
LEAST_RATE: Final = 30_000
#: How often that is looked at.
_LOOKED_AT: Final = 1.0
#: Uploads that one instance takes in at once, and how many of these places are kept for those who are awaited: doctors
#: whose verification runs, and applicants who were asked for more.
AT_ONCE, KEPT = 8, 2
#: Uploads at once of one network (an IPv4 address, the /64 of an IPv6 one); each account brings one.
OF_ONE_NETWORK: Final = 2


class _Counted(io.BytesIO):
    """A file in memory, charged to its request."""

    def __init__(self, form: _InMemory) -> None:
        super().__init__()
        self._form = form

    def write(self, data: Any, /) -> int:
        """Keep it; raise RequestEntityTooLarge once the request has brought too much."""
        self._form.left -= len(data)
        if self._form.left < 0:
            raise RequestEntityTooLarge
        return super().write(data)


class _InMemory(FormDataParser):
    """A form whose files stay in memory."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given, stream_factory=self._file)
        self.left = self.max_content_length or MAX_UPLOAD

    def _file(self, *_told: object) -> IO[bytes]:
        return _Counted(self)


class _Paced(Body):
    """A body that must come at the least rate, once it is watched."""

    _brought, _began = 0, 0.0
    _next: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Begin to count the time."""
        self._began = asyncio.get_running_loop().time()
        self._look_again(SLOW_AT_FIRST)

    async def __anext__(self) -> bytes:
        """Return what has come; of one that was ended while it was waited for, say so and not that it is whole."""
        try:
            return await super().__anext__()
        except StopAsyncIteration:
            if self._must_raise is not None:
                raise self._must_raise from None
            raise

    def append(self, data: bytes) -> None:
        """Take what has come."""
        self._brought += len(data)
        super().append(data)

    def set_complete(self) -> None:
        """Nothing more comes, or is waited for."""
        if self._next is not None:
            self._next.cancel()
        super().set_complete()

    def _look_again(self, seconds: float) -> None:
        self._next = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        if self._complete.is_set():
            return
        if self._brought >= LEAST_RATE * (asyncio.get_running_loop().time() - self._began):
            self._look_again(_LOOKED_AT)
            return
        self._must_raise = RequestTimeout()
        self.set_complete()


class UploadRequest(Request):
    """A request of our application; on the addresses in FILES it may bring files, and takes longer."""

    form_data_parser_class = _InMemory
    body_class = _Paced

    def __init__(self, method: str, scheme: str, path: str, *rest: Any, **limits: Any) -> None:
        self.brings_files = method == "POST" and FILES.match(path) is not None
        if self.brings_files:
            limits |= {"max_content_length": MAX_UPLOAD, "body_timeout": UPLOAD_SECONDS}
        super().__init__(method, scheme, path, *rest, **limits)
        self.max_content_length = limits.get("max_content_length")
        if self.brings_files:
            cast(_Paced, self.body).watch()


class Uploads:
    """Who brings files at this moment, and from where. Empty after a restart, like the requests."""

    def __init__(self) -> None:
        self._networks: dict[str, str] = {}

    def enter(self, account: str, network: str, *, awaited: bool) -> None:
        """Let an upload in, on a kept place too where it is awaited.

        Raises Rejected(files_busy) where the places are taken, this account has one, or its network has its share.
        """
        places = AT_ONCE if awaited else AT_ONCE - KEPT
        of_network = sum(1 for each in self._networks.values() if each == network)
        if account in self._networks or of_network >= OF_ONE_NETWORK or len(self._networks) >= places:
            raise Rejected("files_busy", status=503)
        self._networks[account] = network

    def leave(self, account: str) -> None:
        """The upload has been read and answered, or given up."""
        self._networks.pop(account, None)
