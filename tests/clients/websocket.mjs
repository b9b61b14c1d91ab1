// GraphQL over WebSocket with graphql-ws, as its documentation says: node websocket.mjs ws://... TOKEN
import { createClient } from "graphql-ws";

import { address, connected, request, retryAttempts, sink, token, wait } from "./subscriber.mjs";

const client = createClient({
  url: address,
  connectionParams: { authorization: `Bearer ${token}` },
  retryAttempts,
  retryWait: wait,
  shouldRetry: () => true, // also when nobody listens yet
  on: { connected: (_socket, _payload, again) => connected(again) },
});

client.subscribe(request, sink);
