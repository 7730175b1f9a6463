"""What can go wrong while answering. A refusal is not among these: it is a normal result.

TemporaryFailure (retrieval)
└── ModelUnavailable
    ├── ModelTimedOut
    └── ModelOverloaded
PermanentFailure (retrieval)
├── WrongModel
├── ModelRejected
└── QuestionInvalid
"""

from retrieval.errors import PermanentFailure, TemporaryFailure


class ModelUnavailable(TemporaryFailure):
    """The language model's server does not answer."""

    code = "model_unavailable"
    remedy = "Check `llm.url` and that the model server runs; then ask again."


class ModelTimedOut(ModelUnavailable):
    """The language model did not answer in time."""

    code = "model_timed_out"
    remedy = "Ask again, or raise `llm.timeout_seconds`."


class ModelOverloaded(ModelUnavailable):
    """The language model's server has too much to do."""

    code = "model_overloaded"
    remedy = "Ask again in a moment."


class WrongModel(PermanentFailure):
    """The server serves another model than the one configured."""

    code = "wrong_model"
    remedy = "Set `llm.model` to a name that the server lists at /v1/models."


class ModelRejected(PermanentFailure):
    """The language model's server refused the request."""

    code = "model_rejected"
    remedy = "Check `llm.api_key` and the server's log."


class QuestionInvalid(PermanentFailure):
    """The question is empty or too long."""

    code = "question_invalid"
    remedy = "Ask in 1 to 8,000 characters."
