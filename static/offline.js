// The page without a line: the address that was asked for is asked for again, by a press or as soon as there is a line.
document.querySelector("[data-again]").addEventListener("click", (event) => {
  event.preventDefault();
  location.reload();
});

// A device often says that there is a line a moment before there is one, and says it once.
async function look(waits) {
  for (const wait of waits) {
    await new Promise((go) => setTimeout(go, wait));
    const there = await fetch("/robots.txt", { method: "HEAD", cache: "no-store" }).catch(() => null);
    if (there) {
      location.reload();
      return;
    }
  }
}

addEventListener("online", () => look([0, 1000, 3000, 10000]));
if (navigator.onLine) look([2000, 5000, 15000]);
