// The report form (data-report): kept on the phone first, then sent, so that nothing is lost without a network.
// A draft comes back when the page was closed half-way. Without IndexedDB the form posts the plain way.
import { all } from "./dom.js";
import { showErrors } from "./form.js";
import { changed, flushNow, user } from "./outbox.js";
import { photosReady, setPhotos } from "./photos.js";
import * as questions from "./questions.js";
import * as store from "./store.js";
import { toast } from "./toast.js";
import { uuid7 } from "./uuid.js";
import { _ } from "./words.js";

const SAVE_MS = 800;
const NUMBERS = ["lat", "lon", "accuracy_m"];
const FIELDS = ["category", "text", "address", "grid_code", "accused", ...NUMBERS];

export async function start(root = document) {
  const form = root.querySelector("form[data-report]");
  if (!form || form.dataset.started !== undefined || !user() || !(await store.usable())) return;
  form.dataset.started = "";
  new Report(form);
}

class Report {
  constructor(form) {
    this.form = form;
    this.files = form.querySelector("input[type=file][name=photos]");
    form.noValidate = true;  // The browser's own bubbles speak its language and hide behind the photo field.
    form.addEventListener("submit", (event) => this.submitted(event));
    const save = debounce(() => this.saveDraft(), SAVE_MS);
    ["input", "change", "photos:changed", "grid:found"].forEach((name) => form.addEventListener(name, save));
    this.restore();
  }

  async submitted(event) {
    event.preventDefault();
    if (this.busy) return;
    this.busy = true;
    const button = this.form.querySelector("[type=submit]");
    button.setAttribute("aria-busy", "true");
    try {
      await photosReady(this.form);
      const missing = this.missing();
      if (Object.keys(missing).length) {
        showErrors(this.form, missing);
        return;
      }
      const entry = await this.entry();
      await store.keep(entry);
      if (navigator.storage && navigator.storage.persist) navigator.storage.persist();
      await this.outcome(entry, await flushNow(entry.id));
    } catch (error) {
      toast(_("It could not be kept on this phone. Please try again."), "red");
      throw error;
    } finally {
      this.busy = false;
      button.removeAttribute("aria-busy");
    }
  }

  // What the server would refuse for certain is said here, so that it does not lie on the phone for days first.
  missing() {
    const { category, text, grid_code: grid, lat } = this.fields();
    const kind = this.form.querySelector("[name=category]:checked");
    const errors = {};
    if (kind && "photosNeeded" in kind.dataset && !this.files.files.length) errors.photos = [_("This kind of problem needs a photo.")];
    if (!category) errors.category = [_("Please choose what it is about.")];
    if (!text) errors.text = [_("Please say in a sentence what the matter is.")];
    if (!grid && lat === undefined) errors.grid_code = [_("Please find your place or choose the grid by hand.")];
    return Object.assign(errors, questions.missing(this.form));
  }

  async outcome(entry, result) {
    const refused = result.refused.find((one) => one.id === entry.id);
    if (refused) {
      await store.remove(entry.id);  // The words are still in the form; they are put right here and sent anew.
      changed();
      this.newId();
      const { photo, ...others } = refused.errors || {};
      showErrors(this.form, photo ? { ...others, photos: photo } : others, refused.message);
      return;
    }
    await store.dropDraft(user());
    if (result.sent.includes(entry.id)) {
      window.location.assign(this.form.dataset.done.replace("{id}", entry.id));
      return;
    }
    this.clear();
    toast(_("Kept on this phone. It is sent by itself as soon as the network allows."), "green");
    window.scrollTo(0, 0);
  }

  async entry() {
    const photos = await Promise.all([...this.files.files].map(async (file) => ({
      id: uuid7(), type: file.type, name: file.name, bytes: await file.arrayBuffer(), taken_at: file.lastModified, sent: false,
    })));
    return { id: this.form.elements.id.value || uuid7(), user: user(), kept_at: Date.now(), state: "waiting", fields: this.fields(), photos };
  }

  fields() {
    const found = {};
    for (const name of FIELDS) {
      const control = this.form.elements[name];
      const value = control ? String(control.value).trim() : "";
      if (value !== "") found[name] = NUMBERS.includes(name) ? Number(value) : value;
    }
    const secret = new FormData(this.form).get("confidential");
    found.confidential = secret !== null && secret !== "0" && secret !== "";
    const answers = questions.answers(this.form);
    if (Object.keys(answers).length) found.answers = answers;
    if (new FormData(this.form).get("found_by") === "patrol") found.found_by = "patrol";
    return found;
  }

  async saveDraft() {
    if (this.busy) return;
    const photos = await Promise.all([...this.files.files].map(async (file) => ({ name: file.name, type: file.type, at: file.lastModified, bytes: await file.arrayBuffer() })));
    const fields = this.fields();
    if (!fields.text && !fields.category && !photos.length) await store.dropDraft(user());
    else await store.keepDraft({ user: user(), fields, photos, kept_at: Date.now() });
  }

  async restore() {
    const draft = await store.draftOf(user());
    if (!draft || this.form.querySelector("[aria-invalid]") || this.form.elements.text.value) return;
    for (const name of FIELDS.filter((one) => !NUMBERS.includes(one))) this.fill(name, draft.fields[name]);
    questions.restore(this.form, draft.fields.answers);
    const secret = this.form.querySelector("input[name=confidential][type=checkbox]");
    if (secret) secret.checked = draft.fields.confidential;
    const patrol = this.form.querySelector("input[name=found_by][type=checkbox]");
    if (patrol) patrol.checked = draft.fields.found_by === "patrol";
    if (draft.photos.length) {
      setPhotos(this.files, draft.photos.map((one) => new File([one.bytes], one.name, { type: one.type, lastModified: one.at })));
    }
    toast(_("What you had begun is here again."));
  }

  fill(name, value) {
    const control = this.form.elements[name];
    if (!control || value === undefined) return;
    control.value = value;
    const fired = control instanceof RadioNodeList ? all(`[name=${name}]:checked`, this.form)[0] : control;
    if (!fired) return;
    fired.dispatchEvent(new Event("input", { bubbles: true }));
    for (let box = fired.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
    fired.dispatchEvent(new Event("change", { bubbles: true }));
  }

  clear() {
    this.form.reset();
    setPhotos(this.files, []);
    NUMBERS.forEach((name) => { if (this.form.elements[name]) this.form.elements[name].value = ""; });
    this.newId();
  }

  newId() {
    if (this.form.elements.id) this.form.elements.id.value = uuid7();
  }
}

function debounce(function_, ms) {
  let timer = null;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(function_, ms);
  };
}
