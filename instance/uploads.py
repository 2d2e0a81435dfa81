"""Uploads are read into memory and counted: what people send never lies on the disk in plain.

The framework's own form would write files to the temporary folder, and counts nothing of a body without a length.
A request with files is large, so it is let in before anything of it is read (`Uploads`), and by one address alone.
"""

from __future__ import annotations

import io
import re
from typing import IO, Any, Final

from quart import Request
from quart.formparser import FormDataParser
from werkzeug.exceptions import RequestEntityTooLarge

from instance.services.errors import Rejected

#: Where files are taken; everywhere else the limits of forms hold.
FILES: Final = re.compile(r"/application/pieces/[^/]+/files\Z")
#: The largest request with files, in bytes, and the seconds it may take: ten megabytes from a telephone take a while.
MAX_UPLOAD: Final = 12 * 1024 * 1024
UPLOAD_SECONDS: Final = 120
#: Uploads that one instance takes in at once; each account brings one at a time.
AT_ONCE: Final = 6


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


class UploadRequest(Request):
    """A request of our application; on the addresses in FILES it may bring files, and takes longer."""

    form_data_parser_class = _InMemory

    def __init__(self, method: str, scheme: str, path: str, *rest: Any, **limits: Any) -> None:
        self.brings_files = method == "POST" and FILES.match(path) is not None
        if self.brings_files:
            limits |= {"max_content_length": MAX_UPLOAD, "body_timeout": UPLOAD_SECONDS}
        super().__init__(method, scheme, path, *rest, **limits)
        self.max_content_length = limits.get("max_content_length")


class Uploads:
    """Who brings files at this moment: a few at once, and nobody two. Empty after a restart, like the requests."""

    def __init__(self) -> None:
        self._accounts: set[str] = set()

    def enter(self, account: str) -> None:
        """Let an upload in; raise Rejected(files_busy) where all places are taken, or this account has one."""
        if account in self._accounts or len(self._accounts) >= AT_ONCE:
            raise Rejected("files_busy", status=503)
        self._accounts.add(account)

    def leave(self, account: str) -> None:
        """The upload has been read and answered, or given up."""
        self._accounts.discard(account)
