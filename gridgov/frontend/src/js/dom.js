// Small helpers around the page's elements.

const SVG = "http://www.w3.org/2000/svg";

export const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Make an element: make("p", {class: "muted"}, "text", child, …). Text is never read as HTML.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// The sprite's address carries a hash, so it is read off an icon that the server drew.
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${document.documentElement.dataset.icons}#${name}`);
  svg.append(use);
  return svg;
}

// Send a form as if its button had been pressed; requestSubmit is missing on iPhones before 2022. In a task of its own,
// because a form ignores this while its `submit` event is still on the way.
export function submitForm(form, submitter) {
  setTimeout(() => {
    if (form.requestSubmit) form.requestSubmit(submitter && submitter.form === form ? submitter : undefined);
    else (submitter || form.querySelector("[type=submit]")).click();
  });
}

export const clock = (at) => new Date(at).toLocaleTimeString(document.documentElement.lang, {
  timeZone: "Asia/Shanghai", hour: "2-digit", minute: "2-digit",
});
