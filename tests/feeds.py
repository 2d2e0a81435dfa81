"""Made-up feeds, good ones and bad ones."""

from __future__ import annotations

from html import escape

RSS = "application/rss+xml"


def an_item(number: int = 1, **changed: str) -> str:
    """One item of an RSS feed; what is changed stands as it is, what is empty is left out."""
    fields = {
        "title": f"A made-up finding {number}", "link": f"https://journal.example/{number}",
        "guid": f"tag:journal.example,{number}", "description": escape("<p>What <b>was</b> found.</p>"),
        "pubDate": "Mon, 23 Nov 2026 08:00:00 GMT", **changed,
    }  # fmt: skip
    return "<item>" + "".join(f"<{name}>{value}</{name}>" for name, value in fields.items() if value) + "</item>"


def rss(*items: str, head: str = '<?xml version="1.0" encoding="UTF-8"?>') -> bytes:
    """An RSS feed with these items."""
    channel = "<title>A journal</title><link>https://journal.example/</link>" + "".join(items)
    return f'{head}<rss version="2.0"><channel>{channel}</channel></rss>'.encode()


ATOM = b"""<?xml version='1.0' encoding='utf-8'?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>A society</title><id>urn:x</id><updated>2026-11-23T08:00:00Z</updated>
<entry><title type="html">Guideline &amp;lt;i&amp;gt;2&amp;lt;/i&amp;gt;</title><id>urn:entry:1</id><updated>2026-11-22T08:00:00Z</updated>
<link rel="alternate" href="https://society.example/1"/><content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">New <b>limits</b>.</div></content></entry>
</feed>"""
LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]>'
    b'<rss version="2.0"><channel><item><title>&d;</title><link>https://journal.example/1</link></item></channel></rss>'
)
READS_A_FILE = (
    b'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss version="2.0"><channel><item>'
    b"<title>&x;</title><link>https://journal.example/1</link></item></channel></rss>"
)
