"""UDC: clusters as what a generator was told to draw, read back by a classifier that has only seen drawings.

Gan, Dong, Zhou, Gao, Dong, "Learning the Precise Feature for Cluster Assignment", IEEE Transactions on Cybernetics. A
generator G makes images from a cluster y, drawn so that none is empty, and noise z; a critic D holds them to the real
ones; a classifier C, trained on generated images only, says which y an image was made from. G must make images from
which y can be told, so y becomes a feature that has exactly k values. C then groups the real images.

    repeat                                                                            Algorithm 1
        N_critic times: x real, x~ = G(z, y), x^ between them                         lines 2 to 11
            L_D = E D(x~) - E D(x) + lambda E (|grad D(x^)| - 1)^2                    Eq. 5
        N_class times:  L_C = -E log C(x~)_y                                          lines 12 to 20, Eq. 6
        L_G = -E D(x~) + eta L_C, eta times gamma every tau iterations                lines 21 to 29, Eqs. 7, 8

The loop body is ``adversaries.iterate``, the losses are in ``wasserstein``, and how many steps and how much of each an
iteration has is in ``plan``. Runs of this method differ by their seed (the paper takes ten), so ``n_runs`` of them are
trained at once; ``run_choice`` says without labels which one answers, and, where that is asked for, from which of its
``moments``. Ours are the averages of weights that answer, the choices, the learned prior, the groups ``beside`` which
clusters are drawn, and settings for a CPU by default (recipes ``udc-paper-*`` have the paper's). docs/methods/udc.md
has what paper and official code disagree in.
"""

import os
from typing import Any

import numpy as np
import torch
from torch import nn

from coterie.clusterer import Clusterer
from coterie.errors import ConfigError
from coterie.images.presets import preset
from coterie.images.store import ImageStore
from coterie.images.trained import TrainedNetwork, build_network
from coterie.methods.adversaries import Change, Terms, iterate
from coterie.methods.answers import head_answer
from coterie.methods.beside import Groups, groups_of_batches, pixel_groups, warn_of_small
from coterie.methods.cluster_prior import LEARNED, Prior, shares_of
from coterie.methods.each_run import OneOrSeveral, check_each, dealt, numbers_of
from coterie.methods.gan_parts import Parts, Sizes, build_parts, naming_runs
from coterie.methods.graphed import GraphedIterations
from coterie.methods.moments import answering, kept_after, plain, restored, taken
from coterie.methods.plan import Plan
from coterie.methods.probes import Probe, all_shares, change_by, one_of, parted, several_passes
from coterie.methods.run_choice import at_moments, best_moments
from coterie.methods.run_comparison import Comparison, compared
from coterie.methods.run_graphs import (
    Judged,
    answers_of_others,
    drawn_by_others,
    drawn_for,
    judged,
    judged_alone,
)
from coterie.methods.run_tables import moment_table, run_table, told_of_moment, told_of_others
from coterie.methods.run_warnings import warn_of_collapse, warn_of_drift
from coterie.methods.runs import embed, run_of
from coterie.methods.settled import memberships_by_embedding, restore_settled, settle, settled_tensors
from coterie.methods.snapshots import snapshot
from coterie.nets.gan import Tower, as_seen, check_sides, is_signed
from coterie.parameters import check_choice, check_number, check_several_clusters, check_whole
from coterie.training.run import Run
from coterie.training.settings import MAY_CHANGE

