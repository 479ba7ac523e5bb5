// What every form gets: errors beside their fields, characters left, no sending twice, a way back.
import { all, icon, make } from "./dom.js";
import { toast } from "./toast.js";
import { _ } from "./words.js";

export function start(root = document) {
  all("[data-counted]", root).forEach(count);
  all("[data-back]", root).forEach((button) => {
    button.hidden = window.history.length < 2;
    button.addEventListener("click", () => window.history.back());
  });
  const focus = root.querySelector("[data-focus]");
  if (focus) focus.focus();
}

// Beside each field what is wrong with it, as the server draws it too; the first one gets the focus.
export function showErrors(form, errors, message) {
  clearErrors(form);
  let first = null;
  for (const [name, found] of Object.entries(errors)) {
    const field = form.querySelector(`#f-${CSS.escape(name)}`);
    const box = field && field.closest(".field");
    if (box) {
      box.classList.add("is-wrong");
      const id = `f-${name}-error`;
      box.append(make("p", { class: "field-error", id, "data-shown": true }, icon("alert-circle"), make("span", {}, firstOf(found))));
      if (field.matches("input, select, textarea")) field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-describedby", [id, ...all(".field-help", box).map((help) => help.id)].filter(Boolean).join(" "));
      first = first || box;
    }
  }
  if (!first || message) toast(message || _("Please check what you entered."), "red");
  if (first) {
    first.scrollIntoView({ block: "center" });
    const control = first.querySelector("button, input:not([type=hidden]), select, textarea");
    if (control) control.focus({ preventScroll: true });
  }
}

function clearErrors(form) {
  all(".field-error, [role=alert]", form).forEach((line) => line.remove());
  all(".is-wrong", form).forEach((box) => box.classList.remove("is-wrong"));
  all("[aria-invalid]", form).forEach((field) => { field.removeAttribute("aria-invalid"); });
}

function firstOf(found) {
  if (typeof found === "string") return found;
  return firstOf(Object.values(found)[0] || "");
}

function count(area) {
  if (area.dataset.started !== undefined) return;
  area.dataset.started = "";
  const line = make("p", { class: "field-count", "aria-hidden": "true" });
  const draw = () => { line.textContent = `${area.value.length} / ${area.maxLength}`; };
  area.after(line);
  area.addEventListener("input", draw);
  draw();
}

// A plain form pressed twice is sent once. Listening last, so that whoever stopped the event is not counted.
export function onlyOnce() {
  let sent = new WeakSet();
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    const form = event.target;
    if (form.method !== "post" || form.matches("[hx-post], [hx-put], [hx-delete], [hx-patch]")) return;
    if (sent.has(form)) event.preventDefault();
    sent.add(form);
  });
  window.addEventListener("pageshow", () => { sent = new WeakSet(); });  // Back again: it may be corrected and sent anew.
}
