// Small plots as SVG, without a library: sparklines of features, a larger one with an axis, the scale of an interval.

import { h, s, show } from "./dom.js";
import { number } from "./format.js";

const day = (ds) => Date.parse(`${ds}T00:00:00Z`) / 86_400_000;
const isNumber = (value) => typeof value === "number" || typeof value === "bigint";

/** What kind of line a history is drawn as: numbers, steps (few states, yes and no), or marks where a text changes. */
export function kindOf(values) {
  const present = values.filter((value) => value !== null && value !== undefined);
  if (present.length && present.every(isNumber)) return "number";
  if (present.length && present.every((value) => typeof value === "boolean")) return "boolean";
  return "text";
}

/** In words, for those who do not see it. */
export function inWords(values) {
  if (values.length < 2) return "one date only";
  const kind = kindOf(values);
  const same = (a, b) => JSON.stringify(a, plain) === JSON.stringify(b, plain);
  const changes = values.filter((value, index) => index && !same(value, values[index - 1])).length;
  if (!changes) return `the same on all ${values.length} dates`;
  if (kind !== "number") return `changed ${changes} time${changes === 1 ? "" : "s"} over ${values.length} dates`;
  const numbers = values.filter(isNumber).map(Number);
  return `${values.length} dates, from ${number(numbers[0])} to ${number(numbers.at(-1))}, between ${number(Math.min(...numbers))} and ${number(Math.max(...numbers))}`;
}

const plain = (_, value) => (typeof value === "bigint" ? String(value) : value);

const W = 116;
const H = 28;
const PAD = 4;

/** A sparkline of a feature: `dates` (ISO days, ascending) and a value a date. */
export function sparkline(dates, values) {
  const label = inWords(values);
  const kind = kindOf(values);
  const x = positions(dates, PAD, W - PAD);
  const drawing = s("svg", { class: `spark spark-${kind}`, viewBox: `0 0 ${W} ${H}`, width: W, height: H, role: "img", "aria-label": label });
  drawing.append(s("title", {}, label));
  if (kind === "text") {
    drawing.append(...changeMarks(values, x));
    return drawing;
  }
  const numbers = values.map((value) => (value === null || value === undefined ? null : Number(value)));
  const present = numbers.filter((value) => value !== null && Number.isFinite(value));
  if (!present.length) return drawing;
  const [low, high] = [Math.min(...present), Math.max(...present)];
  const y = (value) => (high === low ? H / 2 : H - PAD - ((value - low) / (high - low)) * (H - 2 * PAD));
  drawing.append(s("path", { class: "spark-line", d: path(numbers, x, y, kind === "boolean") }));
  const last = lastPresent(numbers);
  drawing.append(s("circle", { class: "spark-dot", cx: x[last], cy: y(numbers[last]), r: 2.6 }));
  return drawing;
}

/** A run of equal values is one bar; its shade changes with the value, so a change can be seen. */
function changeMarks(values, x) {
  const marks = [];
  let begun = 0;
  for (let index = 1; index <= values.length; index += 1) {
    if (index < values.length && JSON.stringify(values[index], plain) === JSON.stringify(values[begun], plain)) continue;
    const missing = values[begun] === null || values[begun] === undefined;
    const from = x[begun] - (begun ? (x[begun] - x[begun - 1]) / 2 : 0);
    const to = index < values.length ? x[index - 1] + (x[index] - x[index - 1]) / 2 : x[index - 1];
    marks.push(
      s("rect", {
        class: missing ? "spark-gap" : marks.length % 2 ? "spark-run odd" : "spark-run",
        x: from - (begun ? -1 : 2), y: H / 2 - 3, width: Math.max(3, to - from + 2), height: 6, rx: 2,
      }),
    );
    begun = index;
  }
  return marks;
}

function positions(dates, from, to) {
  const days = dates.map(day);
  const [first, last] = [days[0], days.at(-1)];
  return days.map((at) => (last === first ? to : from + ((at - first) / (last - first)) * (to - from)));
}

/** A line through what is there, broken where values are missing; a lone value gets a short dash. */
function path(numbers, x, y, steps = false) {
  let d = "";
  let open = false;
  numbers.forEach((value, index) => {
    if (value === null || !Number.isFinite(value)) {
      open = false;
      return;
    }
    const [px, py] = [x[index].toFixed(1), y(value).toFixed(1)];
    if (!open) d += `M${px} ${py}h0.01`;
    else d += steps ? `H${px}V${py}` : `L${px} ${py}`;
    open = true;
  });
  return d;
}

