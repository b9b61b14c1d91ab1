"""Where staff get the token that opens this door."""

from typing import Annotated, Literal

from fastapi import Depends, Response
from fastapi.security import OAuth2PasswordRequestForm
from pydantic import BaseModel, Field

from commerce.accounts.sign_in import SignIn
from core.web.dependencies import ClientAddressDep, ResourcesDep
from internal_api.routing import internal_router

router = internal_router()


class Token(BaseModel):
    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  the name of the scheme
    expires_in: int = Field(description="Seconds. There is no refresh token: sign in again.")


@router.post("/auth/token", summary="Sign in as staff")
async def sign_in(
    response: Response,
    form: Annotated[OAuth2PasswordRequestForm, Depends()],
    resources: ResourcesDep,
    address: ClientAddressDep,
) -> Token:
    """`username` is the e-mail address. An account that is not staff's is refused as a wrong password is."""
    tokens = await SignIn(resources).sign_in(form.username, form.password, audience="internal", address=address)
    response.headers["Cache-Control"] = "no-store"
    return Token(access_token=tokens.access_token, expires_in=tokens.expires_in)
