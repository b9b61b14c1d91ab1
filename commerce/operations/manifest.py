"""Manifests of persisted operations, as build tools write them.

Apollo's `{"format": "apollo-persisted-query-manifest", "version": 1, "operations": [{"id", "name", "type", "body"}]}`,
and Relay's `{"<sha256>": "text"}`. What a document means, only the schema can say: whoever registers it is told so by
the function that is passed in.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from commerce.catalog.text import is_storable
from commerce.operations.entities import Operation, OperationKind, sha256_of
from commerce.operations.errors import InvalidManifest
from core.errors import FieldError

_FORMAT = "apollo-persisted-query-manifest"
_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Description:
    """What a document holds; with `faults` where it cannot run."""

    name: str | None = None
    kind: OperationKind | None = None
    faults: tuple[str, ...] = ()


Describe = Callable[[str], Description]


@dataclass(frozen=True, slots=True)
class _Entry:
    pointer: str
    id: str
    text: str
    name: str | None = None
    kind: str | None = None


def read_manifest(content: bytes, describe: Describe) -> list[Operation]:
    """Every operation of the file. Raises InvalidManifest with all that is wrong with any."""
    faults: list[FieldError] = []
    operations: dict[str, Operation] = {}
    for entry in _entries(_parsed(content), faults):
        described = describe(entry.text) if is_storable(entry.text) else Description(faults=("text cannot hold NUL",))
        found = [*_id_faults(entry), *described.faults, *_differences(entry, described)]
        faults.extend(_fault(entry.pointer, message) for message in found)
        if described.kind is not None:
            name = described.name or entry.name
            operation = Operation(sha256_of(entry.text), name, described.kind, entry.text)
            operations[operation.sha256] = operation
    if not operations and not faults:
        faults.append(_fault("", "it has no operation"))
    if faults:
        raise InvalidManifest(faults)
    return list(operations.values())


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InvalidManifest([_fault("", f"it is not JSON: {error}")]) from None
    if not isinstance(parsed, dict):
        raise InvalidManifest([_fault("", "it is not a JSON object")])
    return parsed


def _entries(parsed: dict[str, Any], faults: list[FieldError]) -> Iterator[_Entry]:
    if not isinstance(parsed.get("operations"), list):
        yield from _relay_entries(parsed, faults)
        return
    if (parsed.get("format"), parsed.get("version")) != (_FORMAT, 1):
        faults.append(_fault("", f'"format" is not "{_FORMAT}", or "version" not 1'))
        return
    for number, item in enumerate(parsed["operations"]):
        pointer = f"/operations/{number}"
        given = item if isinstance(item, dict) else {}
        if all(isinstance(given.get(field), str) for field in ("id", "name", "type", "body")):
            yield _Entry(f"{pointer} ({given['name']})", given["id"], given["body"], given["name"], given["type"])
        else:
            faults.append(_fault(pointer, "it needs id, name, type and body, all of them strings"))


def _relay_entries(parsed: dict[str, Any], faults: list[FieldError]) -> Iterator[_Entry]:
    for key, text in parsed.items():
        if isinstance(text, str):
            yield _Entry(f"/{key[:64]}", key, text)
        else:
            faults.append(_fault(f"/{key[:64]}", "it is neither a document of Relay's nor part of Apollo's format"))


def _id_faults(entry: _Entry) -> Iterator[str]:
    own = sha256_of(entry.text)
    if entry.id.removeprefix("sha256:").lower() == own:
        return
    if _MD5.fullmatch(entry.id):
        yield 'its id is an MD5 hash: set "algorithm": "SHA256" in the persistConfig of relay-compiler'
    else:
        yield f"its id is not the SHA-256 hash of its text, {own}"


def _differences(entry: _Entry, described: Description) -> Iterator[str]:
    if described.kind is None:
        return
    if entry.kind is not None and entry.kind != described.kind:
        yield f"it says that it is a {entry.kind[:20]}, and is a {described.kind}"
    if entry.name and described.name and entry.name != described.name:
        yield f"it says that its name is {entry.name[:64]}, which is {described.name}"


def _fault(pointer: str, message: str) -> FieldError:
    return FieldError(pointer, InvalidManifest.code, message)
