// How a stream is, in a word.
const WORDS = {
  connecting: "connecting",
  behind: "behind, catching up",
  live: "live",
  reconnecting: "reconnecting",
  refused: "refused",
};

/** `state` null: there is no stream. */
export function showState(target, state) {
  target.textContent = state === null ? "" : WORDS[state];
  target.dataset.state = state ?? "";
}
