// The photo field: pick or take, see, remove; made small at once. The input itself carries the result, so a form
// posts it without knowing of this.
import { all, icon, make, submitForm } from "./dom.js";
import { compress } from "./compress.js";
import { toast } from "./toast.js";
import { _ } from "./words.js";

const working = new WeakMap();  // form -> promise of the photos being made small
const pickers = new WeakMap();  // input -> its picker

export function start(root = document) {
  all("[data-photos]", root).forEach((box) => { if (!box.classList.contains("is-ready")) new Picker(box); });
}

// Replace the photos of a field, e.g. when a draft comes back.
export function setPhotos(input, files) {
  const picker = pickers.get(input);
  if (picker) picker.set(files);
}

export const photosReady = (form) => working.get(form) || Promise.resolve();

class Picker {
  constructor(box) {
    this.box = box;
    this.input = box.querySelector("input[type=file]");
    this.list = box.querySelector("[data-photo-list]");
    this.most = Number(box.dataset.most) || 5;
    this.files = [];
    if (!canAssign(this.input)) return;  // Without DataTransfer the plain file input stays as it is.
    pickers.set(this.input, this);
    box.classList.add("is-ready");
    const add = box.querySelector(".picker-add");
    this.input.addEventListener("change", () => this.picked());
    this.input.addEventListener("focus", () => add.classList.add("has-focus"));
    this.input.addEventListener("blur", () => add.classList.remove("has-focus"));
    if (this.input.files.length) this.picked();  // Chosen before this script had arrived.
  }

  picked() {
    const fresh = [...this.input.files].filter((file) => !this.files.includes(file));
    const room = this.most - this.files.length;
    if (fresh.length > room) toast(_("At most {n} photos. The others were left out.", { n: this.most }), "red");
    const before = photosReady(this.input.form);
    const work = before.then(async () => {
      for (const file of fresh.slice(0, Math.max(0, room))) this.files.push(await compress(file));
      this.show();
    });
    this.box.setAttribute("aria-busy", "true");
    working.set(this.input.form, work);
    work.then(() => { if (working.get(this.input.form) === work) working.delete(this.input.form); });
    this.assign();
  }

  set(files) {
    this.files = files.slice(0, this.most);
    this.show();
  }

  show() {
    this.assign();
    this.box.removeAttribute("aria-busy");
    all("img", this.list).forEach((image) => URL.revokeObjectURL(image.src));
    this.list.replaceChildren(...this.files.map((file, n) => this.tile(file, n)));
    this.box.querySelector(".picker-add").hidden = this.files.length >= this.most;
    this.input.dispatchEvent(new CustomEvent("photos:changed", { bubbles: true }));
  }

  tile(file, n) {
    const image = make("img", { alt: _("Photo {n}", { n: n + 1 }), src: URL.createObjectURL(file) });
    image.addEventListener("error", () => image.replaceWith(icon("photo")), { once: true });
    const remove = make("button", { type: "button", class: "picker-remove", "aria-label": _("Remove photo {n}", { n: n + 1 }) }, icon("x"));
    remove.addEventListener("click", () => {
      this.files.splice(n, 1);
      this.show();
      (this.list.querySelector("button") || this.input).focus();
    });
    return make("li", { class: "picker-photo" }, image, make("span", { class: "picker-size" }, `${Math.max(1, Math.round(file.size / 1024))} KB`), remove);
  }

  assign() {
    const transfer = new DataTransfer();
    this.files.forEach((file) => transfer.items.add(file));
    this.input.files = transfer.files;
    this.input.setCustomValidity("");
  }
}

function canAssign(input) {
  const chosen = input.files;
  try {
    input.files = new DataTransfer().files;
    input.files = chosen;
    return true;
  } catch (error) {
    return false;
  }
}

// A form sent while photos are still being made small waits for them.
export function waitForPhotos() {
  window.addEventListener("submit", async (event) => {
    const form = event.target;
    const work = working.get(form);
    if (!work) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    await work;
    submitForm(form, event.submitter);
  }, true);
}
