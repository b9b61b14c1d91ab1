"""A store of files that lives as long as the test."""

from obstore.store import MemoryStore

from core.objects.store import StoredObjects


def objects_in_memory() -> StoredObjects:
    return StoredObjects(MemoryStore())
