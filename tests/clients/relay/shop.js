// A Relay application without React: pages of a connection, a refetch by id, and orders that an updater puts into a
// list. What it sees of its store is a line of JSON on stdout.
const {
  commitMutation,
  ConnectionHandler,
  createOperationDescriptor,
  Environment,
  fetchQuery,
  getFragment,
  getPaginationMetadata,
  getPaginationVariables,
  getRefetchMetadata,
  getRequest,
  getSingularSelector,
  graphql,
  Network,
  RecordSource,
  Store,
} = require("relay-runtime");

const [, , address, token] = process.argv;

const productFragment = graphql`
  fragment shop_product on Product @refetchable(queryName: "shopProductRefetchQuery") {
    title
    category { name }
    priceRange { min { amount currency } }
    variants { id sku stock }
  }
`;

const listFragment = graphql`
  fragment shop_list on Query
  @argumentDefinitions(count: { type: "Int", defaultValue: 2 }, cursor: { type: "String" })
  @refetchable(queryName: "shopListPaginationQuery") {
    products(first: $count, after: $cursor, sort: TITLE) @connection(key: "shop_products") {
      edges { node { id ...shop_product } }
    }
  }
`;

const listQuery = graphql`query shopListQuery { ...shop_list }`;

const ordersQuery = graphql`
  query shopOrdersQuery {
    orders(first: 10) @connection(key: "shop_orders") {
      edges { node { number state total { amount currency } } }
    }
  }
`;

const placeOrder = graphql`
  mutation shopPlaceOrderMutation($input: PlaceOrderInput!, $key: String!) {
    placeOrder(input: $input, idempotencyKey: $key) {
      __typename
      ... on Order { id number state total { amount currency } }
      ... on OutOfStock { sku requested available }
      ... on UserError { code message retryable }
    }
  }
`;

// A compiled operation has its text or, where the compiler has a `persistConfig`, its id alone.
async function send({ id, text }, variables) {
  const response = await fetch(address, {
    method: "POST",
    headers: {
      Accept: "application/graphql-response+json",
      Authorization: `Bearer ${token}`,
      "Content-Type": "application/json",
      "X-Client-Name": "relay-shop",
      "X-Client-Version": "1.0.0",
    },
    body: JSON.stringify(id ? { documentId: id, variables } : { query: text, variables }),
  });
  const answer = await response.json();
  say("sent", [id ? "id" : "text", response.status, ...(answer.errors ?? []).map(({ extensions }) => extensions.code)]);
  return answer;
}

const say = (name, value) => console.log(JSON.stringify([name, value]));
const environment = new Environment({ network: Network.create(send), store: new Store(new RecordSource()) });
const load = (query, variables = {}) =>
  fetchQuery(environment, query, variables, { fetchPolicy: "network-only" }).toPromise();
const look = (fragment, reference) => environment.lookup(getSingularSelector(getFragment(fragment), reference)).data;

async function pages() {
  const reference = await load(listQuery);
  const shown = () => look(listFragment, reference).products;
  const products = () => shown().edges.map(({ node }) => look(productFragment, node));
  say("first page", products());
  const { paginationRequest, paginationMetadata } = getPaginationMetadata(getFragment(listFragment), "shop");
  while (shown().pageInfo.hasNextPage) {
    const cursor = shown().pageInfo.endCursor;
    await load(paginationRequest, getPaginationVariables("forward", 2, cursor, {}, {}, paginationMetadata));
  }
  say("all pages", products().map(({ title }) => title));
  return shown().edges[0].node;
}

const list = async () => (await load(ordersQuery)).orders.edges.map(({ node }) => node);

function order(lines, key) {
  return new Promise((onCompleted, onError) =>
    commitMutation(environment, {
      mutation: placeOrder,
      variables: { input: { lines, email: "a@example.com" }, key },
      updater(store) {
        const placed = store.getRootField("placeOrder");
        if (placed.getType() !== "Order") return;
        const orders = ConnectionHandler.getConnection(store.getRoot(), "shop_orders");
        const edge = ConnectionHandler.createEdge(store, orders, placed, "OrderEdge");
        ConnectionHandler.insertEdgeBefore(orders, edge);
      },
      onCompleted: ({ placeOrder }) => onCompleted(placeOrder),
      onError,
    }),
  );
}

function kept() {
  const { fragment } = createOperationDescriptor(getRequest(ordersQuery), {});
  return environment.lookup(fragment).data.orders.edges.map(({ node }) => node);
}

async function main() {
  const node = await pages();
  say("orders before", await list());
  say("placed", await order([{ variant: { sku: "LAMP-1" }, quantity: 2 }], "relay-1"));
  say("refused", await order([{ variant: { sku: "LAMP-1" }, quantity: 2 }], "relay-2"));
  say("orders in the store", kept());
  say("orders after", await list());
  const { refetchableRequest, identifierInfo } = getRefetchMetadata(getFragment(productFragment), "shop");
  await load(refetchableRequest, { [identifierInfo.identifierQueryVariableName]: node.id });
  say("refetched", look(productFragment, node));
}

main();
