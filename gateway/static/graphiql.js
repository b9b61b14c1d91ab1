// Starts GraphiQL on the endpoint that the page names. Subscriptions go over WebSocket.
const target = document.getElementById("graphiql");
const endpoint = new URL(target.dataset.endpoint, window.location.href);
const socket = new URL(endpoint);
socket.protocol = endpoint.protocol === "https:" ? "wss:" : "ws:";
const fetcher = GraphiQL.createFetcher({ url: endpoint.href, subscriptionUrl: socket.href });
const defaultQuery = `# Portico's GraphQL API. Run it with Ctrl+Enter; the schema is in the book on the left.
{
  products(first: 5, sort: PRICE_DESC) {
    nodes {
      title
      category { name }
      variants { sku price { amount currency } }
    }
    pageInfo { hasNextPage endCursor }
  }
}
`;
ReactDOM.render(React.createElement(GraphiQL, { fetcher, defaultQuery, defaultEditorToolsVisibility: true }), target);
