// Numbers and times as people read them.

export function human(number, digits = 3) {
  if (number === null || number === undefined) return "";
  const size = Math.abs(number);
  for (const [unit, one] of [["G", 1e9], ["M", 1e6], ["k", 1e3]]) {
    if (size >= one) return trimmed(number / one, digits) + unit;
  }
  if (size !== 0 && size < 1e-3) return Number(number.toPrecision(digits)).toExponential();
  return trimmed(number, digits);
}

const trimmed = (number, digits) => String(Number(number.toPrecision(digits)));

/** Of a tick, with as many digits as tell it from the next one. */
export function tickText(number, step) {
  const places = Math.floor(Math.log10(Math.abs(number) / step)) + 2;
  return human(number, Math.min(15, Math.max(3, places)));
}

/** Four digits that matter, without a long tail. */
export function exact(number) {
  if (number === null || number === undefined) return "–";
  const size = Math.abs(number);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return number.toExponential(2);
  return String(Number(number.toPrecision(4)));
}

export const fixed = (number) =>
  number === null ? "–" : Math.abs(number) < 1e4 ? number.toFixed(2) : human(number);

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  const [d, h, m] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (d) return `${d}d ${h}h`;
  if (h) return `${h}h ${String(m).padStart(2, "0")}m`;
  return m ? `${m}m ${String(Math.floor(seconds) % 60).padStart(2, "0")}s` : `${Math.floor(seconds)}s`;
}

export function moment(iso) {
  if (!iso) return "";
  const then = new Date(iso);
  const two = (number) => String(number).padStart(2, "0");
  const year = then.getFullYear() === new Date().getFullYear() ? "" : `${then.getFullYear()}-`;
  return `${year}${two(then.getMonth() + 1)}-${two(then.getDate())} ${two(then.getHours())}:${two(then.getMinutes())}`;
}

/** "test_battle_won_mean" -> "test win" */
export const shortName = (metric) =>
  metric.replace(/_mean$/, "").replace("battle_won", "win").replaceAll("_", " ");

export const isRate = (metric) => /(won|solved)_mean$/.test(metric);
