// Arrow keys between the pages of a document and the lines of the queue. Without this file Tab does the same.

const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

document.addEventListener("keydown", (event) => {
  const step = STEPS[event.key], link = event.target.closest("[data-arrows] a");
  if (!step || !link || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const links = [...link.closest("[data-arrows]").querySelectorAll("a")];
  const next = links[links.indexOf(link) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
});
