// Comfort only: the number of new notices, as it changes while a page is open. Without this file it is that of the page.

const badge = document.querySelector("[data-unread]");
const said = document.querySelector("[data-unread-said]");
const SECONDS = [2, 5, 15, 60, 300];
const WHOLE = 20;
let source = null, failed = 0, again = 0, first = true;

function show(number) {
  const form = new Intl.PluralRules(document.documentElement.lang).select(number) === "one" ? "one" : "other";
  const words = badge.dataset[form].replace("#", number);
  const changed = badge.firstElementChild.textContent !== String(number);
  badge.hidden = number === 0;
  badge.firstElementChild.textContent = number;
  badge.lastElementChild.textContent = words;
  // Read out when there is time; not what the page said already.
  if (changed && !first && number) said.textContent = words;
  first = false;
}

function open() {
  clearTimeout(again);
  if (source || document.hidden) return;
  const began = Date.now();
  source = new EventSource("/events");
  source.addEventListener("unread", (event) => {
    failed = 0;
    const numbers = JSON.parse(event.data);
    show(numbers.unread);
    document.dispatchEvent(new CustomEvent("esanum:tick", { detail: { kind: "unread", ...numbers } }));
  });
  source.addEventListener("posts", (event) => {
    document.dispatchEvent(new CustomEvent("esanum:tick", { detail: { kind: "posts", ...JSON.parse(event.data) } }));
  });
  // The browser's own way of asking again knows no patience: a session that has ended would be asked for for ever.
  source.addEventListener("error", () => {
    close();
    if (Date.now() - began > WHOLE * 1000) failed = 0;
    again = setTimeout(open, SECONDS[Math.min(failed++, SECONDS.length - 1)] * 1000 * (0.75 + Math.random() / 2));
  });
}

function close() {
  clearTimeout(again);
  if (source) source.close();
  source = null;
}

if (badge && window.EventSource) {
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  // A page that lies in the browser's memory holds no connection.
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", open);
  open();
}
