// Comfort only: every page works without this file.

// Mistakes are read out first, and the way to each field is one key away.
const mistakes = document.getElementById("mistakes");
if (mistakes) {
  mistakes.tabIndex = -1;
  mistakes.focus();
}

function free(form) {
  delete form.dataset.sent;
  delete form.dataset.line;
  for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-disabled");
}

// Where the device says that there is no line, a form is not sent into the void with everything typed in it: it is looked
// whether the device is right, and the form stays, with a word below it, where it is.
const noLine = document.querySelector("[data-no-line]");
async function sendOverLine(form, button) {
  try {
    await fetch("/robots.txt", { method: "HEAD", cache: "no-store" });
  } catch {
    noLine.setAttribute("role", "alert");
    form.append(noLine);
    noLine.hidden = false;
    noLine.scrollIntoView({ block: "nearest" });
    return;
  }
  noLine.hidden = true;
  form.dataset.line = "yes";
  form.requestSubmit(button);
}

// A second press while the first is on its way changes nothing (and the server would keep one post all the same). Whoever
// stops it, or loses the line, stays on the page without a word to it: after some seconds the form can be sent again.
const MILLISECONDS_ON_THE_WAY = 8000;
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (!navigator.onLine && !form.dataset.line) {
    event.preventDefault();
    sendOverLine(form, event.submitter);
    return;
  }
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  for (const button of form.querySelectorAll("button")) button.setAttribute("aria-disabled", "true");
  setTimeout(free, MILLISECONDS_ON_THE_WAY, form);
});

// Back from the next page, a form can be sent again.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) free(form);
});

// Whoever is signed in gets a page for when there is no line. It is all that is kept on the device (worker.js).
if (document.body.classList.contains("in")) {
  addEventListener("load", () => navigator.serviceWorker?.register("/worker.js").catch(() => {}));
}
