"""Operations as clients write them, each with whether it can be planned. Variables are those of `VARIABLES` by name."""

from typing import Any

from graphql import OperationDefinitionNode, parse

ALL = """
fragment All on Product {
  id handle title description vendor status version createdAt updatedAt tags
  category { id name slug } priceRange { min { amount currency } max { amount currency } }
  images { id url alt width height }
  variants {
    id sku title options { name value } price { amount currency } compareAtPrice { amount currency }
    stock available weightGrams barcode
  }
}
"""
WHOLE = """
fragment Whole on Order {
  id number state email placedAt
  lines { variantId sku title quantity unitPrice { amount currency } total { amount currency } }
  promotion { id code title } subtotal { amount currency } discount { amount currency } shipping { amount currency }
  total { amount currency } payments { id amount { amount currency } reference createdAt }
  shipments { id carrier trackingNumber trackingUrl createdAt }
}
"""
M = " fragment M on Product { title handle }"
PAGE = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
FILTERS = [
    'q: "jacket"',
    'q: "jack 1"',
    'q: ""',
    'q: "nothing like that"',
    'category: "Coats"',
    'category: "jackets-1"',
    'vendor: "Ridge"',
    'tag: "sale"',
    "minPrice: 1500",
    "maxPrice: 1500",
    "minPrice: 1000, maxPrice: 1000",
    "minPrice: 9007199254740992",
    "inStock: true",
    "inStock: false",
    "inStock: null",
    'vendor: "Ridge", tag: "rain", category: "Jackets 1", minPrice: 1, maxPrice: 9000, inStock: true, q: "jack"',
    "vendor: \"x' OR '1'='1\"",
    'category: "%"',
    'q: "a* OR b"',
]
SORTS = ["TITLE", "TITLE_DESC", "PRICE", "PRICE_DESC", "CREATED_AT", "CREATED_AT_DESC", "UPDATED_AT", "UPDATED_AT_DESC"]
PRODUCTS = [
    *(f"{{ products(filter: {{{each}}}) {{ nodes {{ handle }} totalCount {PAGE} }} }}" for each in FILTERS),
    *(f"{{ products(first: 4, sort: {each}) {{ edges {{ cursor node {{ id }} }} {PAGE} }} }}" for each in SORTS),
    *(f'{{ products(filter: {{q: "jack"}}, sort: {each}) {{ nodes {{ id }} }} }}' for each in SORTS[:3]),
    "{ products { nodes { ...All } } }" + ALL,
    "{ products { edges { node { ...All } } nodes { ...All } } }" + ALL,
    "query($first: Int) { products(first: $first) { nodes { id } } }",
    "query($after: String) { products(first: 2, after: $after) { nodes { id } pageInfo { hasPreviousPage } } }",
    "query($nothing: String) { products(after: $nothing, first: null, filter: null, sort: null) { nodes { id } } }",
    "query($filter: ProductFilter) { products(filter: $filter) { nodes { handle } totalCount } }",
    "query($tag: String, $nothing: String) { products(filter: {tag: $tag, vendor: $nothing}) { nodes { handle } } }",
    "query($sort: ProductSort) { products(sort: $sort, first: 3) { nodes { handle } } }",
    "query($unsaid: ProductSort = PRICE) { products(sort: $unsaid, first: 3) { nodes { handle } } }",
    "query($unsaid: Int) { products(first: $unsaid) { nodes { handle } } }",
    "{ products { totalCount } }",
    "{ products { __typename } }",
    "{ products { __typename totalCount } }",
    "{ products { pageInfo { hasNextPage } } }",
    "{ products { pageInfo { __typename endCursor } } }",
    "{ products(first: 100) { pageInfo { hasNextPage endCursor } } }",
    "{ products(first: 1) { edges { __typename cursor } } }",
    "{ products(first: 1) { a: edges { c: cursor } b: edges { n: node { t: title } m: node { id } } } }",
    '{ products(filter: {vendor: "nobody"}) { edges { cursor } pageInfo { startCursor endCursor } totalCount } }',
    "{ a: products(first: 2) { nodes { id } } b: products(first: 3, sort: TITLE) { nodes { title } totalCount } }",
    "{ a: products { nodes { id } } b: products(first: 9, sort: PRICE) { nodes { id } pageInfo { endCursor } } }",
    "{ products(first: 2) { nodes { variants { product { handle variants { sku product { title } } } } } } }",
    "{ products(first: 2) { nodes { __typename category { __typename name } variants { __typename } } } }",
    "{ products { nodes { priceRange { __typename max { a: amount b: amount } } } } }",
    "{ products { nodes { images { alt } pictures: images { url } } } }",
    "{ products { nodes { id ... on Node { id } ... on Product { title } ... { vendor } } } }",
    "{ products { nodes { variants { id } ... on Product { variants { sku } } } } }",
    "{ products { ...P } } fragment P on ProductConnection { nodes { ...N } } fragment N on Product { title ...M }" + M,
    "{ ...R } fragment R on Query { products(first: 1) { nodes { title } } categories { name } }",
    "query($yes: Boolean!) { products { nodes { id title @include(if: $yes) vendor @skip(if: $yes) } } }",
    "query($no: Boolean!) { products { nodes { id ...M @include(if: $no) } totalCount @skip(if: $no) } }" + M,
    "query($yes: Boolean!) { products @skip(if: $yes) { totalCount } categories { name } }",
    "query($yes: Boolean!) { categories @skip(if: $yes) { name } }",
    "query($unsaid: Boolean! = true) { products { nodes { id ... @include(if: $unsaid) { title } } } }",
    "{ products { nodes { id title @skip(if: true) vendor @include(if: false) } } }",
    "{ products { nodes { b: title a: title title } } }",
]
OTHERS = [
    '{ product(handle: "strange") { ...All } }' + ALL,
    '{ product(handle: "renamed") { ...All } }' + ALL,
    '{ product(handle: "old-name") { handle category { slug } } }',
    '{ product(handle: "jacket-0") { handle } }',
    '{ product(handle: "draft") { handle } }',
    '{ product(handle: "new-draft") { handle status } }',
    '{ product(handle: "archived") { handle status } }',
    '{ product(handle: "none") { handle } }',
    '{ product(handle: "") { handle } }',
    "query($id: ID!) { product(id: $id) { ...All } }" + ALL,
    "query($draft: ID!) { product(id: $draft) { handle } }",
    'query($id: ID) { product(id: $id, handle: null) { title } b: product(handle: "jacket-1") { title } }',
    '{ a: product(handle: "strange") { id } b: product(handle: "strange") { title tags } c: __typename }',
    '{ product(handle: "strange") { variants { options { value } opts: options { __typename name } title } } }',
    '{ product(handle: "\' OR 1=1 --") { id } }',
    "{ product(id: 5) { id } }",
    "{ categories { id name slug __typename } }",
    "{ categories { n: name } also: categories { slug } }",
    "{ __typename }",
    "query Q { a: __typename b: __typename }",
    '{ search(query: "jacket") { nodes { handle } totalCount pageInfo { hasNextPage endCursor } } }',
    '{ search(query: "jacket 1", first: 2) { edges { cursor node { title } } } }',
    'query($found: String) { search(query: "jacket", after: $found) { nodes { id } pageInfo { hasNextPage } } }',
    '{ search(query: "") { nodes { id } totalCount } }',
    '{ search(query: "çoat") { nodes { handle category { name } } } }',
    '{ search(query: "a b c d e f g h i j k l m n o p q r s") { totalCount } }',
    '{ search(query: "\\"x\\" OR *") { nodes { id } } }',
    "query($id: ID!) { node(id: $id) { id __typename ... on Product { ...All } } }" + ALL,
    "query($variant: ID!) { node(id: $variant) { id ... on Variant { title price { amount } product { id } } } }",
    "query($draft: ID!) { node(id: $draft) { id } }",
    'query { node(id: "ord_0") { id ... on Order { ...Whole } } }' + WHOLE,
    '{ node(id: "ord_4") { ... on Order { number } } }',
    '{ node(id: "nonsense") { id } }',
    "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Product { handle status } } }",
    "query($variants: [ID!]!) { nodes(ids: $variants) { __typename ... on Variant { sku product { title } } } }",
    "query($mixed: [ID!]!) { nodes(ids: $mixed) { id ...M ... on Order { state } ... on Variant { stock } } }" + M,
    "query($ids: [ID!]!, $variants: [ID!]!) { a: nodes(ids: $ids) { id } b: nodes(ids: $variants) { id } }",
    "{ nodes(ids: []) { id } }",
    '{ nodes(ids: ["ord_1", "ord_1", "x", "ord_0"]) { id } }',
]
ORDERS = [
    "{ orders { nodes { ...Whole } totalCount } }" + WHOLE,
    f"{{ orders(first: 2) {{ edges {{ cursor node {{ id }} }} {PAGE} }} }}",
    "query($order: String) { orders(after: $order) { nodes { number } pageInfo { hasPreviousPage } } }",
    "{ orders(filter: {state: paid}) { nodes { state total { amount } } } }",
    '{ orders(filter: {email: " Ada@Example.com "}) { nodes { id } totalCount } }',
    '{ orders(filter: {placedAfter: "2026-03-01T12:02:00Z"}) { nodes { placedAt } } }',
    '{ orders(filter: {placedBefore: "2026-03-01T14:02:00.5+02:00"}) { nodes { placedAt } } }',
    '{ orders(filter: {placedAfter: "0001-01-01T00:00:00+00:00"}) { totalCount } }',
    "query($state: OrderState) { orders(filter: {state: $state, email: null}) { nodes { id } } }",
    "{ orders { totalCount } }",
    '{ order(id: "ord_2") { ...Whole } }' + WHOLE,
    '{ order(id: "ord_3") { id promotion { title code } } }',
    '{ order(id: "ord_9") { id } }',
    '{ order(id: "ord_0") { lines { total { amount } quantity } subtotal { amount } total { currency } } }',
    '{ order(id: "ord_1") { id } orders { nodes { id } } products(first: 1) { nodes { id } } }',
]
# What the executor has to answer, or to refuse.
UNPLANNED = [
    "{ me { id } categories { name } }",
    "{ recommendations { model items { product { handle } } } }",
    "{ product { id } }",
    'query($id: ID!) { product(id: $id, handle: "strange") { id } }',
    "{ products(first: 0) { totalCount } }",
    "{ products(first: 101) { totalCount } }",
    '{ products(after: "nonsense") { nodes { id } } }',
    "query($after: String) { products(after: $after, sort: TITLE) { nodes { id } } }",
    "{ products(filter: {minPrice: -1}) { totalCount } }",
    '{ orders(after: "x") { totalCount } }',
    "{ products { nope } }",
    "{ products {",
    "query A { __typename } query B { __typename }",
    "query($first: Int!) { products(first: $first, after: 5) { totalCount } }",
    "query($missing: ID!) { product(id: $missing) { id } }",
    "{ __schema { queryType { name } } }",
    '{ categories { name } __type(name: "Product") { name } }',
    'mutation { cancelOrder(id: "ord_9") { __typename } }',
    "subscription { productUpdates { id } }",
]
PLANNED = [*PRODUCTS, *OTHERS]
VARIABLES: dict[str, Any] = {
    "first": 3,
    "filter": {"tag": "rain", "minPrice": 1500, "q": "jacket", "vendor": None},
    "tag": "sale",
    "sort": "PRICE_DESC",
    "nothing": None,
    "yes": True,
    "no": False,
    "state": "placed",
}


def variables_of(text: str, known: dict[str, Any]) -> dict[str, Any]:
    """Those that its operation declares, where there is a value."""
    try:
        definitions = parse(text).definitions
    except Exception:  # noqa: BLE001  one that does not parse has none
        return {}
    values = VARIABLES | known
    declared = [
        each.variable.name.value
        for node in definitions
        if isinstance(node, OperationDefinitionNode)
        for each in node.variable_definitions or ()
    ]
    return {name: values[name] for name in declared if name in values}
