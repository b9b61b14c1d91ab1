"""What operators change, and what stands in the audit log then."""

from datetime import timedelta

import pytest

from commerce.accounts.api_keys import ApiKeyService
from commerce.accounts.commands import CreateKey
from commerce.accounts.principal import PROGRAM
from commerce.limits.entities import Override, Terms
from commerce.limits.errors import ExpiryInThePast, LimitSubjectNotFound, OverrideNotFound
from commerce.limits.repository import LimitRepository
from commerce.limits.subjects import subject_named
from core.errors import AppError
from core.resources import Resources
from tests.commerce.limits.conftest import ADDRESS, audited, give, take
from tests.factories.clocks import NOON, FakeClock
from tests.factories.people import a_user

BUSY = Terms(None, 500, "a crawler", NOON + timedelta(hours=1))
PARTNER = Terms("partner", None, "signed the contract", None)


async def all_of(resources: Resources) -> list[Override]:
    async with resources.database.read() as session:
        return sorted(await LimitRepository(session).all(resources.clock.now()), key=lambda override: override.subject)


async def revision_of(resources: Resources) -> int:
    async with resources.database.read() as session:
        return await LimitRepository(session).revision()


async def test_every_change_is_audited_with_what_was_before(resources: Resources) -> None:
    await give(resources, ADDRESS, BUSY)
    await give(resources, ADDRESS, PARTNER)
    await take(resources, ADDRESS)

    assert [(each.action, each.actor, each.subject, each.before, each.after) for each in await audited(resources)] == [
        (
            "rate_limit.set",
            "user:ada",
            ADDRESS,
            None,
            {"plan": None, "points": 500, "reason": "a crawler", "expires_at": "2026-03-01T13:00:00+00:00"},
        ),
        (
            "rate_limit.set",
            "user:ada",
            ADDRESS,
            {"plan": None, "points": 500, "reason": "a crawler", "expires_at": "2026-03-01T13:00:00+00:00"},
            {"plan": "partner", "points": None, "reason": "signed the contract", "expires_at": None},
        ),
        (
            "rate_limit.delete",
            "user:ada",
            ADDRESS,
            {"plan": "partner", "points": None, "reason": "signed the contract", "expires_at": None},
            None,
        ),
    ]
    assert await all_of(resources) == []
    assert await revision_of(resources) == 3


async def test_setting_the_same_again_changes_nothing(resources: Resources, clock: FakeClock) -> None:
    first = await give(resources, ADDRESS, BUSY)
    clock.advance(minutes=1)

    again = await give(resources, ADDRESS, BUSY)

    assert again == first == Override(ADDRESS, BUSY, NOON)
    assert (len(await audited(resources)), await revision_of(resources)) == (1, 1)


async def test_expired_override_is_not_there_and_the_next_change_takes_it_out(
    resources: Resources, clock: FakeClock
) -> None:
    await give(resources, ADDRESS, BUSY)
    clock.advance(minutes=59, seconds=59)
    assert len(await all_of(resources)) == 1

    clock.advance(seconds=1)

    assert await all_of(resources) == []
    with pytest.raises(OverrideNotFound):
        await take(resources, ADDRESS)
    await give(resources, "address:10.0.0.2", PARTNER)
    clock.advance(hours=-1)
    assert [override.subject for override in await all_of(resources)] == ["address:10.0.0.2"]


async def test_after_expiry_the_same_terms_are_given_anew(resources: Resources, clock: FakeClock) -> None:
    await give(resources, ADDRESS, BUSY)
    clock.advance(hours=2)
    later = Terms(None, 500, "a crawler", NOON + timedelta(hours=3))

    await give(resources, ADDRESS, later)

    assert [override.terms for override in await all_of(resources)] == [later]
    assert [entry.before for entry in await audited(resources)] == [None, None]


async def test_keys_and_users_have_to_be_there(resources: Resources) -> None:
    user = await a_user(resources)
    async with resources.database.write() as session:
        keys = ApiKeyService(session, resources.clock, actor="test")
        key, gone = [(await keys.create(CreateKey("test", ("catalog:read",)))).key.id for _ in range(2)]
        await keys.revoke(gone, owner=PROGRAM)

    for subject in (f"user:{user.id}", f"api_key:{key}", "address:2001:db8::1"):
        await give(resources, subject, BUSY)
    for subject in ("user:usr_nobody", f"api_key:{gone}", "api_key:nothing"):
        with pytest.raises(LimitSubjectNotFound):
            await give(resources, subject, BUSY)

    assert [override.subject for override in await all_of(resources)] == [
        "address:2001:db8::/64",
        f"api_key:{key}",
        f"user:{user.id}",
    ]
    assert len(await audited(resources)) == 3


@pytest.mark.parametrize("ends", [NOON, NOON - timedelta(days=1)])
async def test_expiry_that_is_over_is_refused_and_nothing_changes(resources: Resources, ends: object) -> None:
    await give(resources, ADDRESS, BUSY)

    with pytest.raises(ExpiryInThePast) as refused:
        await give(resources, ADDRESS, Terms(None, 1, "x", ends))  # type: ignore[arg-type]

    assert [fault.pointer for fault in refused.value.errors] == ["/expires_at"]
    assert ([each.terms for each in await all_of(resources)], await revision_of(resources)) == ([BUSY], 1)


async def test_what_is_not_there_cannot_be_taken(resources: Resources) -> None:
    with pytest.raises(OverrideNotFound):
        await take(resources, ADDRESS)

    assert (await audited(resources), await revision_of(resources)) == ([], 0)


@pytest.mark.parametrize(
    ("name", "written", "caller"),
    [
        ("api_key:4fJ2kQ9xTbLm", "api_key:4fJ2kQ9xTbLm", "api_key:4fJ2kQ9xTbLm"),
        ("user:usr_01", "user:usr_01", "user:usr_01"),
        ("address:10.0.0.1", "address:10.0.0.1", "10.0.0.1"),
        ("address:10.0.0.1/32", "address:10.0.0.1", "10.0.0.1"),
        ("address:2001:db8::1", "address:2001:db8::/64", "2001:db8::/64"),
        ("address:2001:db8::/64", "address:2001:db8::/64", "2001:db8::/64"),
        ("address:2001:DB8:0:0:7::1/64", "address:2001:db8::/64", "2001:db8::/64"),
        ("address:::ffff:10.0.0.1", "address:10.0.0.1", "10.0.0.1"),
    ],
)
def test_subject_is_the_caller_that_is_counted(name: str, written: str, caller: str) -> None:
    subject = subject_named(name)

    assert (subject.name, subject.caller) == (written, caller)


@pytest.mark.parametrize(
    "name",
    [
        *("", "*", "user", "user:", "user:a b", "key:1", "10.0.0.1", "address:", "address:shop.test"),
        *("address:10.0.0.0/24", "address:2001:db8::/48", "address:2001:db8::/65", "user:" + "a" * 65),
    ],
)
def test_what_names_no_caller_is_refused(name: str) -> None:
    with pytest.raises(AppError) as refused:
        subject_named(name)

    assert refused.value.code == "invalid_limit_subject"
