"""How a method opens its run, and what its network makes of the images there."""

import os
from collections.abc import Collection
from typing import Any

import numpy as np
import torch
from torch import nn

from coterie.clusterer import Clusterer
from coterie.images.store import ImageStore
from coterie.parameters import OF_THE_RUN
from coterie.training.processes import gather_rows, own_part
from coterie.training.run import Run

# What a resumed training may have otherwise: where it runs, which the run notes itself, and what follows the training.
NOT_LEARNED = {*OF_THE_RUN, "device", "precision", "random_state", "assign"}
EMBEDDED_AT_ONCE = 500
EVERY = slice(None)


def run_of(
    model: Clusterer,
    *,
    folder: str | os.PathLike[str] | None = None,
    random_state: int | None = None,
    after_training: Collection[str] = (),
    **more: Any,
) -> Run:
    """The run in which ``model`` trains, by its parameters of the same names.

    folder, random_state: instead of the model's. after_training: parameters of the model that are not learned from, and
    so may differ when a training goes on. more: of ``Run``.
    """
    own = model.get_params(deep=False)
    left_out = NOT_LEARNED | set(after_training)
    learned = {name: value for name, value in own.items() if name not in left_out}
    return Run(
        own["run_folder"] if folder is None else folder, config={"method": model.kind, **learned},
        device=own["device"], precision=own["precision"],
        random_state=int(own["random_state"]) if random_state is None else random_state,
        progress=own["progress"], tensorboard=own["tensorboard"], several_processes=model.several_processes, **more,
    )  # fmt: skip


def embed(
    run: Run,
    network: nn.Module,
    store: ImageStore,
    batch_size: int = EMBEDDED_AT_ONCE,
    *,
    train: bool = False,
    rows: slice = EVERY,
) -> np.ndarray:
    """(m, d) float32: the clean images ``rows`` of ``store`` through ``network``, in full precision, and in evaluation
    mode unless ``train``. Several processes share the work, and all have all rows.
    """
    network.train(train)
    wanted = torch.arange(len(store))[rows]
    mine = wanted[own_part(len(wanted))]
    with torch.no_grad():
        seen = [network(batch.clean).float().cpu() for batch in run.in_order(store, batch_size, mine)]
    return gather_rows(torch.cat(seen)).numpy()
