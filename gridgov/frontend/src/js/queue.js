// The desk beside desk.js: the first issue opens by itself, rows and detail stay in step, letters make moves.
import { all, submitForm } from "./dom.js";

const WIDE = window.matchMedia("(min-width: 992px)");
const desk = document.querySelector(".desk");
const keys = desk ? JSON.parse(desk.dataset.keys) : {};

const detail = () => document.getElementById("detail");
const typing = (element) => element.matches("input, select, textarea, [contenteditable]");

// The row of the issue in hand is the current one, whichever way it was opened.
function mark() {
  const row = document.getElementById(`i-${detail().dataset.issue}`);
  all(".item.is-current", desk).forEach((item) => {
    item.classList.remove("is-current");
    item.querySelector(".item-link").removeAttribute("aria-current");
  });
  if (!row) return null;
  row.classList.add("is-current");
  const link = row.querySelector(".item-link");
  link.setAttribute("aria-current", "true");
  return link;
}

// Whoever sent a form by keyboard must not be left nowhere when it is gone: on with the row of the next issue.
let focusInDetail = false;
function keepFocus() {
  if (!focusInDetail) return;
  focusInDetail = false;
  const target = mark() || detail();
  target.focus({ preventScroll: true });
  target.scrollIntoView({ block: "nearest" });
}

function showKeys(root) {
  all("[data-move]", root).forEach((button) => {
    const key = keys[button.dataset.move];
    if (!key || button.querySelector("kbd")) return;
    const hint = document.createElement("kbd");
    hint.textContent = key;
    hint.setAttribute("aria-hidden", "true");
    button.append(hint);
    button.setAttribute("aria-keyshortcuts", key);
  });
}

function pressed(event) {
  const { target, key } = event;
  if (document.querySelector("dialog[open]")) return;
  if (key === "Enter" && (event.ctrlKey || event.metaKey) && target.form && detail().contains(target)) {
    event.preventDefault();
    submitForm(target.form);
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(target)) return;
  const name = Object.keys(keys).find((move) => keys[move] === key.toLowerCase());
  const button = name && detail().querySelector(`[data-move="${name}"]`);
  if (!button) return;
  event.preventDefault();
  button.click();
}

// The list may be in another order by now, so the server is told which row stands below the one in hand.
function tellNext(event) {
  const { elt, verb, parameters } = event.detail;
  const row = verb === "post" && detail().contains(elt) && document.getElementById(`i-${detail().dataset.issue}`);
  const next = row && (row.nextElementSibling || row.previousElementSibling);
  if (next) parameters.next = next.id.slice(2);
}

// An issue that left the list is not counted any more where it lies in the tree.
function countDown(event) {
  all(".split-side .tree-name", desk).forEach((name) => {
    const n = name.parentElement.querySelector(".tree-n");
    if (n && event.detail.grid.startsWith(name.dataset.code)) n.textContent = Math.max(0, Number(n.textContent) - 1);
  });
}

function settled(event) {
  const { target } = event.detail;
  if (target.id === "detail") {
    mark();
    showKeys(detail());
    const refused = detail().querySelector("[data-focus]");
    if (refused) refused.focus();
    else keepFocus();
  } else if (target.id === "moves") {
    showKeys(detail());
    const form = detail().querySelector("#moves form");
    const first = form ? form.querySelector("input:not([type=hidden]), select, textarea") : detail().querySelector("[data-move]");
    if (first) first.focus({ preventScroll: true });
    if (form) form.closest("#moves").scrollIntoView({ block: "nearest" });
  } else if (target.id === "queue" || target.id === "rows") {
    mark();
  }
}

if (desk) {
  showKeys(desk);
  document.addEventListener("keydown", pressed);
  document.addEventListener("htmx:configRequest", tellNext);
  document.addEventListener("htmx:afterSettle", settled);
  document.addEventListener("left", countDown);
  // On a phone the issue takes the place of the list: a page of its own.
  document.addEventListener("htmx:confirm", (event) => {
    const { elt, target } = event.detail;
    if (WIDE.matches || !elt.matches(".item-link") || target.id !== "detail") return;
    event.preventDefault();
    window.location.assign(elt.href);
  });
  // Somebody was faster: the issue is shown as it is now, with the server's word for it.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, target } = event.detail;
    if (target.id === "detail") {
      focusInDetail = target.contains(document.activeElement);
      // The row that was clicked may be gone by now, with the list it stood in, and with it how its answer is to be shown.
      event.detail.swapOverride = event.detail.swapOverride || "outerHTML show:none";
    }
    if (xhr.status === 409 && target.id === "detail") Object.assign(event.detail, { shouldSwap: true, isError: false });
    if (xhr.status === 422 && target.id === "queue") Object.assign(event.detail, { shouldSwap: false, isError: true });
  });
  // What is chosen in the tree is marked there at once.
  document.addEventListener("click", (event) => {
    const name = event.target.closest(".desk .tree-name");
    if (!name) return;
    all(".tree-name[aria-current]", desk).forEach((one) => one.removeAttribute("aria-current"));
    name.setAttribute("aria-current", "true");
  });
  // After htmx, which begins at the same moment, has read the page.
  document.addEventListener("DOMContentLoaded", () => {
    if (WIDE.matches && !detail().dataset.issue) detail().dispatchEvent(new CustomEvent("first"));
  });
}
