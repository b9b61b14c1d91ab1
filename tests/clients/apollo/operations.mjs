// The operations of shop.mjs, where `generate-persisted-query-manifest` finds them.
import { gql } from "@apollo/client";

export const PRODUCTS = gql`
  query Products($first: Int!, $after: String, $sort: ProductSort!) {
    products(first: $first, after: $after, sort: $sort) {
      edges { cursor node { ...Card } }
      pageInfo { hasNextPage endCursor }
    }
  }
  fragment Card on Product { id title variants { id sku stock } }
`;

export const PRODUCT = gql`
  query ProductByHandle($handle: String!) {
    product(handle: $handle) { id title handle description variants { id sku stock } }
  }
`;

export const NODE = gql`
  query OneNode($id: ID!) {
    node(id: $id) { id ... on Product { title } ... on Order { number state } }
  }
`;

export const ORDERS = gql`
  query Orders {
    orders(first: 10) { nodes { ...Receipt } }
  }
  fragment Receipt on Order { id number state total { amount currency } }
`;

export const PLACE_ORDER = gql`
  mutation PlaceOrder($input: PlaceOrderInput!, $key: String!) {
    placeOrder(input: $input, idempotencyKey: $key) {
      ... on Order { id number state total { amount currency } }
      ... on OutOfStock { sku requested available }
      ... on UserError { code message retryable }
    }
  }
`;

export const CANCEL_ORDER = gql`
  mutation CancelOrder($id: ID!) {
    cancelOrder(id: $id) {
      ... on Order { id state }
      ... on UserError { code message }
    }
  }
`;

export const UPDATES = gql`
  subscription OrderUpdates($after: String!) {
    orderUpdates(after: $after) { id type order { id number state } }
  }
`;
