// What was missed: pages of a log, oldest first, after a cursor.
const MOST_PAGES = 10;

/** All that follows the cursor, null being the beginning; null where that is too much to show. */
export async function readAfter(session, path, query, after) {
  const found = [];
  let from = after;
  for (let page = 0; page < MOST_PAGES; page++) {
    const asked = new URLSearchParams({ ...query, ...(from !== null && { after: from }) });
    const { items, next } = await session.request(`${path}?${asked}`);
    found.push(...items);
    if (next === null) return found;
    from = next;
  }
  return null;
}
