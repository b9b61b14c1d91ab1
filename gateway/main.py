"""The application that servers load: `uvicorn gateway.main:app`, `gunicorn -c gunicorn.conf.py gateway.main:app`."""

import sys

from core.logging import configure_logging
from core.settings import SettingsError, load_settings
from gateway.app import create_app

try:
    settings = load_settings()
except SettingsError as error:
    sys.exit(f"portico: {error}")

configure_logging()
app = create_app(settings)
