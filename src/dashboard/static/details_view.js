// One run's end and output: what failed, where, and what it printed.

import { ask, keys } from "./api.js";
import { el } from "./dom.js";
import { duration, exact, human, moment } from "./format.js";
import { runOf } from "./table.js";

export function detailsView() {
  const select = el("select", { id: "which", "aria-label": "Run" });
  const facts = el("dl", { class: "facts" });
  const failure = el("pre", { class: "failure", tabindex: 0, "aria-label": "Error" });
  const output = el("pre", { class: "console", tabindex: 0, "aria-label": "Console" });
  const note = el("p", { class: "quiet" });
  const parts = { select, facts, failure, output, note, runs: [] };
  select.addEventListener("change", () => update(parts.runs, parts));
  const element = el("div", {}, el("div", { class: "tools" }, select), facts, failure, el("h2", {}, "Console"), note, output);
  return { element, update: (runs) => update(runs, parts) };
}

async function update(runs, parts) {
  parts.runs = runs;
  offer(parts.select, runs);
  const key = parts.select.value;
  const [record, printed] = await Promise.all([ask("run", keys([key])), ask("console", keys([key]))]);
  parts.facts.replaceChildren(...factsOf(record).flatMap(([name, text]) => [el("dt", {}, name), el("dd", {}, text)]));
  parts.failure.hidden = !record.fail_trace;
  parts.failure.textContent = record.fail_trace ?? "";
  parts.note.textContent = printed.cut ? "Only the end is shown." : printed.text ? "" : "It has printed nothing that was kept.";
  write(parts.output, printed.text);
}

function offer(select, runs) {
  if (select.dataset.runs === runs.join()) return;
  const before = runs.includes(select.value) ? select.value : runs.find((key) => runOf(key)?.status === "FAILED") ?? runs[0];
  select.dataset.runs = runs.join();
  select.replaceChildren(...runs.map((key) => {
    const { name, task, seed, run_id: id, status } = runOf(key);
    return el("option", { value: key, selected: key === before }, `${name} on ${task}, seed ${seed}, run ${id} (${status.toLowerCase()})`);
  }));
}

/** Follows the end, unless somebody has scrolled up to read. */
function write(output, text) {
  if (output.textContent === text) return;
  const atEnd = output.scrollHeight - output.scrollTop - output.clientHeight < 40;
  output.textContent = text;
  if (atEnd) output.scrollTop = output.scrollHeight;
}

const resumed = (times) => ["", ", resumed once"][times] ?? `, resumed ${times} times`;

function factsOf({ summary, folder, ended, host, sessions, environment }) {
  const heard = summary.heard_of === null ? "" : ` (heard of ${duration(summary.heard_of)} ago)`;
  const best = summary.best === null ? "–" : `${exact(summary.best)} at ${human(summary.best_at)} steps, ${summary.metric}`;
  const facts = [
    ["Status", summary.status.toLowerCase() + (["RUNNING", "LOST"].includes(summary.status) ? heard : "")],
    ["Steps", `${human(summary.step) || "?"} of ${human(summary.t_max) || "?"}`],
    ["Best", best],
    ["Started", `${moment(summary.started) || "?"}${resumed(sessions - 1)}`],
    ["Ended", moment(ended) || "–"],
    ["Machine", host ? [host.hostname, host.os?.[0] ?? host.os, host.python_version && `Python ${host.python_version}`].filter(Boolean).join(", ") : "?"],
    ["Environment", environment ? Object.entries(environment).map(([key, value]) => `${key} ${value}`).join(", ") || "not told" : "cannot be read"],
    ["Where", folder],
  ];
  return facts;
}
