"""Infrastructure that knows no product. Only `core.web` knows HTTP."""
