// Elements of the page. What comes from elsewhere is text, never HTML.
export const byId = (id) => document.getElementById(id);

/** `element("p", "quiet", "Hello, ", name)`. */
export function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** Says it, or nothing. */
export function say(target, words) {
  target.textContent = words;
}

/** A time of day, of another day with the date. */
export function timeElement(rfc3339) {
  const when = new Date(rfc3339);
  const today = when.toDateString() === new Date().toDateString();
  const made = element("time", "", (today ? TIME : DATE_AND_TIME).format(when));
  made.dateTime = rfc3339;
  return made;
}

const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const DATE_AND_TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "short" });
