"""JULE: joint unsupervised learning of representations and image clusters.

Yang, Parikh, Batra, CVPR 2016. Agglomeration and a convolutional network are one recurrence: the clusters of the moment
are what the network is trained on, and its embedding decides which clusters merge next.

    y <- parts of the nearest-neighbour graph of the pixels
    repeat
        train the network on y for E epochs                        backward pass, triplets (Eq. 23)
        F <- embeddings of all images; W <- their graph
        merge the best pairs until (1 - eta) of the clusters left  forward pass, graph degree linkage (Eqs. 1-3)
    until K clusters are left                                      -> SF
    y <- the linkage from the start again, on F                    -> RC

``jule.md`` in the docstrings is the specification this was written from; docs/methods/jule.md has its decisions.
"""

import logging
import math
import os
import time
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from coterie.clusterer import Clusterer
from coterie.errors import ClusterCountWarning, ConfigError, GraphWarning
from coterie.graphs.components import nearest_neighbor_clusters
from coterie.graphs.grouping import LinkageSettings, merge_down
from coterie.graphs.history import by_size
from coterie.graphs.linkage import UPDATES, LocalStructure
from coterie.graphs.neighbors import find_neighbors
from coterie.images.features import unit_pixels
from coterie.images.presets import PRESETS, preset
from coterie.images.store import ImageStore
from coterie.images.trained import TrainedNetwork, build_network, ensemble
from coterie.methods.answers import answer_by_neighbors, linkage_answer
from coterie.methods.order import cluster_order
from coterie.methods.periods import Schedule, after_period, epochs_for, eta_for, n_periods
from coterie.methods.runs import embed, run_of
from coterie.methods.settled import Settled, memberships_by_embedding, placing_tensors, restore_placing
from coterie.methods.snapshots import Snapshot, plain, snapshot
from coterie.methods.triplets import (
    nearest_negatives,
    positive_pairs,
    sq_distances,
    triplet_loss,
    triplet_loss_of_release,
    uniform_negatives,
)
from coterie.nets.conv_stack import LETTERS, blocks_for, check_blocks
from coterie.nets.ensemble import Ensemble
from coterie.parameters import check_choice, check_number, check_several_clusters, check_whole
from coterie.training.run import Run
from coterie.training.settings import MAY_CHANGE

log = logging.getLogger(__name__)

LR_SLOPE, LR_POWER = 1e-4, 0.75  # the policy "inv" of Caffe (jule.md B2)
CHOICES = {
    "scale": ("local", "global"),
    "update": tuple(UPDATES),
    "on_exhausted": ("double_ks", "centroid", "stop", "error"),
    "negatives": ("uniform", "nearest"),
    "sampler": ("auto", "images", "clusters"),
    "augment": ("none", *PRESETS),
    "bn_weight": ("ones", "uniform"),
    "bn_extract": ("eval", "train"),
    "result": ("rc", "sf"),
    "linkage": ("robust", "paper"),
}
AFTER_TRAINING = {"n_runs", "result", "linkage"}
WHY = {
    "robust": "the linkage of local scale and sized stop on the learned embedding (result='rc', linkage='robust')",
    "rc": "the paper's linkage on the learned embedding, asked for by linkage='paper'",
    "sf": "the labels that the recurrence itself ended with, asked for by result='sf'",
}
RELEASE_BATCH = 100  # of the Torch release while it extracts features (jule.md B7)
MANY_RUNS, SMALL_SET = 5, 1_000
NEXT_SEED = 1_000_003  # far from the seeds a person gives, so that the networks of two runs differ


class Learned(NamedTuple):
    """What one network has come to: embedding (n, 160), labels of the recurrence (n,), and how it got there."""

    network: nn.Module
    embedding: np.ndarray
    recurrent: np.ndarray
    snapshots: list[Snapshot]
    records: list[dict[str, Any]]
    device: torch.device


