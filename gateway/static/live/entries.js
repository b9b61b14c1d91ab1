// Events and messages as people see them.
import { element, timeElement } from "./elements.js";

const BADGES = { "product.created": "new", "promotion.started": "starts", "promotion.ended": "ends" };

/** An amount in minor units, as it is written here. */
export function money({ amount, currency }) {
  const format = new Intl.NumberFormat(undefined, { style: "currency", currency });
  return format.format(amount / 10 ** format.resolvedOptions().maximumFractionDigits);
}

/** A list item of the feed. */
export function eventEntry({ type, subject, time, data }) {
  const [noun, verb] = type.split(".");
  const badge = noun === "stock" ? "stock" : (BADGES[type] ?? verb);
  const entry = element(
    "li",
    "entry",
    element("span", `badge ${noun === "order" ? verb : ""}`, badge),
    element("span", "", ...what(noun, data, subject)),
    timeElement(time),
  );
  entry.dataset.kind = noun === "order" ? "order" : "catalogue";
  return entry;
}

function what(noun, data, subject) {
  switch (noun) {
    case "order":
      return [`Order ${data.number} `, element("span", "amount", money(data.total))];
    case "stock":
      return [`${data.sku ?? data.variant_id}: ${data.stock ?? "no longer counted"}${data.stock === null ? "" : " left"}`];
    default:
      return [data.title ?? subject];
  }
}

/** A list item of the chat. `nameOf(id)`: of who is or was there; null where nobody knows. */
export function messageEntry({ author, to, text, created_at }, myId, nameOf) {
  const head = element("div", "", element("span", "said-by", author.id === myId ? "You" : author.name || "Somebody"));
  if (author.staff) head.append(" ", element("span", "badge", "staff"));
  if (to !== null) head.append(` to ${to === myId ? "you" : (nameOf(to) ?? "one person")} alone`);
  head.append(" ", timeElement(created_at));
  return element("li", to !== null ? "personal" : "", head, element("p", "text", text));
}
