"""Doctors of one country who write, answer, follow and withdraw through the real pages; what is acknowledged is noted."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections import Counter
from typing import Any
from urllib.parse import quote

from instance.ids import new_ulid
from instance.times import system_clock
from tests.faults.countries import Author, Country
from tests.faults.ledger import Ledger
from tests.faults.writing import Browser

#: Of so many posts one is for colleagues alone, and one never leaves its country.
COLLEAGUES, NATIONAL = 12, 8
ANYBODYS = "select uri, slug, title from posts where audience = 'federation'"
ABROAD = "select uri, address from doctors where local = 0 and standing = 'ok' and gone_at is null"


class Lives(threading.Thread):
    """One browser through which all doctors of a country do things, until so many posts are acknowledged."""

    def __init__(self, country: Country, ledger: Ledger, posts: int, seed: str, *, seconds: float) -> None:
        super().__init__(daemon=True, name=f"lives {country.name}")
        self._country, self._ledger, self._chance = country, ledger, random.Random(seed)
        self._browser, self._posts, self._pause = Browser(country), posts, seconds / posts
        self._ended, self._number = threading.Event(), 0
        #: What was acknowledged, refused and repeated, by kind of act.
        self.acts: Counter[str] = Counter()
        #: What was sent last, and how often each status was the answer.
        self.last, self.answers = "", Counter[int]()
        #: Answers that were neither an acknowledgement nor a refusal one may expect.
        self.strange: list[tuple[str, int]] = []
        self._own: list[dict[str, Any]] = []
        self.fault: BaseException | None = None

    def stop(self) -> None:
        """Begin nothing more."""
        self._ended.set()

    def run(self) -> None:
        """Live."""
        began = time.monotonic()
        try:
            for number in range(1, self._posts + 1):
                self._live(number)
                self._ended.wait(max(0.0, began + number * self._pause - time.monotonic()))
        except BaseException as fault:
            self.fault = fault
        finally:
            self._browser.close()

    def _live(self, number: int) -> None:
        self._post(number)
        if self._chance.random() < 0.6:
            self._answer()
        if self._chance.random() < 0.15:
            self._follow()
        if self._chance.random() < 0.08:
            self._withdraw()

    # ── what they do ──

    def _post(self, number: int) -> None:
        author, title = self._chance.choice(self._country.authors), f"Post {number:05} of {self._country.name}"
        audience = "national" if number % NATIONAL == 0 else "colleagues" if number % COLLEAGUES == 0 else "federation"
        fields = {
            "form_key": f"{author.handle}-{number}", "kind": "case", "title": title, "text": "Made up.",
            "specialty": "cardiology", "language": "en", "audience": audience, "named": "",
        }  # fmt: skip
        where = self._until_answered("post", author, "/write", fields)
        if where is None:
            raise AssertionError(f"{title} was refused: {self.strange[-1:]}")
        slug = where.partition("/posts/")[2].partition("?")[0].partition("#")[0]
        made = {"title": title, "uri": f"{self._country.origin}/posts/{slug}", "slug": slug, "author": author.uri}
        self._own.append(made)
        self._ledger.note(act="post", at=self._country.name, audience=audience, **made)

    def _answer(self) -> None:
        author, post = self._chance.choice(self._country.authors), self._any(ANYBODYS)
        if post is None:
            return
        self._number += 1
        text = f"Answer {self._number:05} of {self._country.name}."
        fields = {"form_key": new_ulid(system_clock()), "text": text, "language": "en", "parent": ""}
        where = self._until_answered("answer", author, f"/posts/{post['slug']}/answers", fields)
        if where is not None:
            slug = where.partition("#")[2]
            uri = f"{self._country.origin}/comments/{slug}"
            self._ledger.note(act="answer", at=self._country.name, text=text, post=post["uri"], uri=uri)

    def _follow(self) -> None:
        author, other = self._chance.choice(self._country.authors), self._any(ABROAD)
        if other is None:
            return
        where = self._until_answered("follow", author, f"/doctors/{quote(other['address'])}/follow", {})
        if where is not None:
            self._ledger.note(act="follow", at=self._country.name, follower=author.uri, followee=other["uri"])

    def _withdraw(self) -> None:
        made = self._own.pop(self._chance.randrange(len(self._own)))
        author = next(one for one in self._country.authors if one.uri == made["author"])
        if self._until_answered("withdraw", author, f"/posts/{made['slug']}/withdraw", {}) is not None:
            self._ledger.note(act="withdraw", at=self._country.name, title=made["title"], uri=made["uri"])

    # ── how ──

    def _until_answered(self, act: str, author: Author, path: str, fields: dict[str, str]) -> str | None:
        """Send the form again and again until it is answered; where that leads, or None where it was refused."""
        while not self._ended.is_set():
            status, where = self._browser.sends(author, path, fields)
            self.last = f"{act} {self.acts['post']} {status}"
            self.answers[status] += 1
            if status == 303 and "/sign-in" not in where:
                self.acts[act] += 1
                return where
            if status in (0, 429) or status >= 500:
                self.acts["repeated"] += 1
                if status not in (0, 429, 503):
                    self.strange.append((act, status))
                time.sleep(0.1)
                continue
            # What was to be answered may have been withdrawn meanwhile.
            self.acts["refused"] += 1
            if status not in (404, 409, 410):
                self.strange.append((act, status))
            return None
        raise AssertionError(f"{self._country.name} was not answered in time")

    def _any(self, sql: str) -> sqlite3.Row | None:
        found = self._country.rows(sql)
        return self._chance.choice(found) if found else None
