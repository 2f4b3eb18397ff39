"""llama.cpp's own HTTP server (as the PyPI package `xllamacpp` carries it) over one model, on a free loopback port.

Usage: serve_model.py MODEL.gguf ALIAS [--context N] [--slots N] [--shared]

Prints `{"base_url": …}` once the model is loaded, then serves until it is killed.
"""

import argparse
import json
import signal

import xllamacpp


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("alias")
    parser.add_argument("--context", type=int, default=4096, help="tokens, of all slots together")
    parser.add_argument("--slots", type=int, default=2, help="requests at once")
    parser.add_argument("--shared", action="store_true", help="slots share the context instead of dividing it")
    wanted = parser.parse_args()

    settings = xllamacpp.CommonParams()
    settings.model.path = wanted.model
    settings.model_alias = {wanted.alias}
    settings.hostnames = ["127.0.0.1"]
    settings.port = 0
    settings.n_ctx = wanted.context
    settings.n_parallel = wanted.slots
    settings.kv_unified = wanted.shared
    settings.n_batch = settings.n_ubatch = 512
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
    settings.n_threads_http = 4
    settings.n_gpu_layers = 0
    settings.fit_params = False
    settings.warmup = False
    settings.embedding = True
    settings.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    settings.use_jinja = True
    settings.endpoint_slots = True
    settings.cache_ram_mib = 0
    settings.ui = False
    settings.verbosity = 1
    # It serves from threads of its own for as long as it is referred to.
    server = xllamacpp.Server(settings)
    print(json.dumps({"base_url": f"{server.listening_address}/v1"}), flush=True)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
