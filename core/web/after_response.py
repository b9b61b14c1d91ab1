"""What is done after the answer has gone out, and may be lost with the process. What may not is a job."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import BackgroundTasks, Depends

from core.background import attempt

Work = Callable[[], Awaitable[object]]
AfterResponse = Callable[[str, Work], None]


async def after_response(tasks: BackgroundTasks) -> AfterResponse:
    """`after_response(name, work)`: what the work fails with is logged under its name, nothing more."""

    def later(name: str, work: Work) -> None:
        tasks.add_task(attempt, name, work)

    return later


AfterResponseDep = Annotated[AfterResponse, Depends(after_response)]
