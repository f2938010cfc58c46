"""The names of everything that lives in Redis, and for how long. Nothing here is the only copy of anything."""

FRAME_FIELD = b"frame"

STREAM_TTL_S = 3600
"""A running run's stream outlives its last frame by this; then the stored run is read instead."""
ENDED_STREAM_TTL_S = 20
"""An ended run is on disk; its stream stays only for viewers who are reading it now."""
REPLY_TTL_S = 60
ORDERS_TTL_S = 86_400
LENS_TTL_S = 600
"""A training that has told nothing for so long is lost, with its worker or its job."""
HEARTBEAT_EVERY_S = 2.0
HEARTBEAT_TTL_S = 10

LIFECYCLE = "lifecycle"
"""Stream from workers to the recorder: which run started, ended, failed."""
LIFECYCLE_LENGTH = 20_000
LIFECYCLE_READ = "lifecycle:read"
"""The id of the last lifecycle entry that is in the database."""
EPOCH = "epoch"
"""Set once by the recorder. When it is missing, Redis came back empty and the queue is filled again."""
WORKERS = "worker:*"
DIRECT = "direct.*"
PROMISED_S = 30
"""For so long a model that was sent to a worker counts as on its way there, though no heartbeat tells of it yet."""


def frames(run: str) -> str:
    """The run's Redis Stream: entry id "SEQ-0", field `frame`."""
    return f"run:{run}:frames"


def attempt(run: str) -> str:
    """The highest attempt that a worker took; frames of lower ones are refused."""
    return f"run:{run}:attempt"


def lens_training(model: str) -> str:
    """The token of the one training of a model's tuned lens that is in force; gone when it ended or was stopped."""
    return f"lens:{model}:training"


def lens_told(model: str) -> str:
    """What the last training of a model's tuned lens told: JSON."""
    return f"lens:{model}:told"


def worker(name: str) -> str:
    """A worker's heartbeat: JSON, gone when the worker is."""
    return f"worker:{name}"


def reply(token: str) -> str:
    """A list on which one answer to one request is pushed."""
    return f"reply:{token}"


def orders(run: str) -> str:
    """What people ask of a training on its way: JSON, pushed on the right, taken from the left."""
    return f"run:{run}:orders"


def direct(name: str) -> str:
    """The queue of one worker: jobs for whose model it is the best place. Taken back when it is gone."""
    return f"direct.{name}"


def promised(name: str) -> str:
    """The models that were sent to a worker lately: a hash of Unix times."""
    return f"promised:{name}"


def standing(name: str) -> str:
    """What is wanted of a worker, as JSON: whether it takes jobs, which models it must keep. It looks at each beat."""
    return f"standing:{name}"


def worker_orders(name: str) -> str:
    """What a worker is to do once: JSON, pushed on the right, taken from the left, answered by lifecycle."""
    return f"orders:{name}"
