"""Headers of answers, for pages and documents alike, whoever gives them."""

from __future__ import annotations

from typing import Final

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; font-src 'self'; "
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; object-src 'none'"
)
#: Of the service worker: it asks this instance, and loads and shows nothing.
WORKER_POLICY: Final = "default-src 'none'; connect-src 'self'; frame-ancestors 'none'"
DATA_POLICY: Final = "default-src 'none'; sandbox; frame-ancestors 'none'"

#: On every answer (security: response headers).
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "X-Robots-Tag": "noindex",
}
#: On every answer of an instance that is reached by https.
TRANSPORT: Final = {"Strict-Transport-Security": "max-age=63072000; includeSubDomains"}
#: On whatever is for one reader.
PRIVATE: Final = "private, no-store"
#: What a page depends on besides its address.
PAGE_VARY: Final = "Cookie, Accept-Language"
PAGE: Final = "text/html; charset=utf-8"
