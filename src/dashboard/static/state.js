// What the user has chosen. It is kept in the address, so that a reload or a link shows the same.

const USUAL = { runs: [], tab: "curves", metric: "", axis: "steps", together: "0", sort: "-started", filter: "" };
const ALLOWED = { axis: ["steps", "seconds"], together: ["0", "1"] }; // the server refuses others
export const MOST = 24; // runs on one chart

export const state = { ...USUAL, ...fromAddress() };
const listeners = [];

export const onChange = (listener) => listeners.push(listener);

export function change(part) {
  Object.assign(state, part);
  const words = new URLSearchParams();
  for (const [key, usual] of Object.entries(USUAL)) {
    const value = String(state[key]);
    if (value !== String(usual)) words.set(key, value);
  }
  history.replaceState(null, "", `#${words}`);
  listeners.forEach((listener) => listener(part));
}

function fromAddress() {
  const words = new URLSearchParams(location.hash.slice(1));
  const known = Object.fromEntries([...words].filter(([key, value]) =>
    Object.hasOwn(USUAL, key) && (!Object.hasOwn(ALLOWED, key) || ALLOWED[key].includes(value))));
  return "runs" in known ? { ...known, runs: known.runs.split(",").filter(Boolean) } : known;
}

window.addEventListener("hashchange", () => change({ ...USUAL, ...fromAddress() }));

// A run or group keeps its colour for as long as it is shown.
const COLOURS = 7;
const families = { runs: new Map(), groups: new Map() };

export function giveColours(ids, family = "runs") {
  const slots = families[family];
  for (const id of slots.keys()) if (!ids.includes(id)) slots.delete(id);
  for (const id of ids) {
    if (slots.has(id)) continue;
    const taken = new Set(slots.values());
    let slot = 0;
    while (taken.has(slot)) slot += 1;
    slots.set(id, slot);
  }
}

/** Classes: a colour, and dashes once the colours are used up. */
export function look(id) {
  const slot = families.runs.get(id) ?? families.groups.get(id) ?? 0;
  return `c${slot % COLOURS} d${Math.floor(slot / COLOURS) % 4}`;
}
