// Diagnostics of the K levels: a small chart for each.

import { ask, keys } from "./api.js";
import { axes, named } from "./curves_view.js";
import { Chart } from "./chart.js";
import { el, keepingFocus } from "./dom.js";
import { look, state } from "./state.js";

const MEANINGS = [
  [/^k\/level$/, "levels of an update"],
  [/^k\/step_(\d+)$/, "length of step $1: parameters of level $1 less those before"],
  [/^k\/grad_norm_(\d+)$/, "norm of the gradient at level $1, before clipping"],
  [/^k\/contraction$/, "last step over the one before; below 1 the levels converge"],
  [/^k\/cosine$/, "cosine between the gradients of the first and the last level"],
  [/^k\/norm_ratio$/, "norm of the last level's gradient over that of the first"],
  [/^k\/changed$/, "share of the others' actions that the levels change"],
  [/^k\/negative_units$/, "share of mixer units below their kink"],
  [/^k\/seconds$/, "time of levels 2 to K in an update"],
];

export function levelsView() {
  const controls = el("div", { class: "tools" });
  const legend = el("ul", { class: "swatches" });
  const grid = el("div", { class: "grid" });
  const hint = el("p", { class: "hint", hidden: true }, "None of the chosen runs has logged K-level diagnostics (k/…). K-FACMAC, K-MADDPG and K-MAPPO do.");
  const charts = new Map();
  const element = el("div", {}, controls, legend, grid, hint);
  return { element, update: (runs) => update(runs, { controls, legend, grid, hint, charts }) };
}

async function update(runs, { controls, legend, grid, hint, charts }) {
  const known = await ask("metrics", keys(runs));
  const names = known.metrics.map((metric) => metric.name).filter((name) => name.startsWith("k/"));
  hint.hidden = names.length > 0;
  if (!names.length) {
    controls.replaceChildren();
    legend.replaceChildren();
    grid.replaceChildren();
    charts.clear();
    return;
  }
  const words = [...keys(runs), ...names.map((name) => ["metric", name]), ["axis", state.axis], ["together", state.together]];
  const found = (await ask("curves", words)).charts.map((chart) => ({ ...chart, curves: named(chart.curves) }));
  keepingFocus(() => controls.replaceChildren(...axes()));
  const labels = new Map(found.flatMap((chart) => chart.curves.map((curve) => [curve.id, curve.label])));
  legend.replaceChildren(...[...labels].map(([id, label]) => el("li", {}, el("i", { class: `swatch ${look(id)}` }), ` ${label}`)));
  if ([...charts.keys()].join() !== names.join()) {
    charts.clear();
    names.forEach((name) => charts.set(name, new Chart({ height: 170 })));
    grid.replaceChildren(...names.map((name) => el("figure", {},
      el("figcaption", {}, el("b", {}, name), el("span", { class: "quiet" }, ` ${meaning(name)}`)), charts.get(name).element)));
  }
  found.forEach((chart) => charts.get(chart.metric).draw(chart.metric, chart.curves, state.axis));
}

function meaning(name) {
  const known = MEANINGS.find(([form]) => form.test(name));
  return known ? name.replace(known[0], known[1]) : "";
}
