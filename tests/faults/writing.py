"""Doctors who write through the real pages, and the ledger of what was acknowledged to them."""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode

from tests.faults.countries import Author, Country


@dataclass
class Ledger:
    """Every form sent, and those that were answered with the address of the new post."""

    sent: list[str] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    #: Answers that were neither a redirect to the post nor a broken connection.
    strange: list[int] = field(default_factory=list)
    #: Forms of which no answer came, so that they were sent again with the same key.
    repeated: int = 0


class Writers:
    """Several browsers at once; a form whose answer did not come is sent again, as a browser's reload does."""

    def __init__(self, country: Country, *, posts_each: int, browsers: int = 4, word: str = "Post") -> None:
        self.ledger, self._word = Ledger(), word
        self._country, self._each = country, posts_each
        self._stop = threading.Event()
        shares = [country.authors[number::browsers] for number in range(browsers)]
        self._threads = [threading.Thread(target=self._write, args=(share,), daemon=True) for share in shares]

    def start(self) -> None:
        """Begin to write."""
        for thread in self._threads:
            thread.start()

    @property
    def done(self) -> bool:
        """Whether everybody has written everything."""
        return not any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Let nobody begin another post; return when all have put their pens down."""
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _write(self, authors: list[Author]) -> None:
        browser = Browser(self._country)
        for number in range(self._each):
            for author in authors:
                title = f"{self._word} {number:03} of {author.handle}"
                self.ledger.sent.append(title)
                while not self._stop.is_set():
                    status = browser.publish(author, title)
                    if status == 303:
                        self.ledger.acknowledged.append(title)
                        break
                    self.ledger.repeated += 1
                    if status:
                        self.ledger.strange.append(status)
                    time.sleep(0.02)
        browser.close()


class Browser:
    """One connection to a country's pages, kept open as a browser does."""

    def __init__(self, country: Country) -> None:
        self._port, self._host = country.port, country.origin.partition("://")[2]
        self._cookie = "__Host-session" if country.origin.startswith("https:") else "session"
        self._connection: http.client.HTTPConnection | None = None

    def publish(self, author: Author, title: str) -> int:
        """Send the form of a post; the status, or 0 where no answer came."""
        fields = {
            "form_key": f"{author.handle}-{title}", "kind": "case", "title": title, "text": "Made up.",
            "specialty": "cardiology", "language": "en", "audience": "federation", "named": "",
        }  # fmt: skip
        return self.sends(author, "/write", fields)[0]

    def sends(self, author: Author, path: str, fields: dict[str, str]) -> tuple[int, str]:
        """Send a form; the status and where it leads, or 0 where no answer came."""
        headers = {
            "Host": self._host, "Cookie": f"{self._cookie}={author.token}", "Sec-Fetch-Site": "same-origin",
            "Content-Type": "application/x-www-form-urlencoded",
        }  # fmt: skip
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
            self._connection.request("POST", path, urlencode({"csrf": author.csrf, **fields}), headers)
            answer = self._connection.getresponse()
            answer.read()
            return answer.status, answer.headers.get("location", "")
        except (OSError, http.client.HTTPException):
            self.close()
            return 0, ""

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
