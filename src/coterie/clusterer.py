"""The contract every clusterer keeps: fit, predict, predict_proba, transform, save, load."""

import os
import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from coterie.errors import ConfigError, ModelFileError
from coterie.files.model_file import ModelFile, read_model, write_model
from coterie.graphs.votes import own_share
from coterie.images.features import FeatureExtractor, extractor_from_saved, make_extractor
from coterie.images.options import StoreOptions
from coterie.images.store import ImageStore, open_images
from coterie.parameters import OF_THE_RUN

NOT_SAVED = {*OF_THE_RUN, "features"}  # ``features.config`` describes those
CHUNK = 4096  # new images placed at a time, so that memory does not grow with their number


class Assignment(NamedTuple):
    """labels (m,) int64 in 0..k-1; confidence (m,) float32 in 0..1, 0.5 when another cluster fits as well."""

    labels: np.ndarray
    confidence: np.ndarray


class Clusterer(ClusterMixin, TransformerMixin, BaseEstimator):
    """Base of every method. Parameters are stored untouched by ``__init__`` and checked by ``fit``.

    After ``fit``: ``labels_`` (n,) int64 in 0..k-1, ``n_clusters_`` the number of non-empty clusters, ``confidence_``
    (n,) float32 in 0..1, ``embedding_`` (n, d) float32. A method has a ``kind`` (its name in model files), fits
    features in ``_fit_features``, and says how much a new image belongs to each cluster in ``_memberships``. Its
    ``several_processes`` says that torchrun may start its training more than once.
    """

    kind: str
    several_processes = False
    features: Any = "auto"
    device: str = "auto"

    def fit(self, X: Any, y: object = None) -> Self:  # noqa: ARG002 (scikit-learn passes it)
        """Groups ``X``: a folder, zip, manifest or list of files, an ImageStore, uint8 or float images (n, h, w[, c]),
        or features (n, d), which are used as they are. ``y`` is ignored: labels never enter a fit."""
        self.check_parameters()
        began = time.perf_counter()
        features = self._describe_new(X)
        described = time.perf_counter()
        self.embedding_ = features
        self._fit_features(features)
        self.timings_ = {"features": described - began, "grouping": time.perf_counter() - described}
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Labels (m,) int64 of new images, given as to ``fit``."""
        return self.place(X).labels

    def predict_proba(self, X: Any) -> np.ndarray:
        """(m, k) shares of each cluster in each new image's memberships; rows sum to 1."""
        return np.concatenate([rows / rows.sum(axis=1, keepdims=True) for rows in self._membership_chunks(X)])

    def place(self, X: Any) -> "Assignment":
        """Label and confidence of each new image: own / (own + best other) of its memberships."""
        parts = []
        for rows in self._membership_chunks(X):
            labels = rows.argmax(axis=1)
            parts.append((labels, own_share(rows, labels)))
        return Assignment(
            np.concatenate([labels for labels, _ in parts]).astype(np.int64),
            np.concatenate([share for _, share in parts]).astype(np.float32),
        )

    def fit_transform(self, X: Any, y: object = None) -> np.ndarray:
        """The embedding (n, d) float32 of the images ``X`` that are grouped."""
        return self.fit(X, y).embedding_

    def transform(self, X: Any) -> np.ndarray:
        """The embedding (m, d) float32 of new images."""
        check_is_fitted(self, "labels_")
        return self._describe_again(X)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Writes a model folder: numbers as safetensors, the rest as JSON. Nothing in it is ever run."""
        check_is_fitted(self, "labels_")
        extractor: FeatureExtractor | None = self.extractor_
        config = {name: value for name, value in self.get_params(deep=False).items() if name not in NOT_SAVED}
        extra: dict[str, Any] = {"n_clusters": self.n_clusters_, "n_features": int(self.n_features_in_)}
        tensors = {"labels": self.labels_, "confidence": self.confidence_, "embedding": self.embedding_}
        tensors |= self._fitted_tensors()
        if extractor is not None:
            extra |= {"features": extractor.config(), "images": self.image_options_.to_dict()}
            tensors |= {f"features.{name}": array for name, array in extractor.tensors().items()}
        write_model(Path(folder), self.kind, config, tensors, extra)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], features: Any = None) -> Self:
        """The model in ``folder``; ``features`` is the nn.Module again when it was fitted with one."""
        return cls.from_model_file(read_model(Path(folder)), features)

    @classmethod
    def from_model_file(cls, model: ModelFile, features: Any = None) -> Self:
        """A fitted clusterer from what ``save`` wrote; ModelFileError when it is another method's."""
        if model.kind != cls.kind:
            raise ModelFileError(f"this model is of kind {model.kind!r}, not {cls.kind!r}: use coterie.load")
        try:
            return cls()._restored(model, features)
        except (KeyError, TypeError) as error:
            raise ModelFileError(f"this model's settings are incomplete or foreign ({error}); save it again") from error

    def _restored(self, model: ModelFile, features: Any) -> Self:
        try:
            self.set_params(**model.config)
        except ValueError as error:
            raise ModelFileError(f"this model has a setting that coterie does not know ({error})") from error
        self.labels_, self.confidence_ = model.tensors["labels"], model.tensors["confidence"]
        self.embedding_ = model.tensors["embedding"]
        self.n_clusters_ = int(model.extra["n_clusters"])
        self.n_features_in_ = int(model.extra["n_features"])
        self.extractor_ = None
        self.features = "auto"
        if "features" in model.extra:
            own = {k.removeprefix("features."): v for k, v in model.tensors.items() if k.startswith("features.")}
            self.extractor_ = extractor_from_saved(model.extra["features"], own, features)
            self.image_options_ = StoreOptions.from_dict(model.extra["images"])
            self.features = self.extractor_.name if features is None else features
        self._restore_tensors(model.tensors)
        return self

    def _membership_chunks(self, X: Any) -> Iterator[np.ndarray]:
        features = self.transform(X)
        for begin in range(0, len(features), CHUNK):
            yield self._memberships(features[begin : begin + CHUNK])

    def _describe_new(self, X: Any) -> np.ndarray:
        if not is_images(X):
            self.extractor_ = None
            rows = self._checked_rows(X, reset=True)
            self._check_count(len(rows))
            return rows
        self.store_ = open_images(X)
        self._check_count(len(self.store_))  # before minutes are spent on their features
        extractor = make_extractor(self.features, self.store_, self.device)
        self.extractor_, self.image_options_ = extractor, self.store_.options
        features = extractor.fit_transform(self.store_)
        self.n_features_in_ = features.shape[1]
        return features

    def _open_to_train(self, X: Any) -> ImageStore:
        """The images of ``X``, for a method that learns what to compare them by."""
        if not is_images(X):
            raise ConfigError(
                f"{type(self).__name__} trains on images; features (n, d) are grouped by GraphDegreeLinkage"
            )
        self.store_ = open_images(X)
        self._check_count(len(self.store_))
        self.image_options_ = self.store_.options
        return self.store_

    def _describe_again(self, X: Any) -> np.ndarray:
        if self.extractor_ is None:
            if is_images(X):
                raise ConfigError("this model was fitted on features, so it places features (m, d), not images")
            return self._checked_rows(X, reset=False)
        if not is_images(X):
            return self._checked_rows(X, reset=False)
        return self.extractor_.transform(open_images(X, options=self.image_options_))

    def _checked_rows(self, X: Any, *, reset: bool) -> np.ndarray:
        rows = validate_data(
            self, X, reset=reset, dtype=[np.float32, np.float64], ensure_min_samples=2 if reset else 1,
            ensure_all_finite=False,
        )  # fmt: skip
        with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, and is named below
            rows = np.ascontiguousarray(rows, dtype=np.float32)
        bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
        if len(bad):
            raise ConfigError(
                f"{len(bad)} of {len(rows)} rows of the features hold NaN or infinity, or numbers beyond float32 "
                f"(first: {', '.join(map(str, bad[:5]))}); remove or repair those rows"
            )
        return rows

    def _check_count(self, n: int) -> None:
        k = getattr(self, "n_clusters", None)
        if isinstance(k, int | np.integer) and k > n:
            raise ConfigError(
                f"n_clusters is {k}, but there are only n_samples={n} images; ask for at most {n} clusters"
            )

    def check_parameters(self) -> None:
        """Raises ConfigError for a parameter outside its range."""

    def _fitted_tensors(self) -> dict[str, np.ndarray]:
        """What a model keeps besides labels, confidence and embedding."""
        return {}

    def _restore_tensors(self, tensors: dict[str, np.ndarray]) -> None:
        """Takes back what ``_fitted_tensors`` gave."""

    @abstractmethod
    def _fit_features(self, features: np.ndarray) -> None:
        """Sets ``labels_``, ``confidence_`` and ``n_clusters_`` from ``features`` (n, d) float32."""

    @abstractmethod
    def _memberships(self, features: np.ndarray) -> np.ndarray:
        """(m, k) >= 0, each row with a positive sum: how much each row of ``features`` belongs to each cluster."""


def is_images(X: Any) -> bool:
    """Whether ``X`` names or holds images; otherwise it is features (n, d)."""
    if isinstance(X, str | os.PathLike | ImageStore):
        return True
    if isinstance(X, np.ndarray):
        return X.ndim in (3, 4)
    return isinstance(X, Sequence) and len(X) > 0 and isinstance(X[0], str | os.PathLike)
