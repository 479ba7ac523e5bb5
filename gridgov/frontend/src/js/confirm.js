// The question before a serious step: data-confirm on a button or form, hx-confirm on what htmx sends.
import { submitForm } from "./dom.js";

// Resolves to true or false. Browsers without <dialog> (Safari before 15.4) ask in their own way.
export function ask(question) {
  const dialog = document.getElementById("confirm");
  if (!dialog || !dialog.showModal) return Promise.resolve(window.confirm(question));
  dialog.querySelector("#confirm-text").textContent = question;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

export function start() {
  const agreed = new WeakSet();
  // On the window, in the capture phase: before htmx and the outbox see the form, and before their own htmx:confirm.
  window.addEventListener("submit", async (event) => {
    const form = event.target;
    const submitter = event.submitter || document.activeElement;
    const question = (submitter && submitter.dataset && submitter.dataset.confirm) || form.dataset.confirm;
    if (!question || agreed.delete(form)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (await ask(question)) {
      agreed.add(form);
      submitForm(form, event.submitter);
    }
  }, true);
  document.addEventListener("htmx:confirm", async (event) => {
    if (!event.detail.question) return;
    event.preventDefault();
    if (await ask(event.detail.question)) event.detail.issueRequest(true);
  });
  // A tap beside the box closes it.
  document.addEventListener("click", (event) => {
    if (event.target.matches("dialog.dialog")) event.target.close("no");
    const opener = event.target.closest("[data-open]");
    const dialog = opener && document.getElementById(opener.dataset.open);
    if (dialog && dialog.showModal) { event.preventDefault(); dialog.showModal(); }
    const closer = event.target.closest("[data-close]");
    if (closer && closer.closest("dialog")) closer.closest("dialog").close();
  });
}
