"""`portico contracts`: a schema that breaks the clients of the one before is not written by accident."""

import re
import shutil
from pathlib import Path

import pytest

from gateway.cli.schema_changes import Severity, schema_changes
from tests.fixtures.processes import ROOT
from tests.gateway.cli.running import portico

COMMITTED = ROOT / "docs" / "contracts"
NOW = (COMMITTED / "schema.graphql").read_text()
BREAKING, DANGEROUS, SAFE = Severity.BREAKING, Severity.DANGEROUS, Severity.SAFE

# What our schema has, what it had before instead, and what that change does to clients.
CHANGES = [
    (r"type Image {", r"type Image { maker: String", BREAKING, "Field Image.maker was removed."),
    (
        r"(type Order .*?number): Int!",
        r"\1: String!",
        BREAKING,
        "Field Order.number changed type from String! to Int!.",
    ),
    (
        r"trackingUrl: String",
        r"trackingUrl: String!",
        BREAKING,
        "Field Shipment.trackingUrl changed type from String! to",
    ),
    (r"type Image {", r"type Image implements Node {", BREAKING, "Image no longer implements interface Node."),
    (r"type Image {", r"type Person { id: ID! } type Image {", BREAKING, "Person was removed."),
    (
        r"type VariantOption {",
        r"input VariantOption {",
        BREAKING,
        "VariantOption changed from an Input type to an Object",
    ),
    (r"enum Role {", r"enum Role { owner", BREAKING, "Enum value Role.owner was removed."),
    (
        r"union SignInResult =",
        r"union SignInResult = User |",
        BREAKING,
        "User was removed from union type SignInResult.",
    ),
    (r"categories:", r"categories(x: Int):", BREAKING, "Argument Query.categories(x:) was removed."),
    (r"  nodes\(.*?\):", r"  nodes:", BREAKING, "A required argument Query.nodes(ids:) was added."),
    (r"ids: \[ID!\]!", r"ids: [ID!]", BREAKING, "Argument Query.nodes(ids:) has changed type from [ID!] to [ID!]!."),
    (r"input MoneyInput {", r"input MoneyInput { tax: Int", BREAKING, "Field MoneyInput.tax was removed."),
    (r"(input MoneyInput {).*?}", r"\1 currency: String }", BREAKING, "A required field MoneyInput.amount was added."),
    (r"\A", r"directive @old on FIELD ", BREAKING, "Directive @old was removed."),
    (r"(enum Role {).*?}", r"\1 customer support editor }", DANGEROUS, "Enum value Role.admin was added."),
    (r" \| InvalidCredentials", r"", DANGEROUS, "InvalidCredentials was added to union type SignInResult."),
    (r"(input MoneyInput {).*?}", r"\1 amount: Long! }", DANGEROUS, "An optional field MoneyInput.currency was added."),
    (r"  product\(.*?\):", r"  product:", DANGEROUS, "An optional argument Query.product(id:) was added."),
    (
        r"first: Int = 20",
        r"first: Int = 10",
        DANGEROUS,
        "Query.products(first:) has changed defaultValue from 10 to 20.",
    ),
    (r"(type Order) implements Node", r"\1", DANGEROUS, "Node added to interfaces implemented by Order."),
    (r"(type VariantOption {).*?}", r"\1 name: String! }", SAFE, "Field VariantOption.value was added."),
    (r"(type Product .*?vendor: String)!", r"\1", SAFE, "Field Product.vendor changed type from String to String!."),
    (r'"""A person with an account."""', r'"""Somebody."""', SAFE, "Description of User has changed to"),
]


def before(pattern: str, instead: str) -> str:
    text, count = re.subn(pattern, instead, NOW, count=1, flags=re.DOTALL)
    assert count == 1
    return text


@pytest.mark.parametrize(("pattern", "instead", "severity", "description"), CHANGES, ids=[case[3] for case in CHANGES])
def test_each_change_is_known_for_what_it_does(
    pattern: str, instead: str, severity: Severity, description: str
) -> None:
    changes = schema_changes(before(pattern, instead), NOW)

    assert [said for said, text in changes if text.startswith(description)] == [severity]
    assert changes[0][0] == severity  # the worst comes first, and there is none worse


