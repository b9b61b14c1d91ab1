"""A shop that is open for browsers: a server on one address, whichever process serves it, and its people."""

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.fixtures.processes import PORTICO, Process, StartProcess, a_free_port

PASSWORD = "a long password"
DRAIN_SECONDS = 20
SHOWN = (
    *("order.placed", "order.paid", "order.shipped", "order.cancelled"),
    *("product.created", "product.updated", "product.deleted", "stock.changed"),
    *("promotion.started", "promotion.ended"),
)


@dataclass(frozen=True)
class Account:
    name: str
    email: str
    password: str


class Shop:
    """With the demo catalogue. Its calls are made with a key that may do everything, unless a token is given."""

    def __init__(self, start: StartProcess, folder: Path, **settings: str) -> None:
        self._start = start
        self._settings = settings
        self._folder = folder
        self.port = self._serving = a_free_port()
        self._people = 0
        self.process = self._serve("--demo")
        self._key = self.process.until(r"API key (ptk_\S+)")[1]
        found = self.process.until(r"admin login (\S+) with the password (\S+)")
        self.admin = Account("admin", found[1], found[2])

    @property
    def address(self) -> str:
        """Where browsers go."""
        return f"http://127.0.0.1:{self.port}"

    def _serve(self, *options: str) -> Process:
        process = self._start(*PORTICO, "serve", "--port", str(self._serving), *options, **self._settings)
        process.until("Portico is ready")
        return process

    def stop(self, number: signal.Signals) -> None:
        self.process.send(number)
        code = self.process.wait(DRAIN_SECONDS)
        assert code == (0 if number == signal.SIGTERM else -number), self.process.story

    def go_on(self) -> None:
        self.process = self._serve()

    @contextmanager
    def unseen(self) -> Iterator[None]:
        """While the server is stopped: its shop goes on at another address."""
        self._serving = a_free_port()
        self.go_on()
        yield
        self.stop(signal.SIGTERM)
        self._serving = self.port

    def write_sql(self, *statements: str) -> None:
        """While the server is stopped."""
        with sqlite3.connect(self._folder / "var" / "portico.db") as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    def get(self, path: str, token: str | None = None) -> Any:
        response = httpx2.get(self._url(path), headers=self._headers(token))
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, path: str, body: dict[str, Any] | None = None, token: str | None = None) -> Any:
        response = httpx2.post(self._url(path), json=body or {}, headers=self._headers(token))
        assert response.status_code in (201, 204), response.text
        return response.json() if response.content else None

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._serving}/public/v1/{path}"

    def _headers(self, token: str | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {token or self._key}"}

    def customer(self, name: str) -> Account:
        self._people += 1
        account = Account(name, f"{name.lower()}{self._people}@example.com", PASSWORD)
        self.post("auth/register", {"name": name, "email": account.email, "password": account.password})
        return account

    def staff(self, name: str) -> Account:
        email = f"{name.lower()}@example.com"
        made = self._start(*PORTICO, "users", "create", email, "--role", "support", "--name", name)
        return Account(name, email, made.until(r"password: (\S+)")[1])

    def sign_in(self, account: Account) -> str:
        form = {"username": account.email, "password": account.password}
        token: str = httpx2.post(self._url("auth/token"), data=form).json()["access_token"]
        return token

    def events(self, token: str) -> list[str]:
        """The ids of those that the page shows, oldest first."""
        items = self.get(f"events?limit=1000&types={','.join(SHOWN)}", token)["items"]
        return [item["id"] for item in items]

    def say(self, room: str, text: str) -> None:
        self.post(f"support/rooms/{room}/messages", {"text": text})

    def messages(self, room: str) -> list[str]:
        """The cursors of those that are for all, oldest first."""
        return [item["cursor"] for item in self.get(f"support/rooms/{room}/messages")["items"]]
