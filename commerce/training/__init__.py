"""Training of models: what trains each, and the jobs that do it."""
