"""Measurements, each in a module with `run()`; `python -m benchmarks` runs them all."""
