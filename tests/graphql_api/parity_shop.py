"""The shop that both doors are asked about: everybody who may call, and one of each thing that a rule is about."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
from sqlalchemy import func, select

from commerce.accounts.api_keys import ApiKeyService
from commerce.accounts.commands import CreateKey, RegisterUser
from commerce.accounts.entities import User
from commerce.accounts.principal import SCOPES, SCOPES_OF, Principal, Role, Scope
from commerce.accounts.service import AccountService
from commerce.accounts.sign_in import SignIn
from commerce.assistant import storage as runs
from commerce.assistant.commands import Ask, Said
from commerce.assistant.endings import NewEvent, Spent, answered, failed
from commerce.assistant.entities import Card, Corrections
from commerce.assistant.errors import RunInterrupted
from commerce.assistant.tape import card_json
from commerce.audit.models import AuditRow
from commerce.catalog.entities import Product
from commerce.orders.commands import CancelOrder, OrderLine, PayOrder, PlaceOrder, ShipOrder
from commerce.promotions.commands import promotion_data
from commerce.promotions.service import PromotionService
from commerce.recommendations.counting import count_sales
from commerce.support.commands import SendMessage
from commerce.support.service import SupportService
from core.clock import SystemClock
from core.database import Base, Database
from core.eventlog import EventRow
from core.ids import new_id, new_secret_id
from core.inference.provenance import Provenance
from core.money import Money
from core.resources import Resources, open_resources
from core.settings import Settings
from gateway.app import create_app
from tests.factories.catalogue import Catalogue
from tests.factories.clocks import FakeClock
from tests.factories.hashers import QUICK_HASH
from tests.factories.orders import OrderDesk
from tests.factories.people import PASSWORD, a_user, signed_in
from tests.factories.products import a_variant, an_image
from tests.factories.shop import CATALOGUE
from tests.factories.shop import fill as fill_catalogue
from tests.fixtures.asgi import client_of, serve

PEOPLE: dict[str, Role] = {
    **dict.fromkeys(("ada", "bob", "gone"), "customer"),
    **{role: role for role in ("support", "editor", "admin")},
}
ADA_SCOPES: tuple[Scope, ...] = ("orders:read", "orders:write")
_IN_THEIR_OWN_TIME = {"receipts", "uses"}  # written every few seconds
_ALWAYS = {"starts_at": datetime(2020, 1, 1, tzinfo=UTC), "ends_at": datetime(2099, 1, 1, tzinfo=UTC)}
_OVER = _ALWAYS | {"ends_at": datetime(2021, 1, 1, tzinfo=UTC)}
_SOON = _ALWAYS | {"starts_at": datetime(2098, 1, 1, tzinfo=UTC)}
_PROMOTIONS: list[dict[str, Any]] = [
    {"title": "For all", "percent_off": 5, **_ALWAYS},
    {"title": "Spring", "code": "SPRING", "percent_off": 20, **_ALWAYS},
    {"title": "Gift", "code": "GIFT", "amount_off": 100_000, "currency": "USD", **_ALWAYS},
    {"title": "Over", "code": "OVER", "percent_off": 50, **_OVER},
    {"title": "Soon", "code": "SOON", "percent_off": 50, **_SOON},
    {"title": "Abroad", "code": "ABROAD", "amount_off": 1, "currency": "EUR", **_ALWAYS},
]


@dataclass(frozen=True)
class Shop:
    """`headers` of each caller; `ids` of what rows name `$...`; `filled`: every id that was made later is greater."""

    headers: dict[str, dict[str, str]]
    ids: dict[str, str]
    filled: str = field(default_factory=lambda: new_id("x").partition("_")[2])


async def fill(settings: Settings) -> Shop:
    """Into the migrated, empty database of the settings."""
    async with open_resources(settings) as resources:
        people = {name: await a_user(resources, role, f"{name}@example.com") for name, role in PEOPLE.items()}
        await _add_promotions(resources)
        products = await _add_products(resources.database)
        orders = await _add_orders(resources.database, products, people)
        await count_sales(resources.database, FakeClock())
        room = await _add_room(resources, people)
        answers = await _add_runs(resources, people["ada"])
        headers = await _callers(resources, people)
        ids = {name: user.id for name, user in people.items()} | orders | room | answers
        for handle, product in products.items():
            ids |= {handle: product.head.id, f"{handle}/variant": product.variants[0].id}
        return Shop(headers, ids)


async def _add_promotions(resources: Resources) -> None:
    async with resources.database.write() as session:
        service = PromotionService(session, resources.clock, resources.jobs, actor="test")
        for promotion in _PROMOTIONS:
            await service.create(promotion_data(promotion))


async def _add_products(database: Database) -> dict[str, Product]:
    """Those of every test of lists, and two to order, one of which has had another handle."""
    clock = FakeClock()
    await fill_catalogue(database, CATALOGUE, clock)
    catalogue = Catalogue(database, clock)
    options = {"options": ("Size", "Colour"), "images": (an_image(alt="A mug", width=8, height=6),)}
    variants = (
        a_variant(price=250, stock=7, sku="MUG", options={"Size": "S", "Colour": "Red"}, barcode="0042"),
        a_variant(price=450, sku="MUG-L", options={"Size": "L", "Colour": "Red"}, compare_at_price=500, weight_grams=9),
    )
    made = await catalogue.create(handle="cup", title="Mug", variants=variants, **options)
    await catalogue.update(made, handle="mug")
    await catalogue.create(handle="free", title="Free", variants=(a_variant(price=0, sku="FREE"),))
    return await catalogue.everything()


async def _add_orders(database: Database, products: dict[str, Product], people: dict[str, User]) -> dict[str, str]:
    """Ada's in every state, a minute apart, and one of Bob's."""
    clock = FakeClock()
    desk = OrderDesk(database, clock)
    mug, cap = (OrderLine(1, variant_id=products[handle].variants[0].id) for handle in ("mug", "cap"))
    ada, bob = (_customer(people[name]) for name in ("ada", "bob"))

    async def placed(*lines: OrderLine, by: Principal = ada, **changes: Any) -> str:
        clock.advance(minutes=1)
        return (await desk.do(PlaceOrder(lines, **changes), by)).id

    found = {
        "placed": await placed(mug),
        "paid": await placed(mug, cap, promotion_code="SPRING"),
        "shipped": await placed(cap, email="Home@Example.com"),
        "cancelled": await placed(cap),
        "bobs": await placed(cap, by=bob),
    }
    for name in ("paid", "shipped"):
        await desk.do(PayOrder(found[name], reference=f"ch_{name}"))
    await desk.do(ShipOrder(found["shipped"], "DHL", "1234", "https://track.example.com/1234"))
    await desk.do(CancelOrder(found["cancelled"]))
    return found


async def _add_room(resources: Resources, people: dict[str, User]) -> dict[str, str]:
    """Ada's, in which she and support have written."""
    for principal, text in ((_customer(people["ada"]), "Hello?"), (_staff(people["support"]), "Yes?")):
        async with resources.database.write() as session:
            service = SupportService(session, resources.clock, principal=principal)
            message = await service.send(SendMessage("ada-room", text))
    return {"message": message.id}


