// Passkeys (WebAuthn), and printing. Without this file codes of apps and recovery codes do the same work.

const bytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));
const text = (buffer) =>
  btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join(""))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

// What the server asks, with bytes where it sends text.
function asked(options) {
  const read = { ...options, challenge: bytes(options.challenge) };
  for (const list of ["allowCredentials", "excludeCredentials"]) {
    if (read[list]) read[list] = read[list].map((one) => ({ ...one, id: bytes(one.id) }));
  }
  if (read.user) read.user = { ...read.user, id: bytes(read.user.id) };
  return read;
}

// What the device answers, with text where it gives bytes.
function answered(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = text(credential.response[name]);
  }
  if (credential.response.getTransports) response.transports = credential.response.getTransports();
  return JSON.stringify({
    id: credential.id, rawId: text(credential.rawId), type: credential.type, response, clientExtensionResults: {},
  });
}

async function use(button) {
  const form = button.form, said = form.querySelector("[data-passkey-said]");
  said.hidden = true;
  button.setAttribute("aria-disabled", "true");
  try {
    const credential = await navigator.credentials[button.dataset.passkey]({
      publicKey: asked(JSON.parse(button.dataset.options)),
    });
    form.elements[button.dataset.field].value = answered(credential);
    form.requestSubmit();
  } catch {
    button.removeAttribute("aria-disabled");
    said.textContent = button.dataset.failed;
    said.hidden = false;
  }
}

if (window.PublicKeyCredential) {
  for (const button of document.querySelectorAll("[data-passkey]")) {
    button.hidden = false;
    const form = button.closest("[data-passkey-form]");
    if (form) form.hidden = false;
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-disabled") !== "true") use(button);
    });
  }
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
