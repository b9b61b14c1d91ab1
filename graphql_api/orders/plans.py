"""Plans of what can be asked of orders."""

from typing import Any

ORDER_PLANS: dict[str, Any] = {}
