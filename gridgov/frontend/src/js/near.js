// The report form: once category and place are known, what others have reported near by is offered. It never stands in the way:
// without a network nothing is offered, and the report is sent as it is.
import { user } from "./outbox.js";
import { send } from "./send.js";
import * as store from "./store.js";
import { toast } from "./toast.js";
import { _ } from "./words.js";

const WAIT_MS = 400;

export function start(root = document) {
  const form = root.querySelector("form[data-report]");
  const box = form && form.querySelector("[data-near]");
  if (box && box.dataset.started === undefined) {
    box.dataset.started = "";
    new Near(form, box);
  }
}

class Near {
  constructor(form, box) {
    this.form = form;
    this.box = box;
    this.asked = "";
    this.turn = 0;
    const look = debounce(() => this.look());
    form.addEventListener("change", look);
    ["grid:found", "grid:chosen", "place:found", "place:moved"].forEach((name) => form.addEventListener(name, look, true));
    box.addEventListener("click", (event) => this.pressed(event));
  }

  question() {
    const values = new URLSearchParams();
    for (const name of ["category", "lat", "lon", "grid_code"]) {
      const control = this.form.elements[name];
      if (control && control.value) values.set(name, control.value);
    }
    return values.has("category") && (values.has("lat") || values.has("grid_code")) ? values.toString() : "";
  }

  async look() {
    const question = this.question();
    if (question === this.asked) return;
    this.asked = question;
    if (this.said) this.said.remove();
    const turn = (this.turn += 1);
    const found = question ? await part(`${this.box.dataset.near}?${question}`) : "";
    if (turn !== this.turn) return;  // Something else was chosen meanwhile.
    if (found === null) this.asked = "";  // No network: asked again with the next change.
    this.box.innerHTML = found || "";
    this.box.hidden = !this.box.querySelector("[data-another]");
  }

  async pressed(event) {
    const follow = event.target.closest("[data-follow]");
    if (event.target.closest("[data-another]")) {
      this.box.hidden = true;
      this.said = Object.assign(document.createElement("input"), { type: "hidden", name: "anyway", value: "1" });
      this.form.append(this.said);  // So that a form that posts the plain way is not asked again.
      this.form.querySelector("[name=text]").focus();
    } else if (follow) {
      follow.disabled = true;
      const { status, body } = await send("POST", `/api/v1/issues/${follow.dataset.follow}/follow`);
      follow.disabled = false;
      if (status !== 201) {
        toast((body && body.title) || _("The server cannot be reached. Please check the network."), "red");
        return;
      }
      if (await store.usable()) await store.dropDraft(user());
      window.location.assign(`/issues/${body.id}`);
    }
  }
}

// The part of a page at this address; null when it cannot be had now.
async function part(address) {
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" }, credentials: "same-origin" });
    return answer.ok ? await answer.text() : null;
  } catch (error) {
    return null;  // No network. Nothing is offered, and nothing is lost.
  }
}

function debounce(function_) {
  let timer = null;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(function_, WAIT_MS);
  };
}
