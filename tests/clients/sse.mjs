// GraphQL over server-sent events with graphql-sse, distinct connections: node sse.mjs http://... TOKEN
import { createClient } from "graphql-sse";

import { address, connected, request, retryAttempts, sink, token, wait } from "./subscriber.mjs";

const client = createClient({
  url: address,
  headers: { authorization: `Bearer ${token}` },
  retryAttempts,
  retry: wait,
  on: { connected },
});

client.subscribe(request, sink);
