// A list of the page in the order of the log: each cursor once, however often and in whatever order it comes.
export class Timeline {
  #list;
  #render;
  #limit;
  #newestFirst;
  #shown = []; // cursors, oldest first
  #gone = ""; // the newest that was there and had to make room

  /** `render(item)` gives a list item. */
  constructor(list, render, { limit, newestFirst = false }) {
    this.#list = list;
    this.#render = render;
    this.#limit = limit;
    this.#newestFirst = newestFirst;
  }

  /** The newest; null while there is none. Cursors sort as the log does. */
  get newest() {
    return this.#shown.at(-1) ?? null;
  }

  /** Whether it was new. */
  add(cursor, item) {
    const place = this.#shown.findLastIndex((each) => each <= cursor) + 1;
    if (cursor <= this.#gone || this.#shown[place - 1] === cursor) return false;
    this.#shown.splice(place, 0, cursor);
    const entry = this.#render(item);
    entry.dataset.cursor = cursor;
    entry.classList.toggle("fresh", !this.#list.ariaBusy);
    this.#list.insertBefore(entry, this.#child(place));
    if (this.#shown.length > this.#limit) this.#dropOldest();
    return true;
  }

  /** Those that were missed, without reading each of them out. */
  addAll(pairs) {
    this.#list.ariaBusy = "true";
    for (const [cursor, item] of pairs) this.add(cursor, item);
    setTimeout(() => {
      this.#list.ariaBusy = null;
    });
  }

  clear() {
    this.#shown = [];
    this.#gone = "";
    this.#list.replaceChildren();
  }

  /** Before which child the entry of this place goes; null: at the end. */
  #child(place) {
    const children = this.#list.children;
    return (this.#newestFirst ? children[children.length - place] : children[place]) ?? null;
  }

  #dropOldest() {
    this.#gone = this.#shown.shift();
    (this.#newestFirst ? this.#list.lastElementChild : this.#list.firstElementChild).remove();
  }
}
