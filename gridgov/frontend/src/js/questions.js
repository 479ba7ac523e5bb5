// The report form: the questions of the chosen category, and of no other. What is hidden is disabled and not sent.
import { all } from "./dom.js";
import { _ } from "./words.js";

const FIELD = "answer_";

export function start(root = document) {
  const form = root.querySelector("form[data-report]");
  if (!form || form.dataset.asking !== undefined || !form.querySelector("[data-questions]")) return;
  form.dataset.asking = "";
  form.addEventListener("change", (event) => { if (event.target.name === "category") show(form); });
  form.addEventListener("reset", () => setTimeout(() => show(form)));
  show(form);
}

// Show the group of the category that is chosen now.
function show(form) {
  const chosen = form.querySelector("[name=category]:checked");
  all("[data-questions]", form).forEach((group) => {
    const here = Boolean(chosen) && group.dataset.questions === chosen.value;
    group.hidden = !here;
    group.disabled = !here;
  });
}

const asked = (form) => form.querySelector("[data-questions]:not([disabled])");

// What was answered, by the names of the questions.
export function answers(form) {
  const found = {};
  for (const [name, value] of new FormData(form)) {
    if (name.startsWith(FIELD) && value.trim()) found[name.slice(FIELD.length)] = value.trim();
  }
  return found;
}

// What must be answered and is not.
export function missing(form) {
  const errors = {};
  const given = answers(form);
  all("[required]", asked(form) || document.createElement("div")).forEach((control) => {
    if (!given[control.name.slice(FIELD.length)]) errors[control.name] = [_("This is needed.")];
  });
  return errors;
}

// Put answers of a draft back.
export function restore(form, given) {
  show(form);
  for (const [name, value] of Object.entries(given || {})) {
    all(`[data-questions]:not([disabled]) [name="${FIELD}${CSS.escape(name)}"]`, form).forEach((control) => {
      if (control.type === "radio") control.checked = control.value === value;
      else control.value = value;
    });
  }
}
