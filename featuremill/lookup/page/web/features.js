// The features of an entity: name, what it means, value, history; a row opens to a larger plot.

import { breakable, h, show } from "./dom.js";
import { count, exact, number, signed, value as shown } from "./format.js";
import { datePlot, inWords, kindOf, sparkline } from "./plots.js";

const FILTER_FROM = 8;

/**
 * The table. `columns`: [{name, type, description}] in the pipeline's order, `values` by name.
 * Gives {element, showHistory(entries, chosen), showContributions(output)}.
 */
export function featureTable(columns, values) {
  const rows = columns.map((column) => featureRow(column, values[column.name]));
  const body = h("tbody", {}, rows.map(({ element }) => element));
  const empty = h("p", { class: "remark", hidden: true }, "No feature has that in its name or description.");
  const tally = h("span", { class: "quiet tally" }, tallyOf(columns, values));
  const filter = columns.length >= FILTER_FROM && filterField(rows, empty);
  const table = h("table", { class: "features" },
    h("caption", { class: "visually-hidden" }, "Features with their values and histories"),
    h("thead", {}, h("tr", {},
      h("th", { scope: "col" }, "Feature"), h("th", { scope: "col", class: "of-value" }, "Value"), h("th", { scope: "col", class: "of-share" }, "Adds to the score"), h("th", { scope: "col", class: "of-history" }, "History"))),
    body);
  const element = h("section", { class: "panel wide", "aria-labelledby": "features-title" },
    h("div", { class: "panel-head" }, h("h2", { id: "features-title" }, "Features"), tally, filter || null),
    table, empty);
  return {
    element,
    showHistory: (entries, chosen) => {
      table.classList.toggle("with-history", entries.length > 1);
      rows.forEach((row) => row.showHistory(entries, chosen));
    },
    showContributions: ({ contributions }) => {
      const byName = new Map(contributions);
      const widest = Math.max(1e-9, ...contributions.map(([, amount]) => Math.abs(amount)));
      table.classList.add("with-shares");
      rows.forEach((row) => row.showContribution(byName.get(row.name), widest));
    },
  };
}

function tallyOf(columns, values) {
  const missing = columns.filter(({ name }) => values[name] === null || values[name] === undefined).length;
  return `${count(columns.length)}${missing ? `, ${missing} of them without a value` : ""}`;
}

function filterField(rows, empty) {
  const field = h("input", {
    id: "filter", class: "field filter", type: "search", placeholder: "Filter features", "aria-label": "Filter features", spellcheck: "false", autocomplete: "off",
    oninput: () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let seen = 0;
      for (const row of rows) {
        const here = words.every((word) => row.text.includes(word));
        row.setHidden(!here);
        seen += here;
      }
      empty.hidden = seen > 0;
    },
    onkeydown: (event) => {
      if (event.key === "Escape" && field.value) {
        event.stopPropagation();
        event.preventDefault();
        field.value = "";
        field.dispatchEvent(new Event("input"));
      }
    },
  });
  return field;
}

function featureRow(column, value) {
  const { name, description, type } = column;
  const { text, kind } = shown(value, type);
  const history = h("td", { class: "of-history" });
  const share = h("td", { class: "of-share" });
  let entries = null;
  let chosen = null;
  let detail = null;
  const setOpen = (open) => {
    button.setAttribute("aria-expanded", String(open));
    detail?.remove();
    detail = open ? detailRow(column, value, entries, chosen) : null;
    if (detail) element.after(detail);
  };
  const button = h("button", {
    type: "button", class: "feature-name", "aria-expanded": "false", "data-row": "",
    onclick: () => setOpen(button.getAttribute("aria-expanded") !== "true"),
  }, breakable(name));
  const element = h("tr", {},
    h("th", { scope: "row" }, button, description && h("p", { class: "description" }, description)),
    h("td", { class: `of-value ${kind}`, title: exact(value) }, text),
    share, history);
  return {
    element,
    name,
    text: `${name} ${description ?? ""}`.toLowerCase(),
    setHidden: (hidden) => {
      element.hidden = hidden;
      if (detail) detail.hidden = hidden;
    },
    showContribution: (amount, widest) => show(share, amount === undefined ? null : shareOf(amount, widest)),
    showHistory: (given, date) => {
      [entries, chosen] = [given, date];
      show(history, given.length > 1 ? sparkline(given.map(({ ds }) => ds), given.map(({ features }) => features?.[name])) : null);
      if (detail) setOpen(true);
    },
  };
}

/** A small bar to the left or right of a middle line, and the number. */
function shareOf(amount, widest) {
  const shown = Math.abs(amount) < 0.0005 ? "0" : signed(amount);
  return h("span", { class: amount < 0 ? "share lowers" : "share raises", title: exact(amount) },
    h("span", { class: "share-track", "aria-hidden": "true" }, h("span", { class: "contribution-bar", style: { "--size": Math.abs(amount) / widest } })),
    h("span", { class: shown === "0" ? "share-number quiet" : "share-number" }, shown));
}

function detailRow({ name, type, description }, value, entries, chosen) {
  const points = (entries ?? []).map(({ ds, features }) => ({ ds, value: features?.[name] }));
  const values = points.map(({ value: at }) => at);
  const plotted = points.length > 1 && kindOf(values) === "number";
  return h("tr", { class: "detail" }, h("td", { colspan: "4" },
    h("dl", { class: "facts small" },
      h("dt", {}, "Exact value"), h("dd", { class: "mono" }, exact(value)),
      h("dt", {}, "Type"), h("dd", { class: "mono" }, type)),
    plotted && datePlot({ points, text: number, chosen, label: `${name}: ${inWords(values)}` }),
    points.length > 1
      ? valuesByDate(name, points, plotted, type)
      : h("p", { class: "remark" }, WITHOUT_HISTORY[entries?.length ?? "waiting"] ?? WITHOUT_HISTORY[0]),
    description ? null : h("p", { class: "remark" }, "The pipeline file says nothing about what it means.")));
}

const WITHOUT_HISTORY = {
  waiting: "The history has not come, or this service keeps none.",
  0: "There is no history to show.",
  1: "One date is published so far; the history begins with the next.",
};

function valuesByDate(name, points, folded, type) {
  const table = h("table", { class: "by-date" },
    h("caption", { class: "visually-hidden" }, `${name} by date`),
    h("thead", { class: "visually-hidden" }, h("tr", {}, h("th", { scope: "col" }, "Date"), h("th", { scope: "col" }, "Value"))),
    h("tbody", {}, points.toReversed().map(({ ds, value }) =>
      h("tr", {}, h("th", { scope: "row" }, ds), h("td", { class: shown(value, type).kind, title: exact(value) }, shown(value, type).text)))));
  return folded ? h("details", {}, h("summary", {}, "All values"), table) : table;
}
