"""TCC: twin-contrast clustering, which tells images apart and clusters apart at once.

Shen, Shen, Wang, Qin, Torr, Shao, "You Never Cluster Alone", NeurIPS 2021. Every image is assigned to prototypes, a
sample of its cluster goes into its embedding, and two contrasts are trained together: an image must find its own other
view among a queue of images, and a cluster, the mean of its images, its own other view among all clusters.

    pi_i(k) = softmax_k(mu_k . f_i / tau_q)                                    Eq. 1    f_i = N2(net(x_i))
    c_i     = softmax((log pi_i + Gumbel noise) / lambda)                      Eq. 2
    L_inst  = -log p(i | x_i, c_i) + beta KL(q(k) || 1/K)                      Eq. 3, 4 v_i = N2(f_i + W c_i)
    r_k     = N2(sum_i pi_i(k) f_i)                                            Eq. 5
    L       = L_inst + alpha L_clu,  L_clu the contrast of r_k with r'_k       Eq. 6, 7

What is ours: after ``warm_up`` epochs the linkage of the embedding says where the prototypes stand, and ``teach``
trains them to say what it says; every parameter that differs from the paper has its form as a setting (recipes
``tcc-paper-*``). ``tcc.md`` in the docstrings is the specification this was written from; the paper's body was not to
be had, so what it calls NOT FOUND is a parameter. docs/methods/tcc.md has the measurements.
"""

import os
from typing import Any

import numpy as np
import torch
from torch import nn

from coterie.clusterer import Clusterer
from coterie.errors import ConfigError
from coterie.graphs.grouping import LinkageSettings
from coterie.images.augment import Augmentation
from coterie.images.presets import PRESETS, preset, preset_for
from coterie.images.store import ImageStore
from coterie.images.trained import TrainedNetwork, build_network
from coterie.methods.answers import head_answer, linkage_answer, matched, shares_of_prototypes
from coterie.methods.epoch_figures import EpochFigures
from coterie.methods.runs import embed, run_of
from coterie.methods.schedules import DECAYS, learning_rate, make_optimizer, set_rate
from coterie.methods.settled import (
    Settled,
    memberships_by_embedding,
    restore_settled,
    settle_with,
    settled_tensors,
)
from coterie.methods.snapshots import Snapshot, plain, snapshot, thinned
from coterie.methods.student import Student, teach_student
from coterie.methods.taken import Taken, taken, tell
from coterie.methods.twins import Known, Memory, Objective, Parts, twin_contrast
from coterie.nets.heads import COMBINATIONS, PROJECTIONS, TwinHead
from coterie.nets.resnet import trunk_for
from coterie.parameters import check_choice, check_number, check_several_clusters, check_whole
from coterie.training.memory import EMATwin, Queue, unit
from coterie.training.processes import first_warns, from_first
from coterie.training.run import Run

SHARP, SHARP_FROM = (0.2, 0.1), 50  # tcc.md section 2: .2 for K <= 20, .1 for K = 200
LONGEST_QUEUE = 16384  # tcc.md section 4
ANSWERS = ("head", "linkage", "student")
CHOICES = {
    "projection": PROJECTIONS,
    "combine": COMBINATIONS,
    "weights": ("pi", "gumbel"),
    "kl": ("marginal", "sample"),
    "key_batch_norm": ("own", "copy", "ema"),
    "optimizer": ("adam", "sgd"),
    "lr_decay": DECAYS,
    "encoder": ("query", "ema"),
    "assign": ("auto", *ANSWERS),
    "augment": ("auto", *PRESETS),
}


