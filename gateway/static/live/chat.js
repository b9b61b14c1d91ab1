// A support room over a WebSocket. Whatever happens to the socket, the timeline gets each message once.
//
// As in the feed, what was missed is read from the room's history whenever the room is followed again; and only while
// that is done is anything sent, so that nobody says twice what had arrived.
import { BASE, Refused } from "./api.js";
import { Backoff } from "./backoff.js";
import { readAfter } from "./catch_up.js";

const TOO_MANY = "Too much has been said here to show it all: the list begins now.";

export class Chat {
  #session;
  #timeline;
  #heard;
  #backoff = new Backoff();
  #socket = null;
  #turn = 0; // of connecting: what belongs to an earlier one is too late
  #room = null;
  #cursor = null; // all up to it is in the timeline
  #live = false;
  #people = new Map();
  #silence = null;
  #heartbeatMs = 30_000;

  /** `heard`: onState(state), onPeople(people), onMessage(message), onRefused(words), say(words). */
  constructor(session, timeline, heard) {
    this.#session = session;
    this.#timeline = timeline;
    this.#heard = heard;
  }

  join(room) {
    this.leave();
    this.#room = room;
    this.#heard.onState("connecting");
    this.#connect();
  }

  leave() {
    this.#drop();
    this.#backoff.stop();
    this.#backoff.succeeded();
    this.#room = this.#cursor = null;
    this.#timeline.clear();
  }

  /** Whether it went out; that it has arrived is known when it comes back. `to` null: to everybody. */
  send(text, to) {
    if (this.#live) this.#say({ type: "send", text, to });
    return this.#live;
  }

  get #path() {
    return `support/rooms/${encodeURIComponent(this.#room)}`;
  }

  async #connect() {
    const turn = this.#drop();
    try {
      const { ticket } = await this.#session.request("tickets", { method: "POST", json: { for: "websocket" } });
      if (turn === this.#turn) this.#open(ticket, turn);
    } catch {
      if (turn === this.#turn) this.#again();
    }
  }

  #open(ticket, turn) {
    const address = new URL(`${this.#path}/ws`, BASE);
    address.protocol = address.protocol.replace("http", "ws");
    address.searchParams.set("ticket", ticket);
    if (this.#cursor !== null) address.searchParams.set("after", this.#cursor);
    const socket = (this.#socket = new WebSocket(address));
    let welcomed = false;
    let retryMs = 0;
    const frames = {
      welcome: ({ heartbeat_seconds }) => {
        welcomed = true;
        this.#heartbeatMs = heartbeat_seconds * 1000;
      },
      ping: () => this.#say({ type: "pong" }),
      subscribed: () => this.#catchUp(turn),
      message: (message) => this.#take(message),
      presence: ({ person, state }) => this.#meet(person, state),
      error: ({ message }) => this.#heard.onRefused(message),
      reconnect: ({ retry_ms }) => (retryMs = retry_ms),
    };
    socket.onmessage = ({ data }) => {
      if (turn !== this.#turn) return;
      this.#watch();
      const frame = JSON.parse(data);
      frames[frame.type]?.(frame); // `reset` needs nothing: the history keeps what the log does not
    };
    socket.onclose = () => {
      if (turn !== this.#turn) return;
      if (welcomed) this.#again(retryMs);
      else this.#askWhy(turn);
    };
  }

  /** A browser does not tell why a socket was refused. Once may be chance; REST says whether the room is not ours. */
  async #askWhy(turn) {
    try {
      if (this.#backoff.tries > 0) await this.#session.request(`${this.#path}/messages?limit=1`);
    } catch (error) {
      if (turn !== this.#turn) return;
      if (error instanceof Refused && [403, 404, 422].includes(error.status)) {
        this.#drop();
        this.#heard.onState("refused");
        this.#heard.onRefused(error.message);
        return;
      }
    }
    if (turn === this.#turn) this.#again();
  }

  async #catchUp(turn) {
    this.#live = false;
    this.#heard.onState("behind");
    try {
      const missed = await readAfter(this.#session, `${this.#path}/messages`, { limit: "100" }, this.#cursor);
      if (turn !== this.#turn) return;
      if (missed === null) this.#heard.say(TOO_MANY);
      else this.#timeline.addAll(missed.map((message) => [message.cursor, message]));
      this.#live = true;
      this.#cursor = this.#timeline.newest;
      this.#backoff.succeeded();
      for (const message of missed ?? []) this.#heard.onMessage(message);
      this.#heard.onState("live");
    } catch {
      if (turn === this.#turn) this.#again();
    }
  }

  #take(message) {
    const isNew = this.#timeline.add(message.cursor, message);
    if (this.#live) this.#cursor = this.#timeline.newest;
    if (isNew) this.#heard.onMessage(message);
  }

  #meet(person, state) {
    if (state === "joined") this.#people.set(person.id, person);
    else this.#people.delete(person.id);
    this.#heard.onPeople([...this.#people.values()]);
  }

  #say(frame) {
    this.#socket.send(JSON.stringify(frame));
  }

  /** The server pings: where nothing comes for twice as long, the connection is dead, whoever has not noticed. */
  #watch() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#again(), 2 * this.#heartbeatMs);
  }

  #again(atLeastMs = 0) {
    this.#drop();
    this.#heard.onState("reconnecting");
    this.#backoff.again(() => this.#connect(), atLeastMs);
  }

  /** The next turn. */
  #drop() {
    clearTimeout(this.#silence);
    this.#socket?.close();
    this.#socket = null;
    this.#live = false;
    this.#people.clear();
    this.#heard.onPeople([]);
    return ++this.#turn;
  }
}
