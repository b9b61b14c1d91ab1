// The event log over server-sent events. Whatever happens to the stream, the timeline gets each event once.
//
// An EventSource comes back by itself with the last id that it had, as long as its ticket is good. Where it gives up, a
// new one with a new ticket goes on. Whenever a stream has opened, what was missed is read from the log besides: only
// then is the feed live, and only then does it count as seen what the stream brings.
import { BASE, Refused } from "./api.js";
import { Backoff } from "./backoff.js";
import { readAfter } from "./catch_up.js";

const TYPES = [
  ...["order.placed", "order.paid", "order.shipped", "order.cancelled"],
  ...["product.created", "product.updated", "product.deleted", "stock.changed"],
  ...["promotion.started", "promotion.ended"],
];
const GONE = "Some events are no longer kept, so the list begins anew.";
const TOO_MANY = "Too much has happened to show it all: the list begins now.";

export class Feed {
  #session;
  #timeline;
  #onState;
  #say;
  #backoff = new Backoff();
  #source = null;
  #turn = 0; // of connecting: what belongs to an earlier one is too late
  #cursor = null; // all up to it is in the timeline
  #live = false;

  /** `onState(state)`: connecting, behind, live or reconnecting. `say(words)`: what people should know. */
  constructor(session, timeline, { onState, say }) {
    this.#session = session;
    this.#timeline = timeline;
    this.#onState = onState;
    this.#say = say;
  }

  start() {
    this.#onState("connecting");
    this.#connect();
  }

  stop() {
    this.#backoff.stop();
    this.#drop();
    this.#cursor = null;
    this.#timeline.clear();
  }

  async #connect() {
    const turn = this.#drop();
    try {
      const { ticket } = await this.#session.request("tickets", { method: "POST", json: { for: "events" } });
      if (turn === this.#turn) this.#open(ticket, turn);
    } catch {
      if (turn === this.#turn) this.#again();
    }
  }

  #open(ticket, turn) {
    const address = new URL("events/stream", BASE);
    address.searchParams.set("ticket", ticket);
    address.searchParams.set("types", TYPES.join(","));
    if (this.#cursor !== null) address.searchParams.set("after", this.#cursor);
    const source = (this.#source = new EventSource(address));
    const on = (type, act) =>
      source.addEventListener(type, (event) => {
        if (turn === this.#turn) act(event);
      });
    on("open", () => this.#catchUp(source, turn));
    for (const type of TYPES) on(type, ({ data }) => this.#take(JSON.parse(data)));
    on("reconnect", () => this.#interrupted());
    on("reset", () => this.#beginAnew(GONE));
    // With data, the server has refused to go on; without, the connection broke.
    on("error", ({ data }) => {
      if (data !== undefined || source.readyState === EventSource.CLOSED) this.#again();
      else this.#interrupted();
    });
  }

  async #catchUp(source, turn) {
    this.#live = false;
    this.#onState("behind");
    try {
      const query = { types: TYPES.join(","), limit: "1000" };
      const missed = await readAfter(this.#session, "events", query, this.#cursor);
      if (turn !== this.#turn || source.readyState !== EventSource.OPEN) return;
      if (missed !== null) this.#timeline.addAll(missed.map((event) => [event.id, event]));
      else if (this.#cursor === null) this.#say(TOO_MANY); // else the stream brings it all
      this.#live = true;
      this.#cursor = this.#timeline.newest;
      this.#backoff.succeeded();
      this.#onState("live");
    } catch (error) {
      if (turn !== this.#turn) return;
      if (error instanceof Refused && error.code === "reset") this.#beginAnew(GONE);
      else this.#again();
    }
  }

  #take(event) {
    this.#timeline.add(event.id, event);
    if (this.#live) this.#cursor = this.#timeline.newest;
  }

  #beginAnew(words) {
    this.#cursor = null;
    this.#timeline.clear();
    this.#say(words);
    this.#again();
  }

  #interrupted() {
    this.#live = false;
    this.#onState("reconnecting");
  }

  #again() {
    this.#interrupted();
    this.#drop();
    this.#backoff.again(() => this.#connect());
  }

  /** The next turn. */
  #drop() {
    this.#source?.close();
    this.#source = null;
    this.#live = false;
    return ++this.#turn;
  }
}
