"""What readings of influence need beside q and k: values, and gradients for an output. Made when they are first asked
for, by running the model again, and kept beside the run's capture.
"""

from __future__ import annotations

from modelcore.analysis.influence.gradient import Gradients, Target, read_gradients
from modelcore.analysis.influence.inputs import inputs_of
from modelcore.analysis.influence.values import Values, read_values
from workers.protocol.jobs import TraceJob
from workers.runtime.process import Process
from workers.runtime.tracing import asked_of


def values_of(job: TraceJob, process: Process) -> dict[str, Values]:
    """By site. Raises: RequestError or CheckpointError where the model cannot be run so."""
    kept = process.captures.open_beside(job.run, "values")
    if kept is not None:
        tensors, about = kept
        return {site: Values(tensors[f"{site}.v"], tensors[f"{site}.norms"]) for site in about["sites"]}
    resident, _ = process.engine.model(job.source)
    inputs = inputs_of(resident.model, asked_of(job, resident), resident.checkpoint.tokenizer)
    found = read_values(resident.model, inputs)
    tensors = {f"{site}.v": values.v_GKD for site, values in found.items()}
    tensors |= {f"{site}.norms": values.norms_HK for site, values in found.items()}
    process.captures.keep_beside(job.run, "values", tensors, {"sites": list(found)})
    return found


def gradients_of(job: TraceJob, target: Target, process: Process) -> Gradients:
    """For the output that `target` names. Raises: as values_of, and RequestError where there is no such output."""
    name = f"gradient.{_word(target.position)}.{_word(target.token)}"
    kept = process.captures.open_beside(job.run, name)
    if kept is not None:
        tensors, about = kept
        return Gradients(Target(about["position"], about["token"]), about["logit"], tensors)
    resident, _ = process.engine.model(job.source)
    inputs = inputs_of(resident.model, asked_of(job, resident), resident.checkpoint.tokenizer)
    found = read_gradients(resident.model, inputs, target)
    about = {"position": found.target.position, "token": found.target.token, "logit": found.logit}
    process.captures.keep_beside(job.run, name, found.d_out, about)
    return found


def _word(number: int | None) -> str:
    return "any" if number is None else str(number)
