"""Models: what they are, where they come from, and how they are served. Knows no product."""

import os

# Before anything loads numpy or the tokenizer: requests run side by side, and a pool of threads of a library's own
# would take the cores from them. On a busy machine of two cores a search of 5 ms took 500 ms with such a pool.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