class JULE(Clusterer):
    """JULE with the exact sparse linkage, and with the robust linkage on what it has learned.

    The defaults were chosen label-free where the paper leaves a choice or our measurements disagree with it; the
    paper's own setting is the recipe ``jule-paper-*`` (docs/methods/jule.md has the table).

    Args:
        n_clusters: K, 2 to n.
        eta: unfolding rate, the share of the clusters that merge in a period; 0.9 (paper; 0.2 for faces). "auto" is 0.2
            for fewer than 200 images a cluster, else 0.9.
        epochs: E, of each period; 20 (paper). "auto" is 20, but 160 to 2,200 updates.
        rounds: further periods of training on the robust labels, after K clusters are left; ours, 0 in the paper.
        round_epochs: epochs of each of them; "auto" is half of a period's.
        n_neighbors: K_s, edges from each image in the recurrence; 20.
        scale: "local", each image's own (gacluster), or "global", one for all times ``a`` (paper).
        a: factor of the global scale; 1.
        n_nearest: K_c, next-nearest clusters that the merge criterion looks at; 5 in the paper, 0 or 1 takes the pair
            with the largest affinity.
        locality: lambda of the criterion; 1.
        plain_from: clusters left from which on the pair with the largest affinity merges; 0 never (paper and Caffe
            release), 100 in the Torch release.
        update: "exact" (paper, Eq. 3), "size_ratio" (Eq. 7) or "constant_ratio" (Eq. 9 with ``alpha``).
        alpha: of "constant_ratio"; 0, the rule of the Torch release.
        on_exhausted: when no affinity is left before a period's mergers are done: "double_ks" (Caffe release),
            "centroid", "stop" or "error".
        gamma: weight of the positive distance; 1 as in both releases, 2 in the paper.
        margin: of the hinge; 0.2 (Torch release).
        negatives: "uniform" in the batch (both releases) or "nearest" (the paper's text, our reading).
        n_negatives: for each positive pair; 20 (Torch release), and K_c - 1 nearest clusters in the paper's text.
        sampler: "images", a random order (paper), or "clusters", members of a cluster in groups of five side by side,
            which gives large sets positive pairs from the first period on. "auto" is "clusters" for as long as a random
            batch is expected to hold less than one pair.
        augment: "none" (paper), or a preset of ``images.presets`` that every training batch goes through.
        anchors_only: the gradient of the Torch release at gamma = 1, in which a slip leaves only the anchors one.
        batch_size: 100.
        lr: 0.01, times (1 + 1e-4 t)^-0.75 after t batches.
        momentum, dampening, weight_decay: of SGD; 0.9, 0 (Caffe; 0.9 in the Torch release) and 5e-5.
        blocks, padding, bn_weight: of ``nets.conv_stack``; "auto" follows Table 1 by the size of the images.
        bn_extract: "eval", or "train": features from batch statistics, as the Torch release does (jule.md B7).
        result: "rc", re-clustered on the final embedding, or "sf", the labels of the recurrence.
        linkage: of "rc": "robust" (local scale, sized stop) or "paper" (global scale, plain stop).
        precision: 32, bf16 or 16 (mixed).
        device: auto, cpu, cuda, cuda:1 or mps.
        n_runs: networks that are trained, one after another, each from a seed of its own; their embeddings are then
            grouped side by side. "auto" is 5 for fewer than 1,000 images, where seeds differ most and training is
            short, else 1 (paper).
        random_state: seed of everything random.
        run_folder: where checkpoints go; a killed training goes on from there. None: no checkpoints.
        progress: show a bar.
        tensorboard: write the figures for TensorBoard too, where there is a run_folder.

    Attributes:
        answers_: "sf" (of the first network), "rc" (the paper's linkage on the final embedding) and "robust", each with
            labels and confidence.
        assigned_, assigned_because_: which of them ``labels_`` is, and why.
        training_: one record per epoch and network.
        snapshots_: the embedding of the first network in three principal components, period by period.
        embedding_: (n, 160 n_runs) float32 unit rows.
        merges_, stop_, ...: of the linkage that gave ``labels_``, as in ``GraphDegreeLinkage``; not with result="sf".
    """

    kind = "jule"
    # A period of another length would begin and end at other epochs; which answer is given, nothing learns from.
    may_change = (MAY_CHANGE - {"epochs"}) | {"result", "linkage", "n_runs"}

    def __init__(
        self,
        n_clusters: int = 10,
        *,
        eta: float | str = "auto",
        epochs: int | str = "auto",
        rounds: int = 2,
        round_epochs: int | str = "auto",
        n_neighbors: int = 20,
        scale: str = "local",
        a: float = 1.0,
        n_nearest: int = 5,
        locality: float = 1.0,
        plain_from: int = 0,
        update: str = "exact",
        alpha: float = 0.0,
        on_exhausted: str = "double_ks",
        gamma: float = 1.0,
        margin: float = 0.2,
        negatives: str = "uniform",
        n_negatives: int = 20,
        sampler: str = "auto",
        augment: str = "none",
        anchors_only: bool = False,
        batch_size: int = 100,
        lr: float = 0.01,
        momentum: float = 0.9,
        dampening: float = 0.0,
        weight_decay: float = 5e-5,
        blocks: str = "auto",
        padding: int = 0,
        bn_weight: str = "ones",
        bn_extract: str = "eval",
        result: str = "rc",
        linkage: str = "robust",
        precision: str = "32",
        device: str = "auto",
        n_runs: int | str = "auto",
        random_state: int = 0,
        run_folder: str | os.PathLike[str] | None = None,
        progress: bool = False,
        tensorboard: bool = False,
    ) -> None:
        self.n_clusters = n_clusters
        self.eta = eta
        self.epochs = epochs
        self.rounds = rounds
        self.round_epochs = round_epochs
        self.n_neighbors = n_neighbors
        self.scale = scale
        self.a = a
        self.n_nearest = n_nearest
        self.locality = locality
        self.plain_from = plain_from
        self.update = update
        self.alpha = alpha
        self.on_exhausted = on_exhausted
        self.gamma = gamma
        self.margin = margin
        self.negatives = negatives
        self.n_negatives = n_negatives
        self.sampler = sampler
        self.augment = augment
        self.anchors_only = anchors_only
        self.batch_size = batch_size
        self.lr = lr
        self.momentum = momentum
        self.dampening = dampening
        self.weight_decay = weight_decay
        self.blocks = blocks
        self.padding = padding
        self.bn_weight = bn_weight
        self.bn_extract = bn_extract
        self.result = result
        self.linkage = linkage
        self.precision = precision
        self.device = device
        self.n_runs = n_runs
        self.random_state = random_state
        self.run_folder = run_folder
        self.progress = progress
        self.tensorboard = tensorboard

    def check_parameters(self) -> None:
        check_several_clusters(self.n_clusters, "JULE")
        if self.eta != "auto":
            check_number("eta", self.eta, above=0, most=1)
        for name in ("epochs", "round_epochs", "n_runs"):
            if getattr(self, name) != "auto":
                check_whole(name, getattr(self, name), or_else=' or "auto"')
        for name in ("n_neighbors", "n_negatives"):
            check_whole(name, getattr(self, name))
        check_whole("batch_size", self.batch_size, least=2)
        for name in ("rounds", "n_nearest", "plain_from", "padding", "random_state"):
            check_whole(name, getattr(self, name), least=0)
        for name in ("a", "gamma", "lr"):
            check_number(name, getattr(self, name), above=0)
        for name in ("locality", "margin", "weight_decay"):
            check_number(name, getattr(self, name), least=0)
        for name in ("momentum", "dampening"):
            check_number(name, getattr(self, name), least=0, most=1)
        check_number("alpha", self.alpha, above=-1)
        for name, allowed in CHOICES.items():
            check_choice(name, getattr(self, name), allowed)
        check_blocks(self.blocks)
        if self.anchors_only and self.gamma != 1:
            raise ConfigError(f"anchors_only is the gradient of the Torch release at gamma = 1, not at {self.gamma:g}")

    def _describe_new(self, X: Any) -> np.ndarray:
        store = self._open_to_train(X)
        own = self.architecture(store.shape)
        log.info("network: blocks %s (%s) for images of %d x %d pixels", own["blocks"], LETTERS, *store.shape[1:])
        pixels = unit_pixels(store)
        first = self._first_labels(pixels)
        start = {"labels": first, "updates": 0, "snapshots": [plain(snapshot("pixels", pixels, first))]}
        del pixels
        learned = [self._train(store, start, member) for member in range(self._n_runs(len(store)))]
        architecture = ensemble([own] * len(learned))
        network = learned[0].network if len(learned) == 1 else Ensemble([member.network for member in learned])
        self.extractor_ = TrainedNetwork(network, architecture, learned[0].device)
        self.training_ = [record | {"network": i} for i, member in enumerate(learned) for record in member.records]
        self.recurrent_labels_, self.snapshots_ = learned[0].recurrent, learned[0].snapshots
        embedding = np.concatenate([member.embedding for member in learned], axis=1) / np.float32(
            math.sqrt(len(learned))
        )
        self.n_features_in_ = embedding.shape[1]
        return embedding

    def _n_runs(self, n: int) -> int:
        if isinstance(self.n_runs, str):
            return MANY_RUNS if n < SMALL_SET else 1
        return int(self.n_runs)

    def architecture(self, shape: tuple[int, int, int]) -> dict[str, Any]:
        """What the network is built from, with the blocks that "auto" means for images of ``shape`` (c, h, w)."""
        blocks = blocks_for(shape) if self.blocks == "auto" else self.blocks
        return {
            "network": "conv_stack", "shape": list(shape), "blocks": blocks, "padding": self.padding,
            "bn_weight": self.bn_weight,
        }  # fmt: skip

    def _train(self, store: ImageStore, start: Mapping[str, Any], member: int) -> Learned:
        """The recurrence (jule.md B1), from the values ``start`` of its run."""
        schedule = self._schedule(len(store), int(start["labels"].max()) + 1)
        with self._run(member) as run:
            network = build_network(self.architecture(store.shape))  # in the run, whose seed its weights start from
            net = run.setup(network)
            optimizer = run.setup(self._optimizer(network))
            run.track(net=net, optimizer=optimizer)
            run.check_memory(store, int(min(self.batch_size, len(store))))
            for epoch in run.epochs(schedule.total):
                if epoch == 0 and run.at_epoch_start:
                    run.values |= {**start, "snapshots": list(start["snapshots"])}
                self._learn(run, net, optimizer, store)  # backward pass
                period, is_last = schedule.place(epoch)
                if is_last:
                    embedding = self._embed(run, network, store)
                    self._regroup(run, embedding, period, schedule)  # forward pass
                run.log(n_clusters=int(run.values["labels"].max()) + 1)
            embedding = embed(run, network, store)  # in eval mode whatever bn_extract says, as new images are
        snapshots = [Snapshot(**saved) for saved in run.values["snapshots"]]
        return Learned(network, embedding, run.values["recurrent"], snapshots, run.history, run.device)

    def _first_labels(self, pixels: np.ndarray) -> np.ndarray:
        """Parts of the nearest-neighbour graph of the ``pixels`` (n, d), unit rows (A5)."""
        labels = nearest_neighbor_clusters(find_neighbors(pixels, 1).indices[:, 0])
        if labels.max() + 1 >= self.n_clusters:
            return by_size(labels)
        warnings.warn(
            f"the pixels have {labels.max() + 1} groups of nearest neighbours, fewer than the {self.n_clusters} "
            "clusters asked for; the recurrence starts from single images",
            ClusterCountWarning,
            stacklevel=2,
        )
        return np.arange(len(pixels))

    def _learn(self, run: Run, net: nn.Module, optimizer: torch.optim.Optimizer, store: ImageStore) -> None:
        """One epoch on the clusters of the moment."""
        known = torch.from_numpy(run.values["labels"])
        labels = known.to(run.device)
        order = cluster_order(known) if self._sampler(known) == "clusters" else torch.randperm
        augment = None if self.augment == "none" else preset(self.augment)
        net.train()
        for batch in run.batches(store, int(self.batch_size), order=order):
            for group in optimizer.param_groups:
                group["lr"] = self.lr * (1 + LR_SLOPE * run.values["updates"]) ** -LR_POWER  # jule.md B2
            run.values["updates"] += 1
            images = batch.clean if augment is None else augment(batch.clean, run.random.device)
            run.step(optimizer, self._loss(net(images), labels[batch.index], run.random.device))

    def _sampler(self, labels: Tensor) -> str:
        if self.sampler != "auto":
            return self.sampler
        n, b = len(labels), self.batch_size
        expected_pairs = b * (b - 1) / 2 * (n / len(torch.unique(labels)) - 1) / n  # in a random batch (jule.md B4.6)
        return "images" if expected_pairs >= 1 else "clusters"

    def _schedule(self, n: int, n_first: int) -> Schedule:
        """The periods of ``n`` images that begin as ``n_first`` clusters."""
        eta = eta_for(n, self.n_clusters) if isinstance(self.eta, str) else self.eta
        epochs = epochs_for(n, self.batch_size) if isinstance(self.epochs, str) else int(self.epochs)
        round_epochs = max(1, epochs // 2) if isinstance(self.round_epochs, str) else int(self.round_epochs)
        return Schedule(eta, n_periods(n_first, self.n_clusters, eta), epochs, int(self.rounds), round_epochs)

    def _loss(self, embeddings: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        anchor, positive = positive_pairs(labels)
        if not len(anchor) or (labels == labels[0]).all():
            return 0.0 * embeddings.sum()  # no triplet in the batch: momentum and decay still act (jule.md B4.1)
        if self.negatives == "uniform":
            negatives = uniform_negatives(labels, anchor, self.n_negatives, generator)
        else:
            n_nearest = max(self.n_nearest - 1, 1)
            negatives = nearest_negatives(labels, anchor, sq_distances(embeddings), n_nearest)
        if self.anchors_only:
            return triplet_loss_of_release(embeddings, anchor, positive, negatives, margin=self.margin)
        return triplet_loss(embeddings, anchor, positive, negatives, margin=self.margin, gamma=self.gamma)  # Eq. 23

    def _regroup(self, run: Run, embedding: np.ndarray, period: int, schedule: Schedule) -> None:
        """The clusters of the next period from what the network has learned."""
        began = time.perf_counter()
        before = run.values["labels"]
        if period < schedule.periods:
            labels, title = self._merge(embedding, before, schedule.eta), f"period {period + 1}"
            if period == schedule.periods - 1:
                run.values["recurrent"] = labels  # OURS-SF
        if period >= schedule.periods - 1 and schedule.rounds:
            labels, title = self._robust(embedding), f"re-clustered after period {period + 1}"
        run.log(linkage_seconds=time.perf_counter() - began)
        run.values["labels"] = labels
        run.values["snapshots"].append(plain(snapshot(title, embedding, labels)))
        if labels.max() < self.n_clusters:
            run.watch_clusters(labels, self.n_clusters)

    def _merge(self, embedding: np.ndarray, labels: np.ndarray, eta: float) -> np.ndarray:
        left = after_period(int(labels.max()) + 1, self.n_clusters, eta)
        merged = merge_down(embedding, labels, replace(self._recurrence(), n_clusters=left))
        if merged.max() >= left:
            warnings.warn(
                f"affinity ran out at {merged.max() + 1:,} clusters, before the {left:,} of this period; "
                "on_exhausted='centroid' or 'double_ks' goes on, and so do more n_neighbors",
                GraphWarning,
                stacklevel=2,
            )
        return merged

    def _recurrence(self) -> LinkageSettings:
        local = LocalStructure(self.n_nearest, self.locality, self.plain_from) if self.n_nearest > 1 else None
        return LinkageSettings(
            n_neighbors=self.n_neighbors, scale=self.scale, a=self.a, update=self.update, alpha=self.alpha,
            on_exhausted=self.on_exhausted, local=local,
        )  # fmt: skip

    def _paper(self) -> LinkageSettings:
        """Of OURS-RC: the whole agglomeration once more, with the paper's scale and stop."""
        return replace(
            self._recurrence(), n_clusters=self.n_clusters, scale="global", stop="plain", refine=0,
            on_exhausted="centroid",
        )  # fmt: skip

    def _robust(self, embedding: np.ndarray) -> np.ndarray:
        return linkage_answer(embedding, LinkageSettings(n_clusters=self.n_clusters))[0].labels

    def _embed(self, run: Run, network: nn.Module, store: ImageStore) -> np.ndarray:
        """(n, 160) float32; as the Torch release does it, normalised by the batch, which the running statistics of the
        network then follow (jule.md B7).
        """
        if self.bn_extract == "eval":
            return embed(run, network, store)
        return embed(run, network, store, RELEASE_BATCH, train=True)

    def _run(self, member: int) -> Run:
        """The run of network ``member``, from 0; the first one has the run folder itself."""
        folder = self.run_folder if self.run_folder is None or not member else Path(self.run_folder) / f"run-{member}"
        return run_of(
            self, folder=folder, random_state=int(self.random_state) + NEXT_SEED * member,
            after_training=AFTER_TRAINING, may_change=self.may_change,
        )  # fmt: skip

    def _optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            network.parameters(), lr=self.lr, momentum=self.momentum, dampening=self.dampening,
            weight_decay=self.weight_decay,
        )  # fmt: skip

    def _fit_features(self, features: np.ndarray) -> None:
        robust_settings = LinkageSettings(n_clusters=self.n_clusters)
        robust, of_robust = linkage_answer(features, robust_settings)
        rc, of_rc = linkage_answer(features, self._paper())
        assert of_rc.neighbors is not None
        sf = answer_by_neighbors(of_rc.neighbors, self.recurrent_labels_)
        assigned = "sf" if self.result == "sf" else "rc" if self.linkage == "paper" else "robust"
        chosen, settings = (of_rc, self._paper()) if assigned == "rc" else (of_robust, robust_settings)
        answers = {"sf": sf, "rc": rc, "robust": robust}
        Settled(answers, assigned, WHY[assigned], chosen, settings, assigned != "sf").apply(self)

    def _memberships(self, features: np.ndarray) -> np.ndarray:
        return memberships_by_embedding(self, features)

    def _fitted_tensors(self) -> dict[str, np.ndarray]:
        return placing_tensors(self)

    def _restore_tensors(self, tensors: dict[str, np.ndarray]) -> None:
        restore_placing(self, tensors)