NEXT_SEED = 1_000_003  # run i begins at random_state + i times this
PENALTY, ETA = 100.0, 10.0  # of a critic with one head
STAIRS, SHORTEST = 30, 1000  # 900,000 iterations are 30 stairs of 30,000; the shortest of the paper (ORL) has 1,000
N_CLASS = {"paper": 4, "code": 2}  # of a schedule, at first
LEARN_FROM = 0.3  # of the iterations, from which on a prior may move
NOISES = ("n_noise", "noise_scale", "class_noise")  # of which several numbers are dealt to the runs
ANSWERS = ("head", "linkage")
NOT_LEARNED = ("choose", "checkpoint", "cuda_graph")  # what may differ when a training goes on
CHOICES = {
    "checkpoint": ("last", "auto"),
    "schedule": ("paper", "code"),
    "augment": ("none", "udc"),
    "g_norm": ("none", "bn"),
    "assign": ("auto", *ANSWERS),
}


class UDC(Clusterer):
    """Unified deep clustering by a WGAN with gradient penalty and a classifier of what it generates.

    Args:
        n_clusters: k, 2 to n.
        iterations: N, updates of the generator; 900,000 in the paper (30,000 on ORL).
        n_runs: trainings with seeds of their own, all at once and on the same batches of real images; the paper takes
            ten.
        choose: the run that answers, 1 to n_runs, or "auto": the best in figures that need no labels.
        checkpoint: "last": runs answer as they are at the end (paper); "auto": each as it was at one of at most five
            moments of the second half, the best in figures that need no labels.
        batch_size: n, not stated in the paper, 100 (code).
        width: maps of the first convolution of critic and classifier, of the last but one of the generator; 64 (paper).
        n_noise: numbers in z, 128 (code). The authors' advice where groups are simple is to take fewer. Several, such
            as "4,8,32", are dealt to the runs in turn, as nobody knows before how many are too many (ours).
        noise_scale: what z is multiplied by, 1 (paper). Less makes jumps of an image harder to draw from z than from
            the cluster, to which they may then be left (ours). Several are dealt to the runs in turn.
        class_noise: standard deviation of noise on the generated images that the classifier learns from, as the
            networks see them (grey 0 to 1, colours -1 to 1); 0 (paper). Through noise no image is ever sure, so that
            every part of it is pressed to show the cluster (ours). Several are dealt to the runs in turn.
        n_critic: critic updates in an iteration, 5 (paper).
        n_class: classifier updates in an iteration: "auto" is 4 (paper), and 2 at first with schedule="code".
        schedule: "paper" keeps both; "code" doubles them after a third of the iterations, as the official code does.
        penalty: lambda of Eq. 5: "auto" is 100 for one head (paper) and 10 for ten (code), which are the same loss.
        eta: weight of the entropy at first: "auto" is 10 for one head (paper) and 1 for ten (code). Several, such as
            "1,10", are dealt to the runs in turn (ours).
        gamma: factor of eta at every stair, 1.2 (paper).
        tau: iterations of a stair: "auto" makes 30 of them, as the paper has on every set, each of 1,000 at least: in a
            short training an eta that climbs fast leaves the generator no time to draw well.
        critic_heads: outputs of the critic that are averaged: 1 (paper), 10 (code).
        prior: how often each cluster is drawn: "uniform" (paper), shares such as "0.1,0.9" (paper, faces by gender), or
            "learned", which follows what the classifier says of real images from .3 of the iterations on (ours).
        beside: groups of images that look alike as a whole (k-means of the pixels), of which the generator is told and
            by which the critic judges, so that clusters stand for something else; 0 is none (paper). 16 is a start;
            ours.
        augment: "none", or "udc": critic and classifier see random variants of every image ("Ours*" of the paper,
            which does not say how).
        consistency: weight of KL(C(x) || C(T(x))) on real images; needs augment="udc".
        g_norm: of the generator: "none" (paper) or "bn", as the base code has for colour.
        ema_generator, ema_classifier: share of itself that the average of weights which draws samples and answers
            keeps in an iteration; 0 is the network itself (paper).
        held_out: share of the images that are not trained on, by which runs are compared; at most 1,000 images.
        lr: of Adam, .0001 in the paper.
        every: iterations in a line of metrics.jsonl, "auto" is a hundredth of all, at most 1,000.
        assign: "head", the classifier (paper); "linkage" of what it sees before its last layer; or "auto", whichever
            cuts least of the weight of the neighbour graph. Runs are compared by that answer.
        precision: 32, bf16 or 16 (mixed); the critic stays in full precision.
        cuda_graph: "auto": on a CUDA device, without augment and with precision 32, every iteration is played from a
            graph that was recorded once; "off": never. True and False are taken for the two.
        device: auto, cpu, cuda, cuda:1 or mps.
        random_state: seed of everything random.
        run_folder: where checkpoints go; a killed training goes on from there. None: no checkpoints.
        progress: show a bar.
        tensorboard: write the figures for TensorBoard too.

    Attributes:
        answers_: "head" and "linkage" of the chosen run; of the others the heads as "run-1", "run-2", ..., and the
            linkages as "linkage-of-run-1", ..., made of at most 10,000 images, by which the others are placed; and
            "last", the head that the chosen run ends with, where it answers as it was before.
        assigned_, assigned_because_: which of them ``labels_`` is, and why.
        runs_: a row for each run: seed, the iteration after which it answers, the share of its neighbour graph that it
            keeps inside its clusters (of several runs), figures, whether it drifts away from the images, whether
            they crowd into few of its clusters, and those of eta, n_noise, noise_scale and class_noise in which the
            runs differ.
        moments_: a row for each run and moment that may answer: the same figures, ranked among the moments of the run.
        chosen_run_: the run that answers, from 1. alternatives_: those that group by something else, the best first.
        nmi_: (n_runs, n_runs), normalised mutual information of what the runs group by: of each the answer that
            ``assign`` asks for, where that is "auto" the one that keeps more of its graph.
        training_: one record per ``every`` iterations; figures are medians over the runs, with lists of each run's.
        embedding_: what the classifier sees before its last layer, (n, d) float32.
        head_weight_, head_bias_: (d, K') and (K',), that layer, for the clusters in use in the order of their labels.
        samples_: (K, 8, c, h, w) uint8, generated images of each cluster of ``labels_``; where the linkage answers,
            those of the head's cluster that most of its images are in. alternative_samples_: the same of what each of
            ``alternatives_`` groups by, by its name in ``answers_``.
        merges_, stop_, ...: of the linkage where it was assigned, as in ``GraphDegreeLinkage``.
    """

    kind = "udc"
    may_change = (MAY_CHANGE - {"iterations"}) | set(NOT_LEARNED)

    def __init__(
        self,
        n_clusters: int = 10,
        *,
        iterations: int = 4000,
        n_runs: int = 3,
        choose: int | str = "auto",
        checkpoint: str = "last",
        batch_size: int = 64,
        width: int = 16,
        n_noise: OneOrSeveral = 32,
        noise_scale: OneOrSeveral = 1.0,
        class_noise: OneOrSeveral = 0.0,
        n_critic: int = 5,
        n_class: int | str = "auto",
        schedule: str = "paper",
        penalty: float | str = "auto",
        eta: OneOrSeveral = "auto",
        gamma: float = 1.2,
        tau: int | str = "auto",
        critic_heads: int = 1,
        prior: Prior = "uniform",
        beside: int = 0,
        augment: str = "none",
        consistency: float = 0.0,
        g_norm: str = "none",
        ema_generator: float = 0.9995,
        ema_classifier: float = 0.999,
        held_out: float = 0.05,
        lr: float = 5e-4,
        every: int | str = "auto",
        assign: str = "auto",
        precision: str = "32",
        cuda_graph: str | bool = "auto",
        device: str = "auto",
        random_state: int = 0,
        run_folder: str | os.PathLike[str] | None = None,
        progress: bool = False,
        tensorboard: bool = False,
    ) -> None:
        self.n_clusters = n_clusters
        self.iterations = iterations
        self.n_runs = n_runs
        self.choose = choose
        self.checkpoint = checkpoint
        self.batch_size = batch_size
        self.width = width
        self.n_noise = n_noise
        self.noise_scale = noise_scale
        self.class_noise = class_noise
        self.n_critic = n_critic
        self.n_class = n_class
        self.schedule = schedule
        self.penalty = penalty
        self.eta = eta
        self.gamma = gamma
        self.tau = tau
        self.critic_heads = critic_heads
        self.prior = prior
        self.beside = beside
        self.augment = augment
        self.consistency = consistency
        self.g_norm = g_norm
        self.ema_generator = ema_generator
        self.ema_classifier = ema_classifier
        self.held_out = held_out
        self.lr = lr
        self.every = every
        self.assign = assign
        self.precision = precision
        self.cuda_graph = cuda_graph
        self.device = device
        self.random_state = random_state
        self.run_folder = run_folder
        self.progress = progress
        self.tensorboard = tensorboard

    def check_parameters(self) -> None:
        check_several_clusters(self.n_clusters, "UDC")
        for name in ("iterations", "n_runs", "width", "n_critic", "critic_heads"):
            check_whole(name, getattr(self, name))
        check_whole("batch_size", self.batch_size, least=2)
        check_whole("random_state", self.random_state, least=0)
        if self.beside:
            check_whole("beside", self.beside, least=2, or_else=", or 0 for none")
        for name in ("n_class", "tau", "every", "choose"):
            if getattr(self, name) != "auto":
                check_whole(name, getattr(self, name), or_else=' or "auto"')
        if self.penalty != "auto":
            check_number("penalty", self.penalty, least=0)
        for name in NOISES if self._eta_is_auto() else (*NOISES, "eta"):
            check_each(name, getattr(self, name), self.n_runs, whole=name == "n_noise")
        for name in ("gamma", "lr"):
            check_number(name, getattr(self, name), above=0)
        check_number("consistency", self.consistency, least=0)
        for name in ("ema_generator", "ema_classifier"):
            check_number(name, getattr(self, name), least=0, most=1)
        check_number("held_out", self.held_out, least=0, most=0.5)
        for name, allowed in CHOICES.items():
            check_choice(name, getattr(self, name), allowed)
        if not isinstance(self.cuda_graph, bool):  # which models saved by the first releases have
            check_choice("cuda_graph", self.cuda_graph, ("auto", "off"))
        shares_of(self.prior, self.n_clusters)
        if self.consistency and self.augment == "none":
            raise ConfigError(f"consistency is {self.consistency} and compares variants of images; give augment='udc'")
        if self.choose != "auto" and int(self.choose) > self.n_runs:
            raise ConfigError(f"choose is {self.choose}, and there are {self.n_runs} runs; give 1 to {self.n_runs}")

    def seeds(self) -> list[int]:
        """The seed of each run. Alone, with its seed as ``random_state``, a run starts from the same networks and draws
        the same noise and clusters, but where runs differ in n_noise; the order of the real images, which stacked runs
        share, is that of its own seed.
        """
        return [(int(self.random_state) + NEXT_SEED * i) % 2**63 for i in range(self.n_runs)]

    def plan(self) -> Plan:
        """Steps and weights of the losses by iteration, with what is "auto" decided (udc.md sections 3 and 4)."""
        heads, auto_stair = self.critic_heads, max(SHORTEST, round(self.iterations / STAIRS))
        first = [ETA / heads] if self._eta_is_auto() else numbers_of("eta", self.eta)
        return Plan(
            iterations=self.iterations,
            n_critic=self.n_critic,
            n_class=N_CLASS[self.schedule] if isinstance(self.n_class, str) else int(self.n_class),
            doubles=self.schedule == "code",
            penalty=PENALTY / heads if isinstance(self.penalty, str) else float(self.penalty),
            first_etas=tuple(dealt(first, self.n_runs)),
            gamma=self.gamma,
            stair=auto_stair if isinstance(self.tau, str) else int(self.tau),
            consistency=self.consistency,
        )

    def _eta_is_auto(self) -> bool:
        return isinstance(self.eta, str) and self.eta == "auto"

    def of_runs(self, name: str) -> list[float]:
        """The parameter ``name``, which may be several numbers, for each run."""
        return dealt(numbers_of(name, getattr(self, name)), self.n_runs)

    def own_settings(self) -> list[dict[str, float]]:
        """What each run has for itself: those of eta at first and of the noises in which runs differ."""
        all_of = {"eta": self.plan().etas(0), **{name: self.of_runs(name) for name in NOISES}}
        differing = {name: values for name, values in all_of.items() if len({*values}) > 1}
        return [{name: values[i] for name, values in differing.items()} for i in range(self.n_runs)]

    def _describe_new(self, X: Any) -> np.ndarray:
        store = self._open_to_train(X)
        check_sides(store.shape)
        embedding = self._train(store)
        self.n_features_in_ = embedding.shape[1]
        return embedding

    def _train(self, store: ImageStore) -> np.ndarray:
        """Algorithm 1; what the classifier of the chosen run sees in each image, (n, d), at its end."""
        plan = self.plan()
        every = min(1000, max(1, self.iterations // 100)) if isinstance(self.every, str) else int(self.every)
        with run_of(self, after_training=NOT_LEARNED, may_change=self.may_change) as run:
            parts = self.parts(run, store)
            probe = Probe(store, self.held_out, run.device, parts.groups)
            graphed = self._graphed(run, parts)
            of_moments = kept_after(self.iterations, every, plan.stair)
            run.track(moments=[])
            run.check_memory(store, self.batch_size)
            for epoch in run.epochs(-(-self.iterations // every)):
                if run.at_epoch_start:
                    run.values["iteration"] = epoch * every
                    if epoch * every in of_moments:
                        shares = all_shares(run, parts.slow.answering, self.n_runs, store)
                        run.values["moments"].append(plain(taken(run, parts, store, epoch * every, shares)))
                iterations = range(epoch * every, min(self.iterations, (epoch + 1) * every))
                for alike in plan.of_same_counts(iterations):
                    self._learn(run, parts, store, alike, graphed)
                self._log(run, parts, probe)
            self.training_ = run.history
            return self._conclude(run, parts, store)

    def _learn(
        self, run: Run, parts: Parts, store: ImageStore, iterations: range, graphed: GraphedIterations | None
    ) -> None:
        """``iterations`` of the same counts; a batch holds the real images of one of them."""
        plan, signed, change = self.plan(), is_signed(store.shape), self._change(parts, store)
        n_critic, n_class = plan.counts(iterations.start)
        size = n_critic * self.batch_size
        rows = several_passes(parted(len(store), self.held_out)[0], size * len(iterations))
        terms: Terms | None = None
        for batch in run.batches(store, size, order=rows):
            now = run.values["iteration"]
            if terms is None or now % plan.stair == 0:
                terms = plan.terms(now, run.device)
            real = as_seen(batch.clean, signed).view(n_critic, self.batch_size, 1, *store.shape)
            draw = parts.draws.take(n_critic, n_class, (self.batch_size, parts.n_noise))
            if parts.groups is not None:
                draw = draw._replace(
                    groups=groups_of_batches(parts.groups.of_images[batch.index].view(n_critic, -1), n_class)
                )
            if graphed is None:
                parts.sums.add(iterate(parts.players, real, draw, terms, parts.updating(run), change))
            else:
                played = graphed.iterate(real, draw, terms)
                parts.sums.add(played.figures)
                with naming_runs(played.losses):
                    run.count(played.losses.sum(1))
            parts.slow.follow(now)
            if self.prior == LEARNED and now >= LEARN_FROM * self.iterations:
                parts.follow_prior(real[-1])
            run.values["iteration"] = now + 1

    def _log(self, run: Run, parts: Parts, probe: Probe) -> None:
        """A line of metrics.jsonl: medians over the runs, and each run's own."""
        own = parts.sums.take() | probe.look(
            parts.generator, parts.critic, parts.slow.answering, parts.draws.prior, parts.n_noise
        )
        own["eta"] = self.plan().etas(run.values["iteration"] - 1)
        losses = np.array(own["wasserstein"]) + np.array(own["eta"]) * own["cross_entropy"]  # what the generator lowers
        run.log(loss=float(np.median(losses)), iteration=run.values["iteration"])
        run.log(**{name: float(np.median(values)) for name, values in own.items()})
        if self.n_runs > 1:
            run.log(**{f"{name}_of_runs": [round(value, 5) for value in values] for name, values in own.items()})

    def _conclude(self, run: Run, parts: Parts, store: ImageStore) -> np.ndarray:
        """Compares moments and runs and takes over the chosen ones; what that classifier sees in each image, (n, d)."""
        last = all_shares(run, parts.slow.answering, self.n_runs, store)
        moments = [*map(restored, run.values["moments"]), taken(run, parts, store, self.iterations, last)]
        then, iterations = [moment.figures for moment in moments], [moment.iteration for moment in moments]
        chosen = best_moments(then) if self.checkpoint == "auto" else [len(moments) - 1] * self.n_runs
        network = answering(parts.slow.answering, moments, chosen)
        all_last = min(chosen) == len(moments) - 1
        shares = last if all_last else all_shares(run, network, self.n_runs, store)
        figures = at_moments(then, chosen, shares.argmax(axis=2))
        found = self._judged(run, network, shares, store)
        prior, choose = parts.draws.prior.cpu().numpy(), None if self.choose == "auto" else int(self.choose)
        told = compared(figures, found, prior, choose)
        samples = [moments[one].samples[i] for i, one in enumerate(chosen)]
        self.samples_, self.moments_ = samples[told.best], moment_table(then, iterations)
        self.alternative_samples_ = drawn_by_others(found, told.others, samples, shares)
        self._others = answers_of_others(found, told.best)
        if chosen[told.best] < len(moments) - 1:
            self._others["last"] = head_answer(last[:, told.best])[0]
        self._tell(told, found, [iterations[one] for one in chosen])
        return self._take_over(run, one_of(network, told.best), store)

    def _tell(self, told: Comparison, found: Judged, ends: list[int]) -> None:
        """Sets what is told of the runs, which answer after ``ends`` iterations."""
        rows = run_table(told.figures, found.kept, self.seeds(), ends)
        self.runs_ = [row | own for row, own in zip(rows, self.own_settings(), strict=True)]
        self.nmi_, self.chosen_run_ = told.nmi, told.best + 1
        self.alternatives_ = [other + 1 for other in told.others]
        self._why_run = told.because + told_of_moment(told.best + 1, ends[told.best], self.iterations)

    def _judged(self, run: Run, network: Tower, shares: np.ndarray, store: ImageStore) -> Judged:
        """The runs by the neighbour graphs of what their classifiers in ``network`` see."""
        if self.n_runs == 1:
            return judged_alone(shares)

        def features_of(i: int) -> np.ndarray:
            return embed(run, self._trunk(one_of(network, i), store)[0].to(run.device), store)

        return judged(features_of, shares, self.n_clusters, self.assign)

    def _take_over(self, run: Run, own: dict[str, torch.Tensor], store: ImageStore) -> np.ndarray:
        """The classifier with weights ``own`` answers from now on; what it sees before its last layer, (n, d)."""
        self.head_weight_, self.head_bias_ = (own[f"head.{name}"][0].cpu().numpy() for name in ("weight", "bias"))
        trunk, architecture = self._trunk(own, store)
        self.extractor_ = TrainedNetwork(trunk, architecture, run.device)
        return embed(run, trunk.to(run.device), store)

    def _trunk(self, own: dict[str, torch.Tensor], store: ImageStore) -> tuple[nn.Module, dict[str, Any]]:
        """The classifier with weights ``own`` up to its last layer, and its architecture."""
        architecture = {"network": "gan_trunk", "shape": list(store.shape), "width": self.width}
        trunk = build_network(architecture)
        trunk.load_state_dict({f"tower.{name}": own[name] for name in own if not name.startswith("head.")})
        return trunk, architecture

    def parts(self, run: Run, store: ImageStore) -> Parts:
        """Everything that is trained, on the device of ``run``, as checkpoints track it."""
        n_noise, noise_scale, class_noise = map(self.of_runs, NOISES)
        numbers = [int(number) for number in n_noise]
        n_groups = max(1, self.beside)
        sizes = Sizes(
            store.shape, self.n_clusters, numbers, noise_scale, class_noise, self.width, self.critic_heads, self.g_norm,
            n_groups,
        )  # fmt: skip
        groups = None
        if self.beside:
            groups = Groups(pixel_groups(store, n_groups).to(run.device))
            warn_of_small(groups.of_images[parted(len(store), self.held_out)[0]], n_groups)
        rates = (self.lr, (self.ema_generator, self.ema_classifier))
        return build_parts(run, sizes, self.seeds(), shares_of(self.prior, self.n_clusters), rates, groups)

    def _graphed(self, run: Run, parts: Parts) -> GraphedIterations | None:
        recordable = self.augment == "none" and str(self.precision) == "32"  # no random numbers within, no loss scale
        wanted = self.cuda_graph not in ("off", False) and recordable
        return parts.graphed() if wanted and run.device.type == "cuda" else None

    def _change(self, parts: Parts, store: ImageStore) -> Change | None:
        if self.augment == "none":
            return None
        return change_by(preset(self.augment), parts.draws.generators, is_signed(store.shape))

    def _fit_features(self, features: np.ndarray) -> None:
        shares = self._shares(features)
        head, used = head_answer(shares)
        self.head_weight_, self.head_bias_ = self.head_weight_[:, used], self.head_bias_[used]
        settled = settle(features, {"head": head}, self.n_clusters, self.assign)
        self.samples_ = drawn_for(settled.answers[settled.assigned].labels, self.samples_, shares)
        because = f"{settled.because}; {self._why_run}{told_of_others(list(self.alternative_samples_))}"
        settled._replace(answers=settled.answers | self._others, because=because).apply(self)
        del self._others, self._why_run
        after = self.runs_[self.chosen_run_ - 1]["iteration"]
        title = "at the end" if after == self.iterations else f"after {after:,} iterations"
        self.snapshots_ = [snapshot(title, features, self.labels_)]
        warn_of_drift(self.runs_)
        warn_of_collapse(self.runs_, self.n_clusters_, self.n_clusters)

    def _shares(self, features: np.ndarray) -> np.ndarray:
        """(m, k) float64: what the classifier says of what it sees, ``features`` (m, d)."""
        logits = features.astype(np.float64) @ self.head_weight_ + self.head_bias_
        shares: np.ndarray = np.exp(logits - logits.max(axis=1, keepdims=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def _memberships(self, features: np.ndarray) -> np.ndarray:
        return self._shares(features) if self.assigned_ == "head" else memberships_by_embedding(self, features)

    def _fitted_tensors(self) -> dict[str, np.ndarray]:
        own = {"head.weight": np.ascontiguousarray(self.head_weight_), "head.bias": self.head_bias_}
        return settled_tensors(self, ANSWERS) | own

    def _restore_tensors(self, tensors: dict[str, np.ndarray]) -> None:
        restore_settled(self, tensors, ANSWERS)
        self.head_weight_, self.head_bias_ = tensors["head.weight"], tensors["head.bias"]
