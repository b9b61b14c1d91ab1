// The assistant's page: a question at a time, and an answer that outlives the page.
import { byId } from "../live/elements.js";
import { onClick, onSubmit } from "../live/forms.js";
import { showState } from "../live/states.js";
import { Answer } from "./answer.js";
import { Conversation, isOver, lastOf } from "./conversation.js";
import { ask, cancel, follow } from "./run.js";

const conversation = new Conversation();
let leaving = new AbortController();

/** Shows what there is already. */
function shown(turn) {
  const answer = new Answer(byId("talk"), turn.question);
  turn.events.forEach((event) => answer.add(event));
  return answer;
}

function take(turn, answer, event) {
  conversation.take(turn, event);
  answer.add(event);
  byId("talk-scroll").scrollTop = byId("talk-scroll").scrollHeight;
}

/** Until the answer's end. `response` is its stream, where there is one. */
async function read(turn, answer, response) {
  const { signal } = leaving;
  byId("stop").hidden = false;
  byId("stop").dataset.run = turn.run;
  try {
    const onState = (state) => showState(byId("state"), state);
    for await (const event of follow(turn.run, lastOf(turn), response, signal, onState)) take(turn, answer, event);
  } catch (error) {
    if (signal.aborted) return;
    take(turn, answer, { type: "error", number: lastOf(turn), data: { title: error.message } });
  }
  byId("stop").hidden = true;
  showState(byId("state"), null);
}

onSubmit(byId("ask"), async ({ question }) => {
  if (!byId("stop").hidden) throw new Error("It still answers: wait, or stop it.");
  const turn = conversation.begin(question);
  let begun;
  showState(byId("state"), "connecting");
  try {
    begun = await ask(conversation.messages, leaving.signal);
  } catch (error) {
    conversation.drop(turn);
    showState(byId("state"), null);
    throw error;
  }
  turn.run = begun.id;
  conversation.keep();
  byId("ask").reset();
  await read(turn, shown(turn), begun.response);
});
onClick(byId("stop"), () => cancel(byId("stop").dataset.run));
onClick(byId("anew"), async () => {
  leaving.abort();
  leaving = new AbortController();
  conversation.clear();
  byId("talk").replaceChildren();
  byId("stop").hidden = true;
  showState(byId("state"), null);
});

for (const turn of conversation.turns) {
  const answer = shown(turn);
  if (!isOver(turn)) read(turn, answer, null);
}
