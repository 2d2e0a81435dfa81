// Shows that there is news while no page is open, and leads to the notices. It keeps nothing and answers for no page.

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