const lastPresent = (numbers) => {
  let index = numbers.length - 1;
  while (index > 0 && (numbers[index] === null || !Number.isFinite(numbers[index]))) index -= 1;
  return index;
};

/** Round steps for an axis from low to high: the ticks. */
export function ticks(low, high, wanted = 4) {
  const span = high - low || Math.abs(high) || 1;
  const rough = span / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
  const found = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index += 1) found.push(Number((index * step).toPrecision(12)));
  return found;
}

/**
 * A plot over dates that fits its container, with a readout that follows the pointer.
 *
 * points: [{ds, value, lower?, upper?}], dates ascending; `limit`: a horizontal line {value, text};
 * `show`: a value as text; `chosen`: the date to mark; `domain`: [low, high] that are always inside.
 */
export function datePlot({ points, limit, text, chosen, domain, label, height = 150 }) {
  const readout = h("p", { class: "readout", "aria-hidden": "true" });
  const holder = h("div", { class: "plot-holder" });
  const drawn = h("figure", { class: "plot" }, readout, holder);
  let width = 0;
  const draw = () => {
    const available = Math.floor(holder.clientWidth);
    if (available === width || available < 60) return;
    width = available;
    show(holder, plotOf({ points, limit, text, chosen, domain, label, height, width, readout }));
  };
  new ResizeObserver(draw).observe(holder);
  requestAnimationFrame(draw);
  return drawn;
}

function plotOf({ points, limit, text, chosen, domain, label, height, width, readout }) {
  const numbers = points.map((point) => (point.value === null || point.value === undefined ? null : Number(point.value)));
  const all = [...numbers, ...points.flatMap((point) => [point.lower ?? null, point.upper ?? null]), ...(limit ? [limit.value] : [])]
    .filter((value) => value !== null && Number.isFinite(value));
  let [low, high] = all.length ? [Math.min(...all), Math.max(...all)] : [0, 1];
  if (low === high) [low, high] = [low - (Math.abs(low) * 0.1 || 1), high + (Math.abs(high) * 0.1 || 1)];
  const room = (high - low) * 0.08;
  [low, high] = [low - room, high + room];
  if (domain) [low, high] = [Math.max(low, domain[0]), Math.min(high, domain[1])];
  const marks = ticks(low, high, 3);
  const texts = marks.map(text);
  const left = Math.max(28, ...texts.map((mark) => mark.length * 6.6 + 10));
  const [top, right, bottom] = [10, 12, 24];
  const x = positions(points.map((point) => point.ds), left + 6, width - right);
  const y = (value) => top + (1 - (value - low) / (high - low)) * (height - top - bottom);
  const drawing = s("svg", { class: "date-plot", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label });
  marks.forEach((mark, index) =>
    drawing.append(
      s("line", { class: "grid", x1: left, x2: width - right, y1: y(mark), y2: y(mark) }),
      s("text", { class: "axis", x: left - 6, y: y(mark) + 4, "text-anchor": "end" }, texts[index]),
    ),
  );
  drawing.append(...dateLabels(points, x, height, width));
  const banded = points.map((point, index) => ({ ...point, at: x[index] })).filter((point) => isNumber(point.lower) && isNumber(point.upper));
  if (banded.length > 1) {
    const edge = (name) => banded.map((point) => `${point.at.toFixed(1)} ${y(point[name]).toFixed(1)}`);
    drawing.append(s("path", { class: "band", d: `M${edge("upper").join("L")}L${edge("lower").reverse().join("L")}Z` }));
  }
  if (limit) {
    drawing.append(
      s("line", { class: "limit", x1: left, x2: width - right, y1: y(limit.value), y2: y(limit.value) }),
      s("text", { class: "axis limit-text", x: width - right, y: y(limit.value) - 5, "text-anchor": "end" }, limit.text),
    );
  }
  drawing.append(s("path", { class: "line", d: path(numbers, x, y) }));
  numbers.forEach((value, index) => {
    if (value === null || !Number.isFinite(value)) return;
    if (points.length <= 40 || points[index].ds === chosen) {
      drawing.append(s("circle", { class: points[index].ds === chosen ? "dot chosen" : "dot", cx: x[index], cy: y(value), r: points[index].ds === chosen ? 4.5 : 2.5 }));
    }
  });
  const cursor = s("line", { class: "cursor", y1: top, y2: height - bottom, visibility: "hidden" });
  drawing.append(cursor);
  const say = (index) => {
    const point = points[index];
    const interval = isNumber(point.lower) ? `  (${text(point.lower)} to ${text(point.upper)})` : "";
    readout.textContent = `${point.ds}   ${point.value === null || point.value === undefined ? "none" : text(point.value)}${interval}`;
  };
  const rest = Math.max(0, points.findIndex((point) => point.ds === chosen));
  say(chosen ? rest : points.length - 1);
  drawing.addEventListener("pointermove", (event) => {
    const at = event.offsetX;
    let nearest = 0;
    x.forEach((position, index) => {
      if (Math.abs(position - at) < Math.abs(x[nearest] - at)) nearest = index;
    });
    cursor.setAttribute("x1", x[nearest]);
    cursor.setAttribute("x2", x[nearest]);
    cursor.setAttribute("visibility", "visible");
    say(nearest);
  });
  drawing.addEventListener("pointerleave", () => {
    cursor.setAttribute("visibility", "hidden");
    say(chosen ? rest : points.length - 1);
  });
  return drawing;
}

