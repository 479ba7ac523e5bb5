// htmx: a stale token is renewed and the request sent once more; a refusal is told in the server's own words.
import htmx from "htmx.org";
import { toast } from "./toast.js";
import { freshToken } from "./send.js";
import { _ } from "./words.js";

export function start(decorate) {
  const retried = new WeakSet();
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    const { xhr, elt, requestConfig } = event.detail;
    if (xhr.status !== 400 || !/data-code="csrf"/.test(xhr.responseText) || retried.has(elt)) return;
    event.preventDefault();
    retried.add(elt);
    freshToken().then((done) => {
      if (!done) return;
      const { verb, path, parameters, target } = requestConfig;
      const values = { ...parameters };
      delete values.csrf_token;  // The form has the fresh one by now.
      htmx.ajax(verb, path, { source: elt, target, values });
    }).finally(() => setTimeout(() => retried.delete(elt), 5000));
  });
  document.addEventListener("htmx:responseError", (event) => toast(words(event.detail.xhr), "red"));
  document.addEventListener("htmx:sendError", () => toast(_("The server cannot be reached. Please check the network."), "red"));
  document.addEventListener("htmx:timeout", () => toast(_("The server cannot be reached. Please check the network."), "red"));
  htmx.onLoad((element) => decorate(element));
  // HX-Trigger: {"badges": {"todo": 3}} keeps the numbers of the navigation true without another request.
  document.addEventListener("badges", (event) => {
    for (const [name, n] of Object.entries(event.detail)) badge(name, n);
  });
}

function badge(name, n) {
  const item = document.querySelector(`[data-nav="${CSS.escape(name)}"] .nav-icon`);
  if (!item || typeof n !== "number") return;
  let count = item.querySelector(".count");
  if (!count && n) item.append(count = Object.assign(document.createElement("span"), { className: "count nav-badge" }));
  if (count) {
    count.textContent = n > 99 ? "99+" : n;
    count.hidden = !n;
  }
}

function words(xhr) {
  const kind = xhr.getResponseHeader("Content-Type") || "";
  if (kind.includes("json")) {
    const body = JSON.parse(xhr.responseText);
    return body.title || _("That did not work.");
  }
  const page = new DOMParser().parseFromString(xhr.responseText, "text/html");
  const line = page.querySelector("[data-error]");
  return line ? line.textContent.trim() : _("That did not work.");
}
