"""DCCM: deep comprehensive correlation mining, images taught by the surest of what the network says of them.

Wu, Long, Wang, Qian, Li, Lin, Zha, ICCV 2019. The network ends in K probabilities z. Of clean images it says which
pairs are alike (W) and which cluster the sure ones are of (y, V). Augmented variants must then say the same (local
robustness), and the deep feature D of an image must show that it belongs to the shallow map S of itself and of images
like it (triplet mutual information).

    repeat                                                                             Algorithm 1
        z = f(x), for a chunk of clean images
        S_ij = cos(z_i, z_j), W_ij = [S_ij >= .95]                                     Eq. 2
        y_i = argmax z_i, V_i = [max z_i >= .9]                                        Eqs. 7, 8
        repeat, on small batches of the chunk and their variants x'
            pairs (D_i, S_i), (D_i, S_pos(i)), (D_i, S_neg(i)) by W
            minimise L_PG + L'_PG + alpha (L_PL + L'_PL) + beta L_MI                    Eqs. 3, 9, 12, 14; 15

The paper and its authors' code disagree in places; each is one parameter, with the code's reading as the default, since
that is what the settings were tuned on. ``dccm.md`` in the docstrings is the specification this was written from;
docs/methods/dccm.md has the list.
"""

import os
from typing import Any

import numpy as np
import torch
from torch import nn

from coterie.clusterer import Clusterer
from coterie.errors import ConfigError
from coterie.images.augment import Augmentation
from coterie.images.presets import PRESETS, preset, preset_for
from coterie.images.store import ImageStore
from coterie.images.trained import TrainedNetwork, build_network
from coterie.methods.answers import head_answer
from coterie.methods.chunks import chunk_size, sub_batches
from coterie.methods.correlation_figures import CorrelationFigures
from coterie.methods.correlation_step import LABEL_LOSSES, Objective, Parts, Targets, ask, mine
from coterie.methods.folded_head import FoldedHead, fold
from coterie.methods.frozen import batch_spread, freeze, rows_by_batch
from coterie.methods.pair_sampling import SAMPLERS
from coterie.methods.runs import embed, run_of
from coterie.methods.settled import memberships_by_embedding, restore_settled, settle, settled_tensors
from coterie.methods.snapshots import Snapshot, plain, snapshot, thinned
from coterie.methods.taken import Taken, taken, tell
from coterie.nets.dccm_net import (
    LARGEST_SMALL,
    TAPS,
    DCCMNet,
    DCCMTrunk,
    Probabilities,
    dccm_layout,
    is_small,
    n_features_for,
)
from coterie.nets.discriminator import WIDTH, PairDiscriminator
from coterie.parameters import check_choice, check_number, check_several_clusters, check_whole
from coterie.training.batches import Batch
from coterie.training.run import Run

EPS = 1e-8  # of RMSprop; PyTorch's default (dccm.md section 6)
ANSWERS = ("head", "linkage")
CHOICES = {
    "label_loss": tuple(LABEL_LOSSES),
    "sampler": SAMPLERS,
    "mi_shallow": ("auto", *TAPS),
    "mi_deep": ("auto", "fc", "logits"),
    "evaluation": ("frozen", "batch"),
    "assign": ("auto", *ANSWERS),
    "augment": ("auto", *PRESETS),
}


