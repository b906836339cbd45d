"""DAC: deep adaptive clustering, which asks of pairs of images whether they belong together.

Chang, Wang, Meng, Xiang, Pan, ICCV 2017. A network says of each image how much it is of each of K clusters, and the
cosine of two such answers says how much two images belong together. Pairs that are surely alike or surely apart are
taught back to it on augmented images, and what counts as sure is relaxed from epoch to epoch.

    l_i  = N2(softmax(net(x_i))),  s_ij = l_i . l_j
    for each epoch, for each chunk of 1,000 images
        s <- similarities of the clean images
        r_ij <- 1[s_ij > u],  v_ij <- 1[s_ij > u or s_ij < l]
        repeatedly, for batches of 32 of the chunk, augmented:
            descend on  sum v_ij BCE(r_ij, s'_ij) / sum v_ij  +  weight of the auxiliary term * BCE(l_i, l'_i)
    u, l move towards each other

Paper and released code differ: the code has one threshold (DAC*), the auxiliary term and other schedules. ``variant``
chooses between them, and everything in which they, or the scripts among themselves, disagree is one parameter.
``dac.md`` in the docstrings is the specification this was written from; docs/methods/dac.md has the measurements.
"""

import os
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from coterie.clusterer import Clusterer
from coterie.errors import ConfigError
from coterie.images.augment import Augmentation
from coterie.images.presets import PRESETS, SMALL, preset
from coterie.images.store import ImageStore
from coterie.images.trained import TrainedNetwork
from coterie.methods.answers import head_answer
from coterie.methods.chunks import chunk_size, sub_batches
from coterie.methods.dac_variants import THRESHOLDS, VARIANTS, resolved, thresholds_at
from coterie.methods.folded_head import FoldedHead, fold
from coterie.methods.frozen import batch_spread, freeze, rows_by_batch
from coterie.methods.pair_figures import PairFigures
from coterie.methods.pair_objective import FORMS, PAIR_LOSSES, PairObjective, pair_update
from coterie.methods.pairs import Thresholds
from coterie.methods.runs import embed, run_of
from coterie.methods.settled import memberships_by_embedding, restore_settled, settle, settled_tensors
from coterie.methods.snapshots import Snapshot, plain, snapshot, thinned
from coterie.methods.taken import Taken, taken, tell
from coterie.nets.label_network import LabelNetwork, Shape
from coterie.nets.valid_conv import DAC_PUBLISHED, dac_layout
from coterie.parameters import check_choice, check_number, check_several_clusters, check_whole
from coterie.training.run import Run
from coterie.training.settings import MAY_CHANGE

RHO, EPS = 0.9, 1e-8  # of RMSprop (dac.md section 2)
ANSWERS = ("head", "linkage")
CHOICES = {
    "variant": tuple(VARIANTS),
    "pairs": ("auto", "sure", "all"),
    "pair_loss": tuple(PAIR_LOSSES),
    "auxiliary_form": FORMS,
    "augment": ("auto", *PRESETS),
    "evaluation": ("frozen", "batch"),
    "assign": ("auto", *ANSWERS),
}


class Parts(NamedTuple):
    """What trains: ``net``, ``bare`` when the run has wrapped it, its optimiser (``rms`` bare), and the figures."""

    net: nn.Module
    bare: LabelNetwork
    optimizer: torch.optim.Optimizer
    rms: torch.optim.Optimizer
    figures: PairFigures


