// What waits on this phone, shown on every page while there is any: how many, why, and what can be done.
import { all, clock, icon, make } from "./dom.js";
import { ask } from "./confirm.js";
import { flush, user } from "./outbox.js";
import * as store from "./store.js";
import { toast } from "./toast.js";
import { _ } from "./words.js";

export async function start() {
  if (!user() || !(await store.usable())) return;
  document.addEventListener("outbox:changed", (event) => {
    if (event.detail.sent.length) toast(_("Sent: {n}", { n: event.detail.sent.length }), "green");
    draw();
  });
  warnBeforeLeaving();
  draw();
}

async function draw() {
  const everything = await store.everything();
  const entries = everything.filter((entry) => entry.user === user());
  all("[data-waiting-count]").forEach((badge) => { badge.textContent = entries.length; badge.hidden = !entries.length; });
  const present = document.getElementById("waiting");
  if (present) present.remove();
  if (!everything.length) return;
  const others = everything.length - entries.length;
  const box = make("section", { id: "waiting", class: "card waiting", "aria-label": _("Waiting to be sent") });
  if (entries.length) {
    const again = make("button", { type: "button", class: "btn btn-soft btn-small" }, icon("refresh"), make("span", {}, _("Send now")));
    again.addEventListener("click", () => { again.disabled = true; flush().then(draw); });
    box.append(make("div", { class: "between" }, make("h2", { class: "card-title" }, icon("cloud-upload"), _("Waiting to be sent: {n}", { n: entries.length })), again),
      make("ul", {}, ...entries.map(line)));
  }
  if (others) box.append(make("p", { class: "muted small" }, _("Of another person who used this phone: {n}. They are sent when that person signs in here.", { n: others })));
  document.getElementById("main").prepend(box);
}

function line(entry) {
  const refused = entry.state === "refused";
  const about = make("div", { class: "grow" },
    make("p", { class: "item-title" }, entry.fields.text || _("Report without words")),
    make("p", { class: "muted small" }, [clock(entry.kept_at), _("Photos: {n}", { n: entry.photos.length })].join(" · ")),
    entry.message ? make("p", { class: refused ? "field-error" : "muted small" }, refused ? icon("alert-circle") : null, make("span", {}, entry.message)) : null);
  const remove = make("button", { type: "button", class: "btn btn-quiet", "aria-label": _("Discard this report") }, icon("trash"));
  remove.addEventListener("click", async () => {
    if (await ask(_("Discard this report? It has not been sent and cannot be brought back."))) {
      await store.remove(entry.id);
      draw();
    }
  });
  return make("li", { class: "outbox-item" }, about, remove);
}

// Whoever signs out with reports waiting is told; the reports stay bound to them.
function warnBeforeLeaving() {
  let sure = false;
  window.addEventListener("submit", async (event) => {
    const form = event.target;
    if (sure || !form.matches("form[action$='/logout']")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const waiting = await store.mine(user());
    const question = _("Not yet sent: {n}. They stay on this phone and are sent when you sign in here again. Sign out?", { n: waiting.length });
    if (!waiting.length || await ask(question)) {
      sure = true;
      form.submit();
    }
  }, true);
}
