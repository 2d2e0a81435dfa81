// Comfort only: every page works without this file.

// Mistakes are read out first, and the way to each field is one key away.
const mistakes = document.getElementById("mistakes");
if (mistakes) {
  mistakes.tabIndex = -1;
  mistakes.focus();
}

function free(form) {
  delete form.dataset.sent;
  for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-disabled");
}

// A second press while the first is on its way changes nothing (and the server would keep one post all the same). Whoever
// stops it, or loses the line, stays on the page without a word to it: after some seconds the form can be sent again.
const MILLISECONDS_ON_THE_WAY = 8000;
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
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