class DAC(Clusterer):
    """Deep adaptive clustering: a network learns from the pairs of images that it is sure of.

    Args:
        n_clusters: K, 2 to n. Fewer may be found: nothing in the paper's loss asks for all of them.
        variant: "paper", two thresholds and no auxiliary term, or "released", one threshold and the auxiliary term.
            It decides what "auto" is below.
        epochs: 46 in the paper, 20 to 75 in the released scripts.
        batch_size: images in an update; 32 (released), 128 in a re-implementation.
        chunk: images whose targets are asked at once; 1,000 (released).
        repeats: passes over a chunk before the next one; 10 (released).
        views: updates with fresh augmentations of each batch; 2 (released), apparently by accident.
        drop_last: leave out the images of an epoch that do not fill a chunk (released).
        pairs: "sure" leaves out pairs between the thresholds (paper, cifar10_2), "all" takes those below the upper one
            for apart (DAC*, the other scripts).
        upper_from: u at the start; .95 (paper), .99 (released), .9 (mnist).
        upper_to: u at the end; .495 (paper, in 46 epochs), .75 (released), .895 (cifar10_2), .5 (stl, mnist).
        lower_from: l at the start; .455 (paper), .8 (cifar10_2).
        lower_to: l at the end; .5 (paper), .895 (cifar10_2). Training ends where u and l meet.
        pair_loss: "bce", or "mse" (mnist).
        pair_weight: weight of the pairs' loss; 1, and 1/32 in cifar10_2.
        auxiliary: weight of the auxiliary term; 0 (paper), 10 (released), 1 (cifar10_2).
        auxiliary_form: "l2" compares label features (stl, imagenet10), "softmax" probabilities (cifar10_2), "mixed"
            probabilities with label features (cifar10_1, cifar100).
        entropy: weight of ``pairs.emptiness``, which forbids that clusters are lost. Ours: 0 in paper and code.
        siamese: compare two augmentations of the batch instead of one with itself (mnist).
        layers: "auto" is ``dac_layout``; a published network ("cifar10_1", "cifar10_2", "stl", "imagenetdog",
            "mnist"), or stages of ``valid_conv``, with {k} for the number of clusters.
        maps: of the first convolutions of "auto"; 64 (published), 32 takes a quarter of the time.
        relu_last: a ReLU before the softmax (stl, imagenet10, imagenetdog, mnist).
        augment: a preset of ``images.presets``; "auto" is "dac-mnist" for small grey images, "dac-cifar" for small
            colour ones, "dac" for others.
        target_batch: clean images that are normalised together when targets are asked; None is the chunk, 32 (Keras).
        fresh_optimizer: begin every epoch with a new optimiser (cifar10_2, which is compiled anew).
        lr: of RMSprop; .001 (paper, released).
        evaluation: "frozen" answers by fixed statistics, "batch" by those of chunks of 1,000 (published); new images
            are placed by fixed ones always.
        assign: "head", the network's own clusters (paper); "linkage" of its features; "auto", whichever cuts less of
            the weight of the neighbour graph.
        precision: 32, bf16 or 16 (mixed).
        device: auto, cpu, cuda, cuda:1 or mps.
        random_state: seed of everything random.
        run_folder: where checkpoints go; a killed training goes on from there. None: no checkpoints.
        progress: show a bar.
        tensorboard: write the figures for TensorBoard too.

    Attributes:
        taken_: the augmentation that was taken, and why; not saved.
        answers_: "head" and "linkage", each labels and confidence.
        assigned_, assigned_because_: which of them ``labels_`` is, and why.
        training_: one record per epoch: loss and its terms, upper and lower, together and left_out (shares of pairs),
            max_share, emptiness (0 when all clusters are used alike), changed labels, effective clusters.
        snapshots_: scores in three principal components at some epochs, and the embedding at the end.
        embedding_: (n, d + K) float32: d means of the maps before the last convolution, and the K numbers that the
            head reads. The linkage works on all of them: K numbers alone would repeat the head's opinion.
        batch_spread_: share of images whose label by batch statistics changes with the company they are in.
        head_: the head as arrays, its clusters in the order of its labels.
        merges_, stop_, ...: of the linkage, as in ``GraphDegreeLinkage``.
    """

    kind = "dac"

    def __init__(
        self,
        n_clusters: int = 10,
        *,
        variant: str = "paper",
        epochs: int = 20,
        batch_size: int = 32,
        chunk: int = 1000,
        repeats: int = 2,
        views: int = 2,
        drop_last: bool = False,
        pairs: str = "auto",
        upper_from: float | str = "auto",
        upper_to: float | str = "auto",
        lower_from: float | str = "auto",
        lower_to: float | str = "auto",
        pair_loss: str = "bce",
        pair_weight: float = 1.0,
        auxiliary: float | str = "auto",
        auxiliary_form: str = "l2",
        entropy: float = 0.0,
        siamese: bool = False,
        layers: str = "auto",
        maps: int = 32,
        relu_last: bool = False,
        augment: str = "auto",
        target_batch: int | None = None,
        fresh_optimizer: bool = False,
        lr: float = 1e-3,
        evaluation: str = "frozen",
        assign: str = "auto",
        precision: str = "32",
        device: str = "auto",
        random_state: int = 0,
        run_folder: str | os.PathLike[str] | None = None,
        progress: bool = False,
        tensorboard: bool = False,
    ) -> None:
        self.n_clusters = n_clusters
        self.variant = variant
        self.epochs = epochs
        self.batch_size = batch_size
        self.chunk = chunk
        self.repeats = repeats
        self.views = views
        self.drop_last = drop_last
        self.pairs = pairs
        self.upper_from = upper_from
        self.upper_to = upper_to
        self.lower_from = lower_from
        self.lower_to = lower_to
        self.pair_loss = pair_loss
        self.pair_weight = pair_weight
        self.auxiliary = auxiliary
        self.auxiliary_form = auxiliary_form
        self.entropy = entropy
        self.siamese = siamese
        self.layers = layers
        self.maps = maps
        self.relu_last = relu_last
        self.augment = augment
        self.target_batch = target_batch
        self.fresh_optimizer = fresh_optimizer
        self.lr = lr
        self.evaluation = evaluation
        self.assign = assign
        self.precision = precision
        self.device = device
        self.random_state = random_state
        self.run_folder = run_folder
        self.progress = progress
        self.tensorboard = tensorboard

    def check_parameters(self) -> None:
        check_several_clusters(self.n_clusters, "DAC")
        for name in ("epochs", "repeats", "views", "maps"):
            check_whole(name, getattr(self, name))
        for name in ("batch_size", "chunk"):
            check_whole(name, getattr(self, name), least=2)
        if not isinstance(self.layers, str):
            raise ConfigError(
                f"layers is {self.layers!r}; expected 'auto', the name of a network, or its stages as text"
            )
        if self.target_batch is not None:
            check_whole("target_batch", self.target_batch, least=2)
        check_whole("random_state", self.random_state, least=0)
        check_number("lr", self.lr, above=0)
        for name in ("pair_weight", "entropy"):
            check_number(name, getattr(self, name), least=0)
        for name, allowed in CHOICES.items():
            check_choice(name, getattr(self, name), allowed)
        check_number("auxiliary", self._settings()["auxiliary"], least=0)
        for name in THRESHOLDS:
            check_number(name, self._settings()[name], least=0, most=1)
        if self.chunk < self.batch_size:
            raise ConfigError(f"chunk is {self.chunk} and batch_size {self.batch_size}; a chunk must hold a batch")

    def _settings(self) -> dict[str, Any]:
        """What "auto" means in this variant."""
        return resolved(self.variant, self.get_params(deep=False))

    def taken_for(self, shape: tuple[int, int, int]) -> dict[str, Taken]:
        """The augmentation of images of ``shape`` (c, h, w), and why this."""
        automatic = "dac", f"images above {SMALL} px are varied as in the authors' scripts for STL-10 and ImageNet-10"
        if max(shape[1:]) <= SMALL and shape[0] == 1:
            automatic = "dac-mnist", f"grey images up to {SMALL} px are varied as in the authors' script for MNIST"
        elif max(shape[1:]) <= SMALL:
            automatic = "dac-cifar", f"colour images up to {SMALL} px are varied as in the authors' scripts for CIFAR"
        return {"augment": taken(self.augment, automatic)}

    def thresholds(self, epoch: int) -> Thresholds:
        """u and l in ``epoch``, from 0; with ``pairs="all"`` l is u."""
        return thresholds_at(epoch / self.epochs, self._settings())

    def _describe_new(self, X: Any) -> np.ndarray:
        store = self._open_to_train(X)
        self.taken_ = self.taken_for(store.shape)
        tell(self.taken_)
        embedding = self._train(store)
        self.n_features_in_ = embedding.shape[1]
        return embedding

    def _train(self, store: ImageStore) -> np.ndarray:
        """All epochs; the embedding (n, d + K) of all images at their end."""
        layers = self.layers_for(store.shape)
        may_change = MAY_CHANGE - {"epochs"}  # which say how fast the thresholds move
        with run_of(self, after_training=("evaluation",), may_change=may_change) as run:
            parts = self._parts(run, layers, store)
            run.check_memory(store, min(self.batch_size, len(store)))
            for epoch in run.epochs(self.epochs):
                if run.at_epoch_start:
                    self._begin_epoch(run, epoch, parts)
                self._learn(run, epoch, parts, store)
                self._look(run, epoch, parts)
            embedding = self._answer(run, parts.bare, store)
        self.training_ = run.history
        self.snapshots_ = [Snapshot(**saved) for saved in run.values["snapshots"]]
        architecture = {"network": "label_trunk", "shape": list(store.shape), "layers": layers}
        self.extractor_ = TrainedNetwork(parts.bare.trunk, architecture, run.device)
        return embedding

    def _begin_epoch(self, run: Run, epoch: int, parts: Parts) -> None:
        if epoch == 0:
            run.values["snapshots"] = []
        if self.fresh_optimizer:
            parts.rms.state.clear()

    def _learn(self, run: Run, epoch: int, parts: Parts, store: ImageStore) -> None:
        """One epoch (dac.md section 2)."""
        thresholds, objective, augment = self.thresholds(epoch), self._objective(), self._augmentation(store)
        n, random = len(store), run.random.device
        size = min(self.batch_size, n)
        parts.net.train()
        for chunk in run.batches(store, chunk_size(n, self.chunk), drop_last=self.drop_last):
            scores = self._ask(parts.net, chunk.clean)
            parts.figures.scores[chunk.index] = scores
            for rows in sub_batches(len(chunk), size, repeats=self.repeats, views=self.views, generator=random):
                variants = augment.views(chunk.clean[rows], 1 + self.siamese, random)
                update = pair_update(parts.net, variants, scores[rows], thresholds, objective)
                run.step(parts.optimizer, update.loss)
                parts.figures.add(update)

    def _objective(self) -> PairObjective:
        settings = self._settings()
        return PairObjective(
            leave_out=settings["pairs"] == "sure", pair_loss=self.pair_loss, pair_weight=self.pair_weight,
            auxiliary=settings["auxiliary"], auxiliary_form=self.auxiliary_form, entropy=self.entropy,
        )  # fmt: skip

    def _ask(self, net: nn.Module, clean: Tensor) -> Tensor:
        """(m, K) scores of a clean chunk."""
        size = len(clean) if self.target_batch is None else min(self.target_batch, len(clean))
        parts = [clean[begin : begin + size] for begin in range(0, len(clean), size)]
        if len(parts) > 1 and len(parts[-1]) == 1:  # one image alone cannot be normalised
            parts[-2:] = [torch.cat(parts[-2:])]
        with torch.no_grad():
            return torch.cat([net(part).float() for part in parts])

    def _look(self, run: Run, epoch: int, parts: Parts) -> None:
        """What the epoch's line says, and whether the training is over."""
        labels = parts.figures.labels.cpu().numpy()
        now = self.thresholds(epoch)
        run.log(**parts.figures.take(), upper=now.upper, lower=now.lower)
        run.watch_clusters(labels, self.n_clusters)
        shot = snapshot(f"epoch {epoch + 1}", parts.figures.scores.cpu().numpy(), labels)
        run.values["snapshots"] = thinned([*run.values["snapshots"], plain(shot)])
        if self._objective().leave_out and self.thresholds(epoch + 1).have_met:
            run.enough()

    def layers_for(self, shape: Shape) -> str:
        """The stages of the network for images of ``shape`` (c, h, w)."""
        if self.layers == "auto":
            return dac_layout(shape, self.n_clusters, self.maps)
        return DAC_PUBLISHED.get(self.layers, self.layers).replace("{k}", str(self.n_clusters))

    def _parts(self, run: Run, layers: str, store: ImageStore) -> Parts:
        """Everything that checkpoints keep, on the device."""
        bare = LabelNetwork(store.shape, layers, relu_last=self.relu_last)
        if bare.trunk.n_clusters != self.n_clusters:
            raise ConfigError(
                f"layers end in {bare.trunk.n_clusters} maps for {self.n_clusters} clusters; expected one for each, "
                "such as conv1-{k}"
            )
        _lay_out(bare, torch.channels_last)  # a quarter faster on a CPU
        rms = torch.optim.RMSprop(bare.parameters(), lr=self.lr, alpha=RHO, eps=EPS)
        net = run.setup(bare)
        parts = Parts(net, bare, run.setup(rms), rms, PairFigures(len(store), self.n_clusters, run.device))
        run.track(net=net, optimizer=parts.optimizer, figures=parts.figures)
        return parts

    def _augmentation(self, store: ImageStore) -> Augmentation:
        return preset(self.taken_for(store.shape)["augment"].name)

    def _answer(self, run: Run, network: LabelNetwork, store: ImageStore) -> np.ndarray:
        """The embedding (n, d + K), and the head that reads it."""
        self.batch_spread_ = batch_spread(run, network, store)
        by_batch = None
        if self.evaluation == "batch":
            by_batch = rows_by_batch(run, network.trunk, store), rows_by_batch(run, network, store)
        _lay_out(network, torch.contiguous_format)  # as a network from a model file is, to the last digit
        freeze(run, network, store)
        self.head_ = fold(network.head)
        if by_batch is None:
            embedding = embed(run, network.trunk, store)
            self._shares = self.head_.shares(self._read_by_head(embedding))
            return embedding
        self._shares = torch.from_numpy(by_batch[1]).double().softmax(1).numpy()
        return by_batch[0]

    def _read_by_head(self, features: np.ndarray) -> np.ndarray:
        return features[:, -self.head_.weights[0].shape[1] :]

    def _fit_features(self, features: np.ndarray) -> None:
        head, used = head_answer(self._shares)
        del self._shares
        self.head_ = self.head_.only(used)
        settle(features, {"head": head}, self.n_clusters, self.assign).apply(self)
        self.snapshots_.append(snapshot("at the end", features, self.labels_))

    def _memberships(self, features: np.ndarray) -> np.ndarray:
        if self.assigned_ == "head":
            return self.head_.shares(self._read_by_head(features))
        return memberships_by_embedding(self, features)

    def _fitted_tensors(self) -> dict[str, np.ndarray]:
        return settled_tensors(self, ANSWERS) | self.head_.tensors()

    def _restore_tensors(self, tensors: dict[str, np.ndarray]) -> None:
        restore_settled(self, tensors, ANSWERS)
        self.head_ = FoldedHead.from_tensors(tensors)


def _lay_out(network: nn.Module, memory_format: torch.memory_format) -> None:
    """Orders the numbers of the weights in memory; only rounding depends on it."""
    network.to(memory_format=memory_format)  # type: ignore[call-overload]
