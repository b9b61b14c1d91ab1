"""The route class of what takes bodies: gzip within a bound, and clear refusals of what is not read."""

from typing import ClassVar

from fastapi import params
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from core.web.bodies import decoded, require_json
from core.web.reads import Handler


class BodyRoute(APIRoute):
    """Bodies are JSON, or a form where the operation takes one."""

    reads_body: ClassVar[bool] = True  # False: the operation takes it in itself, as it comes
    max_body_bytes: ClassVar[int]  # as the application holds it: what was sent, or what it inflates to

    def get_route_handler(self) -> Handler:
        return self.around(super().get_route_handler())

    def around(self, handle: Handler) -> Handler:
        """What is done before and after an operation, whoever finds its arguments."""
        field = self.body_field
        takes_json = field is not None and not isinstance(field.field_info, params.Form)
        optional = field is not None and not field.field_info.is_required()

        async def read(request: Request) -> Response:
            if self.reads_body:
                request = decoded(request, self.max_body_bytes)
            if takes_json and not (optional and _has_no_body(request)):
                require_json(request)
            return await handle(request)

        return read


def _has_no_body(request: Request) -> bool:
    """RFC 9112, 6.3."""
    return request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers
