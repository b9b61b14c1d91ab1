// The part of the page that is the support chat.
import { Chat } from "./chat.js";
import { byId, element, say } from "./elements.js";
import { messageEntry } from "./entries.js";
import { onSubmit } from "./forms.js";
import { showState } from "./states.js";
import { Timeline } from "./timeline.js";

const WAITS = "Not connected at the moment: your message waits in its field.";

export class ChatRoom {
  #session;
  #me = null;
  #names = new Map(); // of who is or was there
  #sent = null; // on its way
  #form = byId("say");
  #scroll = byId("chat-scroll");
  #chat;

  constructor(session) {
    this.#session = session;
    const render = (message) => messageEntry(message, this.#me.id, (id) => this.#names.get(id) ?? null);
    this.#chat = new Chat(session, new Timeline(byId("messages"), render, { limit: 500 }), {
      onState: (state) => this.#onState(state),
      onPeople: (people) => this.#showPeople(people),
      onMessage: (message) => this.#onMessage(message),
      onRefused: (words) => this.#refused(words),
      say: (words) => say(byId("chat-said"), words),
    });
    onSubmit(byId("join"), ({ room }) => this.#join(room));
    onSubmit(this.#form, ({ text, to }) => this.#send(text, to || null));
  }

  /** Customers are in their latest room at once, or in a new one of their own; staff choose. */
  async open(me) {
    this.#me = me;
    const { items } = await this.#session.request("support/rooms?limit=100");
    byId("rooms").replaceChildren(...items.map(({ name }) => new Option("", name)));
    const room = items[0]?.name ?? newRoom();
    byId("join").elements.room.value = room;
    if (me.role === "customer") this.#join(room);
  }

  close() {
    this.#chat.leave();
    this.#names.clear();
    this.#form.elements.to.length = 1;
    this.#form.reset();
    showState(byId("chat-state"), null);
    say(byId("chat-said"), "");
  }

  #join(room) {
    this.#sent = null;
    this.#form.elements.to.length = 1;
    say(byId("chat-said"), "");
    this.#chat.join(room);
  }

  /** The text stays in its field until it has come back: until then nobody knows that it arrived. */
  #send(text, to) {
    if (this.#sent !== null) return;
    const said = text.trim();
    if (said === "") return;
    const went = this.#chat.send(said, to);
    if (went) this.#sent = { text: said, to };
    say(byId("chat-said"), went ? "" : WAITS);
  }

  #onMessage({ author, text, to }) {
    this.#names.set(author.id, author.name);
    if (author.id === this.#me.id && text === this.#sent?.text && to === this.#sent.to) {
      const field = this.#form.elements.text;
      if (field.value.trim() === text) field.value = "";
      this.#sent = null;
    }
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }

  #onState(state) {
    showState(byId("chat-state"), state);
    if (state !== "live") return;
    this.#sent = null; // what had arrived has just been seen
    say(byId("chat-said"), "");
  }

  #refused(words) {
    this.#sent = null;
    say(byId("chat-said"), words);
  }

  #showPeople(people) {
    for (const { id, name } of people) this.#names.set(id, name);
    const shown = people.map((each) => {
      const item = element("li", "", each.id === this.#me.id ? `${each.name} (you)` : each.name);
      if (each.staff) item.append(" ", element("span", "badge", "staff"));
      return item;
    });
    byId("people").replaceChildren(...shown);
    this.#showRecipients(people.filter(({ id }) => id !== this.#me.id));
  }

  /** Who is chosen stays so after leaving: a personal message must not become one to everybody. */
  #showRecipients(people) {
    const select = this.#form.elements.to;
    const chosen = select.value;
    const options = people.map(({ id, name }) => new Option(name, id));
    if (chosen !== "" && !people.some(({ id }) => id === chosen)) {
      options.push(new Option(`${this.#names.get(chosen)} (has left)`, chosen));
    }
    select.replaceChildren(select.options[0], ...options);
    select.value = chosen;
  }
}

/** A name that nobody guesses: who comes first has the room. */
function newRoom() {
  const [number] = crypto.getRandomValues(new BigUint64Array(1));
  return `help-${number.toString(36)}`;
}
