// The table of runs: filter, sort, choose.

import { byId, el, keepingFocus } from "./dom.js";
import { duration, exact, fixed, human, moment, shortName } from "./format.js";
import { change, giveColours, look, MOST, state } from "./state.js";

const SIGNS = { RUNNING: "●", COMPLETED: "✓", FAILED: "✕", INTERRUPTED: "‖", LOST: "?", QUEUED: "…" };

// key: [head, value to sort by, cell]
const COLUMNS = {
  status: ["Status", (run) => run.status, statusCell],
  name: ["Algorithm", (run) => run.name, nameCell],
  task: ["Task", (run) => run.task, (run) => el("td", { class: "long", title: run.task }, run.task)],
  seed: ["Seed", (run) => run.seed, (run) => el("td", { class: "number" }, String(run.seed ?? "–"))],
  progress: ["Progress", (run) => run.progress, progressCell],
  last: ["Last", (run) => run.last, (run) => resultCell(run, run.last, `${run.metric}, last value`)],
  best: ["Best", (run) => run.best, (run) => resultCell(run, run.best, `highest, at step ${human(run.best_at)}`)],
  seconds: ["Took", (run) => run.seconds, tookCell],
  started: ["Started", (run) => run.started, (run) => el("td", { class: "quiet" }, moment(run.started))],
  run_id: ["Run", (run) => Number(run.run_id) || run.run_id, (run) => el("td", { class: "number quiet", title: run.place }, run.run_id)],
};

const rows = new Map(); // key -> {element, text}
let all = [];

export function show(runs) {
  all = runs;
  render();
}

export const runOf = (key) => all.find((run) => run.key === key);

export const chosenRuns = () => state.runs.map(runOf).filter(Boolean);

export function render() {
  giveColours(state.runs);
  const shown = sorted(all.filter(fits));
  byId("shown").textContent = shown.length < all.length ? `${shown.length} of ${all.length}` : `${all.length} runs`;
  byId("clear").disabled = state.runs.length === 0;
  const elements = shown.map(row);
  const body = byId("runs").tBodies[0];
  if (elements.length !== body.rows.length || elements.some((element, i) => body.rows[i] !== element)) {
    keepingFocus(() => body.replaceChildren(...elements));
  }
  headRow(shown);
  hint(shown);
}

function hint(shown) {
  const empty = byId("empty");
  empty.hidden = shown.length > 0;
  byId("runs").hidden = all.length === 0;
  empty.textContent = all.length
    ? "No run fits this filter."
    : "No runs here yet. Train one, and it appears: pymarlk " +
      "(in a checkout python src/main.py) --config=qmix --env-config=grid";
}

const fits = (run) => state.filter.toLowerCase().split(/\s+/).every((word) => fulfils(run, word));

/** "seed=2" is exact, a number is a seed or a run, all else is looked for everywhere. */
function fulfils(run, word) {
  const [key, value] = word.split("=");
  if (value !== undefined) return String(run[key === "run" ? "run_id" : key]).toLowerCase() === value;
  if (/^\d+$/.test(word)) return [String(run.seed), run.run_id].includes(word);
  return `${run.name} ${run.task} ${run.status} ${run.place}`.toLowerCase().includes(word);
}

function sorted(runs) {
  const down = state.sort.startsWith("-");
  const key = state.sort.replace("-", "");
  const value = COLUMNS[Object.hasOwn(COLUMNS, key) ? key : "started"][1]; // the address may say anything
  const order = (a, b) => {
    const [x, y] = [value(a) ?? null, value(b) ?? null];
    if (x === null || y === null) return (x === null) - (y === null); // unknown ones last, either way
    const less = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
    return down ? -less : less;
  };
  return [...runs].sort(order);
}

function headRow(shown) {
  const every = shown.length > 0 && shown.every((run) => state.runs.includes(run.key));
  const box = el("input", {
    type: "checkbox", "aria-label": "Choose all runs shown", checked: every,
    onchange: (event) => chooseAll(event.target.checked ? shown : []),
  });
  const cells = Object.entries(COLUMNS).map(([key, [head]]) => headCell(key, head));
  keepingFocus(() => byId("runs").tHead.rows[0].replaceChildren(el("th", {}, box), ...cells));
}

