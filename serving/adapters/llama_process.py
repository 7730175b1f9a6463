"""The process that runs llama.cpp's server: a program of its own, because it takes gigabytes and may crash.

Reads its options as one line of JSON from standard input (a key on the command line could be read by every user), says
as one line on standard output where it listens, and ends when its standard input does, that is with its parent.
"""

import json
import os
import sys
from typing import IO, Any

import xllamacpp


def parameters(options: dict[str, Any]) -> xllamacpp.CommonParams:
    """llama.cpp's parameters: loopback, a port of the system's choice, one question at a time, no pages of its own."""
    params = xllamacpp.CommonParams()
    params.model.path = options["model_path"]
    params.model_alias = {options["name"]}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [options["api_key"]]
    params.n_ctx = options["context_tokens"]
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options["threads"]
    params.ui = params.endpoint_slots = params.endpoint_props = False
    params.offline = True
    return params


def main(given: IO[str], said: IO[str]) -> int:
    """Serve until standard input ends."""
    server = xllamacpp.Server(parameters(json.loads(given.readline())))
    said.write(json.dumps({"url": server.listening_address}) + "\n")
    said.flush()
    given.read()
    return 0


if __name__ == "__main__":
    # llama.cpp writes to standard output: that is kept for our one line, everything else goes to the log.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    code = main(sys.stdin, answers)
    # The server's threads may be in the middle of a draft nobody waits for any more.
    os._exit(code)
