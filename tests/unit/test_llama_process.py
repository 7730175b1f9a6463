"""How the process that holds a model is set up: loopback, a key, one question at a time, no pages, no downloads."""

import io
import json

import pytest

pytest.importorskip("xllamacpp", reason="the extra `llama` is not installed")

from serving.adapters.llama_process import main, parameters

OPTIONS = {"model_path": "/nowhere/m.gguf", "name": "m", "api_key": "key", "threads": 3, "context_tokens": 777}


def test_it_listens_on_loopback_at_a_port_of_the_system_s_choice() -> None:
    params = parameters(OPTIONS)
    assert list(params.hostnames) == ["127.0.0.1"]
    assert params.port == 0


def test_it_wants_the_key_it_was_given() -> None:
    assert list(parameters(OPTIONS).api_keys) == ["key"]


def test_it_takes_its_size_and_threads_from_the_options() -> None:
    params = parameters(OPTIONS)
    assert (params.n_ctx, params.n_parallel) == (777, 1)
    assert (params.cpuparams.n_threads, params.cpuparams_batch.n_threads) == (3, 3)
    assert params.model.path == "/nowhere/m.gguf"
    assert set(params.model_alias) == {"m"}


def test_it_shows_no_pages_and_fetches_nothing() -> None:
    params = parameters(OPTIONS)
    assert (params.ui, params.endpoint_slots, params.endpoint_props, params.offline) == (False, False, False, True)


def test_a_model_that_is_not_there_is_no_server() -> None:
    said = io.StringIO()
    with pytest.raises(RuntimeError):
        main(io.StringIO(json.dumps(OPTIONS) + "\n"), said)
    assert said.getvalue() == ""
