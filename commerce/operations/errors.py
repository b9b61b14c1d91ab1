"""What the registry, and a client's mode, refuse."""

from core.errors import Denied, FieldError, Invalid, NotFound


class PersistedQueryNotFound(NotFound):
    """No operation with this hash is registered for your client (`X-Client-Name`). Send the whole text instead."""

    code = "persisted_query_not_found"
    title = "PersistedQueryNotFound"  # what Apollo's clients read


class OperationNotRegistered(Denied):
    """Your client (`X-Client-Name`) may send registered operations only, and this text is not one of them."""

    code = "operation_not_registered"
    title = "Operation not registered"


class InvalidManifest(Invalid):
    """The file is no manifest of persisted operations, or one of them cannot run. Nothing was registered."""

    code = "invalid_manifest"
    title = "Invalid manifest"

    def __init__(self, faults: list[FieldError]) -> None:
        super().__init__(f"{len(faults)} of its entries cannot be registered", errors=tuple(faults))


class InvalidClientName(Invalid):
    """A client's name, and a version, are 1 to 64 letters, digits, spaces and `._/@+:-`; `*` stands for everybody."""

    code = "invalid_client_name"
    title = "Invalid client name"


class VersionNotRegistered(NotFound):
    """This client has registered nothing under this version."""

    code = "version_not_registered"
    title = "Version not registered"
