// One chart, drawn by hand: axes, curves, bands, and a cursor for mouse and keys.

import { el, svg } from "./dom.js";
import { duration, exact, human, isRate, tickText } from "./format.js";
import { extent, linear, nearest, padded, ticks } from "./scale.js";
import { look } from "./state.js";

const MARGIN = { right: 14, top: 10, bottom: 34 };
const LEAST_LEFT = 54;
const LETTER = 7; // pixels, at most
const FEW = 40; // points, up to which each has a dot

export class Chart {
  constructor({ height = 340, title = "" } = {}) {
    this.height = height;
    this.title = title;
    this.tip = el("div", { class: "tip", hidden: true });
    this.picture = svg("svg", { tabindex: 0, role: "img", height });
    this.element = el("div", { class: "chart" }, this.picture, this.tip);
    this.picture.addEventListener("pointermove", (event) => this.#point(event));
    this.picture.addEventListener("pointerleave", () => this.#leave());
    this.picture.addEventListener("blur", () => this.#leave());
    this.picture.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#render()).observe(this.element);
  }

  /** curves: [{id, label, x, y, low?, high?}]; axis: "steps" or "seconds". */
  draw(metric, curves, axis) {
    [this.metric, this.curves, this.axis] = [metric, curves, axis];
    const ends = curves.map((curve) => `${curve.label}: ${exact(lastOf(curve.y))}`).join("; ");
    this.picture.setAttribute("aria-label", `${metric} over ${axis}. Last values: ${ends}. Arrow keys move the cursor.`);
    this.#render();
  }

  #render() {
    const width = this.element.clientWidth;
    if (!this.curves || width < 60) return;
    this.picture.setAttribute("width", width);
    const xs = extent(this.curves.map((curve) => curve.x));
    const ys = extent(this.curves.flatMap((curve) => [curve.y, curve.low ?? [], curve.high ?? []]));
    if (!xs || !ys) {
      this.picture.replaceChildren(svg("text", { x: 16, y: 28, class: "label" }, "No numbers yet."));
      return;
    }
    const ySpan = isRate(this.metric) ? [-0.02, 1.02] : padded(ys);
    const xSpan = xs[0] < xs[1] ? [Math.min(0, xs[0]) === 0 && xs[0] < xs[1] / 4 ? 0 : xs[0], xs[1]] : padded(xs);
    const yTicks = labelled(ticks(...ySpan, this.height / 56), tickText);
    this.left = Math.max(LEAST_LEFT, ...yTicks.map(([, text]) => text.length * LETTER + 10));
    this.x = linear(xSpan, [this.left, width - MARGIN.right]);
    this.y = linear(ySpan, [this.height - MARGIN.bottom, MARGIN.top]);
    this.cursor = svg("g", { class: "cursor" });
    this.picture.replaceChildren(
      this.#axes(xSpan, yTicks, width), ...this.curves.map((curve) => this.#curve(curve)), this.cursor);
    if (this.at !== undefined) this.#show(this.x(this.at));
  }

  #axes(xSpan, yTicks, width) {
    const bottom = this.height - MARGIN.bottom;
    const group = svg("g", { class: "axes", "aria-hidden": "true" });
    for (const [value, text] of yTicks) {
      const y = this.y(value);
      group.append(
        svg("line", { x1: this.left, x2: width - MARGIN.right, y1: y, y2: y }),
        svg("text", { x: this.left - 8, y: y + 4, class: "label end" }, text));
    }
    const xText = this.axis === "steps" ? tickText : (value, step) => (step < 1 ? `${tickText(value, step)}s` : duration(value));
    for (const [value, text] of labelled(ticks(...xSpan, width / 110), xText)) {
      group.append(
        svg("line", { x1: this.x(value), x2: this.x(value), y1: bottom, y2: bottom + 4 }),
        svg("text", { x: this.x(value), y: bottom + 17, class: "label middle" }, text));
    }
    const name = this.axis === "steps" ? "environment steps" : "wall-clock time";
    group.append(svg("text", { x: width - MARGIN.right, y: this.height - 3, class: "label end" }, name));
    return group;
  }

  #onAxis(value) {
    return this.axis === "steps" ? human(value) : duration(value);
  }

  #curve(curve) {
    const group = svg("g", { class: `curve ${look(curve.id)}`, "data-id": curve.id });
    if (curve.low) group.append(svg("path", { class: "band", d: this.#band(curve) }));
    group.append(svg("path", { class: "line", d: this.#line(curve.x, curve.y) }));
    const lonely = curve.y.filter((value) => value !== null).length <= FEW;
    curve.y.forEach((value, i) => {
      if (value !== null && lonely) group.append(svg("circle", { r: 2, cx: this.x(curve.x[i]), cy: this.y(value) }));
    });
    return group;
  }

  /** A gap where there is no number. */
  #line(x, y) {
    let pen = "M";
    let path = "";
    y.forEach((value, i) => {
      if (value === null) pen = "M";
      else {
        path += `${pen}${this.x(x[i]).toFixed(1)},${this.y(value).toFixed(1)}`;
        pen = "L";
      }
    });
    return path;
  }

  #band({ x, low, high }) {
    if (low.includes(null)) return "";
    const back = (list) => [...list].reverse();
    return `${this.#line(x, low)}${this.#line(back(x), back(high)).replace("M", "L")}Z`;
  }

  #point(event) {
    const box = this.picture.getBoundingClientRect();
    this.#show(event.clientX - box.left);
  }

  #key(event) {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move || !this.x) return;
    event.preventDefault();
    const places = [...new Set(this.curves.flatMap((curve) => curve.x))].sort((a, b) => a - b);
    const last = this.at === undefined ? places.length - 1 + (move < 0) : nearest(places, this.at);
    const next = Math.min(places.length - 1, Math.max(0, last + move));
    this.#show(this.x(places[next]));
  }

  #show(pixel) {
    if (!this.x || !this.cursor) return;
    const found = this.curves.map((curve) => this.#nearestOf(curve, pixel)).filter(Boolean);
    if (!found.length) return;
    const closest = found.reduce((a, b) => (Math.abs(a.px - pixel) < Math.abs(b.px - pixel) ? a : b));
    this.at = closest.x;
    this.cursor.replaceChildren(
      svg("line", { x1: closest.px, x2: closest.px, y1: MARGIN.top, y2: this.height - MARGIN.bottom }),
      ...found.map(({ curve, px, py }) => svg("circle", { class: look(curve.id), r: 4, cx: px, cy: py })));
    const rows = found.sort((a, b) => b.y - a.y).slice(0, 12).map(({ curve, y }) =>
      el("li", {}, el("i", { class: `swatch ${look(curve.id)}` }), el("b", {}, exact(y)), ` ${curve.label}`));
    this.tip.replaceChildren(el("p", {}, `${this.#onAxis(closest.x)} ${this.axis === "steps" ? "steps" : ""}`), el("ul", {}, ...rows));
    this.tip.hidden = false;
    const right = closest.px > this.element.clientWidth / 2;
    this.tip.style.left = right ? "" : `${closest.px + 12}px`;
    this.tip.style.right = right ? `${this.element.clientWidth - closest.px + 12}px` : "";
  }

  #nearestOf(curve, pixel) {
    const there = curve.x.map((x, i) => [x, curve.y[i]]).filter(([, y]) => y !== null);
    if (!there.length) return null;
    const [x, y] = there[nearest(there.map(([at]) => this.x(at)), pixel)];
    return { curve, x, y, px: this.x(x), py: this.y(y) };
  }

  #leave() {
    this.tip.hidden = true;
    this.at = undefined;
    this.cursor?.replaceChildren();
  }
}

const labelled = ({ values, step }, text) => values.map((value) => [value, text(value, step)]);

export function lastOf(values) {
  return values.findLast((value) => value !== null) ?? null;
}
