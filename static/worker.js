// The service worker: one page for when there is no line, and nothing else. No discussion is ever in a cache.
//
// Two lines stand before this file where it is served: KEPT, the addresses of that page (the first) and of what it is
// drawn with, and NAME, which changes with any of them.

// ── the page without a line ──────────────────────────────────────────────

self.addEventListener("install", (event) => {
  const asked = KEPT.map((address) => new Request(address, { cache: "reload" }));
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(asked)).then(() => self.skipWaiting()));
});

// What an earlier version kept goes with it.
async function forgetOthers() {
  const others = (await caches.keys()).filter((name) => name !== NAME);
  await Promise.all(others.map((name) => caches.delete(name)));
  await self.clients.claim();
}

self.addEventListener("activate", (event) => event.waitUntil(forgetOthers()));

async function kept(address) {
  const cache = await caches.open(NAME);
  return (await cache.match(address, { ignoreVary: true })) ?? Response.error();
}

// Only what is opened as a page, and what that one page is drawn with, passes here. A form never does: sent by the worker,
// one from elsewhere would look like one of ours.
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  if (request.destination === "document") {
    event.respondWith(fetch(request).catch(() => kept(KEPT[0])));
  } else if (KEPT.includes(pathname)) {
    event.respondWith(fetch(request).catch(() => kept(pathname)));
  }
});

// ── push ─────────────────────────────────────────────────────────────────

// Shows that there is news while no page is open, and leads to the notices; it names no content.
self.addEventListener("push", (event) => {
  const said = event.data.json();
  event.waitUntil(self.registration.showNotification(said.title, {
    body: said.body, lang: said.lang, tag: "notices", icon: "/favicon.ico",
  }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil((async () => {
    const open = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    for (const page of open) {
      if (new URL(page.url).pathname === "/notices") return page.focus();
    }
    return self.clients.openWindow("/notices");
  })());
});
