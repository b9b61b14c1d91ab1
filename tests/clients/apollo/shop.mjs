// An Apollo Client application without React: node shop.mjs ADDRESS TOKEN plain|automatic|manifest [MANIFEST]
// What it sees of its cache is a line of JSON on stdout.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { argv, exit } from "node:process";

import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { relayStylePagination } from "@apollo/client/utilities";
import { generatePersistedQueryIdsFromManifest } from "@apollo/persisted-query-lists";
import { getIntrospectionQuery } from "graphql";
import { createClient } from "graphql-ws";
import { filter, firstValueFrom, map } from "rxjs";

import * as operations from "./operations.mjs";

const [, , address, token, mode, manifest] = argv;
const authorization = `Bearer ${token}`;
const say = (name, value) => console.log(JSON.stringify([name, value]));

async function seenFetch(uri, options) {
  const response = await fetch(uri, options);
  const sent = options.method === "GET" ? new URL(uri).searchParams.has("query") : "query" in JSON.parse(options.body);
  say("sent", [options.method, sent ? "text" : "hash", response.status]);
  return response;
}

// The members of unions and interfaces, as the build of a frontend asks for them.
async function possibleTypes() {
  const response = await fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ query: getIntrospectionQuery() }),
  });
  const { types } = (await response.json()).data.__schema;
  const abstract = types.filter(({ kind }) => kind === "UNION" || kind === "INTERFACE");
  return Object.fromEntries(abstract.map((each) => [each.name, each.possibleTypes.map(({ name }) => name)]));
}

const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const loadManifest = async () => JSON.parse(readFileSync(manifest));
const persisted = {
  plain: () => [],
  automatic: () => [new PersistedQueryLink({ sha256 })],
  manifest: () => [
    new PersistedQueryLink({ ...generatePersistedQueryIdsFromManifest({ loadManifest }), useGETForHashedQueries: true }),
  ],
};
const http = new HttpLink({ uri: address, fetch: seenFetch, headers: { authorization } });
const socket = new GraphQLWsLink(createClient({ url: address.replace("http", "ws"), connectionParams: { authorization } }));
const isSubscription = ({ operationType }) => operationType === "subscription";
const client = new ApolloClient({
  link: ApolloLink.from([...persisted[mode](), ApolloLink.split(isSubscription, socket, http)]),
  clientAwareness: { name: "apollo-shop", version: "1.4.0" },
  cache: new InMemoryCache({
    possibleTypes: await possibleTypes(),
    typePolicies: { Query: { fields: { products: relayStylePagination(["filter", "sort"]) } } },
  }),
});

async function pages() {
  const watched = client.watchQuery({ query: operations.PRODUCTS, variables: { first: 2, after: null, sort: "TITLE" } });
  const shown = (enough) => firstValueFrom(watched.pipe(map(({ data }) => data?.products), filter(enough)));
  const titles = ({ edges }) => edges.map(({ node }) => node.title);
  let products = await shown(Boolean);
  say("first page", titles(products));
  while (products.pageInfo.hasNextPage) {
    const { length } = products.edges;
    await watched.fetchMore({ variables: { after: products.pageInfo.endCursor } });
    products = await shown(({ edges }) => edges.length > length);
  }
  say("all pages", titles(products));
  return products.edges[0].node;
}

async function orderOnce(lines, key) {
  const variables = { input: { lines, email: "a@example.com" }, key };
  const { data } = await client.mutate({ mutation: operations.PLACE_ORDER, variables });
  return data.placeOrder;
}

const cached = (id, field) => client.cache.extract()[id]?.[field];

const lamp = await pages();
const { data } = await client.query({ query: operations.PRODUCT, variables: { handle: "lamp" } });
say("same object", [data.product.id === lamp.id, cached(`Product:${lamp.id}`, "handle")]);
say("node", (await client.query({ query: operations.NODE, variables: { id: lamp.id } })).data.node);

const updates = [];
const both = new Promise((done, failed) =>
  client.subscribe({ query: operations.UPDATES, variables: { after: "evt_0000000000001" } }).subscribe({
    next: ({ data, error }) => {
      if (error) failed(error);
      updates.push(data.orderUpdates.type);
      if (updates.length === 2) done();
    },
  }),
);
const placed = await orderOnce([{ variant: { sku: "LAMP-1" }, quantity: 2 }], "apollo-1");
say("placed", placed);
say("refused", await orderOnce([{ variant: { sku: "LAMP-1" }, quantity: 2 }], "apollo-2"));
say("orders", (await client.query({ query: operations.ORDERS })).data.orders.nodes);
await client.mutate({ mutation: operations.CANCEL_ORDER, variables: { id: placed.id } });
say("orders in the cache", client.readQuery({ query: operations.ORDERS }).orders.nodes.map(({ state }) => state));
await both;
say("updates", updates);
exit(0);