def test_input_that_takes_only_one_of_its_fields_now_breaks_clients() -> None:
    was, is_now = (f"type Query {{ x(by: By!): Int }} input By {each} {{ id: ID sku: ID }}" for each in ("", "@oneOf"))

    assert schema_changes(was, is_now) == [(BREAKING, "Input By takes exactly one of its fields.")]
    assert schema_changes(is_now, was) == []
    assert schema_changes(is_now, is_now) == []


@pytest.mark.parametrize("text", ["<<<<<<< HEAD\ntype Query { x: Int }\n", "type Query { x: Nothing }", ""])
def test_file_that_is_no_schema_may_have_promised_anything(text: str) -> None:
    ((severity, description),) = schema_changes(text, NOW)

    assert severity == BREAKING
    assert description.startswith("what was there is no schema: ")
    assert "\n" not in description


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With the contracts as they are committed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORTICO_DATA_DIR", str(tmp_path / "var"))
    return Path(shutil.copytree(COMMITTED, tmp_path / "contracts"))


BROKEN = before("type Image {", "type Image { maker: String")
BREAKS = "breaking: Field Image.maker was removed.\n"
REFUSED = "portico: 1 of the changes to schema.graphql break clients: see --allow-breaking\n"
GROWN = before(r" \| InvalidCredentials", "")
GROWS = "dangerous: InvalidCredentials was added to union type SignInResult.\n"


def test_breaking_change_is_listed_and_nothing_is_written_unless_it_is_allowed(folder: Path) -> None:
    (folder / "schema.graphql").write_text(BROKEN)
    (folder / "asyncapi.json").unlink()

    refused = portico("contracts", str(folder))
    left = (folder / "schema.graphql").read_text(), (folder / "asyncapi.json").exists()
    allowed = portico("contracts", str(folder), "--allow-breaking")

    assert (refused.exit_code, refused.stdout, refused.stderr) == (1, BREAKS, REFUSED)
    assert left == (BROKEN, False)
    assert (allowed.exit_code, allowed.stderr) == (0, "")
    assert allowed.stdout == f"{BREAKS}2 of 4 files written to {folder}\n"
    assert (folder / "schema.graphql").read_text() == NOW


def test_dangerous_change_is_told_and_written(folder: Path) -> None:
    (folder / "schema.graphql").write_text(GROWN)

    written = portico("contracts", str(folder))

    assert (written.exit_code, written.stdout) == (0, f"{GROWS}1 of 4 files written to {folder}\n")
    assert (folder / "schema.graphql").read_text() == NOW


@pytest.mark.parametrize(("text", "told"), [(BROKEN, BREAKS), (GROWN, GROWS), (f"{NOW}\n", "")])
def test_check_fails_on_any_drift_and_says_what_it_is(folder: Path, text: str, told: str) -> None:
    (folder / "schema.graphql").write_text(text)

    checked = portico("contracts", "--check", str(folder))

    assert (checked.exit_code, checked.stdout) == (1, told)
    assert checked.stderr == (
        f"portico: schema.graphql in {folder} differ from the code: run `portico contracts {folder}`\n"
    )
    assert (folder / "schema.graphql").read_text() == text


def test_schema_may_be_held_against_that_of_a_release_instead(folder: Path) -> None:
    released = folder.parent / "released.graphql"
    released.write_text(BROKEN)

    refused = portico("contracts", "--check", "--against", str(released), str(folder))
    allowed = portico("contracts", "--check", "--against", str(released), "--allow-breaking", str(folder))

    assert (refused.exit_code, refused.stdout, refused.stderr) == (1, BREAKS, REFUSED)
    assert (allowed.exit_code, allowed.stdout, allowed.stderr) == (0, BREAKS, "")


def test_release_that_is_not_there_is_wrong_usage(folder: Path) -> None:
    assert portico("contracts", "--against", "nowhere.graphql", str(folder)).exit_code == 2
