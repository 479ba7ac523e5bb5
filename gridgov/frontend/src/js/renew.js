// Bringing what is on the page up to date in place: rows keep their element, so focus and selection stay; what somebody
// reads does not move; a form that is open is never replaced, a line offers the news instead.
import htmx from "htmx.org";
import { all, icon, make } from "./dom.js";
import { _ } from "./words.js";

const APART_MS = 4000;  // The first news is shown at once; where much happens, no page asks more often than this.
const SPREAD_MS = 400;

const desk = () => document.querySelector(".desk");
const part = () => desk() || document.getElementById("live-part");
const issue = () => document.querySelector("[data-live-issue]");

export const wanted = () => Boolean(part() || issue());

// What the server told: {issues: {id: number of the last event}, inbox, all, late}.
export function take(told) {
  const late = document.getElementById("late");
  if (late && "late" in told) late.hidden = !told.late;
  const some = told.all || Object.keys(told.issues || {}).length > 0;
  if (some || told.inbox) numbers();
  if (part() && (some || (told.inbox && part().dataset.live === "inbox"))) list();
  const shown = issue();
  const seq = shown && (told.issues || {})[shown.dataset.liveIssue];
  if (shown && (told.all || seq > Number(shown.dataset.seq))) detail(Boolean(seq));
}

// Runs at most every APART_MS; what comes meanwhile is one more run at the end.
function spaced(work) {
  let timer = 0;
  let last = -APART_MS;
  return () => {
    if (timer) return;
    timer = setTimeout(() => { timer = 0; last = performance.now(); work(); }, Math.max(last + APART_MS - performance.now(), 0) + Math.random() * SPREAD_MS);
  };
}

const numbers = spaced(async () => {
  const answer = await ask("/badges", "");
  if (answer) htmx.trigger(document.body, "badges", JSON.parse(answer));
});

const list = spaced(async () => {
  const target = desk() ? "queue" : "live-part";
  const text = await ask(window.location.href, target);
  const fresh = text && new DOMParser().parseFromString(text, "text/html");
  if (!fresh || !part()) return;
  if (desk()) {
    put("counts", fresh);
    if (rows(fresh)) put("news", fresh);
    else htmx.trigger("#news", "live");
  } else if (!rows(fresh)) offer(() => window.location.reload());
});

async function detail(sure) {
  const shown = issue();
  if (sure && busy(shown)) { offer(show); return; }
  if (!sure) {
    const text = await ask(address(), target());
    const fresh = text && new DOMParser().parseFromString(text, "text/html").querySelector("[data-live-issue]");
    const now = issue();
    if (!fresh || !now || fresh.dataset.liveIssue !== now.dataset.liveIssue || fresh.dataset.seq === now.dataset.seq) return;
    if (busy(now)) { offer(show); return; }
  }
  show();
}

const busy = (shown) => Boolean(shown.querySelector("#moves form") || shown.contains(document.activeElement) || document.querySelector("dialog[open]"));
const target = () => (desk() ? "detail" : "live-issue");

function address() {
  const here = new URL(window.location.href);
  here.searchParams.delete("new");
  if (desk()) here.searchParams.set("issue", issue().dataset.liveIssue);
  return here.pathname + here.search;
}

function show() {
  withdraw();
  const where = `#${target()}`;
  htmx.ajax("GET", address(), { target: where, select: where, swap: "outerHTML show:none" });
}

// One line above the page; nothing on it moves.
function offer(act) {
  if (document.getElementById("live-bar")) return;
  const button = make("button", { type: "button", id: "live-bar", class: "live-bar" }, icon("refresh"), make("span", {}, _("There is news: show it")));
  button.addEventListener("click", () => { withdraw(); act(); });
  document.getElementById("live").append(button);
}

export function withdraw() {
  const bar = document.getElementById("live-bar");
  if (bar) bar.remove();
}

