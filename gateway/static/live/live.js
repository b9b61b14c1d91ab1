// The live page: what is where on it, and who does what.
import { Backoff } from "./backoff.js";
import { ChatRoom } from "./chat_room.js";
import { byId, say } from "./elements.js";
import { eventEntry } from "./entries.js";
import { Feed } from "./feed.js";
import { onClick, onSubmit } from "./forms.js";
import { DemoOrder } from "./order.js";
import { Session } from "./session.js";
import { showState } from "./states.js";
import { Timeline } from "./timeline.js";

const session = new Session(leave);
const feed = new Feed(session, new Timeline(byId("feed"), eventEntry, { limit: 200, newestFirst: true }), {
  onState: (state) => showState(byId("feed-state"), state),
  say: (words) => say(byId("feed-said"), words),
});
const room = new ChatRoom(session);
const demo = new DemoOrder(session);
const arrival = new Backoff();

/** Shows what is for who has signed in. */
async function enter() {
  try {
    const me = await session.request("me");
    arrival.succeeded();
    say(byId("notice"), "");
    show(me);
    feed.start();
    await room.open(me);
  } catch (error) {
    if (!session.signedIn) return;
    say(byId("notice"), error.message);
    arrival.again(enter);
  }
}

/** Back to signing in; `words` say why. */
function leave(words = "") {
  arrival.stop();
  feed.stop();
  room.close();
  show(null);
  say(byId("notice"), words);
}

function show(me) {
  byId("account").hidden = me !== null;
  byId("columns").hidden = byId("who").hidden = me === null;
  say(byId("me"), me === null ? "" : me.role === "customer" ? me.name : `${me.name} (${me.role})`);
  say(byId("feed-title"), me?.role === "customer" ? "Your orders and the catalogue" : "All orders and the catalogue");
  say(byId("feed-said"), "");
  byId(me === null ? "account-title" : "feed-title").focus();
}

onSubmit(byId("sign-in"), async ({ email, password }) => {
  await session.signIn(email, password);
  byId("sign-in").reset();
  await enter();
});
onSubmit(byId("register"), async ({ name, email, password }) => {
  await session.register(name, email, password);
  await session.signIn(email, password);
  byId("register").reset();
  await enter();
});
onClick(byId("sign-out"), async () => {
  leave();
  await session.signOut();
});
onClick(byId("order"), async () => {
  say(byId("feed-said"), "Ordering ...");
  say(byId("feed-said"), await demo.place());
});
byId("shown").addEventListener("change", ({ target }) => {
  byId("feed").dataset.shown = target.value;
});

if (session.signedIn) {
  byId("account").hidden = true;
  enter();
}
