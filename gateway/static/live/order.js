// An order, so that something happens: one of the first product in stock.
import { Refused } from "./api.js";
import { money } from "./entries.js";

export class DemoOrder {
  #session;
  #pending = null; // nobody knows yet whether it was done: the same again is no second order

  constructor(session) {
    this.#session = session;
  }

  /** In words, what was ordered. Throws Refused, Unreachable. */
  async place() {
    this.#pending ??= { key: newKey(), line: await this.#firstInStock() };
    const { key, line } = this.#pending;
    try {
      const headers = { "Idempotency-Key": key };
      const order = await this.#session.request("orders", { method: "POST", json: { lines: [line] }, headers });
      this.#pending = null;
      return `Order ${order.number} is placed: ${order.lines[0].title}, ${money(order.total)}.`;
    } catch (error) {
      if (error instanceof Refused && error.status < 500 && error.code !== "idempotency_in_progress") this.#pending = null;
      throw error;
    }
  }

  async #firstInStock() {
    const { items } = await this.#session.request("products?in_stock=true&size=1");
    if (items.length === 0) throw new Error("Nothing is in stock.");
    return { variant_id: items[0].variants.find(({ available }) => available).id, quantity: 1 };
  }
}

/** Not `crypto.randomUUID`, which is missing where the page came without TLS. */
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
