"""Letters from templates: each as plain text and as HTML, in which what people typed is escaped."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from core.mail.message import Letter
from core.money import Money, format_decimal

SHOP = "Portico"


def _money(money: Money) -> str:
    return f"{format_decimal(money.amount, money.currency)} {money.currency}"


_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(("html",)),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters["money"] = _money
_environment.globals["shop"] = SHOP


def letter(template: str, subject: str, **values: Any) -> Letter:
    text, html = (
        _environment.get_template(f"{template}.{kind}").render(subject=subject, **values) for kind in ("txt", "html")
    )
    return Letter(subject, text, html)
