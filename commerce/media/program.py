"""The workers that look at images and resize them."""

import os

from core.workers.pool import Program

IMAGES = Program(
    module="commerce.media.pixels",
    at_once=min(2, os.cpu_count() or 1),
    waiting=16,
    # Sixteen megapixels of noise as AVIF, the slowest thing there is to ask for, take about 20.
    timeout_seconds=40,
)
