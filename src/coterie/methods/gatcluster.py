"""GATCluster: a network that makes the targets it is trained on, and learns where in an image to look.

Niu, Zhang, Wang, Liang, "GATCluster: Self-Supervised Gaussian-Attention Network for Image Clustering", ECCV 2020. One
output is the label l of an image, another the label l_a of what a Gaussian shows of it. Again and again:

    step 1   m clean images, in sub-batches of m1, network as it stands:  q = l
                 t_s ~ q / sum_i q,  t_a ~ q^2 / sum_i q,  r_ij = k-means puts t_a of i and j together
    step 2   the same images, each under one random transformation, in sub-batches of m2, several times:
                 5 (-l . t_s) + BCE(y_i . y_j, r_ij) + 3 (sum p log p of l and of l_a) + 5 BCE(l_a, t_a)

At its optimum every label is one-hot and no cluster empty (the paper's Label Feature Theorem). ``gatcluster.md`` in the
docstrings is the specification this was written from: the supplement and the authors' code, since the paper's body was
not to be had. Ours are the networks for small images, statistics before the first targets, the linkage as a second
answer, and the defaults; docs/methods/gatcluster.md has the paper's form of each, and the measurements.
"""

import os
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from coterie.clusterer import Clusterer
from coterie.errors import ConfigError
from coterie.images.augment import Augmentation
from coterie.images.colour import grey_of
from coterie.images.presets import PRESETS, preset, preset_for
from coterie.images.store import ImageStore
from coterie.images.trained import TrainedNetwork, build_network
from coterie.methods.answers import head_answer
from coterie.methods.chunks import chunk_size, sub_batches
from coterie.methods.folded_head import FoldedHead, fold
from coterie.methods.frozen import freeze
from coterie.methods.looks import looks
from coterie.methods.runs import embed, run_of
from coterie.methods.schedules import DECAYS, learning_rate, make_optimizer, set_rate
from coterie.methods.self_figures import SelfFigures
from coterie.methods.self_targets import Targets, Weights, make_targets, total_loss
from coterie.methods.settled import memberships_by_embedding, restore_settled, settle, settled_tensors
from coterie.methods.snapshots import Snapshot, plain, shown, snapshot
from coterie.methods.taken import Taken, taken, tell
from coterie.nets.attention import GAUSSIANS, GaussianAttentionNet, LabelFeatures
from coterie.nets.batch_statistics import write_statistics
from coterie.parameters import check_choice, check_number, check_several_clusters, check_whole
from coterie.training.batches import Batch
from coterie.training.run import Run
from coterie.training.settings import MAY_CHANGE

AUGMENTED_AT_ONCE = 250  # whatever m1 is, or its value would change the draws
LEAST_FEATURES = 32
ANSWERS = ("head", "linkage")
MET_OF_CHUNK = 4  # sub-batches of clean images whose statistics stand for the chunk
MOMENTS = 4  # parts of the training between two clouds of the page
MEMORY = {"target_batch_size"}  # changes no bit of the result
CHOICES = {
    "gaussian": tuple(GAUSSIANS),
    "assign": ("auto", *ANSWERS),
    "augment": ("auto", *PRESETS),
    "lr_decay": DECAYS,
    "statistics": ("clean", "running", "released"),
}


class Parts(NamedTuple):
    """What a training consists of; ``net`` is what ``run.setup`` made of ``bare``."""

    net: nn.Module
    bare: GaussianAttentionNet
    optimizer: torch.optim.Optimizer
    figures: SelfFigures


def pieces(images: Tensor, size: int) -> list[Tensor]:
    """``images`` (m, ...) in parts of ``size``; one alone at the end joins those before it, because a CPU convolves a
    single image in another way, to other last bits."""
    parts = [images[begin : begin + size] for begin in range(0, len(images), size)]
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