class DCCM(Clusterer):
    """Deep comprehensive correlation mining.

    Args:
        n_clusters: K, 2 to n.
        epochs: passes through the images, 20 for a CPU; 200 in the paper, 1.2 million updates for 10,000 images.
        chunk: images whose targets are asked at once, 1,000 (code).
        repeats: passes through a chunk with the same targets, 2, so that targets are fresher in a short training; 10
            (code).
        views: updates in a row on the same batch, each with a new augmentation, 2 (code).
        batch_size: 32 (code).
        layers: stages of the network as ``nets.valid_conv`` reads them; "auto" is Table 4, or its rule for other sizes.
        maps: of the first convolution with layers="auto"; 64 (paper), 32 takes half the time.
        n_features: length of the deep feature; "auto" is 64, and 256 for more than 64 clusters (Table 4).
        graph_threshold: thres_1, the similarity from which on a pair is linked; .95 (paper).
        label_threshold: thres_2, the probability from which on an image is sure; .9 (paper).
        graph: weight of the graph terms, 1 (paper).
        alpha: weight of the label terms, 5 (paper). 0 leaves them out (ablations M1, M2).
        label_loss: "binary", K binary cross entropies averaged (code), or "cross_entropy" (the paper's word for what is
            often taken), which is about K times as strong.
        beta: weight of the mutual information, .05 (code; the paper says .1). 0 leaves it out (ablations M1 to M3).
        use_original_terms: graph and label terms of the clean images too (paper, Eq. 15); the code has none, the clean
            images give the targets only.
        use_variant_terms: graph and label terms of the augmented images. False is ablation M1.
        invariance: weight of the distance between predictions of an image and its variant (Eq. 11), 0 (both: the paper
            gives it as a motive).
        mi_shallow: S: the map after "conv2" or "conv3" (paper, by size), or after "pool1" (code, a quarter of the
            work). "auto" is "pool1" up to 48 pixels and "conv3" above, for which there is no code.
        mi_deep: D of the mutual information: "fc", the features (paper), or "logits", the K numbers before
            normalisation (code). "auto" is "logits" up to 48 pixels and "fc" above.
        mi_places: places of the map that are drawn for an update, 16; 0 takes all (paper). The mean over places that
            the loss is stays what it was on average, at a tenth of the cost.
        mi_width: of the discriminator's layers, 512 (code).
        sampler: of ``pair_sampling``: "nearest" (the paper's choice, V1), "nearest-farthest" (V2), "random" (V3), "top"
            (V4), or "compat", which does what the code does.
        self_pairs: an image with itself is a pair that belongs together, beside the one of ``sampler`` (code).
        n_negatives: pairs of an image that do not belong together, 2 (code).
        augment: a preset of ``images.presets``; "auto" is "marks" for small grey images, for others "dac-cifar" (code)
            up to 48 pixels and the milder "dac" above, for which there is no code.
        lr: of RMSprop, 1e-3, as in the code's settings for CIFAR-100 and for DAC; 1e-4 in the paper, which takes a
            hundred times as many updates.
        rho: of RMSprop, .9 (code), where PyTorch's default is .99.
        evaluation: "frozen" answers by fixed statistics, "batch" by those of chunks of 1,000 (code); new images are
            placed by fixed ones always.
        assign: "head", the largest probability (paper, Eq. 7), "linkage" of the deep feature, or "auto", whichever cuts
            least of the weight of the neighbour graph.
        precision: 32, bf16 or 16 (mixed); losses are in full precision whatever it is.
        device: auto, cpu, cuda, cuda:1 or mps.
        random_state: seed of everything random.
        run_folder: where checkpoints go; a killed training goes on from there. None: no checkpoints.
        progress: show a bar.
        tensorboard: write the figures for TensorBoard too.

    Attributes:
        taken_: the augmentation that was taken, and why; not saved.
        answers_: "head" and "linkage", each labels and confidence.
        assigned_, assigned_because_: which of them ``labels_`` is, and why.
        training_: one record per epoch: the terms of the loss, ``confident`` (share of images that are sure),
            ``linked`` (share of pairs), ``top_probability`` (its histogram in tenths), ``changed`` labels.
        snapshots_: the deep feature in three principal components in some epochs, and at the end.
        batch_spread_: share of images whose label by batch statistics changes with the company they are in.
        embedding_: the deep feature D, (n, d) float32. The probabilities themselves would be no place to look for
            neighbours: sure images have the same ones.
        head_: the ``FoldedHead`` from ``embedding_`` to the probabilities of the clusters in use, in the order of their
            labels.
        merges_, stop_, ...: of the linkage where it was assigned, as in ``GraphDegreeLinkage``.
    """

    kind = "dccm"

    def __init__(
        self,
        n_clusters: int = 10,
        *,
        epochs: int = 20,
        chunk: int = 1000,
        repeats: int = 2,
        views: int = 2,
        batch_size: int = 32,
        layers: str = "auto",
        maps: int = 32,
        n_features: int | str = "auto",
        graph_threshold: float = 0.95,
        label_threshold: float = 0.9,
        graph: float = 1.0,
        alpha: float = 5.0,
        label_loss: str = "binary",
        beta: float = 0.05,
        use_original_terms: bool = False,
        use_variant_terms: bool = True,
        invariance: float = 0.0,
        mi_shallow: str = "auto",
        mi_deep: str = "auto",
        mi_places: int = 16,
        mi_width: int = WIDTH,
        sampler: str = "nearest",
        self_pairs: bool = True,
        n_negatives: int = 2,
        augment: str = "auto",
        lr: float = 1e-3,
        rho: float = 0.9,
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
        self.epochs = epochs
        self.chunk = chunk
        self.repeats = repeats
        self.views = views
        self.batch_size = batch_size
        self.layers = layers
        self.maps = maps
        self.n_features = n_features
        self.graph_threshold = graph_threshold
        self.label_threshold = label_threshold
        self.graph = graph
        self.alpha = alpha
        self.label_loss = label_loss
        self.beta = beta
        self.use_original_terms = use_original_terms
        self.use_variant_terms = use_variant_terms
        self.invariance = invariance
        self.mi_shallow = mi_shallow
        self.mi_deep = mi_deep
        self.mi_places = mi_places
        self.mi_width = mi_width
        self.sampler = sampler
        self.self_pairs = self_pairs
        self.n_negatives = n_negatives
        self.augment = augment
        self.lr = lr
        self.rho = rho
        self.evaluation = evaluation
        self.assign = assign
        self.precision = precision
        self.device = device
        self.random_state = random_state
        self.run_folder = run_folder
        self.progress = progress
        self.tensorboard = tensorboard

    def check_parameters(self) -> None:
        check_several_clusters(self.n_clusters, "DCCM")
        for name in ("epochs", "repeats", "views", "maps", "mi_width", "n_negatives"):
            check_whole(name, getattr(self, name))
        for name in ("chunk", "batch_size"):
            check_whole(name, getattr(self, name), least=2)
        for name in ("mi_places", "random_state"):
            check_whole(name, getattr(self, name), least=0)
        if self.n_features != "auto":
            check_whole("n_features", self.n_features, or_else=' or "auto"')
        for name in ("graph_threshold", "label_threshold"):
            check_number(name, getattr(self, name), least=0, most=1)
        for name in ("graph", "alpha", "beta", "invariance"):
            check_number(name, getattr(self, name), least=0)
        check_number("lr", self.lr, above=0)
        check_number("rho", self.rho, least=0, most=1)
        for name, allowed in CHOICES.items():
            check_choice(name, getattr(self, name), allowed)
        if not self.objective().weights:
            raise ConfigError(
                "nothing is learned from: give beta, or graph or alpha together with use_original_terms or "
                "use_variant_terms"
            )

    def objective(self) -> Objective:
        """Weights, thresholds and pairs of Eq. 15."""
        own = self.get_params(deep=False)
        return Objective(**{name: own[name] for name in Objective.__dataclass_fields__})

    def taken_for(self, shape: tuple[int, int, int]) -> dict[str, Taken]:
        """The augmentation of images of ``shape`` (c, h, w), and why this."""
        automatic: tuple[str, str] = preset_for(shape)
        if automatic[0] != "marks" and is_small(shape):
            automatic = "dac-cifar", f"images up to {LARGEST_SMALL} px are varied as in the authors' code for CIFAR"
        elif automatic[0] != "marks":
            automatic = "dac", f"above {LARGEST_SMALL} px there is no code of the authors, and this is milder"
        return {"augment": taken(self.augment, automatic)}

    def architecture(self, shape: tuple[int, int, int]) -> dict[str, Any]:
        """What the network of images of ``shape`` (c, h, w) is built from, up to the deep feature."""
        layers = dccm_layout(shape, int(self.maps)) if self.layers == "auto" else self.layers
        n_features = n_features_for(self.n_clusters) if isinstance(self.n_features, str) else int(self.n_features)
        by_size = "pool1" if is_small(shape) else "conv3"  # the code's, and the paper's where there is no code
        tap = by_size if self.mi_shallow == "auto" else self.mi_shallow
        return {
            "network": "dccm_trunk", "shape": list(shape), "layers": layers, "n_features": n_features, "tap": tap,
        }  # fmt: skip

    def _describe_new(self, X: Any) -> np.ndarray:
        store = self._open_to_train(X)
        self.taken_ = self.taken_for(store.shape)
        tell(self.taken_)
        embedding = self._train(store)
        self.n_features_in_ = embedding.shape[1]
        return embedding

    def _train(self, store: ImageStore) -> np.ndarray:
        """Algorithm 1; D (n, d) of all images at its end."""
        with run_of(self, after_training=("evaluation",)) as run:
            parts = self.parts(run, store)
            run.check_memory(store, chunk_size(len(store), int(self.chunk)))
            for epoch in run.epochs(int(self.epochs)):
                self._learn(run, parts, store)
                self._look(run, epoch, parts.figures)
            embedding = self._answer(run, parts.bare, store)
        self.training_ = run.history
        self.snapshots_ = [Snapshot(**saved) for saved in run.values["snapshots"]]
        self.extractor_ = TrainedNetwork(parts.bare.trunk, self.architecture(store.shape), run.device)
        return embedding

    def _learn(self, run: Run, parts: Parts, store: ImageStore) -> None:
        """One epoch: lines 3 to 9 of Algorithm 1, in the order of the code (dccm.md section 6)."""
        draws, augment, objective = run.random.device, self._augmentation(store), self.objective()
        n_chunk = chunk_size(len(store), int(self.chunk))
        passes = {"size": min(self.batch_size, n_chunk), "repeats": self.repeats, "views": self.views}
        for chunk in run.batches(store, n_chunk):
            targets = self._targets(parts, chunk, objective)  # lines 4 and 5
            for rows in sub_batches(len(chunk), **passes, generator=draws):
                terms = mine(parts, chunk.clean[rows], targets.of(rows), objective, augment, draws)  # lines 6 and 7
                run.step(parts.optimizer, objective.total(terms))  # line 8
                parts.figures.add_step(terms)

    def _targets(self, parts: Parts, chunk: Batch, objective: Objective) -> Targets:
        """What the network says of a clean chunk."""
        return ask(parts, chunk, objective)

    def parts(self, run: Run, store: ImageStore) -> Parts:
        """Everything that is trained, on the device of ``run``, as checkpoints track it."""
        trunk = build_network({**self.architecture(store.shape), "frozen": False})
        assert isinstance(trunk, DCCMTrunk)
        # channels last: a step of the network takes three quarters of the time in bf16 on a CPU
        bare = DCCMNet(trunk, self.n_clusters).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        by_size = "logits" if is_small(store.shape) else "fc"  # as for the shallow map
        by_logits = (by_size if self.mi_deep == "auto" else self.mi_deep) == "logits"
        trained = nn.ModuleList([bare])
        net, told_apart = run.setup(bare), None
        objective = self.objective()
        if objective.beta:
            n_deep = self.n_clusters if by_logits else trunk.fc.out_features
            trained.append(PairDiscriminator(trunk.shallow_shape[0], n_deep, self.mi_width))
            told_apart = run.setup(trained[1])
            run.track(told_apart=told_apart)
        optimizer = run.setup(torch.optim.RMSprop(trained.parameters(), lr=self.lr, alpha=self.rho, eps=EPS))
        names = tuple(objective.weights)
        figures = CorrelationFigures(len(store), trunk.fc.out_features, names, run.device)
        run.track(net=net, optimizer=optimizer, figures=figures)
        return Parts(net, bare, told_apart, by_logits, optimizer, figures)

    def _augmentation(self, store: ImageStore) -> Augmentation:
        return preset(self.taken_for(store.shape)["augment"].name)

    def _look(self, run: Run, epoch: int, figures: CorrelationFigures) -> None:
        """What the epoch's line and its snapshot say."""
        labels = figures.labels.cpu().numpy().copy()  # on a CPU it would go on changing in the snapshots
        run.log(**figures.take())
        run.watch_clusters(labels, self.n_clusters)
        now = snapshot(f"epoch {epoch + 1}", figures.features.cpu().numpy(), labels[:: figures.step])
        run.values["snapshots"] = thinned([*run.values.get("snapshots", []), plain(now)])

    def _answer(self, run: Run, net: DCCMNet, store: ImageStore) -> np.ndarray:
        """D (n, d), and what the head reads of it."""
        net.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # as a loaded model is, to the bit
        self.batch_spread_ = batch_spread(run, Probabilities(net), store)
        by_batch = None
        if self.evaluation == "batch":
            by_batch = rows_by_batch(run, net.trunk, store), rows_by_batch(run, Probabilities(net), store)
        freeze(run, net, store)
        self.head_ = fold(net.head)
        if by_batch is None:
            embedding = embed(run, net.trunk, store)
            self._z = self.head_.shares(embedding)
            return embedding
        self._z = np.exp(by_batch[1].astype(np.float64))
        return by_batch[0]

    def _fit_features(self, features: np.ndarray) -> None:
        head, used = head_answer(self._z)
        del self._z
        self.head_ = self.head_.only(used)
        settle(features, {"head": head}, self.n_clusters, self.assign).apply(self)
        self.snapshots_.append(snapshot("at the end", features, self.labels_))

    def _memberships(self, features: np.ndarray) -> np.ndarray:
        return self.head_.shares(features) if self.assigned_ == "head" else memberships_by_embedding(self, features)

    def _fitted_tensors(self) -> dict[str, np.ndarray]:
        return settled_tensors(self, ANSWERS) | self.head_.tensors()

    def _restore_tensors(self, tensors: dict[str, np.ndarray]) -> None:
        restore_settled(self, tensors, ANSWERS)
        self.head_ = FoldedHead.from_tensors(tensors)
