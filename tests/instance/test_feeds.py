"""What is read of a publisher's feed: plain words and one https address, and nothing that grows, runs or leads astray."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from instance import feeds
from tests.feeds import ATOM, LAUGHS, READS_A_FILE, an_item, rss


def test_rss_and_atom_are_read() -> None:
    """Title, words, address, time."""
    (first,) = feeds.read(rss(an_item())).entries
    (second,) = feeds.read(ATOM).entries

    assert ("A made-up finding 1", "What was found.", "https://journal.example/1") == (
        first.title, first.summary, first.link,
    )  # fmt: skip
    assert datetime(2026, 11, 23, 8, tzinfo=UTC) == first.published
    assert ("urn:entry:1", "https://society.example/1", "New limits.") == (second.guid, second.link, second.summary)
    assert datetime(2026, 11, 22, 8, tzinfo=UTC) == second.published


@pytest.mark.parametrize("encoding", ["UTF-8", "ISO-8859-1", "windows-1252", "UTF-16"])
def test_encodings_in_use_are_read(encoding: str) -> None:
    """By the declaration, or by the mark before it."""
    feed = rss(an_item(title="Ärztin à Lyon"), head=f'<?xml version="1.0" encoding="{encoding}"?>').decode()

    assert "Ärztin à Lyon" == feeds.read(feed.encode(encoding)).entries[0].title


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (LAUGHS, "feed_doctype"),
        (READS_A_FILE, "feed_doctype"),
        (LAUGHS.decode().encode("utf-16"), "feed_doctype"),
        (LAUGHS.replace(b"<!DOCTYPE", b"<!doctype"), "feed_doctype"),
        (b"<!DOCTYPE html><html><body>Not found</body></html>", "feed_doctype"),
        (b"<html><body>Not found</body></html>", "no_feed"),
        (b"", "no_feed"),
        (b"{}", "feed_malformed"),
        (b"/etc/passwd", "feed_malformed"),
        (b"https://journal.example/feed", "feed_malformed"),
        (b"%PDF-1.7 \x00\xff", "feed_encoding"),
        (rss(an_item())[:-30], "feed_malformed"),
        (b"<rss><channel>" + b"<item>" * 20_000, "feed_malformed"),
        (rss(an_item(), head='<?xml version="1.0" encoding="utf-7"?>'), "feed_encoding"),
        (rss(an_item(), head='<?xml version="1.0" encoding="cp037"?>'), "feed_encoding"),
        (rss(an_item()) + b" " * feeds.MAX_FEED, "feed_too_large"),
        (rss(an_item(title="\ufffe&#0;")), "feed_malformed"),
        # Over these feedparser stumbles itself, each time in another way.
        (rss(an_item(guid="&#xD800;")), "feed_malformed"),
        (rss(an_item(textInput="<link/>")), "feed_malformed"),
    ],
)
def test_what_is_no_feed_is_refused(data: bytes, code: str) -> None:
    """Each with its code; nothing is opened, fetched or expanded."""
    with pytest.raises(feeds.BadFeed) as refused:
        feeds.read(data)

    assert code == refused.value.code


def test_markup_becomes_words() -> None:
    """A script is gone with what is in it; tags are gone; what turns the direction of a line is gone."""
    dirty = "&lt;script&gt;alert(1)&lt;/script&gt;&lt;b onclick=x&gt;Bold&lt;/b&gt; \u202enews"
    image = "&lt;img src=https://spy.example/p.gif&gt;Words&lt;style&gt;p{}&lt;/style&gt;"
    (entry,) = feeds.read(rss(an_item(title=dirty, description=image))).entries

    assert ("Bold news", "Words") == (entry.title, entry.summary)


@pytest.mark.parametrize(
    "link",
    ["javascript:alert(1)", "data:text/html,x", "http://journal.example/1", "//journal.example/1", "/1", "",
     "https://user:pw@journal.example/", "https://127.0.0.1/", "https://localhost/", "ftp://journal.example/"],
)  # fmt: skip
def test_an_entry_without_an_https_address_is_left_out(link: str) -> None:
    """Beside it one that has an address is shown."""
    found = feeds.read(rss(an_item(1, link=link, guid="x"), an_item(2)))

    assert ["https://journal.example/2"] == [entry.link for entry in found.entries]
    assert 1 == found.left_out


def test_entries_and_words_are_limited() -> None:
    """A hundred entries; a title and its words cut between two words."""
    many = feeds.read(rss(*(an_item(number) for number in range(150))))
    (long,) = feeds.read(rss(an_item(title="word " * 200, description="word " * 400))).entries

    assert feeds.MAX_ENTRIES == len(many.entries)
    assert (len(long.title), len(long.summary)) <= (feeds.MAX_TITLE + 2, feeds.MAX_SUMMARY + 2)
    assert long.title.endswith("word …")


def test_a_time_that_cannot_be_is_none() -> None:
    """What bears no time that can be read stands by the time it came."""
    found = feeds.read(rss(an_item(1, pubDate=""), an_item(2, pubDate="yesterday"), an_item(3, title="")))

    assert [None, None] == [entry.published for entry in found.entries]
    assert 1 == found.left_out