function headCell(key, head) {
  const now = state.sort.replace("-", "") === key;
  const down = state.sort.startsWith("-");
  const sortBy = () => change({ sort: now && !down ? `-${key}` : key });
  const arrow = now ? (down ? " ↓" : " ↑") : "";
  return el("th", { "aria-sort": now ? (down ? "descending" : "ascending") : "none" },
    el("button", { type: "button", id: `sort-${key}`, onclick: sortBy }, head + arrow));
}

/** Rows are made again only where something has changed. */
function row(run) {
  const chosen = state.runs.includes(run.key);
  const text = JSON.stringify([{ ...run, heard_of: null, version: null }, chosen && [look(run.key), state.together]]);
  const known = rows.get(run.key);
  if (known?.text === text) return known.element;
  const element = el("tr", { "data-key": run.key, "aria-selected": String(chosen) }, boxCell(run, chosen),
    ...Object.values(COLUMNS).map(([, , cell]) => cell(run)));
  element.addEventListener("click", (event) => {
    if (!event.target.closest("input, button")) chooseOnly(run.key);
  });
  if (known) keepingFocus(() => known.element.replaceWith(element));
  rows.set(run.key, { element, text });
  return element;
}

function boxCell(run, chosen) {
  const box = el("input", {
    type: "checkbox", id: `box-${run.key}`, checked: chosen,
    "aria-label": `Compare ${run.name} on ${run.task}, seed ${run.seed}, run ${run.run_id}`,
    onchange: () => toggle(run.key),
  });
  return el("td", { class: "box" }, box, chosen ? runSwatch(run.key) : null);
}

/** Seeds together have a colour as a group; their runs have none then. */
export const runSwatch = (key) => (state.together === "1" ? null : el("i", { class: `swatch ${look(key)}` }));

function statusCell(run) {
  const silent = run.status === "LOST" ? `says it is running; last heard of ${duration(run.heard_of)} ago` : "";
  return el("td", {}, el("span", { class: `badge ${run.status}`, title: silent },
    el("span", { "aria-hidden": "true" }, SIGNS[run.status] ?? "·"), ` ${run.status.toLowerCase()}`));
}

function nameCell(run) {
  const only = el("button", { type: "button", class: "link", id: `only-${run.key}`, onclick: () => chooseOnly(run.key) }, run.name);
  return el("td", { class: "long", title: run.name }, only);
}

function progressCell(run) {
  if (run.progress === null) return el("td", { class: "quiet" }, run.reading ? "reading …" : human(run.step) || "–");
  const bar = el("i");
  bar.style.width = `${run.progress * 100}%`;
  const percent = `${Math.floor(run.progress * 100)}%`;
  const left = run.left === null ? "" : `, ${duration(run.left)} left`;
  const steps = `${human(run.step)} of ${human(run.t_max)} steps${left}`;
  return el("td", { title: steps },
    el("span", { class: `bar ${run.status}`, role: "img", "aria-label": `${percent}, ${steps}` }, bar), ` ${percent}`);
}

function resultCell(run, value, title) {
  if (value === null) return el("td", { class: "number quiet" }, run.reading ? "…" : "–");
  return el("td", { class: "number", title: `${exact(value)}: ${title}` }, fixed(value),
    el("small", {}, ` ${shortName(run.metric).replace("test ", "")}`));
}

function tookCell(run) {
  const left = run.left === null ? "" : `${duration(run.left)} left at this speed`;
  return el("td", { class: "number quiet", title: left }, duration(run.seconds) || "–");
}

function toggle(key) {
  const others = state.runs.filter((run) => run !== key);
  change({ runs: others.length < state.runs.length ? others : [...others, key].slice(-MOST) });
}

function chooseOnly(key) {
  change({ runs: state.runs.length === 1 && state.runs[0] === key ? [] : [key] });
}

function chooseAll(shown) {
  change({ runs: shown.slice(0, MOST).map((run) => run.key) });
}
