"""What can be done to people's accounts. Callers own the transaction; nothing here commits."""

from sqlalchemy import and_, delete, or_, select, update

from commerce.accounts.commands import RegisterUser
from commerce.accounts.entities import User
from commerce.accounts.errors import EmailTaken, LastAdmin, UserNotFound
from commerce.accounts.jobs import WelcomeMail, send_welcome
from commerce.accounts.models import ApiKeyRow, SignInRow, UserRow
from commerce.accounts.principal import Role
from commerce.accounts.repository import AccountRepository
from commerce.accounts.watch import CREDENTIALS
from commerce.assistant.storage import forget_of
from commerce.audit.log import AuditLog
from commerce.support.models import MessageRow
from commerce.webhooks.models import EndpointRow
from core import eventlog
from core.clock import Clock
from core.database import DuplicateValue, WriteSession, announce, translated_errors
from core.eventlog import NewEvent
from core.ids import new_id
from core.jobs.jobs import Jobs

_TAKEN = "there is an account with this address"


class AccountService:
    """Per transaction. The audit log names people by id alone: its entries outlive their accounts."""

    def __init__(self, session: WriteSession, clock: Clock, *, actor: str) -> None:
        self._session = session
        self._clock = clock
        self._audit = AuditLog(session, clock, actor)
        self._accounts = AccountRepository(session)

    async def register(
        self, command: RegisterUser, role: Role = "customer", *, password_hash: str, welcome_by: Jobs | None = None
    ) -> User:
        """`password_hash` is the command's password's: it takes long, and so was made before the transaction began
        (`commerce.accounts.registration`). With `welcome_by` they get a mail. Raises EmailTaken.
        """
        if await self._accounts.user_by_email(command.email) is not None:
            raise EmailTaken(_TAKEN)
        now = self._clock.now()
        user = User(new_id("usr"), command.email, command.name, role, now, now, None, None)
        row = UserRow(
            id=user.id,
            email=user.email,
            name=user.name,
            password_hash=password_hash,
            role=role,
            created_at=now,
            updated_at=now,
            disabled_at=None,
            deleted_at=None,
        )
        self._session.add(row)
        try:
            with translated_errors():
                await self._session.flush()
        except DuplicateValue:  # somebody else was quicker
            raise EmailTaken(_TAKEN) from None
        await self._audit.record("user.register", user.id, None, {"role": role})
        if welcome_by is not None:
            await welcome_by.enqueue(self._session, send_welcome, WelcomeMail(user_id=user.id), dedup_key=user.id)
        data = {"id": user.id, "email": user.email, "role": role}
        await eventlog.append(self._session, [NewEvent("user.registered", user.id, data, "staff")], now)
        return user

    async def set_role(self, user_id: str, role: Role) -> User:
        """At once, for tokens and keys that are out too. Raises UserNotFound, LastAdmin."""
        row = await self._locked(user_id, last_admin_stays=role != "admin")
        if row.role != role:
            before, row.role = row.role, role
            await self._save(row)
            await self._audit.record("user.role", user_id, {"role": before}, {"role": role})
        return await self._read(user_id)

    async def disable(self, user_id: str) -> User:
        """No sign-in and no key of theirs opens anything, at once. Raises UserNotFound, LastAdmin."""
        row = await self._locked(user_id)
        if row.disabled_at is None:
            row.disabled_at = self._clock.now()
            await self._save(row)
            await self._end_sign_ins(user_id)
            await self._record_disabled("user.disable", user_id, disabled=True)
        return await self._read(user_id)

    async def enable(self, user_id: str) -> User:
        """Keys are good again; the person signs in anew. Raises UserNotFound."""
        row = await self._locked(user_id, last_admin_stays=False)
        if row.disabled_at is not None:
            row.disabled_at = None
            await self._save(row)
            await self._record_disabled("user.enable", user_id, disabled=False)
        return await self._read(user_id)

    async def delete(self, user_id: str) -> User:
        """Forgets who it was, where their webhooks went and what they asked the assistant, and ends sign-ins and keys.
        The row stays, for orders, messages and the audit log, which name its id. Raises UserNotFound, LastAdmin.
        """
        row = await self._locked(user_id)
        now = self._clock.now()
        row.email, row.name, row.password_hash = f"deleted-{user_id}@invalid", "", ""
        row.deleted_at = now
        await self._save(row)
        await self._end_sign_ins(user_id)
        keys = update(ApiKeyRow).where(ApiKeyRow.user_id == user_id, ApiKeyRow.revoked_at.is_(None))
        await self._session.execute(keys.values(revoked_at=now))
        await self._session.execute(delete(EndpointRow).where(EndpointRow.user_id == user_id))
        await self._session.execute(update(MessageRow).where(MessageRow.author_id == user_id).values(author_name=""))
        key_ids = await self._session.scalars(select(ApiKeyRow.id).where(ApiKeyRow.user_id == user_id))
        await forget_of(self._session, [f"user:{user_id}", *(f"api_key:{key_id}" for key_id in key_ids)])
        await self._audit.record("user.delete", user_id, {"role": row.role}, None)
        return await self._read(user_id)

    async def _locked(self, user_id: str, *, last_admin_stays: bool = True) -> UserRow:
        """The row, and with it all admins: two who remove each other at once are told apart by the lock."""
        admins = and_(UserRow.role == "admin", UserRow.disabled_at.is_(None), UserRow.deleted_at.is_(None))
        wanted = and_(UserRow.id == user_id, UserRow.deleted_at.is_(None))
        statement = select(UserRow).where(or_(wanted, admins) if last_admin_stays else wanted)
        found = (await self._session.scalars(statement.order_by(UserRow.id).with_for_update())).all()
        row: UserRow | None = next((row for row in found if row.id == user_id), None)
        if row is None:
            raise UserNotFound(f"no user {user_id[:60]!r}")
        is_admin = row.role == "admin" and row.disabled_at is None
        if last_admin_stays and is_admin and len(found) == 1:
            raise LastAdmin
        return row

    async def _save(self, row: UserRow) -> None:
        row.updated_at = self._clock.now()
        await self._session.flush()
        announce(self._session, CREDENTIALS)

    async def _end_sign_ins(self, user_id: str) -> None:
        open_ones = update(SignInRow).where(SignInRow.user_id == user_id, SignInRow.revoked_at.is_(None))
        await self._session.execute(open_ones.values(revoked_at=self._clock.now()))

    async def _record_disabled(self, action: str, user_id: str, *, disabled: bool) -> None:
        await self._audit.record(action, user_id, {"disabled": not disabled}, {"disabled": disabled})

    async def _read(self, user_id: str) -> User:
        user = await self._accounts.user(user_id)
        assert user is not None  # noqa: S101  its row is locked
        return user
