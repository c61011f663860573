// Elements. Text from runs only ever becomes text: nothing here parses HTML.

const SVG = "http://www.w3.org/2000/svg";

/** el("td", {class: "number", onclick: f}, "text", child, ...) */
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** A set of buttons of which one is pressed. */
export function choice(label, options, current, choose) {
  const buttons = Object.entries(options).map(([value, text]) =>
    el("button", {
      type: "button", id: `choose-${label}-${value}`, "aria-pressed": String(value === current),
      onclick: () => choose(value),
    }, text));
  return el("div", { class: "choice", role: "group", "aria-label": label }, ...buttons);
}

/** Whoever works by keys stays where they are when elements are made again. */
export function keepingFocus(work) {
  const id = document.activeElement?.id;
  work();
  if (id && document.activeElement?.id !== id) byId(id)?.focus({ preventScroll: true });
}
