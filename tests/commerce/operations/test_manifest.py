"""Manifests of persisted operations: Apollo's and Relay's are read, and each fault is told with its place."""

import json

import pytest

from commerce.operations.errors import InvalidManifest
from commerce.operations.manifest import Description, read_manifest
from tests.factories.operations import FORMAT, an_operation, apollo, relay, sha

SHOP, CART = "query Shop { __typename }", "mutation Cart { __typename }"


def describe(text: str) -> Description:
    if "nope" in text:
        return Description(faults=("no field nope",))
    operation = an_operation(text)
    return Description(operation.name, operation.kind)


def faults(content: bytes) -> list[tuple[str, str]]:
    with pytest.raises(InvalidManifest) as refused:
        read_manifest(content, describe)
    return [(fault.pointer, fault.message) for fault in refused.value.errors]


@pytest.mark.parametrize("manifest", [apollo(SHOP, CART), relay(SHOP, CART)])
def test_manifest_of_either_tool_is_read(manifest: bytes) -> None:
    assert read_manifest(manifest, describe) == [an_operation(SHOP), an_operation(CART)]


def test_operation_that_is_there_twice_is_one() -> None:
    assert read_manifest(apollo(SHOP, SHOP), describe) == [an_operation(SHOP)]


def test_id_may_say_which_hash_it_is() -> None:
    assert read_manifest(apollo(SHOP, id=f"sha256:{sha(SHOP)}"), describe) == [an_operation(SHOP)]


def test_operation_without_a_name_has_that_of_the_manifest() -> None:
    (operation,) = read_manifest(apollo(SHOP), lambda _text: Description(None, "query"))

    assert operation.name == "Shop"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"[]", "it is not a JSON object"),
        (b"{}", "it has no operation"),
        (json.dumps({**FORMAT, "operations": []}).encode(), "it has no operation"),
        (b'{"operations": []}', '"format" is not "apollo-persisted-query-manifest", or "version" not 1'),
        (
            json.dumps({**FORMAT, "version": 2, "operations": []}).encode(),
            '"format" is not "apollo-persisted-query-manifest", or "version" not 1',
        ),
    ],
)
def test_file_that_is_no_manifest_is_refused(content: bytes, message: str) -> None:
    assert faults(content) == [("", message)]


@pytest.mark.parametrize("content", [b"\xff\xfe\xfd", b"[" * 100_000])
def test_file_that_no_parser_reads_is_refused(content: bytes) -> None:
    ((pointer, message),) = faults(content)

    assert (pointer, message[:14]) == ("", "it is not JSON")


@pytest.mark.parametrize(
    ("manifest", "found"),
    [
        (
            apollo(SHOP, id="0" * 64),
            [("/operations/0 (Shop)", f"its id is not the SHA-256 hash of its text, {sha(SHOP)}")],
        ),
        (
            relay(SHOP, old=True),
            [
                (
                    "/aee9f49542f30d52cb3fd46a8b9a0f09",
                    'its id is an MD5 hash: set "algorithm": "SHA256" in the persistConfig of relay-compiler',
                )
            ],
        ),
        (apollo(SHOP, type="mutation"), [("/operations/0 (Shop)", "it says that it is a mutation, and is a query")]),
        (apollo(SHOP, name="Other"), [("/operations/0 (Other)", "it says that its name is Other, which is Shop")]),
        (apollo(SHOP, body=7), [("/operations/0", "it needs id, name, type and body, all of them strings")]),
        (
            json.dumps({**FORMAT, "operations": [7]}).encode(),
            [("/operations/0", "it needs id, name, type and body, all of them strings")],
        ),
        (b'{"x": 7}', [("/x", "it is neither a document of Relay's nor part of Apollo's format")]),
        (relay("query A\0 { x }"), [(f"/{sha('query A' + chr(0) + ' { x }')}", "text cannot hold NUL")]),
        (
            apollo(CART, "query A { nope }", "query B { nope }"),
            [("/operations/1 (A)", "no field nope"), ("/operations/2 (B)", "no field nope")],
        ),
    ],
)
def test_every_fault_is_told_with_its_place(manifest: bytes, found: list[tuple[str, str]]) -> None:
    assert faults(manifest) == found
