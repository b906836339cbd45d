"""Every exception and warning of coterie.

An error's text is one sentence that says what was wrong (with the value or the file), what was expected, and what to
do. ``exit_code`` is what the command line returns: 1 failed, 2 wrong usage.
"""


class CoterieError(Exception):
    """Base of every error that coterie raises on purpose."""

    exit_code = 1


class UsageError(CoterieError):
    """The request itself cannot be met as it was written; nothing was started."""

    exit_code = 2


class ConfigError(UsageError, ValueError):
    """A parameter has a value outside its range; the sentence names the parameter, the value and the range."""


class NoImagesError(UsageError):
    """The source holds fewer than two images that can be read."""


class ClassesError(UsageError):
    """A file of known classes does not match the images of a run."""


class MissingExtraError(UsageError, ImportError):
    """A feature needs an optional dependency that is not installed; the sentence names the extra."""


class UnreadableImageError(CoterieError):
    """One file cannot be used as an image. ``reason`` is the short text that stands in skipped.csv."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


class TooManyBadImagesError(CoterieError):
    """More images were unreadable than the run allows (``max_bad``)."""


class SourceError(UsageError):
    """A folder, manifest, archive or array cannot be read at all."""


class StoreChangedError(CoterieError):
    """The images a store was made from have changed since."""


class ModelFileError(CoterieError):
    """A model folder is damaged, foreign, or from a newer release."""


class RunFolderError(UsageError):
    """A folder is not a finished run of coterie."""


class OutputError(CoterieError):
    """A result cannot be written: the disk is full, the folder is read-only, taken, or in use by another run."""


class TrainingError(CoterieError):
    """Training cannot go on: the loss became NaN or infinite, or the memory of the device ran out."""


class TrainingStopped(CoterieError):
    """A signal (Ctrl-C, SIGTERM) ended the training after the step it was in; ``exit_code`` is 128 + the signal."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


class CheckpointError(CoterieError):
    """A checkpoint is damaged, foreign, from a newer release, or cannot hold what it was given."""


class NotEnoughMemoryError(UsageError):
    """The estimate of the memory a training needs is beyond what is free; nothing was started."""


class CoterieWarning(UserWarning):
    """Base of every warning of coterie, so that a caller can filter or raise them."""


class SkippedImagesWarning(CoterieWarning):
    """Some files were left out; each stands in skipped.csv with its reason."""


class ImageOdditiesWarning(CoterieWarning):
    """Images were read with a change a person should know of: scaled, first frame only, read as grey, one colour."""


class DuplicateImagesWarning(CoterieWarning):
    """Some images are exact copies of others."""


class FeaturesWarning(CoterieWarning):
    """Simpler features than the images deserve are used, because a better kind is not installed."""


class ClusterCountWarning(CoterieWarning):
    """The number of clusters returned is not the number that was asked for."""


class GraphWarning(CoterieWarning):
    """The neighbour graph is disconnected, has hubs or vanishing weights: the answer deserves less trust."""


class ClassesWarning(CoterieWarning):
    """The known classes cover only some of the images, or are such that their scores say nothing."""


class ChoiceWarning(CoterieWarning):
    """The number of clusters was chosen automatically, and other numbers fit nearly as well."""


class FragmentsWarning(CoterieWarning):
    """Many images lay in groups too small to count, and were joined to larger ones."""


class SlowPathWarning(CoterieWarning):
    """Something works, but slower than it could: no cache for compiled code, no device that was asked for."""


class BatchSizeWarning(CoterieWarning):
    """Batches are smaller than was asked for, since there are fewer images."""


class FewImagesWarning(CoterieWarning):
    """A part of what a training learns has too few images to learn from."""


class CheckpointWarning(CoterieWarning):
    """A training goes on from an earlier moment, or under other circumstances, than its folder promised."""


class CollapseWarning(CoterieWarning):
    """The images crowd into far fewer clusters than were asked for."""


class DivergenceWarning(CoterieWarning):
    """Some of the trainings of a method moved away again from what they had come near."""
