// Who has signed in: tokens, kept for this tab alone, and renewed when they have expired.
import { call, Refused } from "./api.js";

const KEY = "portico-live";

export class Session {
  #tokens = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
  #renewal = null;
  #onEnd;

  /** `onEnd(words)` is called when it is over without having been ended here. */
  constructor(onEnd) {
    this.#onEnd = onEnd;
  }

  get signedIn() {
    return this.#tokens !== null;
  }

  async register(name, email, password) {
    await call("auth/register", { method: "POST", json: { name, email, password } });
  }

  async signIn(email, password) {
    this.#keep(await call("auth/token", { method: "POST", form: { username: email, password } }));
  }

  /** Here in any case, and on the server where that can be reached. */
  async signOut() {
    const token = this.#tokens.access_token;
    this.#keep(null);
    await call("auth/logout", { method: "POST", token }).catch(() => {});
  }

  /** As `call`, as who has signed in. */
  async request(path, options = {}) {
    const token = this.#token();
    try {
      return await call(path, { ...options, token });
    } catch (error) {
      if (error.status !== 401) throw error;
    }
    await this.#renew(token);
    return call(path, { ...options, token: this.#token() });
  }

  #token() {
    if (this.#tokens === null) throw new Error("Nobody has signed in.");
    return this.#tokens.access_token;
  }

  /** Once, whoever asks: a refresh token that comes twice ends the sign-in. */
  async #renew(stale) {
    if (this.#tokens?.access_token !== stale) return;
    this.#renewal ??= this.#askAnew().finally(() => {
      this.#renewal = null;
    });
    await this.#renewal;
  }

  async #askAnew() {
    const { refresh_token } = this.#tokens;
    try {
      const renewed = await call("auth/refresh", { method: "POST", json: { refresh_token } });
      if (this.#tokens?.refresh_token === refresh_token) this.#keep(renewed);
    } catch (error) {
      if (error instanceof Refused && error.status < 500 && this.#tokens?.refresh_token === refresh_token) {
        this.#keep(null);
        this.#onEnd("Your sign-in has ended. Please sign in again.");
      }
      throw error;
    }
  }

  #keep(tokens) {
    this.#tokens = tokens;
    if (tokens === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, JSON.stringify(tokens));
  }
}
