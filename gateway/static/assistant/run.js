// A run of the assistant, which goes on at the server whatever happens to this page.
import { Refused, call, open } from "../live/api.js";
import { Backoff } from "../live/backoff.js";
import { eventsIn } from "./event_stream.js";

/** The id of the run that answers, and its stream. Throws Refused, Unreachable. */
export async function ask(messages, signal) {
  const body = JSON.stringify({ messages, stream: true });
  const headers = { "Content-Type": "application/json" };
  const response = await open("assistant/chat", { method: "POST", headers, body, signal });
  const [, id] = response.headers.get("location").match(/\/runs\/([^/]+)\/events$/);
  return { id, response };
}

/** Stops it, wherever it runs. */
export async function cancel(id) {
  await call(`assistant/runs/${id}/cancel`, { method: "POST" });
}

/**
 * Each event after the number, once and in its order, until the last: `{type, number, data}`. Where the stream breaks it
 * comes back with the number that it has. `response` is a stream that there is already, or null; `onState(state)` is told
 * "live" or "reconnecting". Throws Refused.
 */
export async function* follow(id, after, response, signal, onState) {
  const backoff = new Backoff();
  let last = after;
  while (true) {
    let retryMs = 0;
    try {
      const headers = last ? { "Last-Event-ID": String(last) } : {};
      response ??= await open(`assistant/runs/${id}/events`, { headers, signal });
      onState("live");
      for await (const { type, id: number, data } of eventsIn(response.body, (ms) => (retryMs = ms))) {
        if (type === "reconnect") {
          retryMs = data.retry_ms;
          break;
        }
        last = Number(number);
        backoff.succeeded();
        yield { type, number: last, data };
        if (type === "done" || type === "error") return;
      }
    } catch (error) {
      if (signal.aborted || (error instanceof Refused && error.status < 500 && error.status !== 429)) throw error;
    }
    response = null;
    onState("reconnecting");
    await new Promise((resolve) => backoff.again(resolve, retryMs));
  }
}
