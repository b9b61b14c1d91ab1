"""Subscriptions as people use them: npm's graphql-ws and graphql-sse, on Node, against a server that restarts."""

from pathlib import Path

from tests.clients.shop import CLIENTS, Shop, lines
from tests.fixtures.processes import StartProcess

KEY = {"Idempotency-Key": "order-1"}


async def test_both_clients_follow_an_order_over_a_restart_and_miss_nothing(node: str, shop: Shop) -> None:
    variants = [{"price": {"amount": 100}, "sku": "LAMP"}]
    shop.post("/products", {"title": "Lamp", "variants": variants})
    clients = [shop.client(node, name) for name in CLIENTS]
    order = shop.post("/orders", {"lines": [{"sku": "LAMP", "quantity": 2}], "email": "a@example.com"}, **KEY)
    for client in clients:
        client.until("order.placed")

    shop.stop()
    await shop.pay_unseen(order["id"])
    shop.go_on()
    for client in clients:
        client.until("order.paid")
    shop.post(f"/orders/{order['id']}/shipments", {"carrier": "Post"})
    for client in clients:
        client.until("order.shipped")

    expected = shop.order_events()
    assert [kind for _, kind in expected] == ["order.placed", "order.paid", "order.shipped"]
    for client in clients:
        told = [line for line in lines(client) if "connected" not in line]
        assert [(each["id"], each["type"]) for each in told] == expected, client.story
        assert told[-1]["order"] == {"number": order["number"], "state": "shipped", "total": {"amount": 200}}
        assert {"connected": "again"} in lines(client), client.story
        assert client.running, client.story


async def test_clients_with_a_bad_cursor_are_told_so_and_do_not_come_back(
    node: str, shop: Shop, start: StartProcess, tmp_path: Path, free_port: int
) -> None:
    here = Path(__file__).parent.as_posix()
    clients = {}
    for name, scheme in CLIENTS.items():
        script = tmp_path / f"{name}.mjs"
        cursor = f'import {{ request }} from "{here}/subscriber.mjs"; request.variables.after = "nonsense";'
        script.write_text(f'{cursor} await import("{here}/{name}.mjs");')
        clients[name] = start(node, str(script), f"{scheme}://127.0.0.1:{free_port}/graphql", shop.key)

    codes = {name: client.wait(30) for name, client in clients.items()}

    assert codes == {"websocket": 1, "sse": 0}  # an error there, here a result with errors that completes
    for client in clients.values():
        assert client.stdout.count("invalid_cursor") == 1, client.story
        assert {"connected": "again"} not in lines(client), client.story