class GATCluster(Clusterer):
    """Self-supervised Gaussian attention, whose label branch groups the images.

    Args:
        n_clusters: K, 2 to n.
        epochs: times every image is given targets; it is trained on ``repeats`` times each. The paper's are 461.
        batch_size: m2, 32 in the paper. At least K: fewer images cannot be in all clusters at once.
        n_targets: m, images that are given targets at a time; 1,000 (paper).
        target_batch_size: m1, images in the network at once while targets are made; 200 (paper, STL-10). It bounds the
            memory and changes nothing else: on a CPU, not a bit.
        repeats: times that the images are trained on with the same targets and under the same transformation; 8 in the
            paper. Fewer let the targets follow the network sooner, and cost a pass without gradients each.
        width: maps of the first convolutions; 64 in the paper, whose network takes 16 times as long.
        n_features: F, of each place of the map; K in the paper. "auto" is K, but at least 32.
        map_size: places on a side of the map that the Gaussian is on; "auto" is 6 (paper) where it can be.
        gaussian: "isotropic" (paper); "anisotropic", with a width for each axis and a correlation; "compat_theta",
            where column and width are one number, as in the released code.
        attention_conv: a convolution before the Gaussian's numbers (the authors' STL-10 network); their ImageNet-10
            network has none.
        label_relu: ReLU before pooling (ImageNet-10 network); not in that for STL-10.
        colour: look at colours; the paper looks at the luma.
        similarity: weight of the transformation invariance, 5 (paper). 0 leaves it out, as with the next three.
        relation: weight of the separability by relations, 1 (paper).
        entropy: weight of the entropies, 3 each (paper).
        attention: weight of the attention mapping, 5 (paper). 0 leaves the attention branch out.
        statistics: of batch normalisation where labels are made. "clean": of clean images, some of each chunk, in the
            end of all. "running" (paper): those that run along with the training, of transformed images, to which clean
            ones look unlike enough for one cluster to take most of them, be taught so, and grow (section 7 of
            docs/methods/gatcluster.md); they meet the images before the first targets. "released": not even that, as in
            the authors' code, whose first targets are noise.
        augment: a preset of ``images.presets``; "auto" takes "marks" for small grey images, else "gatcluster" (paper).
        lr: of Adam, .001 (paper).
        lr_decay: "cosine" lets it fall to 0 over the training, "none" keeps it (paper, which had 1.5 million
            updates and took the best of its evaluations with labels): at a constant rate a small network forgets
            again, within an epoch, the clusters that it had.
        assign: "head", the label branch (paper); "linkage" of the pooled features; or "auto", whichever cuts least of
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
        training_: one record per epoch: loss and its parts, max_share, entropy_mean (at most log K), guarded (share of
            the targets without relations), changed labels, sizes.
        snapshots_: the embedding in three principal components at some epochs, and at the end.
        embedding_: a_o, (n, F) float32, the features averaged over the map. The label branch is two layers on it, so
            both answers see the same.
        theta_: (n, 3) or (n, 5) where the network looked in each image (``nets.attention.gaussian_map``); None without
            the attention branch, and in a model that was loaded.
        looks_: where it looked in some images of each group, and the labels on the circle of Eq. A1; not saved.
        head_: the layers of the label branch, its outputs in the order of its labels.
        merges_, stop_, ...: of the linkage, where that is the answer, as in ``GraphDegreeLinkage``.
    """

    kind = "gatcluster"
    may_change = MAY_CHANGE | MEMORY

    def __init__(
        self,
        n_clusters: int = 10,
        *,
        epochs: int = 30,
        batch_size: int = 64,
        n_targets: int = 1000,
        target_batch_size: int = 200,
        repeats: int = 2,
        width: int = 16,
        n_features: int | str = "auto",
        map_size: int | str = "auto",
        gaussian: str = "isotropic",
        attention_conv: bool = True,
        label_relu: bool = False,
        colour: bool = False,
        similarity: float = 5.0,
        relation: float = 1.0,
        entropy: float = 3.0,
        attention: float = 5.0,
        statistics: str = "clean",
        augment: str = "auto",
        lr: float = 1e-3,
        lr_decay: str = "cosine",
        assign: str = "auto",
        precision: str = "32",
        device: str = "auto",
        random_state: int = 0,
        run_folder: str | os.PathLike[str] | None = None,
        progress: bool = False,
        tensorboard: bool = False,
    ) -> None:
        self.n_clusters = n_clusters
        self.epochs = epochs
        self.batch_size = batch_size
        self.n_targets = n_targets
        self.target_batch_size = target_batch_size
        self.repeats = repeats
        self.width = width
        self.n_features = n_features
        self.map_size = map_size
        self.gaussian = gaussian
        self.attention_conv = attention_conv
        self.label_relu = label_relu
        self.colour = colour
        self.similarity = similarity
        self.relation = relation
        self.entropy = entropy
        self.attention = attention
        self.statistics = statistics
        self.augment = augment
        self.lr = lr
        self.lr_decay = lr_decay
        self.assign = assign
        self.precision = precision
        self.device = device
        self.random_state = random_state
        self.run_folder = run_folder
        self.progress = progress
        self.tensorboard = tensorboard

    def check_parameters(self) -> None:
        check_several_clusters(self.n_clusters, "GATCluster")
        for name in ("epochs", "n_targets", "repeats", "width"):
            check_whole(name, getattr(self, name))
        for name in ("n_features", "map_size"):
            if getattr(self, name) != "auto":
                check_whole(name, getattr(self, name), least=2, or_else=' or "auto"')
        for name in ("batch_size", "target_batch_size"):
            check_whole(name, getattr(self, name), least=2)
        check_whole("random_state", self.random_state, least=0)
        check_number("lr", self.lr, above=0)
        for name in Weights._fields:
            check_number(name, getattr(self, name), least=0)
        for name, allowed in CHOICES.items():
            check_choice(name, getattr(self, name), allowed)
        if min(self.batch_size, self.n_targets) < self.n_clusters:
            least = "batch_size" if self.batch_size < self.n_clusters else "n_targets"
            raise ConfigError(
                f"{least} is {getattr(self, least)} for {self.n_clusters} clusters, which are to be used alike among "
                f"so few images; give at least {self.n_clusters}, better {5 * self.n_clusters}"
            )

    def _describe_new(self, X: Any) -> np.ndarray:
        store = self._open_to_train(X)
        self.taken_ = self.taken_for(store.shape)
        tell(self.taken_)
        embedding = self._train(store)
        self.n_features_in_ = embedding.shape[1]
        return embedding

    def _train(self, store: ImageStore) -> np.ndarray:
        """All epochs; a_o (n, F) of all images at their end."""
        architecture = self.architecture(store.shape)
        with run_of(self, after_training=MEMORY, may_change=self.may_change) as run:
            parts = self.parts(run, build_network(architecture), len(store))
            run.track(met=self.statistics != "running", snapshots=[])
            size = chunk_size(len(store), self.n_targets)
            each = min(self.batch_size, size)
            run.check_memory(store, size)
            for epoch in run.epochs(self.epochs):
                set_rate(parts.optimizer, learning_rate(self.lr, epoch, self.epochs, decay=self.lr_decay))
                if run.at_epoch_start:
                    self._take_snapshot(run, epoch, parts, store)
                for chunk in run.batches(store, size):
                    transformed = self._transformed(run, chunk)
                    targets = self._make_targets(run, parts, chunk, transformed)  # step 1
                    self._learn(run, parts, transformed, targets, each)  # step 2
                run.log(**parts.figures.take(), sizes=parts.figures.sizes(self.n_clusters))
                run.watch_clusters(parts.figures.labels, self.n_clusters)
            embedding = self._look(run, parts.bare, store)
        self.training_ = run.history
        self.snapshots_ = [Snapshot(**saved) for saved in run.values["snapshots"]]
        self.extractor_ = TrainedNetwork(parts.bare.features, architecture, run.device)
        return embedding

    def taken_for(self, shape: tuple[int, int, int]) -> dict[str, Taken]:
        """The augmentation of images of ``shape`` (c, h, w), and why this."""
        automatic: tuple[str, str] = preset_for(shape)
        if automatic[0] != "marks":
            automatic = "gatcluster", "photos are varied as in the authors' script for STL-10"
        return {"augment": taken(self.augment, automatic)}

    def architecture(self, shape: tuple[int, int, int]) -> dict[str, Any]:
        """What the network from images of ``shape`` (c, h, w) to a_o is built from."""
        n_features = max(self.n_clusters, LEAST_FEATURES) if self.n_features == "auto" else self.n_features
        return {
            "network": "label_features", "shape": list(shape), "n_features": int(n_features), "width": int(self.width),
            "map_size": self.map_size, "colour": self.colour, "relu": self.label_relu,
        }  # fmt: skip

    def parts(self, run: Run, features: nn.Module, n: int) -> Parts:
        """The network on ``features`` and all else that checkpoints keep of a training with ``n`` images."""
        assert isinstance(features, LabelFeatures)
        bare = GaussianAttentionNet(
            features, self.n_clusters, gaussian=self.gaussian, attend=self.attention > 0,
            attention_conv=self.attention_conv,
        )  # fmt: skip
        net, optimizer = run.setup(bare), make_optimizer("adam", bare.parameters(), self.lr, None)
        parts = Parts(net, bare, run.setup(optimizer), SelfFigures(n, self.n_clusters, run.device))
        run.track(net=parts.net, optimizer=parts.optimizer, figures=parts.figures)
        return parts

    def _transformed(self, run: Run, chunk: Batch) -> Tensor:
        """(m, 1 or 3, h, w): every image of the chunk under its one transformation of this iteration."""
        augment = self._augmentation((chunk.clean.shape[1], chunk.clean.shape[2], chunk.clean.shape[3]))
        parts = [augment(part, run.random.device) for part in pieces(chunk.clean, AUGMENTED_AT_ONCE)]
        return torch.cat(parts if self.colour else [grey_of(part) for part in parts])

    def _make_targets(self, run: Run, parts: Parts, chunk: Batch, transformed: Tensor) -> Targets:
        """Step 1: the targets of the clean images, by the network in evaluation mode."""
        with torch.no_grad():
            if self.statistics == "clean":
                write_statistics(parts.net, pieces(chunk.clean, self.batch_size)[:MET_OF_CHUNK])
            if not run.values["met"]:
                parts.net.train()
                for part in pieces(transformed, self.batch_size):
                    parts.net(part)
                run.values["met"] = True
            parts.net.eval()
            pooled = torch.cat([parts.net(part).pooled for part in pieces(chunk.clean, self.target_batch_size)])
            q = parts.bare.label(pooled).softmax(1)  # all at once: a matrix product rounds by its number of rows
            targets = make_targets(q, run.random.device)
        parts.figures.add_targets(chunk.index, q, targets.guarded)
        return targets

    def _learn(self, run: Run, parts: Parts, transformed: Tensor, targets: Targets, size: int) -> None:
        """Step 2: updates on sub-batches of ``size``, several times through the chunk; none where it is smaller, since
        a few images say nothing of how alike all clusters are used.
        """
        weights = Weights(self.similarity, self.relation, self.entropy, self.attention)
        parts.net.train()
        for rows in sub_batches(len(transformed), size, repeats=self.repeats, views=1, generator=run.random.device):
            seen = parts.net(transformed[rows])
            loss, terms = total_loss(seen.log_label, seen.log_attended, targets.of(rows), weights)
            run.step(parts.optimizer, loss)
            parts.figures.add_step(terms)

    def _take_snapshot(self, run: Run, epoch: int, parts: Parts, store: ImageStore) -> None:
        """The embedding of the images that are shown, at a quarter, half and three quarters of the training."""
        if epoch in {self.epochs * part // MOMENTS for part in range(1, MOMENTS)} - {0}:
            rows = shown(len(store))
            embedding = embed(run, parts.bare.features, store, self.target_batch_size, rows=rows)
            labels = parts.figures.labels.cpu().numpy()[rows].copy()  # or the next chunk would change them
            saved = snapshot(f"epoch {epoch}", embedding, labels)
            run.values["snapshots"] = [*run.values["snapshots"], plain(saved)]

    @torch.no_grad()
    def _look(self, run: Run, bare: GaussianAttentionNet, store: ImageStore) -> np.ndarray:
        """a_o (n, F) of the clean images in full precision; keeps theta and the layers of the label branch."""
        bare.eval()
        if self.statistics == "clean":
            freeze(run, bare, store, self.batch_size)
        seen = [bare(batch.clean) for batch in run.in_order(store, self.target_batch_size)]
        self.theta_ = torch.cat([views.theta for views in seen]).cpu().numpy() if bare.attention else None
        self._map_shape, self.head_ = bare.map_shape, fold(bare.label)
        return torch.cat([views.pooled for views in seen]).cpu().numpy()

    def _augmentation(self, shape: tuple[int, int, int]) -> Augmentation:
        return preset(self.taken_for(shape)["augment"].name)

    def _fit_features(self, features: np.ndarray) -> None:
        shares = self.head_.shares(features)
        head, used = head_answer(shares)
        self.head_ = self.head_.only(used)
        settle(features, {"head": head}, self.n_clusters, self.assign).apply(self)
        self.snapshots_.append(snapshot("at the end", features, self.labels_))
        maps = None if self.theta_ is None else (self.theta_, self._map_shape, self.gaussian)
        self.looks_ = looks(self.labels_, self.confidence_, shares, maps)

    def _memberships(self, features: np.ndarray) -> np.ndarray:
        return self.head_.shares(features) if self.assigned_ == "head" else memberships_by_embedding(self, features)

    def _fitted_tensors(self) -> dict[str, np.ndarray]:
        return settled_tensors(self, ANSWERS) | self.head_.tensors()

    def _restore_tensors(self, tensors: dict[str, np.ndarray]) -> None:
        restore_settled(self, tensors, ANSWERS)
        self.head_ = FoldedHead.from_tensors(tensors)
        self.theta_ = None
