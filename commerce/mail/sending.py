"""Sending as a job does it: in the queue `mail`, and once as far as a mail server can be told."""

from collections.abc import Sequence

from commerce.mail.letters import SHOP
from core.jobs.registry import queue
from core.jobs.run import JobRun
from core.mail.message import Letter, message

MAIL = queue("mail", per_process=4).name


async def send(run: JobRun, letter: Letter, to: Sequence[tuple[str, str]]) -> None:
    """`to` are names with addresses. What is sent again after a crash has the same Message-ID.

    Raises MailUnavailable, MailRefused.
    """
    mailer, key = run.resources.mailer, run.once_key("send")
    made = message(letter, sender=(SHOP, mailer.sender), to=to, once_key=key, sent_at=run.resources.clock.now())

    async def deliver() -> None:
        await mailer.send(made)

    await run.step("send", deliver)
