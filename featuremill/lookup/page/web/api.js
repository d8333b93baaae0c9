// Asking the service.

const TOKEN = "featuremill.token";

/** What went wrong: `status` is 0 if the service did not answer; `problem` is its application/problem+json. */
export class ApiError extends Error {
  constructor(status, problem) {
    super(problem?.detail ?? "The service does not answer.");
    this.status = status;
    this.problem = problem ?? {};
    this.kind = String(this.problem.type ?? "").split(":").pop();
  }
}

/** JSON whose whole numbers beyond 2^53 keep all their digits, as BigInt. */
export function parseExactly(text) {
  return JSON.parse(text, (_, value, context) =>
    typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? "")
      ? BigInt(context.source)
      : value,
  );
}

async function ask(path, options) {
  const headers = { accept: "application/json", ...options.headers };
  const token = readToken();
  if (token) headers.authorization = `Bearer ${token}`;
  let response, text;
  try {
    response = await fetch(path, { ...options, headers });
    text = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0);
  }
  let document = null;
  try {
    document = parseExactly(text);
  } catch {
    if (response.ok) throw new ApiError(response.status, { detail: "The service answered with something that is not JSON." });
  }
  if (!response.ok) throw new ApiError(response.status, document ?? { detail: `The service answered ${response.status}.` });
  return document;
}

export const get = (path, signal) => ask(path, { signal });

export const post = (path, body, signal) =>
  ask(path, { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" }, signal });

/** The path of an entity. */
export const entityPath = (pipeline, id) => `/v1/${encodeURIComponent(pipeline)}/${encodeURIComponent(id)}`;

export function readToken() {
  try {
    return sessionStorage.getItem(TOKEN);
  } catch {
    return null;
  }
}

/** Keep a token until the tab is closed. */
export function writeToken(token) {
  try {
    sessionStorage.setItem(TOKEN, token);
  } catch {
    // Without storage it cannot be kept; the next answer says that a token is missing.
  }
}

const FRESH_MS = 4000;
let kept = null;

/** The overview of all pipelines; one that is a few seconds old is good enough unless `anew`. */
export async function overview(signal, anew = false) {
  if (!anew && kept !== null && performance.now() - kept.at < FRESH_MS) return kept.document;
  const document = await get("/page/overview", signal);
  kept = { at: performance.now(), document };
  return document;
}

/** The last overview there was, however old; null before the first. */
export const lastOverview = () => kept?.document ?? null;