async function ask(where, part) {
  const headers = { "HX-Request": "true", "HX-Target": part, "X-Unattended": "1" };
  const answer = await fetch(where, { headers, cache: "no-store", credentials: "same-origin" }).catch(() => null);
  return answer && answer.ok && !answer.redirected ? answer.text() : null;
}

function put(id, fresh) {
  const old = document.getElementById(id);
  const now = fresh.getElementById(id);
  if (!old || !now) return;
  now.removeAttribute("hx-swap-oob");
  if (old.outerHTML === now.outerHTML || old.contains(document.activeElement)) return;
  old.replaceWith(document.adoptNode(now));
  htmx.process(now);
}

// Returns false when that cannot be done without taking something away: further pages of the list were fetched.
function rows(fresh) {
  const old = part().querySelector("#rows");
  const now = fresh.querySelector("#rows");
  if (old && now) {
    if (old.children.length > now.children.length && fresh.querySelector("#pager a")) return false;
    anchored(old, () => { beside(old, now); reconcile(old, now); });
    if (!desk()) put("pager", fresh);
    return true;
  }
  const room = desk() ? part().querySelector(".split-scroll") : part();
  const content = desk() ? fresh.querySelector(".split-scroll") : fresh.getElementById("live-part");
  if (!room || !content || room.innerHTML === content.innerHTML) return Boolean(room);
  room.replaceChildren(...[...content.childNodes].map((node) => document.adoptNode(node)));
  htmx.process(room);
  return true;
}

// What stands above the rows on a phone: the numbers, what the reporter is asked.
function beside(old, now) {
  if (desk()) return;
  const above = (list) => [...list.parentElement.children].filter((one) => !["rows", "pager"].includes(one.id));
  const text = (list) => above(list).map((one) => one.outerHTML).join();
  if (text(old) === text(now) || above(old).some((one) => one.contains(document.activeElement))) return;
  const fresh = above(now).map((one) => document.adoptNode(one));
  above(old).forEach((one) => one.remove());
  old.before(...fresh);
  fresh.forEach((one) => htmx.process(one));
}

const key = (row) => row.id || row.querySelector("a").getAttribute("href");

function reconcile(old, now) {
  const focus = document.activeElement;
  const known = new Map(all(":scope > li", old).map((row) => [key(row), row]));
  const wanted = all(":scope > li", now);
  const keys = new Set(wanted.map(key));
  known.forEach((row, name) => { if (!keys.has(name)) row.remove(); });
  let place = old.firstElementChild;
  for (const fresh of wanted) {
    const row = known.get(key(fresh));
    if (row) same(row, fresh);
    const node = row || document.adoptNode(fresh);
    if (node === place) place = place.nextElementSibling;
    else old.insertBefore(node, place);
    if (!row) htmx.process(node);
  }
  if (old.contains(focus) && document.activeElement !== focus) focus.focus({ preventScroll: true });
}

// The row and its link stay the elements they are.
function same(row, fresh) {
  if (row.outerHTML === fresh.outerHTML) return;
  const link = row.querySelector("a");
  const now = fresh.querySelector("a");
  if (link.innerHTML !== now.innerHTML) link.innerHTML = now.innerHTML;
  if (link.getAttribute("href") !== now.getAttribute("href")) link.setAttribute("href", now.getAttribute("href"));
}

// The row at the top of what is seen stays where it is.
function anchored(list, change) {
  const room = list.closest(".split-scroll");
  const scroller = room && room.scrollHeight > room.clientHeight ? room : document.scrollingElement;
  scroller.style.overflowAnchor = "none";
  const top = room ? room.getBoundingClientRect().top : 0;
  const first = scroller.scrollTop > 0 && all(":scope > li", list).find((row) => row.getBoundingClientRect().bottom > top);
  const before = first && first.getBoundingClientRect().top;
  change();
  if (first && first.isConnected) scroller.scrollTop += first.getBoundingClientRect().top - before;
}

// A bar about an issue that is not shown any more would offer nothing.
document.addEventListener("htmx:afterSwap", (event) => { if (["detail", "live-issue"].includes(event.detail.target.id)) withdraw(); });
