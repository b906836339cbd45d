"""How images are brought to one shape: the options a store is made with and a model remembers."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, cast, get_args

from PIL import ImageColor

from coterie.errors import ConfigError

Fit = Literal["crop", "pad", "stretch"]

# Pillow's own limit: a quarter of 2**31 bytes at three bytes per pixel.
MAX_PIXELS = 178_956_970
LARGEST_SIDE = 8192


@dataclass(frozen=True)
class StoreOptions:
    """The shape and look of every image of a store.

    ``size`` is (height, width) in pixels, 1 to 8192 each. ``fit`` says what happens to another shape: ``crop`` scales
    the short side and keeps the centre, ``pad`` keeps everything on ``background``, ``stretch`` ignores the shape.
    ``background`` (a name or #rrggbb) also lies under transparent pixels. Images beyond ``max_pixels`` are left out.
    """

    size: tuple[int, int]
    fit: Fit = "crop"
    grey: bool = False
    background: str = "white"
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        check_size(self.size)
        check_fit(self.fit)
        check_background(self.background)
        check_max_pixels(self.max_pixels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(c, h, w) of every image."""
        return (1 if self.grey else 3, *self.size)

    def to_dict(self) -> dict[str, Any]:
        """The options as JSON can hold them."""
        return asdict(self) | {"size": list(self.size)}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "StoreOptions":
        """The options that ``to_dict`` wrote; ConfigError when they are not such a dictionary."""
        try:
            height, width = saved["size"]
            return cls(**(saved | {"size": (int(height), int(width))}))
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"image options {saved!r} are not those of a store: {error}") from error


def check_size(size: object) -> tuple[int, int]:
    """(height, width) from one side or two; ConfigError otherwise."""
    sides = size if isinstance(size, tuple | list) else (size, size)
    good = len(sides) == 2 and all(
        isinstance(side, int) and not isinstance(side, bool) and 1 <= side <= LARGEST_SIDE for side in sides
    )
    if not good:
        raise ConfigError(f"size={size!r} is not a size: give one side or (height, width), each 1 to {LARGEST_SIDE}")
    return cast("tuple[int, int]", tuple(sides))


def check_fit(fit: object) -> None:
    if fit not in get_args(Fit):
        raise ConfigError(f"fit={fit!r} is unknown: choose crop, pad or stretch")


def check_background(background: object) -> None:
    try:
        ImageColor.getrgb(background)
    except (ValueError, AttributeError, TypeError) as error:
        sentence = f"background={background!r} is not a colour: give a name such as white, or #rrggbb"
        raise ConfigError(sentence) from error


def check_max_pixels(max_pixels: object) -> None:
    if not isinstance(max_pixels, int) or isinstance(max_pixels, bool) or max_pixels < 1:
        raise ConfigError(f"max_pixels={max_pixels!r} is not a limit: give a whole number of at least 1")


@dataclass(frozen=True)
class Asked:
    """What a caller asked for, before the images were looked at: as StoreOptions, with "auto" allowed."""

    size: tuple[int, int] | Literal["auto"]
    fit: Fit
    grey: bool | Literal["auto"]
    background: str
    max_pixels: int
    fixed: bool = False

    @classmethod
    def checked(cls, size: object, fit: object, grey: object, background: object, max_pixels: object) -> "Asked":
        """The request, or ConfigError naming the first value outside its range."""
        sides = "auto" if isinstance(size, str) and size == "auto" else check_size(size)
        check_fit(fit)
        check_background(background)
        check_max_pixels(max_pixels)
        if not isinstance(grey, bool) and grey != "auto":
            raise ConfigError(f"grey={grey!r} is unknown: choose True, False or auto")
        return cls(sides, fit, grey, background, max_pixels)  # type: ignore[arg-type]

    @classmethod
    def exactly(cls, options: StoreOptions) -> "Asked":
        """The request of a model for the shape it was fitted on."""
        return cls(**(vars(options) | {"fixed": True}))

    def settled(self, size: tuple[int, int], grey: bool) -> StoreOptions:
        """The options, with ``size`` and ``grey`` where "auto" was asked."""
        return StoreOptions(
            size=size if self.size == "auto" else self.size,
            fit=self.fit,
            grey=grey if self.grey == "auto" else self.grey,
            background=self.background,
            max_pixels=self.max_pixels,
        )

    def to_dict(self) -> dict[str, Any]:
        """What tells two requests apart."""
        asked = asdict(self)
        asked.pop("fixed")
        return asked