/** The first and the last date, and some between where there is room. */
function dateLabels(points, x, height, width) {
  const labels = [];
  let free = -Infinity;
  const last = points.length - 1;
  points.forEach((point, index) => {
    if (index !== last && (x[index] < free || (index && x[last] - x[index] < 100))) return;
    const at = Math.min(Math.max(x[index], 36), width - 36);
    labels.push(s("text", { class: "axis", x: at, y: height - 6, "text-anchor": "middle" }, point.ds));
    free = x[index] + 130;
  });
  return labels;
}

/**
 * A value on a scale with its interval and the threshold of the decision.
 *
 * The scale of a probability ends near what is to be seen, never silently: its ends are written below it.
 */
export function intervalScale({ value, lower, upper, threshold, text, probability, label }) {
  const holder = h("div", { class: "scale" });
  let width = 0;
  const draw = () => {
    const available = Math.floor(holder.clientWidth);
    if (available === width || available < 60) return;
    width = available;
    const [from, to] = scaleEnds({ value, lower, upper, threshold, probability });
    const x = (at) => 8 + ((Math.min(Math.max(at, from), to) - from) / (to - from)) * (width - 16);
    const y = 30;
    const drawing = s("svg", { viewBox: `0 0 ${width} 74`, width, height: 74, role: "img", "aria-label": label });
    drawing.append(s("line", { class: "scale-track", x1: 8, x2: width - 8, y1: y, y2: y }));
    if (isNumber(lower) && isNumber(upper)) {
      drawing.append(s("rect", { class: "scale-interval", x: x(lower), y: y - 7, width: Math.max(2, x(upper) - x(lower)), height: 14, rx: 7 }));
    }
    if (isNumber(threshold)) {
      const near = x(threshold) > width - 92;
      drawing.append(
        s("line", { class: "scale-threshold", x1: x(threshold), x2: x(threshold), y1: y - 16, y2: y + 14 }),
        s("text", { class: "axis strong", x: x(threshold) + (near ? -6 : 6), y: 12, "text-anchor": near ? "end" : "start" }, `threshold ${text(threshold)}`),
      );
    }
    drawing.append(s("circle", { class: "scale-value", cx: x(value), cy: y, r: 6.5 }));
    const steps = ticks(from, to, width > 420 ? 5 : 3);
    for (const step of steps) {
      const anchor = x(step) < 20 ? "start" : x(step) > width - 24 ? "end" : "middle";
      drawing.append(
        s("line", { class: "grid", x1: x(step), x2: x(step), y1: y + 12, y2: y + 18 }),
        s("text", { class: "axis", x: anchor === "start" ? x(step) - 6 : anchor === "end" ? x(step) + 6 : x(step), y: y + 34, "text-anchor": anchor }, text(step)),
      );
    }
    show(holder, drawing);
  };
  new ResizeObserver(draw).observe(holder);
  requestAnimationFrame(draw);
  return holder;
}

function scaleEnds({ value, lower, upper, threshold, probability }) {
  const seen = [value, lower, upper, threshold].filter(isNumber);
  const high = Math.max(...seen);
  if (probability) {
    const end = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1].find((round) => round >= high * 1.12) ?? 1;
    return [0, end];
  }
  const low = Math.min(...seen);
  const room = (high - low) * 0.15 || Math.abs(high) * 0.1 || 1;
  return [low - room, high + room];
}
