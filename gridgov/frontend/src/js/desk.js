// Keys for a list beside its detail (data-list): j and k or the arrows move, Enter opens, / searches, Esc goes back.
import { all } from "./dom.js";
import "./queue.js";

const list = document.querySelector("[data-list]");

function links() {
  return all(".item-link", list);
}

function move(step) {
  const rows = links();
  if (!rows.length) return;
  const focused = rows.indexOf(document.activeElement);
  const current = rows.findIndex((link) => link.closest(".item").classList.contains("is-current"));
  const from = focused >= 0 ? focused : current;
  const next = rows[Math.min(rows.length - 1, Math.max(0, from + step))];
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

function typing(element) {
  return element.matches("input, select, textarea, [contenteditable]");
}

function keyPressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (typing(event.target)) {
    if (event.key === "Escape") { event.target.blur(); backToList(); }
    return;
  }
  const inList = list.contains(document.activeElement);
  if (event.key === "j" || (inList && event.key === "ArrowDown")) move(1);
  else if (event.key === "k" || (inList && event.key === "ArrowUp")) move(-1);
  else if (event.key === "/") document.querySelector("[data-search]")?.focus();
  else if (event.key === "Escape") backToList();
  else return;
  event.preventDefault();
}

function backToList() {
  const current = list.querySelector(".is-current .item-link") || links()[0];
  if (current) current.focus();
}

function mark(link) {
  all(".item.is-current", list).forEach((item) => item.classList.remove("is-current"));
  links().forEach((one) => one.removeAttribute("aria-current"));
  link.closest(".item").classList.add("is-current");
  link.setAttribute("aria-current", "true");
}

if (list) {
  document.addEventListener("keydown", keyPressed);
  list.addEventListener("click", (event) => {
    const link = event.target.closest(".item-link");
    if (link && link.hasAttribute("hx-get")) mark(link);
  });
}
