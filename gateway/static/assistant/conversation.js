// What was asked and answered, kept for this tab: where the page is loaded again it goes on with it.
const KEY = "portico-assistant";
// As much as the server takes with a question.
const MOST_TURNS = 19;
const MOST_CHARACTERS = 12_000;

export class Conversation {
  /** `{question, run, events}` each, oldest first; `run` is null until it is known. */
  turns = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");

  begin(question) {
    const turn = { question, run: null, events: [] };
    this.turns = [...this.turns, turn].slice(-MOST_TURNS);
    return turn;
  }

  take(turn, event) {
    turn.events.push(event);
    this.keep();
  }

  drop(turn) {
    this.turns = this.turns.filter((each) => each !== turn);
    this.keep();
  }

  clear() {
    this.turns = [];
    sessionStorage.removeItem(KEY);
  }

  keep() {
    sessionStorage.setItem(KEY, JSON.stringify(this.turns));
  }

  /** As the server wants them: the last question, and as much of what came before as it reads. */
  get messages() {
    const found = [];
    let size = 0;
    for (const turn of [...this.turns].reverse()) {
      const said = textOf(turn);
      size += turn.question.length + said.length;
      if (found.length && (size > MOST_CHARACTERS || !said)) break;
      if (said) found.unshift({ role: "assistant", content: said });
      found.unshift({ role: "user", content: turn.question });
    }
    return found;
  }
}

/** The last number that a turn has; 0 where it has none. */
export function lastOf(turn) {
  return turn.events.at(-1)?.number ?? 0;
}

export function isOver(turn) {
  return ["done", "error"].includes(turn.events.at(-1)?.type);
}

function textOf({ events }) {
  const said = events.filter(({ type }) => type === "token").map(({ data }) => data.text);
  return said.join("").slice(0, 4000);
}
