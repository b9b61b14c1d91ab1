"""A door of GraphQL with a schema of the test's own, and all that stands around the real one."""

from core.settings import Settings
from core.web.audience import new_app
from gateway.middleware import ObserveMiddleware
from graphql_api.errors import render_error
from graphql_api.post import PostRoute
from graphql_api.roads import Roads
from graphql_api.router import Router
from graphql_api.schema import Schema
from graphql_api.streams import StreamLimits
from tests.fixtures.asgi import Served

ADDRESS = "/graphql/"


def door_of(served: Served, settings: Settings, schema: Schema) -> Served:
    app = new_app(title="A door", version="1", render=render_error)
    roads = Roads(schema, None)
    app.router.routes.append(PostRoute(roads, ADDRESS))
    app.include_router(Router(schema, settings, StreamLimits(), roads), prefix="/graphql")
    return Served(ObserveMiddleware(app), served.state)
