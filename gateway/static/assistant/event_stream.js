// Server-sent events (WHATWG HTML, 9.2) of an answer to fetch: an EventSource neither posts nor begins at a number.

/** `{type, id, data}` of each event, `data` being parsed JSON; `retry` is given to `onRetry`, in milliseconds. */
export async function* eventsIn(body, onRetry) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      const blocks = (held + read.value).split("\n\n");
      held = blocks.pop();
      for (const block of blocks) {
        const fields = Object.fromEntries(block.split("\n").map(field));
        if (fields.retry) onRetry(Number(fields.retry));
        if (fields.data) yield { type: fields.event, id: fields.id, data: JSON.parse(fields.data) };
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // it may have broken already
  }
}

/** Name and value; a comment has no name. */
function field(line) {
  const colon = line.indexOf(":");
  return [line.slice(0, colon), line.slice(colon + 1).trimStart()];
}