async def _add_runs(resources: Resources, ada: User) -> dict[str, str]:
    """What Ada asked the assistant: one that has said one thing of each kind, and one that failed."""
    money, now = Money(100, "USD"), resources.clock.now()
    card = Card(
        "prod_1", "mug", "Mug", money, money, money, available=True, url="/mug", image_url="/1", image_alt="A mug"
    )
    model = Provenance("m", "1", "sha256:00", trained_at=now, features_as_of=now, fallback_reason="model_timeout")
    ends = {
        "run": answered("stop", Spent(1, 1), model, Corrections(1, 1)),
        "failed_run": failed(RunInterrupted()),
    }
    said: list[NewEvent] = [("token", {"text": "Take "}), ("card", card_json(card))]
    found = {name: new_secret_id("run") for name in ends}
    async with resources.database.write() as session:
        for name, run_id in found.items():
            ask, lease = Ask((Said("user", "a mug"),)), timedelta(minutes=1)
            await runs.create(session, run_id, ask, _customer(ada).name, runner="none", now=now, lease=lease)
            events = said if name == "run" else []
            spent = Spent(1, 1)
            await runs.append(session, run_id, "none", events, spent=spent, provenance=model, end=ends[name], now=now)
    return found


def _customer(user: User) -> Principal:
    return Principal("user", user.id, SCOPES_OF["customer"], user.id, "customer", user.email)


