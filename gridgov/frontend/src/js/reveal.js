// The button beside a password that shows it: <button data-reveal="id of the field" hidden>. Hidden again before sending,
// so that no browser keeps it among what was typed.
import { all } from "./dom.js";

export function start(root = document) {
  all("[data-reveal]", root).forEach((button) => {
    if (!button.hidden) return;
    const field = document.getElementById(button.dataset.reveal);
    const show = (on) => { field.type = on ? "text" : "password"; button.setAttribute("aria-pressed", String(on)); };
    button.hidden = false;
    button.addEventListener("click", () => { show(field.type === "password"); field.focus(); });
    field.form.addEventListener("submit", () => show(false));
  });
}
