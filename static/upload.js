// How far an upload has come. Without this file the form is sent as it is, and the browser shows the progress.

// What the server says of a file it did not take, in the place of the page; nothing else on it has changed.
function show(page) {
  const answer = new DOMParser().parseFromString(page, "text/html");
  document.querySelector("main").replaceWith(answer.querySelector("main"));
  begin();
  const first = document.getElementById("mistakes") || document.getElementById("main");
  first.tabIndex = -1;
  first.focus();
}

function send(form) {
  const said = form.querySelector("[data-upload-said]"), bar = form.querySelector("[data-upload-bar]");
  const request = new XMLHttpRequest();
  const lost = () => {
    bar.hidden = true;
    said.textContent = form.dataset.failed;
    delete form.dataset.busy;
  };
  const large = form.querySelector("[type=file]").files[0]?.size > Number(form.dataset.most);
  if (large) {
    // The server would hang up in the middle of it, and nobody could tell that from a lost line.
    said.hidden = false;
    said.textContent = form.dataset.large;
    delete form.dataset.busy;
    return;
  }
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "text/html");
  said.textContent = form.dataset.sending;
  bar.value = 0;
  said.hidden = bar.hidden = false;
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) bar.value = Math.round((100 * event.loaded) / event.total);
  });
  request.upload.addEventListener("load", () => { said.textContent = form.dataset.kept; });
  request.addEventListener("load", () => {
    if (request.status < 300) location.assign(form.dataset.back || "/application");
    else show(request.responseText);
  });
  request.addEventListener("error", lost);
  request.send(new FormData(form));
}

function begin() {
  for (const form of document.querySelectorAll("[data-upload]")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (form.dataset.busy) return;
      form.dataset.busy = "yes";
      send(form);
    });
  }
}

begin();
