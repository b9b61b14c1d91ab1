"""What accounts are asked to do. A command that exists is well formed, and the same from every door."""

from dataclasses import dataclass, field

from email_validator import EmailNotValidError, validate_email

from commerce.accounts.errors import InvalidAccount
from commerce.catalog.text import is_storable
from core.errors import FieldError

MIN_PASSWORD = 8
MAX_PASSWORD = 128
MAX_NAME = 200
MAX_OVERLAP_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class RegisterUser:
    """The address becomes lower case, the name loses its outer blanks. Raises InvalidAccount with every fault."""

    email: str
    password: str = field(repr=False)
    name: str

    def __post_init__(self) -> None:
        faults = []
        try:
            object.__setattr__(self, "email", normal_email(self.email))
        except EmailNotValidError as error:
            faults.append(FieldError("/email", "invalid_email", str(error)))
        if not MIN_PASSWORD <= len(self.password) <= MAX_PASSWORD or not is_storable(self.password):
            message = f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters, all of them text"
            faults.append(FieldError("/password", "invalid_password", message))
        object.__setattr__(self, "name", self.name.strip())
        faults += name_faults(self.name)
        if faults:
            raise InvalidAccount(faults[0].message, errors=tuple(faults))


@dataclass(frozen=True, slots=True)
class CreateKey:
    """`scopes` are unique and in order. Raises InvalidAccount for a name that cannot be one."""

    name: str
    scopes: tuple[str, ...]
    expires_in_days: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "scopes", tuple(sorted(set(self.scopes))))
        if faults := name_faults(self.name):
            raise InvalidAccount(faults[0].message, errors=tuple(faults))


@dataclass(frozen=True, slots=True)
class RotateKey:
    """The secret before is good for `overlap_seconds` more."""

    key_id: str
    overlap_seconds: int


def normal_email(email: str) -> str:
    """As it is stored and compared. Raises EmailNotValidError."""
    return validate_email(email, check_deliverability=False).normalized.lower()


def name_faults(name: str) -> list[FieldError]:
    if 1 <= len(name) <= MAX_NAME and is_storable(name):
        return []
    return [FieldError("/name", "invalid_name", f"a name has 1 to {MAX_NAME} characters, all of them text")]
