"""REST v1 of search by meaning."""

from typing import Annotated

from fastapi import Query, Response

from commerce.semantics.search import Found
from core.ids import new_id
from core.projections.items import array
from core.web.responses import json_response
from public_api.auth import PrincipalDep
from public_api.catalog.dependencies import SearchDep
from public_api.provenance import answer
from public_api.routing import public_router
from public_api.semantics.schemas import SemanticAnswer, SemanticQuery

router = public_router(tags=["Search"])


@router.get("/search/semantic", response_model=SemanticAnswer, summary="Search by meaning")
async def search_semantic(
    query: Annotated[SemanticQuery, Query()], _principal: PrincipalDep, search: SearchDep
) -> Response:
    """Products on sale by their meaning and by their words together: what either ranks high comes first. `reason` says
    which found it. While there is no index, words alone answer, and `fallback` says so.
    """
    found = await search.find(query.q, limit=query.limit)
    # Each answer has an id of its own, which nobody else is to be given.
    return json_response(_body(found), {"Cache-Control": "private, no-store"})


def _body(found: Found) -> str:
    head = answer(new_id("ans"), found.provenance).model_dump_json()
    items = array(
        f'{{"product":{hit.item.json},"score":{round(hit.score, 6)},"reason":"{hit.reason}"}}' for hit in found.hits
    )
    return f'{head[:-1]},"items":{items}}}'
