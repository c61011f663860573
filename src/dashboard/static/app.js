// Asks the server again and again, and keeps table and panel up to date.

import { ask, Unanswered } from "./api.js";
import { curvesView } from "./curves_view.js";
import { detailsView } from "./details_view.js";
import { byId, el } from "./dom.js";
import { levelsView } from "./levels_view.js";
import { settingsView } from "./settings_view.js";
import { change, MOST, onChange, state } from "./state.js";
import { chosenRuns, render, show } from "./table.js";

const BUSY = 2000; // milliseconds between two questions while a run goes on
const CALM = 5000;
const TABS = {
  curves: ["Curves", curvesView],
  levels: ["K levels", levelsView],
  settings: ["Settings", settingsView],
  console: ["Errors & console", detailsView],
};

let view = null; // {tab, element, update}
let drawn = ""; // what the panel shows, as far as it is known to depend on the runs
let drawing = Promise.resolve();
let timer = 0;

async function refresh() {
  clearTimeout(timer);
  let pause = CALM;
  try {
    const answer = await ask("runs");
    pause = answer.runs.some((run) => run.status === "RUNNING" || run.reading) ? BUSY : CALM;
    show(answer.runs);
    head(answer);
    await drawPanel();
  } catch (error) {
    say(error.message, "bad");
    if (!(error instanceof Unanswered)) console.error(error);
  }
  if (!document.hidden) timer = setTimeout(refresh, pause);
}

function head({ runs, problems, places, now }) {
  const counts = new Map();
  for (const { status } of runs) counts.set(status, (counts.get(status) ?? 0) + 1);
  byId("counts").replaceChildren(...[...counts].sort().map(([status, count]) =>
    el("li", {}, el("button", { type: "button", class: `badge ${status}`, onclick: () => filterBy(status.toLowerCase()) }, `${count} ${status.toLowerCase()}`))));
  const clock = new Date(now).toLocaleTimeString();
  say(counts.has("RUNNING") ? `live · ${clock}` : `up to date · ${clock}`, counts.has("RUNNING") ? "live" : "good");
  byId("live").title = places.join("\n");
  const box = byId("problems");
  box.hidden = problems.length === 0;
  box.firstElementChild.textContent = problems.length === 1 ? problems[0] : `${problems.length} things cannot be read`;
  box.lastElementChild.replaceChildren(...problems.map((problem) => el("li", {}, problem)));
}

function say(text, kind) {
  const live = byId("live");
  if (live.textContent !== text) live.textContent = text;
  live.className = kind;
}

function filterBy(text) {
  change({ filter: state.filter === text ? "" : text });
}

/** One drawing after the other, so that an old answer never covers a newer one. */
function drawPanel() {
  drawing = drawing.catch(() => {}).then(drawNow);
  return drawing;
}

async function drawNow() {
  const runs = chosenRuns();
  const gone = state.runs.length - runs.length;
  byId("chosen").textContent = `${runs.length ? `${runs.length} chosen` : ""}${runs.length === MOST ? ", the most" : ""}${gone ? `, ${gone} not there any more` : ""}`;
  if (!runs.length) {
    [view, drawn] = [null, ""];
    byId("view").replaceChildren(el("p", { class: "hint big" }, "Choose a run in the table to see how it goes; tick several to compare them."));
    return;
  }
  const { tab, metric, axis, together } = state;
  const wanted = JSON.stringify([runs.map((run) => [run.key, run.version, run.status]), tab, metric, axis, together]);
  if (wanted === drawn) return;
  drawn = wanted;
  if (view?.tab !== tab) {
    view = { tab, ...TABS[tab][1]() };
    byId("view").replaceChildren(view.element);
  }
  byId("view").setAttribute("aria-busy", "true");
  try {
    await view.update(runs.map((run) => run.key));
  } catch (error) {
    drawn = "";
    throw error;
  } finally {
    byId("view").setAttribute("aria-busy", "false");
  }
}

function drawTabs() {
  if (!Object.hasOwn(TABS, state.tab)) state.tab = "curves";
  const tabs = Object.entries(TABS).map(([key, [text]]) =>
    el("button", {
      type: "button", role: "tab", id: `tab-${key}`, "aria-controls": "view",
      "aria-selected": String(key === state.tab), tabindex: key === state.tab ? 0 : -1,
      onclick: () => change({ tab: key }),
    }, text));
  const had = byId("tabs").contains(document.activeElement);
  byId("tabs").replaceChildren(...tabs);
  byId("view").setAttribute("aria-labelledby", `tab-${state.tab}`);
  if (had) byId(`tab-${state.tab}`).focus();
}

function moveTab(event) {
  const names = Object.keys(TABS);
  const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!move) return;
  event.preventDefault();
  change({ tab: names[(names.indexOf(state.tab) + move + names.length) % names.length] });
}

function shortcut(event) {
  if (event.key !== "/" || event.target.closest("input, select, textarea")) return;
  event.preventDefault();
  byId("filter").focus();
}

onChange(() => {
  if (byId("filter").value !== state.filter) byId("filter").value = state.filter;
  drawTabs();
  render();
  drawPanel().catch((error) => say(error.message, "bad"));
});
byId("tabs").addEventListener("keydown", moveTab);
byId("filter").value = state.filter;
byId("filter").addEventListener("input", (event) => change({ filter: event.target.value }));
byId("clear").addEventListener("click", () => change({ runs: [] }));
document.addEventListener("keydown", shortcut);
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : refresh()));
drawTabs();
refresh();
