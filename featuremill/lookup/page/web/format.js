// Numbers, times and values as people read them.

const LOCALE = "en-GB"; // The page is in English; dates are ISO.

const whole = new Intl.NumberFormat(LOCALE);
const four = new Intl.NumberFormat(LOCALE, { maximumSignificantDigits: 4 });
const compact = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumSignificantDigits: 3 });
const two = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 2 });

/** A number with as many digits as tell something; `title`s show the value as it came. */
export function number(value) {
  if (typeof value === "bigint" || Number.isInteger(value)) return minus(whole.format(value));
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e15)) return minus(value.toExponential(2));
  return minus(size >= 1000 ? two.format(value) : four.format(value));
}

export const count = (value) => whole.format(value);

/** A share of one: 0.0023 is 0.23 %. */
export function percent(share) {
  const value = share * 100;
  if (value === 0 || value === 100) return `${value}\u202f%`;
  const distance = Math.min(value, 100 - value);
  const digits = distance >= 10 ? 1 : distance >= 0.095 ? 2 : 3;
  if (distance < 0.0005) return value < 50 ? "<\u202f0.001\u202f%" : ">\u202f99.999\u202f%";
  return `${minus(value.toFixed(digits).replace(/\.?0+$/, ""))}\u202f%`;
}

/** With its sign, for contributions. */
export const signed = (value) => {
  const size = Math.abs(value);
  return (value < 0 ? "\u2212" : "+") + (size < 0.1 ? size.toFixed(3) : size < 100 ? size.toFixed(2) : compact.format(size));
};

const minus = (text) => text.replace(/^-/, "\u2212");

const UNITS = [
  ["year", 31_557_600],
  ["month", 2_629_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];

/** A length of time in its largest unit, with one decimal for few years: "5.9 years", "3 days". */
export function duration(seconds) {
  const size = Math.abs(seconds);
  for (const [unit, length] of UNITS) {
    if (size >= length * (unit === "month" ? 2 : unit === "day" ? 2 : 1) || unit === "second") {
      const amount = size / length;
      const shown = unit === "year" && amount < 10 ? Math.round(amount * 10) / 10 : Math.floor(amount);
      return `${shown} ${unit}${shown === 1 ? "" : "s"}`;
    }
  }
  return "";
}

/** Seconds since, as an age. */
export const age = (seconds) => (seconds < 0 ? `in ${duration(seconds)}` : seconds < 5 ? "now" : `${duration(seconds)} ago`);

/** An ISO time shortened for people: no seconds where they are zero. */
export const time = (iso) => iso.replace("T", " ").replace(/:00(\.0+)?Z$/, " UTC").replace(/Z$/, " UTC");

/** A value of a feature: {text, kind} with kind number, text, list, boolean, time or missing. */
export function value(given, type = "") {
  if (given === null || given === undefined) return { text: "none", kind: "missing" };
  if (Array.isArray(given)) return given.length ? { text: given.join(", "), kind: "list" } : { text: "empty list", kind: "missing" };
  if (typeof given === "boolean") return { text: given ? "yes" : "no", kind: "boolean" };
  if (typeof given === "number" || typeof given === "bigint") return { text: number(given), kind: "number" };
  if (type === "timestamp") return { text: time(given), kind: "time" };
  if (given === "") return { text: "empty text", kind: "missing" };
  return { text: String(given), kind: type === "date" ? "time" : "text" };
}

/** The value as the service gave it, for titles. */
export const exact = (given) =>
  given === null || given === undefined ? "null" : Array.isArray(given) ? JSON.stringify(given, (_, v) => (typeof v === "bigint" ? String(v) : v)) : String(given);

const METRICS = {
  auc: "ROC AUC", pr_auc: "PR AUC", logloss: "Log loss", brier: "Brier score", ece: "Calibration error", accuracy: "Accuracy",
  precision: "Precision", recall: "Recall", f1: "F1", rmse: "RMSE", mae: "MAE", r2: "R²", coverage: "Coverage",
  macro_f1: "Macro F1", macro_auc: "Macro AUC",
};

export const metricName = (name) => METRICS[name] ?? name.replaceAll("_", " ");

/** A Great Expectations name in plain words. */
export const expectation = (name) => name.replace(/^expect_/, "").replaceAll("_", " ");
