// Curves of the chosen runs in one metric.

import { ask, keys } from "./api.js";
import { Chart, lastOf } from "./chart.js";
import { choice, el, keepingFocus } from "./dom.js";
import { exact } from "./format.js";
import { change, giveColours, look, state } from "./state.js";

export function curvesView() {
  const controls = el("div", { class: "tools" });
  const chart = new Chart();
  const legend = el("table", { class: "legend" });
  const notes = el("ul", { class: "notes" });
  const element = el("div", {}, controls, chart.element, legend, notes);
  return { element, update: (runs) => update(runs, { controls, chart, legend, notes }) };
}

async function update(runs, { controls, chart, legend, notes }) {
  const known = await ask("metrics", keys(runs));
  const names = known.metrics.map((metric) => metric.name);
  const metric = names.includes(state.metric) ? state.metric : known.headline ?? names[0];
  if (metric === undefined) {
    drawControls(controls, known.metrics, "");
    notes.replaceChildren(el("li", {}, "These runs have logged nothing yet."));
    legend.replaceChildren();
    chart.element.hidden = true;
    return;
  }
  const words = [...keys(runs), ["metric", metric], ["axis", state.axis], ["together", state.together]];
  const { charts: [found] } = await ask("curves", words);
  const curves = named(found.curves);
  chart.element.hidden = false;
  drawControls(controls, known.metrics, metric);
  chart.draw(metric, curves, state.axis);
  legend.replaceChildren(...legendOf(curves));
  notes.replaceChildren(...found.notes.map((note) => el("li", {}, note)), ...explained(curves));
}

/** Curves with the colours that their runs have in the table; groups with colours of their own. */
export function named(curves) {
  const found = curves.map((curve) => ({ ...curve, id: state.together === "1" ? curve.label : curve.runs[0] }));
  if (state.together === "1") giveColours(found.map((curve) => curve.id), "groups");
  return found;
}

function explained(curves) {
  if (!curves.some((curve) => curve.low)) return [];
  return [el("li", {}, "Seeds together: interquartile mean with a 95 % bootstrap interval, over what all of them have reached. The number in brackets is how many they are; for one there is no interval.")];
}

function drawControls(controls, metrics, current) {
  if (controls.contains(document.activeElement) && document.activeElement.tagName === "SELECT") return;
  const groups = { "Tests": [], "K levels": [], "Training": [] };
  for (const { name } of metrics) {
    const group = name.startsWith("test_") ? "Tests" : name.startsWith("k/") ? "K levels" : "Training";
    groups[group].push(el("option", { selected: name === current }, name));
  }
  const select = el("select", { id: "metric", "aria-label": "Metric", onchange: (event) => change({ metric: event.target.value }) },
    ...Object.entries(groups).filter(([, names]) => names.length).map(([label, names]) => el("optgroup", { label }, ...names)));
  keepingFocus(() => controls.replaceChildren(select, ...axes()));
}

export function axes() {
  return [
    choice("Over", { steps: "Steps", seconds: "Time" }, state.axis, (axis) => change({ axis })),
    choice("Seeds", { 0: "Each run", 1: "Seeds together" }, state.together, (together) => change({ together })),
  ];
}

function legendOf(curves) {
  const head = el("tr", {}, ...["", "Last", "Highest", "Lowest", "Points"].map((text) => el("th", { scope: "col" }, text)));
  const rows = curves.map((curve) => {
    const values = curve.y.filter((value) => value !== null);
    const numbers = [lastOf(curve.y), Math.max(...values), Math.min(...values)].map((value) => (values.length ? exact(value) : "–"));
    return el("tr", {}, el("th", { scope: "row" }, el("i", { class: `swatch ${look(curve.id)}` }), ` ${curve.label}`),
      ...[...numbers, curve.logged ?? "–"].map((text) => el("td", { class: "number" }, String(text))));
  });
  return [el("thead", {}, head), el("tbody", {}, ...rows)];
}
