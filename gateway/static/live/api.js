// Portico's REST, with its refusals in words.
export const BASE = new URL("../../public/v1/", import.meta.url);
const PATIENCE_MS = 20_000;

/** The server has said no. `code` is that of the problem, `status` the HTTP status. */
export class Refused extends Error {
  constructor(status, problem) {
    super(inWords(status, problem));
    this.status = status;
    this.code = problem?.code ?? null;
  }
}

/** Nobody knows whether it was done: no answer came. */
export class Unreachable extends Error {
  constructor() {
    super("The server cannot be reached at the moment.");
  }
}

/** The JSON of the answer; null where it has none. Throws Refused, Unreachable. */
export async function call(path, { method = "GET", token = null, json = null, form = null, headers = {} } = {}) {
  const sent = new Headers(headers);
  if (token !== null) sent.set("Authorization", `Bearer ${token}`);
  if (json !== null) sent.set("Content-Type", "application/json");
  const body = json !== null ? JSON.stringify(json) : form !== null ? new URLSearchParams(form) : null;
  const signal = AbortSignal.timeout(PATIENCE_MS);
  return parsed(await textOf(await open(path, { method, headers: sent, body, signal })));
}

/** The answer as it comes, to what `fetch` is asked with. Throws Refused, Unreachable. */
export async function open(path, options) {
  let response;
  try {
    response = await fetch(new URL(path, BASE), { ...options, cache: "no-store" });
  } catch {
    throw new Unreachable();
  }
  if (!response.ok) throw new Refused(response.status, parsed(await textOf(response)));
  return response;
}

async function textOf(response) {
  try {
    return await response.text();
  } catch {
    throw new Unreachable();
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // empty, or a proxy's page
  }
}

function inWords(status, problem) {
  if (problem === null) return `The server has answered with the status ${status}.`;
  const faults = (problem.errors ?? []).map(({ pointer, message }) => `${pointer.split("/").pop()}: ${message}`);
  return [sentence(problem.detail || problem.title), ...faults].join("\n");
}

function sentence(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
