// From numbers to places on a chart.

/** Round numbers within [low, high], about `count` of them. */
export function ticks(low, high, count) {
  const rough = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((size) => size >= rough * 0.999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i += 1) {
    found.push(Number((i * step).toPrecision(12)));
  }
  return found;
}

export function extent(lists) {
  let [low, high] = [Infinity, -Infinity];
  for (const list of lists) {
    for (const value of list) {
      if (value === null) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low <= high ? [low, high] : null;
}

/** A little air around; never empty. */
export function padded([low, high]) {
  const span = high - low || Math.abs(high) || 1;
  return high > low ? [low - span * 0.04, high + span * 0.04] : [low - span * 0.5, high + span * 0.5];
}

export const linear = ([low, high], [from, to]) => (value) => from + ((value - low) / (high - low)) * (to - from);

/** Index of the entry nearest to `wanted` in an ascending list. */
export function nearest(list, wanted) {
  let [low, high] = [0, list.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (list[middle] < wanted) low = middle;
    else high = middle;
  }
  return Math.abs(list[high] - wanted) < Math.abs(list[low] - wanted) ? high : low;
}
