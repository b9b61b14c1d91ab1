// One question and its answer, as people see them.
import { call } from "../live/api.js";
import { element } from "../live/elements.js";
import { money } from "../live/entries.js";

const ENDS = { cancelled: "Stopped.", length: "It had to end here." };

export class Answer {
  #entry;
  #said = element("div", "text answer");
  #result = null;

  constructor(list, question) {
    this.#entry = element("li", "", element("p", "question", question), this.#said);
    list.append(this.#entry);
  }

  add({ type, number, data }) {
    this.#entry.dataset.last = number;
    if (type === "token") this.#said.append(data.text);
    if (type === "card") this.#said.append(this.#card(data));
    if (type === "done") this.#end(data);
    if (type === "error") this.#entry.append(element("p", "failure", data.title));
  }

  #card({ product_id, title, price, available, url }) {
    const link = element("a", "", title);
    link.href = new URL(`../..${url}`, import.meta.url);
    link.target = "_blank";
    link.rel = "noopener";
    link.addEventListener("click", () => this.#clicked(product_id));
    const price_and_stock = [element("span", "amount", money(price)), available ? " in stock" : " sold out"];
    const card = element("div", "product", link, element("span", "", ...price_and_stock));
    card.dataset.product = product_id;
    return card;
  }

  #end(result) {
    this.#result = result;
    const words = ENDS[result.state] ?? ENDS[result.finish_reason];
    if (words) this.#entry.append(element("p", "quiet", words));
    const by = result.fallback ? `${result.model}, for another model is away` : result.model;
    this.#entry.append(element("p", "quiet", `Answered by ${by}.`));
  }

  /** Tells that the answer was of use. That it could not be told is nobody's concern here. */
  #clicked(product_id) {
    if (this.#result === null) return;
    const { answer_id, model, version } = this.#result;
    call("feedback", { method: "POST", json: { answer_id, model, version, kind: "clicked", product_id } }).catch(() => {});
  }
}
