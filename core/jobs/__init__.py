"""Durable jobs: accepted with a transaction, run by workers, resumed after a crash. Only `engine` knows DBOS."""
