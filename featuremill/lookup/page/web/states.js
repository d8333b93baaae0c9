// What is shown when there is nothing, when something failed, and while something is on its way.

import { writeToken } from "./api.js";
import { h, show } from "./dom.js";

const SOON_MS = 160;

/** Placeholder lines; they appear only if the answer takes longer than a blink. */
export function waiting(container, lines = 6) {
  const timer = setTimeout(() => {
    show(
      container,
      h("div", { class: "skeleton", role: "status" },
        h("span", { class: "visually-hidden" }, "Loading"),
        Array.from({ length: lines }, (_, index) => h("div", { class: "bone", style: { "--w": `${92 - ((index * 37) % 55)}%` } })),
      ),
    );
  }, SOON_MS);
  return () => clearTimeout(timer);
}

/** A message in the middle of the page. */
export function message({ mark, title, text, more, actions }) {
  return h("section", { class: "message" },
    h("div", { class: "message-mark", "aria-hidden": "true" }, mark),
    h("h1", { class: "message-title" }, title),
    h("p", {}, text),
    more,
    actions && h("p", { class: "actions" }, actions),
  );
}

/** What to show of an error; `again` is called for another try. */
export function failure(error, again) {
  const retry = h("button", { class: "button", type: "button", onclick: again }, "Try again");
  if (error.status === undefined) {
    return message({ mark: "!", title: "This page has an error", text: `It cannot show what the service answered: ${error.message}.`, actions: retry });
  }
  if (error.status === 0) {
    return message({
      mark: "⚡", title: "The service does not answer",
      text: "It may be starting, or it was stopped.",
      more: h("p", { class: "quiet" }, "Start it with ", h("code", {}, "./start.sh"), " in the project's folder."),
      actions: retry,
    });
  }
  if (error.status === 401 || error.status === 403) return askForToken(error, again);
  if (error.status >= 500) {
    return message({ mark: "!", title: error.status === 503 ? "Not available right now" : "The service failed", text: error.message, actions: retry });
  }
  return message({ mark: "?", title: error.problem.title ?? "That did not work", text: error.message, actions: retry });
}

function askForToken(error, again) {
  const field = h("input", { id: "token", class: "field", type: "password", autocomplete: "off", spellcheck: "false", required: true });
  const form = h("form", {
    class: "token",
    onsubmit: (event) => {
      event.preventDefault();
      writeToken(field.value.trim());
      again();
    },
  }, h("label", { for: "token" }, "Token"), field, h("button", { class: "button primary", type: "submit" }, "Use it"));
  return message({
    mark: "⚿",
    title: error.status === 403 ? "This token may not see that" : "This service asks for a token",
    text: error.status === 403 || error.kind === "unknown-token" ? `${error.message}.` : "Whoever runs it hands them out. It is kept until this tab is closed.",
    more: form,
  });
}

/** A short remark inside a panel. */
export const remark = (...children) => h("p", { class: "remark" }, ...children);
