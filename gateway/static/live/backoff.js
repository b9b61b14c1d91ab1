// When to try again: later each time, and by chance, so that not all clients come back at once.
const FIRST_MS = 500;
const LONGEST_MS = 30_000;

export class Backoff {
  #tries = 0;
  #timer = null;

  /** Calls it later, instead of what waits already; where the server has said when, not before. */
  again(act, atLeastMs = 0) {
    const ceiling = Math.min(FIRST_MS * 2 ** this.#tries++, LONGEST_MS);
    this.stop();
    this.#timer = setTimeout(act, Math.max(atLeastMs, ceiling * (0.5 + Math.random() / 2)));
  }

  get tries() {
    return this.#tries;
  }

  succeeded() {
    this.#tries = 0;
  }

  stop() {
    clearTimeout(this.#timer);
  }
}
