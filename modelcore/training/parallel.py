"""Several processes that train one model: each takes its rows of every batch, and all make the same step.

replicated  each holds all weights; gradients are averaged as they come (DDP: Li et al. 2020, arXiv 2006.15704)
sharded     each holds its share of weights, gradients and of what the optimiser remembers, and has a layer's weights
            whole only while it needs them (FSDP2, `fully_shard`: Zhao et al. 2023, arXiv 2304.11277)

The first process alone is asked, measures and saves; the others do what it orders. gloo carries what they say between
CPUs, nccl between GPUs.
"""

from __future__ import annotations

import copy
import datetime
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, TypeVar, get_args

import torch
import torch.distributed as dist
from torch import Tensor, nn

from modelcore.models.stack import Stack
from modelcore.training.pairs import IGNORED
from modelcore.training.plan import PlanError

Batch = TypeVar("Batch")
Thing = TypeVar("Thing")

Order = Literal["advance", "weights", "state", "wait", "end"]
ORDERS: tuple[Order, ...] = get_args(Order)
# How long a process waits for the others: the first may be measuring meanwhile.
PATIENCE = datetime.timedelta(minutes=10)
# What gloo, nccl and torch's store say when the other end is gone.
GONE = ("onnection", "peer", "gloo", "NCCL", "ocket", "imed out")


class GroupError(RuntimeError):
    """Another process of the group ended; the message says what to do."""


class Alone:
    """One process on the CPU, the common case: there is nothing to share."""

    rank, size, sharded = 0, 1, False
    device = torch.device("cpu")

    def wrapped(self, model: nn.Module) -> nn.Module:
        """What steps are made with; the model itself, where its weights are those of the steps."""
        return model

    def part(self, batch: Batch) -> tuple[Batch, float]:
        """The rows of this process, and which share of the loss of the whole batch theirs is."""
        return batch, 1.0

    def exchanges(self, model: nn.Module, now: bool) -> None:
        """Whether the next gradient goes to the others, or waits for those after it."""

    def total(self, value: float) -> float:
        return value

    def from_first(self, thing: Thing | None) -> Thing | None:
        """What the first process has."""
        return thing

    def order(self, order: Order, value: float = 0.0) -> None:
        """Tells the others what all do next."""

    def heard(self) -> tuple[Order, float]:
        raise NotImplementedError("a process alone hears no orders")

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Raises: GroupError where what is done within ends because another process did."""
        yield

    def leave(self) -> None:
        """The end, for all."""

    def leave_and_exit(self) -> None:
        """The end of this process too, if there are others."""


ALONE = Alone()


class Group(Alone):
    """This process among those that the environment names, as torchrun does: RANK, WORLD_SIZE and where they meet."""

    def __init__(self, *, sharded: bool, environment: Mapping[str, str] = os.environ) -> None:
        """Waits for the others."""
        self.sharded = sharded
        self.rank, self.size = int(environment["RANK"]), int(environment["WORLD_SIZE"])
        local = int(environment.get("LOCAL_RANK", self.rank))
        if torch.cuda.is_available() and torch.cuda.device_count() > local:
            self.device = torch.device("cuda", local)
            torch.cuda.set_device(self.device)
        dist.init_process_group(
            "nccl" if self.device.type == "cuda" else "gloo",
            init_method=f"tcp://{environment['MASTER_ADDR']}:{environment['MASTER_PORT']}",
            rank=self.rank,
            world_size=self.size,
            timeout=PATIENCE,
        )

    def wrapped(self, model: nn.Module) -> nn.Module:
        if self.sharded:
            from torch.distributed.fsdp import fully_shard

            model = copy.deepcopy(model).to(self.device)
            mesh = dist.init_device_mesh(self.device.type, (self.size,))
            for stack in (module for module in model.modules() if isinstance(module, Stack)):
                for block in stack.blocks:
                    fully_shard(block, mesh=mesh)
            fully_shard(model, mesh=mesh)
            return model
        if self.device.type == "cuda":
            model = copy.deepcopy(model).to(self.device)
        return nn.parallel.DistributedDataParallel(model)

    def part(self, batch: Batch) -> tuple[Batch, float]:
        """Raises: PlanError where there are fewer rows than processes. Every row must ask for something."""
        fields: dict[str, Tensor] = {"": batch} if isinstance(batch, Tensor) else batch._asdict()  # type: ignore[attr-defined]
        rows = min(len(tensor) for tensor in fields.values())
        if rows < self.size:
            raise PlanError("batch", f"A batch of {rows} cannot be shared by {self.size} processes.", rows)
        parts = {name: tensor.tensor_split(self.size)[self.rank].to(self.device) for name, tensor in fields.items()}
        share = _asked(parts) / _asked(fields)
        part: Any = parts[""] if isinstance(batch, Tensor) else type(batch)(**parts)
        return part, share

    def exchanges(self, model: nn.Module, now: bool) -> None:
        if self.sharded:
            model.set_requires_gradient_sync(now)  # type: ignore[operator]
        else:
            model.require_backward_grad_sync = now  # type: ignore[assignment]

    def total(self, value: float) -> float:
        told = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.all_reduce(told)
        return told.item()

    def from_first(self, thing: Thing | None) -> Thing | None:
        told = [thing]
        dist.broadcast_object_list(told, src=0, device=self.device)
        return told[0]

    def order(self, order: Order, value: float = 0.0) -> None:
        if self.rank == 0:
            dist.broadcast(torch.tensor([ORDERS.index(order), value], dtype=torch.float64, device=self.device), src=0)

    def heard(self) -> tuple[Order, float]:
        told = torch.empty(2, dtype=torch.float64, device=self.device)
        dist.broadcast(told, src=0)
        order, value = told.tolist()
        return ORDERS[int(order)], value

    @contextmanager
    def watched(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            if any(word in str(error) for word in GONE):
                raise GroupError(
                    "Another process of this training ended, and so this one does. "
                    "Begun again, all go on from the last checkpoint."
                ) from error
            raise

    def leave(self) -> None:
        dist.destroy_process_group()

    def leave_and_exit(self) -> None:
        self.leave()
        # Not by Python's way out: the group's threads may still be giving tensors back, and one that asks for the
        # interpreter while that ends aborts the process, whose work was done.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def join(*, sharded: bool = False) -> Alone:
    """The group that torchrun, or a worker, started this process in; alone where there is none."""
    return Group(sharded=sharded) if int(os.environ.get("WORLD_SIZE", "1")) > 1 else ALONE


def whole(tensor: Any) -> Tensor:
    """All of a tensor of which each process has a shard; all of them must ask for it at once."""
    full: Tensor = tensor.full_tensor() if _is_sharded(tensor) else tensor
    return full


def shard_like(tensor: Tensor, other: Any) -> Tensor:
    """This process's shard of it, where `other` is one of the same shape."""
    if not _is_sharded(other) or tensor.shape != other.shape:
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor.to(other.device), other.device_mesh, other.placements)


def _is_sharded(tensor: Tensor) -> Any:
    return hasattr(tensor, "full_tensor")


def _asked(fields: dict[str, Tensor]) -> float:
    """How many answers the loss is the mean of: labels where a batch has them, else its rows."""
    for name, tensor in fields.items():
        if name.startswith("labels"):
            return float((tensor != IGNORED).sum())
    return float(len(next(iter(fields.values()))))
