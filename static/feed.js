// What has come since the feed was opened is announced, and shown when the reader asks for it. Without this file a link
// does the same.

const MILLISECONDS_BETWEEN_LOOKS = 60000;
const MOST = 20;
const arrived = document.querySelector("[data-ask]");
let asking = false;

function say(number) {
  const { one, more, many } = arrived.dataset;
  const link = arrived.querySelector("a");
  const words = number > MOST ? many : number === 1 ? one : more.replace("{number}", number);
  if (number < 1 || link.textContent === words) return;
  link.textContent = words;
  arrived.classList.add("some");
}

// Whoever hears of something new by another way may ask for a look at once.
export async function look() {
  if (!arrived || asking || document.hidden) return;
  asking = true;
  try {
    const answer = await fetch(arrived.dataset.ask, { headers: { Accept: "application/json" }, cache: "no-store" });
    if (answer.ok) say((await answer.json()).new);
  } catch {
    // Off line: the next look says more.
  } finally {
    asking = false;
  }
}

if (arrived) {
  setInterval(look, MILLISECONDS_BETWEEN_LOOKS);
  document.addEventListener("visibilitychange", look);
}
