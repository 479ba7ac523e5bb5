// Open pages learn of changes: by a stream while the page is looked at, else by a small question once a minute, and then
// the page says so. Told is only that something changed; what is asked for then comes through the pages' own addresses.
import { make } from "./dom.js";
import * as renew from "./renew.js";
import { _ } from "./words.js";

const SILENCE_MS = 50000;  // The server gives a sign of life every 20 seconds.
const POLL_MS = [30000, 60000];
const FIRST_POLL_MS = [1000, 6000];
const RETRY_MS = [1000, 2500];
const RETRY_MOST_MS = 300000;

let trueAt = 0;  // When what is shown was last known to be all there is; a page begins true at its navigation.
let connection = null;
let failures = 0;
let etag = "";
let pollTimer = 0;
let retryTimer = 0;
let over = false;

const between = ([least, most]) => least + Math.random() * (most - least);

export function start() {
  if (!document.body.dataset.user || !renew.wanted()) return;
  document.addEventListener("visibilitychange", () => { if (document.hidden) rest(); else wake(); });
  window.addEventListener("pagehide", rest);
  window.addEventListener("pageshow", (event) => { if (event.persisted) wake(); });
  window.addEventListener("online", wake);
  if (!document.hidden) wake();
}

function wake() {
  if (over || connection) return;
  clearTimeout(retryTimer);
  if (thrifty()) poll(between(POLL_MS), _("To save data, this page looks for news once a minute."));
  else connect();
}

function rest() {
  clearTimeout(retryTimer);
  clearTimeout(pollTimer);
  pollTimer = 0;
  if (connection) connection.abort();
  connection = null;
}

// A network that is slow or dear keeps no stream.
function thrifty() {
  const network = navigator.connection || {};
  return Boolean(network.saveData) || /2g/.test(network.effectiveType || "");
}

async function connect() {
  const mine = new AbortController();
  connection = mine;
  let watch = 0;
  const alive = () => { clearTimeout(watch); watch = setTimeout(() => mine.abort(), SILENCE_MS); };
  let status = 0;
  try {
    alive();
    const age = Math.round(performance.now() - trueAt);
    const answer = await fetch(`/live?age=${age}`, { signal: mine.signal, cache: "no-store", credentials: "same-origin" });
    status = answer.status;
    if (status === 200) await read(answer.body.getReader(), alive, mine);
  } catch (error) {
    if (error.name !== "AbortError" && !(error instanceof TypeError)) throw error;
  } finally {
    clearTimeout(watch);
    mine.abort();
  }
  if (connection !== mine) return;  // Put to rest, not failed.
  connection = null;
  delete document.documentElement.dataset.live;
  if (status === 401) signedOut();
  else failed();
}

async function read(reader, alive, mine) {
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done || connection !== mine) return;
    alive();
    const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      if (block.startsWith("event: end")) return;
      if (block.startsWith("data: ")) { connected(); renew.take(JSON.parse(block.slice(6))); }
    }
    trueAt = performance.now();
  }
}

function connected() {
  failures = 0;
  clearTimeout(pollTimer);
  pollTimer = 0;
  document.documentElement.dataset.live = "on";
  say("");
}

function failed() {
  failures += 1;
  retryTimer = setTimeout(wake, Math.min(between(RETRY_MS) * 2 ** (failures - 1), RETRY_MOST_MS));
  // One short break is none: servers are renewed, telephones change masts.
  if (failures > 1) poll(between(FIRST_POLL_MS), _("Live updates are interrupted. This page looks for news once a minute."));
}

function poll(first, words) {
  say(words);
  if (!pollTimer) pollTimer = setTimeout(ask, first);
}

async function ask() {
  pollTimer = setTimeout(ask, between(POLL_MS));
  const headers = etag ? { "If-None-Match": etag } : {};
  const answer = await fetch("/live/now", { headers, cache: "no-store", credentials: "same-origin", redirect: "error" }).catch(() => null);
  if (!answer) return;  // Still no network; the words stand already.
  if (answer.status === 401) { signedOut(); return; }
  if (!answer.ok) return;
  etag = answer.headers.get("ETag") || "";
  trueAt = performance.now();
  renew.take(answer.status === 204 ? { late: false } : await answer.json());
}

function signedOut() {
  over = true;
  rest();
  say(_("You are signed out here. Load the page again to sign in."));
}

function say(words) {
  const shown = document.getElementById("live-words");
  if (!words) { if (shown) shown.remove(); return; }
  if (shown) { if (shown.textContent !== words) shown.textContent = words; return; }
  document.getElementById("live").append(make("p", { id: "live-words", class: "live-words" }, words));
}
