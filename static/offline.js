// The page without a line: the address that was asked for is asked for again, by a press or as soon as there is a line.
document.querySelector("[data-again]").addEventListener("click", (event) => {
  event.preventDefault();
  location.reload();
});
addEventListener("online", () => location.reload());