def _staff(user: User) -> Principal:
    return Principal("user", user.id, SCOPES_OF[user.role], user.id, user.role, user.email)


async def _callers(resources: Resources, people: dict[str, User]) -> dict[str, dict[str, str]]:
    headers = {name: await signed_in(resources, user) for name, user in people.items()}
    yesterday = replace(resources, clock=FakeClock(SystemClock().now() - timedelta(days=1)))
    signed_out = await a_user(resources)
    headers |= {
        "anonymous": {},
        "another scheme": {"Authorization": "Basic YTpi"},
        "nonsense": {"Authorization": "Bearer nonsense"},
        "expired token": await signed_in(yesterday, people["ada"]),
        "token of the internal door": await signed_in(resources, people["admin"], "internal"),
        "signed out": await signed_in(resources, signed_out),
        "shop key": await _key(resources, SCOPES),
        "catalogue key": await _key(resources, ("catalog:read",)),
        "events key": await _key(resources, ("events:read",)),
        "ada's key": await _key(resources, ADA_SCOPES, _customer(people["ada"])),
        "ada's key without orders": await _key(resources, ("orders:write",), _customer(people["ada"])),
        "bob's key": await _key(resources, ("orders:read",), _customer(people["bob"])),
        "editor's key": await _key(resources, ("catalog:write",), _staff(people["editor"])),
        "editor's reading key": await _key(resources, ("catalog:read", "orders:read"), _staff(people["editor"])),
        "support's key": await _key(resources, ("orders:read", "support:write"), _staff(people["support"])),
        "key of who is gone": await _key(resources, ADA_SCOPES, _customer(people["gone"])),
        "expired key": await _key(yesterday, SCOPES, days=1, ago=2),
        "revoked key": await _key(resources, ADA_SCOPES, _customer(people["ada"]), revoke=True),
    }
    async with resources.database.read() as session:
        sign_ins = Base.metadata.tables["sign_ins"]
        newest = select(sign_ins.c.id).where(sign_ins.c.user_id == signed_out.id)
        sign_in_id = str(await session.scalar(newest))
    await SignIn(resources).sign_out(sign_in_id)
    async with resources.database.write() as session:
        accounts = AccountService(session, resources.clock, actor="test")
        for email in ("eve@example.com", "shut@example.com"):  # with passwords as they are stored
            user = await accounts.register(RegisterUser(email, PASSWORD, "Eve"), password_hash=QUICK_HASH)
        for user_id in (user.id, people["gone"].id):
            await accounts.disable(user_id)
    return headers


async def _key(
    resources: Resources,
    scopes: tuple[Scope, ...],
    owner: Principal | None = None,
    *,
    days: int | None = None,
    ago: int = 0,
    revoke: bool = False,
) -> dict[str, str]:
    clock = FakeClock(SystemClock().now() - timedelta(days=ago))
    async with resources.database.write() as session:
        service = ApiKeyService(session, clock, actor="test")
        made = await service.create(CreateKey("test", scopes, days), owner=owner)
        if revoke:
            assert owner is not None
            await service.revoke(made.key.id, owner=owner)
    return {"Authorization": f"Bearer {made.secret}"}


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[httpx2.AsyncClient, Resources]]:
    """The whole application over the shop of the settings."""
    async with serve(create_app(settings)) as served, client_of(served) as client:
        yield client, served.state["resources"]


async def rows(database: Database) -> dict[str, Any]:
    """How many there are in each table, who did what, and what was told to whom: all that a write may leave."""
    async with database.read() as session:
        tables = [table for table in Base.metadata.sorted_tables if table.name not in _IN_THEIR_OWN_TIME]
        counts = [select(func.count()).select_from(table).scalar_subquery().label(table.name) for table in tables]
        found: dict[str, Any] = dict((await session.execute(select(*counts))).mappings().one())
        audited = select(AuditRow.actor, AuditRow.action).order_by(AuditRow.position)
        told = select(EventRow.type, EventRow.visibility).order_by(EventRow.position)
        found["who did what"] = [tuple(row) for row in await session.execute(audited)]
        found["what was told"] = [tuple(row) for row in await session.execute(told)]
    return found
