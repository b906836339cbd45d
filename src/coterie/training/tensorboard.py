"""The figures of every epoch for TensorBoard, which comes by the extra of that name."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from coterie.errors import ConfigError, MissingExtraError
from coterie.files.folders import explain

FOLDER = "tensorboard"
NO_FIGURES = {"phase", "epoch", "step"}  # they say where a record stands


class Board:
    """Writes the figures of every epoch under ``folder``/tensorboard, one curve for each; nothing before the first.

    Raises ConfigError without a folder and MissingExtraError where TensorBoard is not installed.
    """

    def __init__(self, folder: Path | None) -> None:
        if folder is None:
            raise ConfigError("tensorboard=True needs a run folder to write to; give one, or leave it out")
        if find_spec("tensorboard") is None:
            raise MissingExtraError('writing for TensorBoard needs it: pip install "coterie[tensorboard]"')
        self.folder = folder / FOLDER
        self._writer: Any = None

    def write(self, epoch: int, record: Mapping[str, Any]) -> None:
        """Adds the numbers of ``record`` at ``epoch``, which counts from 1 through all phases.

        Raises OutputError when the disk is full or the folder is gone.
        """
        try:
            writer = self._opened(epoch)
            for name, value in record.items():
                if isinstance(value, int | float) and name not in NO_FIGURES:
                    writer.add_scalar(name, value, epoch)
            writer.flush()
        except OSError as error:
            raise explain(self.folder, error) from error

    def close(self) -> None:
        """Ends the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _opened(self, epoch: int) -> Any:
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            # purge_step: epochs that a resumed training does again replace those an earlier process wrote
            self._writer = SummaryWriter(str(self.folder), purge_step=epoch)
        return self._writer
