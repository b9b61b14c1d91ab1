"""What the process was started with. Credentials are masked."""

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from core.masking import masked
from core.settings import PREFIX, Settings
from core.web.dependencies import SettingsDep

router = APIRouter()


class Setting(BaseModel):
    name: str = Field(description="The environment variable.", examples=["PORTICO_CURRENCY"])
    value: Any = Field(description="As it was read; credentials are ***.", examples=["USD"])
    default: bool = Field(description="Whether this is what it is when nobody sets it.")
    description: str


class SettingList(BaseModel):
    items: list[Setting]


@router.get("/config", summary="Show the settings")
async def show_config(settings: SettingsDep) -> SettingList:
    """By subsystem. A secret that embedded mode made is shown as one that was set."""
    return SettingList(items=list(_described(settings)))


def _described(settings: Settings) -> Iterator[Setting]:
    for group_name in Settings.model_fields:
        group = getattr(settings, group_name)
        for name, field in type(group).model_fields.items():
            value = getattr(group, name)
            yield Setting(
                name=PREFIX + name.upper(),
                value=masked(value, name),
                default=value == field.get_default(call_default_factory=True),
                description=field.description or "",
            )
