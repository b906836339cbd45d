"""A small deep method that keeps the contract of all, to try the commands with; as a program, coterie with it."""

import logging
import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np
import pytest
import torch
from torch import nn

from coterie.classical.kmeans import KMeans
from coterie.clusterer import Clusterer, is_images
from coterie.errors import ConfigError
from coterie.graphs.history import by_size
from coterie.images.store import ImageStore, open_images
from coterie.parameters import check_n_clusters, check_whole
from coterie.training.run import Run

log = logging.getLogger("coterie.methods.toy")


class Answer(NamedTuple):
    labels: np.ndarray
    confidence: np.ndarray


class Snapshot(NamedTuple):
    title: str
    positions: np.ndarray
    labels: np.ndarray
    n_clusters: int


class Toy(Clusterer):
    """A toy that trains. Its network tells three rows of pixels apart."""

    kind = "toy"
    after_step: Callable[[Run, int, int], None] = staticmethod(lambda run, epoch, step: None)

    def __init__(
        self,
        n_clusters: int = 3,
        *,
        width: int = 6,
        margin: float = 0.2,
        shuffle: bool = True,
        layers: tuple[int, ...] = (8,),
        limit: int | None = None,
        epochs: int = 3,
        batch_size: int = 16,
        lr: float = 0.05,
        assign: str = "auto",
        precision: str = "32",
        device: str = "auto",
        random_state: int = 0,
        run_folder: str | None = None,
        progress: bool = False,
        tensorboard: bool = False,
    ) -> None:
        self.n_clusters = n_clusters
        self.width = width
        self.margin = margin
        self.shuffle = shuffle
        self.layers = layers
        self.limit = limit
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.assign = assign
        self.precision = precision
        self.device = device
        self.random_state = random_state
        self.run_folder = run_folder
        self.progress = progress
        self.tensorboard = tensorboard

    def check_parameters(self) -> None:
        check_n_clusters(self.n_clusters)
        check_whole("width", self.width)
        if self.assign not in ("auto", "head", "linkage"):
            raise ConfigError(f"assign is {self.assign!r}; expected one of auto, head, linkage")

    def fit(self, X: Any, y: object = None) -> Self:
        self.check_parameters()
        if not is_images(X):
            raise ConfigError("toy learns from images, not from features (n, d)")
        self.store_ = open_images(X)
        self._check_count(len(self.store_))
        self.extractor_ = None
        with Run(
            self.run_folder, config={"n_clusters": self.n_clusters, "width": self.width, "lr": self.lr},
            device=self.device, precision=self.precision, random_state=self.random_state, progress=self.progress,
            tensorboard=self.tensorboard, save_every=0.0,
        ) as run:  # fmt: skip
            self._train(run, self.store_)
            self.training_ = list(run.history)
        return self

    def _train(self, run: Run, store: ImageStore) -> None:
        log.info("images of %d x %d train one layer", *store.shape[1:])
        first, last = nn.Linear(int(np.prod(store.shape)), self.width), nn.Linear(self.width, self.n_clusters)
        model = run.setup(nn.Sequential(nn.Sequential(nn.Flatten(), first, nn.Tanh()), last))
        optimizer = run.setup(torch.optim.SGD(model.parameters(), lr=self.lr, momentum=0.9))
        run.track(model=model, optimizer=optimizer, snapshots=[])
        run.check_memory(store, self.batch_size)
        targets = torch.as_tensor(np.arange(len(store)) * self.n_clusters // len(store), device=run.device)
        for epoch in run.epochs(self.epochs):
            if run.at_epoch_start:
                run.values["snapshots"].append(self._embed(run, model, store)[0][:, :3])
            for step, batch in enumerate(run.batches(store, self.batch_size)):
                run.step(optimizer, nn.functional.cross_entropy(model(batch.clean), targets[batch.index]))
                self.after_step(run, epoch, step)
            labels = self._embed(run, model, store)[1].argmax(1)
            run.watch_clusters(labels, self.n_clusters)
            run.log(n_clusters=max(40 // 2 ** (epoch // 2), self.n_clusters), stage="only")
        self._answer(run, *self._embed(run, model, store))

    def _embed(self, run: Run, model: Any, store: ImageStore) -> tuple[np.ndarray, np.ndarray]:
        with torch.no_grad():
            encoder, head = model.module
            hidden = torch.cat([encoder(batch.clean) for batch in run.in_order(store, 64)])
            return hidden.float().cpu().numpy(), head(hidden).softmax(1).float().cpu().numpy()

    def _answer(self, run: Run, embedding: np.ndarray, shares: np.ndarray) -> None:
        head = by_size(shares.argmax(1).astype(np.int64))
        other = KMeans(self.n_clusters).fit(embedding)
        self.embedding_, self.n_features_in_ = embedding, embedding.shape[1]
        self.answers_ = {
            "head": Answer(head, shares.max(1).astype(np.float32)),
            "linkage": Answer(other.labels_, other.confidence_),
        }
        self.assigned_ = "head" if self.assign == "auto" else self.assign
        self.assigned_because_ = "its edges stay inside" if self.assign == "auto" else f"{self.assign} was asked for"
        self.labels_, self.confidence_ = self.answers_[self.assigned_]
        self.n_clusters_ = int(self.labels_.max()) + 1
        numbers = (max(40 // 2 ** (epoch // 2), self.n_clusters) for epoch in range(self.epochs))
        self.snapshots_ = [
            Snapshot(f"epoch {epoch + 1}", np.asarray(points, np.float32), self.labels_, number)
            for epoch, (points, number) in enumerate(zip(run.values["snapshots"], numbers, strict=True))
        ]

    def _fit_features(self, features: np.ndarray) -> None:
        raise NotImplementedError

    def _memberships(self, features: np.ndarray) -> np.ndarray:
        raise NotImplementedError


def register(patch: pytest.MonkeyPatch) -> None:
    """Makes ``--method toy`` known."""
    for place in ("coterie.methods", "coterie.loading"):
        patch.setattr(f"{place}.METHODS", {"toy": Toy})


def main() -> None:
    """coterie with the toy, which sleeps TOY_SLEEP seconds after every step so that a signal finds it training."""
    from coterie.cli.main import main as coterie

    torch.set_num_threads(1)
    patch = pytest.MonkeyPatch()
    register(patch)
    patch.setattr(Toy, "after_step", staticmethod(lambda *place: time.sleep(float(os.environ.get("TOY_SLEEP", "0")))))
    coterie()


if __name__ == "__main__":
    main()
