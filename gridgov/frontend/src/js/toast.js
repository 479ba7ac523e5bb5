// A short message at the edge of the page, read out by screen readers. Errors stay until closed.
import { icon, make } from "./dom.js";
import { _ } from "./words.js";

const ICONS = { green: "circle-check", red: "alert-circle", blue: "info-circle" };
const STAY_MS = 6000;

export function toast(text, tone = "blue") {
  const close = make("button", { type: "button", class: "toast-close", "aria-label": _("Close") }, icon("x"));
  const line = make("div", { class: `toast toast-${tone}` }, icon(ICONS[tone] || ICONS.blue), make("span", { class: "grow" }, text), close);
  close.addEventListener("click", () => line.remove());
  document.getElementById("toasts").append(line);
  if (tone !== "red") setTimeout(() => line.remove(), STAY_MS);
}
