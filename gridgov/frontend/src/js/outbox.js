// Sending what waits on the phone: photos first, then the report, each under an id of its own, so that the server
// recognises what it already has. 401, 403, 429, 5xx and a failed network keep an entry; other refusals are shown.
import { send } from "./send.js";
import * as store from "./store.js";
import { _ } from "./words.js";

const EVERY_MS = 60000;
const PATIENCE_MS = 5000;  // How long somebody who pressed the button waits for another tab to finish.
const ALL_STOP = [0, 401, 429, 503];  // What stops one entry with these stops the next one too.
export const user = () => document.body.dataset.user || "";

let running = null;

export async function start() {
  if (!user() || !(await store.usable())) return;
  const again = () => flush();
  window.addEventListener("online", again);
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") again(); });
  setInterval(again, EVERY_MS);
  again();
}

// Send everything of this person that waits. Returns {sent: [id], kept: [entry], refused: [entry]} of this pass.
export function flush(patient = false) {
  running = running || locked(patient).finally(() => { running = null; });
  return running;
}

// Send what was just kept. A pass already on its way may have begun without it; then there is a second one.
export async function flushNow(id) {
  const first = await (running || flush(true));
  return [...first.kept, ...first.refused].some((entry) => entry.id === id) || first.sent.includes(id) ? first : flush(true);
}

// One tab at a time, where the browser has locks; elsewhere the server's idempotency carries it alone.
async function locked(patient) {
  if (!navigator.locks) return pass();
  const nothing = { sent: [], kept: [], refused: [] };
  if (!patient) return navigator.locks.request("gridgov-outbox", { ifAvailable: true }, (lock) => (lock ? pass() : nothing));
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), PATIENCE_MS);
  const sending = navigator.locks.request("gridgov-outbox", { signal: stop.signal }, () => { clearTimeout(timer); return pass(); });
  return sending.catch((error) => {
    if (error.name === "AbortError") return nothing;  // The other tab sends it.
    throw error;
  });
}

async function pass() {
  const result = { sent: [], kept: [], refused: [] };
  const waiting = (await store.mine(user())).filter((entry) => entry.state !== "refused");
  for (const entry of waiting) {
    const outcome = await deliver(entry);
    if (outcome.ok) {
      await store.remove(entry.id);
      result.sent.push(entry.id);
    } else {
      Object.assign(entry, { state: outcome.keep ? "waiting" : "refused", message: outcome.message, errors: outcome.errors, tried_at: Date.now() });
      await store.keep(entry);
      result[outcome.keep ? "kept" : "refused"].push(entry);
      if (outcome.stop) break;
    }
  }
  changed(result);
  return result;
}

// Tell the page that what waits is not what it was.
export function changed(result = { sent: [], kept: [], refused: [] }) {
  document.dispatchEvent(new CustomEvent("outbox:changed", { detail: result }));
}

async function deliver(entry) {
  for (const photo of entry.photos.filter((one) => !one.sent)) {
    const form = new FormData();
    form.append("id", photo.id);
    if (photo.taken_at) form.append("taken_at", new Date(photo.taken_at).toISOString());
    form.append("photo", new Blob([photo.bytes], { type: photo.type }), photo.name);
    const answer = judge(await send("POST", "/api/v1/photos", form));
    if (!answer.ok) return answer;
    photo.sent = true;
    await store.keep(entry);
  }
  return judge(await send("POST", "/api/v1/issues", { id: entry.id, ...entry.fields, photos: entry.photos.map((photo) => photo.id) }));
}

function judge({ status, body }) {
  if (status === 200 || status === 201) return { ok: true };
  const said = body && body.title;
  const stop = ALL_STOP.includes(status);
  if (status === 0) return { keep: true, stop, message: _("No network. It is sent by itself once there is one.") };
  if (status === 401) return { keep: true, stop, message: _("Please sign in again; then it is sent.") };
  if (status === 403 || status === 429 || status >= 500 || (body && body.code === "csrf")) {
    return { keep: true, stop, message: said || _("The server is busy. It is sent again by itself.") };
  }
  return { keep: false, message: said || _("The server refused this report."), errors: (body && body.errors) || {} };
}
