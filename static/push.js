// Messages on this device: the browser asks its owner, and says where it takes them. Without this file there are none.

const form = document.querySelector("[data-push]"), said = document.querySelector("[data-push-said]");

function text(buffer) {
  return btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

async function turnOn() {
  said.textContent = "";
  try {
    const registration = await navigator.serviceWorker.register("/worker.js");
    await navigator.serviceWorker.ready;
    const old = await registration.pushManager.getSubscription();
    if (old) await old.unsubscribe();
    const asked = { userVisibleOnly: true, applicationServerKey: form.dataset.push };
    const subscription = await registration.pushManager.subscribe(asked);
    form.elements.endpoint.value = subscription.endpoint;
    form.elements.key.value = text(subscription.getKey("p256dh"));
    form.elements.secret.value = text(subscription.getKey("auth"));
    form.requestSubmit();
  } catch {
    said.textContent = form.dataset.failed;
  }
}

if (form && "serviceWorker" in navigator && "PushManager" in window) {
  form.hidden = false;
  said.textContent = "";
  form.querySelector("[data-push-on]").addEventListener("click", turnOn);
}
