// In what the settings of the chosen runs differ; of one run, all settings.

import { ask, keys } from "./api.js";
import { el } from "./dom.js";
import { runOf, runSwatch } from "./table.js";

export function settingsView() {
  const element = el("div");
  return { element, update: (runs) => (runs.length === 1 ? one(runs[0], element) : several(runs, element)) };
}

async function one(key, element) {
  const { config, environment } = await ask("run", keys([key]));
  const rows = Object.entries({ ...config, ...prefixed(environment ?? {}) }).sort(([a], [b]) => a.localeCompare(b));
  element.replaceChildren(
    el("p", { class: "hint" }, `All settings of this run.${environment ? "" : " Its environment cannot be read."} Choose a second run to see only what differs.`),
    table(["Setting", "Value"], rows.map(([name, value]) => line(name, [value]))));
}

const prefixed = (record) => Object.fromEntries(Object.entries(record).map(([key, value]) => [`environment.${key}`, value]));

async function several(runs, element) {
  const { rows, unknown_environment: unknown } = await ask("differences", keys(runs));
  const numbers = unknown.map((key) => runOf(key)?.run_id).join(", ");
  const less = unknown.length ? ` The environment of run ${numbers} cannot be read, so it is not compared.` : "";
  if (!rows.length) {
    element.replaceChildren(el("p", { class: "hint" }, `These runs have the same settings.${less}`));
    return;
  }
  const heads = runs.map((key) => {
    const run = runOf(key);
    return [runSwatch(key), ` ${run.name} `, el("small", {}, `seed ${run.seed}, run ${run.run_id}`)];
  });
  const told = rows.some((row) => !row.incidental);
  element.replaceChildren(
    el("p", { class: "hint" }, (told ? "What differs. Grey settings may differ between seeds of one experiment." : "Only settings differ that may differ between seeds of one experiment.") + less),
    table(["Setting", ...heads], rows.map((row) =>
      line(row.name, runs.map((key) => cell(row, key, unknown)), row.incidental))));
}

const ABSENT = Symbol("not there");
const UNKNOWN = Symbol("not known");

function cell(row, key, unknown) {
  if (key in row.values) return row.values[key];
  return unknown.includes(key) && row.name.startsWith("environment.") ? UNKNOWN : ABSENT;
}

function table(heads, rows) {
  const cells = heads.map((head) => el("th", { scope: "col" }, ...[head].flat().filter(Boolean)));
  return el("table", { class: "settings" }, el("thead", {}, el("tr", {}, ...cells)), el("tbody", {}, ...rows));
}

function line(name, values, quiet = false) {
  const texts = textsOf(values);
  const cells = values.map((value, i) => el("td", { class: typeof value === "symbol" ? "quiet" : "" }, texts[i]));
  return el("tr", { class: quiet ? "quiet" : null }, el("th", { scope: "row" }, name), ...cells);
}

/** Text goes without its quotes, unless it would look like the number of another run. */
function textsOf(values) {
  const quoted = values.map((value) => (typeof value === "symbol" ? value.description : JSON.stringify(value)));
  const bare = values.map((value, i) => (typeof value === "string" ? value : quoted[i]));
  return new Set(bare).size < new Set(quoted).size ? quoted : bare;
}
