// Requests to our own API, with the session's CSRF token, which is fetched afresh once when it has gone stale.

const TIMEOUT_MS = 60000;

export function token() {
  const headers = document.body.getAttribute("hx-headers");
  return headers ? JSON.parse(headers)["X-CSRFToken"] : "";
}

// Ask for the session's present token and give it to htmx and to every form on the page.
export async function freshToken() {
  const answer = await fetch("/api/v1/csrf", { headers: { Accept: "application/json" }, credentials: "same-origin", cache: "no-store" });
  if (!answer.ok) return false;
  const fresh = (await answer.json()).token;
  document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRFToken": fresh }));
  document.querySelectorAll("input[name=csrf_token]").forEach((input) => { input.value = fresh; });
  return true;
}

// Returns {status, body}; status 0 means that the network failed. body is the parsed JSON, or null.
export async function send(method, address, body) {
  let answer = await attempt(method, address, body);
  if (answer.status === 400 && answer.body && answer.body.code === "csrf" && await freshToken().catch(() => false)) {
    answer = await attempt(method, address, body);
  }
  return answer;
}

async function attempt(method, address, body) {
  const headers = { Accept: "application/json", "X-CSRFToken": token() };
  const form = body instanceof FormData;
  if (body && !form) headers["Content-Type"] = "application/json";
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), TIMEOUT_MS);
  try {
    const answer = await fetch(address, {
      method, headers, credentials: "same-origin", signal: stop.signal, body: body && !form ? JSON.stringify(body) : body,
    });
    return { status: answer.status, body: await answer.json().catch(() => null) };
  } catch (error) {
    return { status: 0, body: null };  // Offline, aborted, or the server is away: to the caller all the same.
  } finally {
    clearTimeout(timer);
  }
}
