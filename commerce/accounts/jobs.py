"""Jobs of accounts."""

from pydantic import BaseModel

from commerce.accounts.repository import AccountRepository
from commerce.mail.letters import SHOP, letter
from commerce.mail.sending import MAIL, send
from core.jobs.registry import job
from core.jobs.run import JobRun


class WelcomeMail(BaseModel):
    user_id: str


@job("accounts.welcome", queue=MAIL, max_attempts=8, timeout_seconds=60)
async def send_welcome(run: JobRun, args: WelcomeMail) -> None:
    """Whose account has ended meanwhile gets none."""
    async with run.resources.database.read() as session:
        user = await AccountRepository(session).user(args.user_id)
    if user is not None and user.is_active:
        said = letter("welcome", f"Welcome to {SHOP}", name=user.name, email=user.email)
        await send(run, said, [(user.name, user.email)])