class TCC(Clusterer):
    """Twin-contrast clustering, whose head learns what the linkage of its embedding finds.

    Args:
        n_clusters: K, 2 to n.
        epochs: 30 are for a CPU and the small trunk; the papers' are 1,000 (CIFAR) to 3,000.
        batch_size: 256 (MiCE). At least 2 K, and 10 K is better: a batch must hold every cluster.
        trunk: of ``nets.resnet``: "auto" by the size of the images, "small", "resnet18", "resnet34" (papers).
        dim: D, 128 (MiCE).
        projection: "linear" (MiCE), or "mlp" with one hidden layer.
        augment: a preset of ``images.presets``; "auto" takes "marks" for small grey images, "mice" (paper) for others.
        tau_q: temperature of Eq. 1, not to be found in the sources: "auto" is the specification's sharp preset, .2, or
            .1 from 50 clusters on; "paper_like" is 1, which cannot give a probability above .25 for K = 10.
        frozen: prototypes stay on the simplex, as they in effect did in the authors' precursor, and a linkage starts
            nothing anew; trainable by default, since the paper calls its method end-to-end.
        gumbel_temperature: lambda of Eq. 2, not to be found; .3 (precursor).
        gumbel: draw noise; False takes pi itself, at lambda = 1.
        gumbel_stop: epochs after which noise is no longer drawn, None never. The precursor stopped at step 100,000,
            which is epoch 640 of its 2,560; in epochs, as all schedules here, since steps depend on batch and images.
        n_samples: M, draws of c for each image; 1 (paper), which it found on par with more.
        combine: e(x, c), not to be found: "additive" N2(f + W c) as in MiCE's logit, "concat", "mlp", or "none".
        tau: temperature of Eq. 4, not to be found: "auto" is 1 with SGD, as MiCE has it, and .2 with Adam.
        queue_size: L of Q_n: "auto" is 16,384 (MiCE), but at most half of the images. 0 takes the batch for negatives.
        mask_own: rows of the queue that stem from the same image are no negatives of it; False in MoCo.
        momentum: of the EMA twin; .999 in MoCo and MiCE, .99 here, because a training of 1,500 steps is too short for a
            memory of 1,000. 0 is no twin.
        key_batch_norm: of the twin: "own" batches (MiCE), "copy" or "ema" of the network's statistics.
        alpha: weight of L_clu, not to be found; 1 (precursor). 0 leaves the instance loss alone.
        tau_c: temperature of Eq. 6, None is ``tau`` (precursor).
        cluster_queue: J, past batches whose r' are negatives; 20 (precursor).
        weights: a_i(k) of Eq. 5: "pi" (paper) or "gumbel", the sample (precursor).
        query_negatives: the other r_j are negatives beside the other r'_j; not to be found, on as in the precursor,
            whose candidates are the queries, the keys and the queue.
        halves: r and r' come from different halves of the batch; an augmentation the sources allow, off.
        queue_noise: scale of the noise added to rows of Q_k before use; 0, .1 in the precursor.
        empty: a cluster with less than this share of B / K of a batch is absent from L_clu; .001 (as ProPos).
        instance: weight of L_inst; 1. 0 is an ablation, which collapses.
        beta: weight of the KL; 1 (paper).
        beta_warm_up: epochs in which beta rises from a tenth to its value. Against the KL of each image, which can pin
            pi at the uniform (tcc.md section 17); 0, since that of the batch's mean does not.
        kl: "sample", of each image (paper, Eq. 3), which pulls every image to all clusters alike, or "marginal", of the
            batch's mean, which asks for equal clusters only.
        warm_up: epochs, at most half of all, after which the prototypes, W and Q_k are started anew from the linkage
            of the embedding; 0 never (paper). 8 of 30: late enough for an embedding that the linkage reads (a prototype
            had an accuracy of .84 at epoch 10 on USPS); other values were not compared there.
        teach: weight of the cross entropy between pi and the confident labels of that linkage; 0 none (paper). That it
            teaches was measured (USPS, 12 epochs: head .955 with it, .658 without), that it weighs 2 was not.
        self_training: weight of DEC's self-training of pi; 0, since neither abstract nor supplement has it. The
            precursor added .1 of it in its last versions.
        relink: epochs between two linkages; 0 keeps the first. 4 asks a few times in 30 epochs; not compared with
            others.
        confident: share of an image's neighbours' weight that its cluster needs, against the next best, to be taught;
            .9 leaves the border of a cluster to the contrast. Not compared with others.
        optimizer: "adam" (precursor), or "sgd" with momentum .9 (MiCE).
        lr: "auto" is .001 with Adam and 1 with SGD (MiCE).
        lr_warm_up: epochs in which the rate rises from 0; 10 in MiCE.
        lr_decay: "none"; "cosine"; "steps", a tenth after .48, .64 and .8 of the epochs (MiCE on CIFAR); "steps-3000",
            a tenth after 1/2, 2/3 and 5/6 (MiCE on larger photos); "steps-precursor", .95 after .047 and .063.
        weight_decay: "auto" is 0 with Adam and .0001 with SGD (MiCE).
        encoder: "query" (paper), or "ema": the twin makes the embedding and the answer.
        assign: "head", the prototypes (paper); "linkage" of the embedding; "student", a small network that has learned
            the confident labels of the linkage, which places new images at once; or "auto", whichever cuts least of the
            weight of the neighbour graph.
        precision: 32, bf16 or 16 (mixed).
        device: auto, cpu, cuda, cuda:1 or mps.
        random_state: seed of everything random.
        run_folder: where checkpoints go; a killed training goes on from there. None: no checkpoints.
        progress: show a bar.
        tensorboard: write the figures for TensorBoard too.

    Attributes:
        taken_: the trunk and the augmentation that were taken, by parameter, and why; not saved.
        answers_: "head", "linkage" and "student", each labels and confidence.
        assigned_, assigned_because_: which of them ``labels_`` is, and why.
        training_: one record per epoch: loss and its terms, max_pi, entropy_each (of pi_i) and entropy_mean (of the
            mean pi, at most log K), r_cosine between clusters (1: all the same), changed labels and their agreement
            (NMI) with the epoch before, sizes, queue_filled and queue_age of Q_n.
        snapshots_: the embedding in three principal components when the linkage was asked, and at the end.
        embedding_: f, (n, D) float32 unit rows.
        prototypes_: mu, (K', D) unit rows of the clusters the head uses, in the order of its labels.
        student_: weights of the small network, in the order of its labels.
        merges_, stop_, ...: of the linkage, as in ``GraphDegreeLinkage``.
    """

    kind = "tcc"
    several_processes = True

    def __init__(
        self,
        n_clusters: int = 10,
        *,
        epochs: int = 30,
        batch_size: int = 256,
        trunk: str = "auto",
        dim: int = 128,
        projection: str = "linear",
        augment: str = "auto",
        tau_q: float | str = "auto",
        frozen: bool = False,
        gumbel_temperature: float = 0.3,
        gumbel: bool = True,
        gumbel_stop: int | None = None,
        n_samples: int = 1,
        combine: str = "additive",
        tau: float | str = "auto",
        queue_size: int | str = "auto",
        mask_own: bool = True,
        momentum: float = 0.99,
        key_batch_norm: str = "own",
        alpha: float = 1.0,
        tau_c: float | None = None,
        cluster_queue: int = 20,
        weights: str = "pi",
        query_negatives: bool = True,
        halves: bool = False,
        queue_noise: float = 0.0,
        empty: float = 1e-3,
        instance: float = 1.0,
        beta: float = 1.0,
        beta_warm_up: int = 0,
        kl: str = "marginal",
        warm_up: int = 8,
        teach: float = 2.0,
        self_training: float = 0.0,
        relink: int = 4,
        confident: float = 0.9,
        optimizer: str = "adam",
        lr: float | str = "auto",
        lr_warm_up: int = 0,
        lr_decay: str = "none",
        weight_decay: float | str = "auto",
        encoder: str = "query",
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
        self.trunk = trunk
        self.dim = dim
        self.projection = projection
        self.augment = augment
        self.tau_q = tau_q
        self.frozen = frozen
        self.gumbel_temperature = gumbel_temperature
        self.gumbel = gumbel
        self.gumbel_stop = gumbel_stop
        self.n_samples = n_samples
        self.combine = combine
        self.tau = tau
        self.queue_size = queue_size
        self.mask_own = mask_own
        self.momentum = momentum
        self.key_batch_norm = key_batch_norm
        self.alpha = alpha
        self.tau_c = tau_c
        self.cluster_queue = cluster_queue
        self.weights = weights
        self.query_negatives = query_negatives
        self.halves = halves
        self.queue_noise = queue_noise
        self.empty = empty
        self.instance = instance
        self.beta = beta
        self.beta_warm_up = beta_warm_up
        self.kl = kl
        self.warm_up = warm_up
        self.teach = teach
        self.self_training = self_training
        self.relink = relink
        self.confident = confident
        self.optimizer = optimizer
        self.lr = lr
        self.lr_warm_up = lr_warm_up
        self.lr_decay = lr_decay
        self.weight_decay = weight_decay
        self.encoder = encoder
        self.assign = assign
        self.precision = precision
        self.device = device
        self.random_state = random_state
        self.run_folder = run_folder
        self.progress = progress
        self.tensorboard = tensorboard

    def check_parameters(self) -> None:
        check_several_clusters(self.n_clusters, "TCC")
        for name in ("epochs", "dim", "n_samples"):
            check_whole(name, getattr(self, name))
        check_whole("batch_size", self.batch_size, least=2)
        for name in ("cluster_queue", "warm_up", "relink", "beta_warm_up", "lr_warm_up", "random_state"):
            check_whole(name, getattr(self, name), least=0)
        check_number("gumbel_temperature", self.gumbel_temperature, above=0)
        for name in ("alpha", "beta", "instance", "teach", "self_training", "queue_noise"):
            check_number(name, getattr(self, name), least=0)
        for name in ("momentum", "confident", "empty"):
            check_number(name, getattr(self, name), least=0, most=1)
        for name, allowed in CHOICES.items():
            check_choice(name, getattr(self, name), allowed)
        self._check_automatic()
        if self.batch_size < 2 * self.n_clusters:
            raise ConfigError(
                f"batch_size is {self.batch_size} for {self.n_clusters} clusters, most of which would be absent from "
                f"a batch; give at least {2 * self.n_clusters}, better {10 * self.n_clusters}"
            )

    def _check_automatic(self) -> None:
        """Parameters that are a number or a word."""
        for name in ("tau_q", "tau", "lr"):
            if getattr(self, name) != "auto" and (name, getattr(self, name)) != ("tau_q", "paper_like"):
                check_number(name, getattr(self, name), above=0)
        if self.weight_decay != "auto":
            check_number("weight_decay", self.weight_decay, least=0)
        if self.queue_size != "auto":
            check_whole("queue_size", self.queue_size, least=0, or_else=' or "auto"')
        if self.tau_c is not None:
            check_number("tau_c", self.tau_c, above=0)
        if self.gumbel_stop is not None:
            check_whole("gumbel_stop", self.gumbel_stop, least=0)

    def _describe_new(self, X: Any) -> np.ndarray:
        with first_warns():
            store = self._open_to_train(X)
        self._check_batches(len(store))
        self.taken_ = self.taken_for(store.shape)
        tell(self.taken_)
        embedding = self._train(store)
        self.n_features_in_ = embedding.shape[1]
        return embedding

    def _check_batches(self, n: int) -> None:
        if n < 2 * self.n_clusters:
            raise ConfigError(
                f"{n} images are too few to tell {self.n_clusters} clusters apart by contrast, which needs batches of "
                f"{2 * self.n_clusters}; GraphDegreeLinkage groups so few"
            )

    def _train(self, store: ImageStore) -> np.ndarray:
        """All epochs; f (n, D) of all images at their end."""
        architecture = self.architecture(store.shape)
        # where nothing is linked while it trains, either network can be asked in the end
        with run_of(self, after_training=() if self.warm_up else ("encoder",)) as run:
            parts = self.parts(run, build_network(architecture), len(store))
            run.check_memory(store, min(self.batch_size, len(store)))
            for epoch in run.epochs(self.epochs):
                if run.at_epoch_start:
                    self._look(run, epoch, parts, store)
                self._learn(run, epoch, parts, store)
                run.log(**parts.figures.take(), sizes=parts.figures.sizes(self.n_clusters))
                run.log(**parts.memory.figures(min(self.batch_size, len(store))))
                run.watch_clusters(parts.figures.labels, self.n_clusters)
            embedding = embed(run, parts.answering(self.encoder).encoder, store)
        self.training_ = run.history
        self.snapshots_ = [Snapshot(**saved) for saved in run.values["snapshots"]]
        answering = parts.answering(self.encoder)
        self.prototypes_ = unit(answering.prototypes.detach()).cpu().numpy()
        self.extractor_ = TrainedNetwork(answering.encoder, architecture, run.device)
        return embedding

    def taken_for(self, shape: tuple[int, int, int]) -> dict[str, Taken]:
        """The trunk and the augmentation of images of ``shape`` (c, h, w), and why these."""
        return {"trunk": taken(self.trunk, trunk_for(shape)), "augment": taken(self.augment, preset_for(shape))}

    def architecture(self, shape: tuple[int, int, int]) -> dict[str, Any]:
        """What the encoder of images of ``shape`` (c, h, w) is built from."""
        return {
            "network": "projected_trunk", "trunk": self.trunk, "shape": list(shape), "dim": self.dim,
            "projection": self.projection,
        }  # fmt: skip

    def _learn(self, run: Run, epoch: int, parts: Parts, store: ImageStore) -> None:
        """One epoch of steps (tcc.md section 7)."""
        taught = torch.from_numpy(run.values["taught"]).to(run.device)
        objective, augment = self.objective(epoch), self._augmentation(store)
        size = min(self.batch_size, len(store))
        parts.train()
        for batch in run.batches(store, size, drop_last=True):
            at = run.values["updates"] / (len(store) // size)
            set_rate(parts.optimizer, learning_rate(self._rate(), at, self.epochs, self.lr_warm_up, self.lr_decay))
            run.values["updates"] += 1
            x, x_ = augment.views(batch.clean, 2, run.random.device, batch.part)
            known = Known(batch.index, taught[batch.index], batch.part)
            step = twin_contrast(parts.net, parts.slow, (x, x_), known, parts.memory, objective, run.random.device)
            run.step(parts.optimizer, step.loss)
            parts.twin.update()
            parts.memory.push(step, batch.index)
            parts.figures.add(batch.index, step.log_pi, step.r, step.terms)

    def _look(self, run: Run, epoch: int, parts: Parts, store: ImageStore) -> None:
        """What the linkage of the embedding says: where prototypes start, and what they are taught (ours)."""
        if epoch == 0:
            nobody = np.full(len(store), -1)
            run.values |= {"updates": 0, "linked": nobody, "taught": nobody, "snapshots": []}
        since = epoch - min(self.warm_up, max(self.epochs // 2, 1))
        is_first = bool((run.values["linked"] < 0).all())
        again = self.teach and self.relink and since % self.relink == 0
        if not self.warm_up or since < 0 or not (is_first or again):
            return
        embedding = embed(run, parts.answering(self.encoder).encoder, store)
        settings = LinkageSettings(n_clusters=self.n_clusters)
        labels, confidence = from_first(lambda: linkage_answer(embedding, settings)[0])
        if is_first and not self.frozen:
            f, y = torch.from_numpy(embedding).to(run.device), torch.from_numpy(labels).to(run.device)
            parts.start_anew(f, y, min(self.batch_size, len(store)), self.cluster_queue, run.random.device)
        else:
            before = parts.figures.labels.cpu().numpy() if is_first else run.values["linked"]
            labels = matched(labels, before, self.n_clusters)
        taught = np.where(confidence >= self.confident, labels, -1)
        snapshots = [*run.values["snapshots"], plain(snapshot(f"epoch {epoch}", embedding, labels))]
        run.values |= {"linked": labels, "taught": taught, "snapshots": thinned(snapshots)}
        run.log(taught=float((taught >= 0).mean()))

    def parts(self, run: Run, encoder: nn.Module, n: int) -> Parts:
        """Everything that checkpoints keep, on the device."""
        bare = TwinHead(
            encoder, self.n_clusters, self.dim, tau_q=self._tau_q(),
            temperature=self.gumbel_temperature if self.gumbel else 1.0, combine=self.combine, frozen=self.frozen,
        )  # fmt: skip
        decay = None if self.weight_decay == "auto" else float(self.weight_decay)
        optimizer = make_optimizer(self.optimizer, bare.parameters(), self._rate(), decay)
        net = run.setup(bare)
        twin = EMATwin(bare, self.momentum, self.key_batch_norm)  # type: ignore[arg-type]
        longest = min(LONGEST_QUEUE, n // 2) if self.queue_size == "auto" else int(self.queue_size)
        rows = self.cluster_queue * self.n_clusters
        memory = Memory(Queue(longest, self.dim, run.device), Queue(rows, self.dim, run.device))
        parts = Parts(
            net, bare, run.setup(twin), twin, run.setup(optimizer), memory,
            EpochFigures(n, self.n_clusters, run.device),
        )  # fmt: skip
        run.track(
            net=net, twin=parts.slow, optimizer=parts.optimizer, images=memory.images, clusters=memory.clusters,
            figures=parts.figures,
        )  # fmt: skip
        return parts

    def objective(self, epoch: int) -> Objective:
        """Weights and temperatures of the losses in ``epoch``."""
        own = self.get_params(deep=False)
        fields = {name: own[name] for name in Objective.__dataclass_fields__ if name in own}
        tau = self._tau()
        rising = min(1.0, 0.1 + 0.9 * epoch / self.beta_warm_up) if self.beta_warm_up else 1.0
        fields |= {
            "tau": tau, "tau_c": tau if self.tau_c is None else self.tau_c, "beta": self.beta * rising,
            "gumbel": self.gumbel and (self.gumbel_stop is None or epoch < self.gumbel_stop),
        }  # fmt: skip
        return Objective(**fields)

    def _tau_q(self) -> float:
        if self.tau_q == "auto":
            return SHARP[self.n_clusters >= SHARP_FROM]
        return 1.0 if self.tau_q == "paper_like" else float(self.tau_q)

    def _tau(self) -> float:
        by_optimizer = 1.0 if self.optimizer == "sgd" else 0.2
        return by_optimizer if self.tau == "auto" else float(self.tau)

    def _augmentation(self, store: ImageStore) -> Augmentation:
        return preset(self.taken_for(store.shape)["augment"].name)

    def _rate(self) -> float:
        by_optimizer = 1.0 if self.optimizer == "sgd" else 1e-3
        return by_optimizer if self.lr == "auto" else float(self.lr)

    def _fit_features(self, features: np.ndarray) -> None:
        settled, self.student_, self.prototypes_ = from_first(lambda: self._settled(features))
        with first_warns():
            settled.apply(self)
        self.snapshots_.append(snapshot("at the end", features, self.labels_))

    def _settled(self, features: np.ndarray) -> tuple[Settled, Student, np.ndarray]:
        """All answers with one assigned; the student and the prototypes, in the order of their labels."""
        settings = LinkageSettings(n_clusters=self.n_clusters)
        linkage, grouping = linkage_answer(features, settings)
        lesson = np.where(linkage.confidence >= self.confident, linkage.labels, -1)
        student = teach_student(features, lesson, self.n_clusters, self.random_state)
        head, used = head_answer(shares_of_prototypes(features, self.prototypes_, self._tau_q()))
        learned, known = head_answer(student.shares(features))
        student = student._replace(out=student.out[:, known], out_bias=student.out_bias[known])
        answers = {"head": head, "linkage": linkage, "student": learned}
        return settle_with(answers, grouping, settings, self.assign), student, self.prototypes_[used]

    def _memberships(self, features: np.ndarray) -> np.ndarray:
        if self.assigned_ == "head":
            return shares_of_prototypes(features, self.prototypes_, self._tau_q())
        if self.assigned_ == "student":
            return self.student_.shares(features)
        return memberships_by_embedding(self, features)

    def _fitted_tensors(self) -> dict[str, np.ndarray]:
        student = {f"student.{name}": np.ascontiguousarray(array) for name, array in self.student_._asdict().items()}
        return settled_tensors(self, ANSWERS) | student | {"prototypes": self.prototypes_}

    def _restore_tensors(self, tensors: dict[str, np.ndarray]) -> None:
        restore_settled(self, tensors, ANSWERS)
        self.prototypes_ = tensors["prototypes"]
        self.student_ = Student(**{name: tensors[f"student.{name}"] for name in Student._fields})
