"""Documents that ask for too much, and what is wrong with each."""

from graphql_api import limits

TOO_MANY_TOKENS = "Syntax Error: Document contains more than 1000 tokens. Parsing aborted."
TOO_LONG = "Syntax Error: Source contains more than 65536 code points. Parsing aborted."
TOO_NESTED = "Syntax Error: Document is nested too deeply. Parsing aborted."

SAME = "More than 1,000 pairs of fields have the same name and the same place"


def nested(name: str, levels: int, leaf: str) -> str:
    return f"{name} {{ " * levels + leaf + " }" * levels


def chain(kind: str, length: int, leaf: str) -> str:
    """Fragments of which each spreads the next one twice: 2^length ways lead to the leaf."""
    links = " ".join(f"fragment F{n} on {kind} {{ ...F{n + 1} ...F{n + 1} }}" for n in range(length))
    return f"{links} fragment F{length} on {kind} {{ {leaf} }}"


def times(count: int, text: str) -> str:
    return " ".join(text.replace("#", str(n)) for n in range(count))


DOCUMENTS = {
    "fragment in itself": (
        "{ ...A } fragment A on Query { categories { id } ...A }",
        "Cannot spread fragment 'A' within itself",
    ),
    "fragments in a circle": (
        "{ ...A } fragment A on Query { categories { id } ...B } fragment B on Query { ...A }",
        "Cannot spread fragment 'A' within itself via 'B'.",
    ),
    "10,000 aliases": (f"{{ {times(9_000, 'a#: id')} }}", TOO_LONG),
    "1,000 aliases": (f"{{ categories {{ {times(1_000, 'a#: id')} }} }}", TOO_MANY_TOKENS),
    "21 aliases": (f"{{ categories {{ {times(21, 'a#: id')} }} }}", "The operation has more than 20 aliases"),
    "2^80 aliases": (
        "{ categories { ...F0 } } " + chain("Category", 80, "a: id b: id"),
        "The operation has more than 20 aliases",
    ),
    "2^80 root fields": (
        "{ ...F0 } " + chain("Query", 80, "__typename"),
        "The operation has more than 20 fields at its root",
    ),
    "21 root fields": (f"{{ {times(21, 'categories { id }')} }}", "The operation has more than 20 fields at its root"),
    "200 kB of white space": (" " * 200_000 + "{ categories { id } }", TOO_LONG),
    "comments": ("#\n" * 20_000 + "{ categories { id } }", TOO_MANY_TOKENS),
    "a long name": (f"{{ {'a' * 100_000} }}", TOO_LONG),
    "deep fields": ("{ " + nested("categories", 300, "id") + " }", TOO_NESTED),
    "13 deep": ("{ " + nested("categories", 12, "id") + " }", "The operation is more than 12 fields deep"),
    "lists in lists": ("{ nodes(ids: " + "[" * 450 + "]" * 450 + ") { id } }", TOO_NESTED),
    "fragments in fragments": ("{ " + "... { " * 240 + "categories { id } " + "} " * 241, TOO_NESTED),
    "100,000 directives": ("{ categories { id } __typename " + "@a " * 60_000 + "}", TOO_LONG),
    "1,000 directives": ("{ categories { id } __typename " + "@a " * 1_000 + "}", TOO_MANY_TOKENS),
    "51 directives": ("{ categories { id } __typename " + "@a " * 51 + "}", "The document has more than 50 directives"),
    "51 fragments": (
        "{ categories { id } } " + times(51, "fragment F# on Query { __typename }"),
        "The document has more than 50 fragments",
    ),
    "980 fields of one name": (f"{{ categories {{ {times(980, 'id')} }} }}", SAME),
    "46 fields of one name": (f"{{ categories {{ {times(46, 'id')} }} }}", SAME),
    "46 fragments with a field of one name": (
        f"{{ categories {{ {times(46, '...F#')} }} }} {times(46, 'fragment F# on Category { id }')}",
        SAME,
    ),
    "seven fields of one name in each of seven": (
        f"{{ products {{ {times(7, 'nodes { ' + times(7, 'id') + ' }')} }} }}",
        SAME,
    ),
    "90 selections of one field": (
        f"{{ products {{ nodes {{ {times(90, 'variants { id sku price { amount } stock }')} }} }} }}",
        SAME,
    ),
    "21 operations": (times(21, "query Q# { categories { id } }"), "The document has more than 20 operations"),
    "a number of 5,000 digits": (
        f"{{ products(first: {'1' * 5_000}) {{ nodes {{ id }} }} }}",
        "A number has more than 100 digits",
    ),
    "first: 0": ("{ products(first: 0) { nodes { id } } }", "first is 0; it goes from 1 to 100"),
    "first: -1": ("{ orders(first: -1) { nodes { id } } }", "first is -1; it goes from 1 to 100"),
    "first: 101": ("{ products(first: 101) { nodes { id } } }", "first is 101; it goes from 1 to 100"),
    "first: 101 in a fragment": (
        "{ ...F } fragment F on Query { products(first: 101) { totalCount } }",
        "first is 101; it goes from 1 to 100",
    ),
    "first: 101 that is left out": (
        "{ products(first: 101) @skip(if: true) { nodes { id } } }",
        "first is 101; it goes from 1 to 100",
    ),
    "first: 1000 as a default": (
        "query($n: Int = 1000) { products(first: $n) { nodes { id } } }",
        "first is 1000; it goes from 1 to 100",
    ),
    "pages beside pages": (
        "{ " + times(20, "a#: products(first: 100) { nodes { variants { price { amount } } } }") + " }",
        "the operation costs 22020 points; at most 10000 are allowed",
    ),
    "introspection, 2^49 ways": (
        "{ categories { id } __schema { ...F0 } } " + chain("__Schema", 49, "types { name }"),
        f"the operation costs {50 + 2**49 * 100} points; at most 10000 are allowed",
    ),
    "introspection in circles": (
        "{ categories { id } __schema { types { fields { type { fields { type { fields { name } } } } } } } }",
        "Maximum introspection depth exceeded",
    ),
    "introspection of all fields of all fields": (
        "{ categories { id } __schema { types { fields { type { fields { name } } } } } }",
        "the operation costs 11150 points; at most 10000 are allowed",
    ),
    "introspection, deep": (
        '{ categories { id } __type(name: "Product") { '
        + nested("ofType", limits.MAX_INTROSPECTION_DEPTH, "name")
        + " } }",
        "The operation is more than 16 fields deep",
    ),
}
