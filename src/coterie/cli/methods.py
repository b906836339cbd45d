"""`coterie methods`: what can group."""

from coterie.cli.terminal import say


def methods() -> None:
    """List the methods and their parameters."""
    from coterie.classical import CLASSICAL
    from coterie.methods import METHODS

    for name, method in (CLASSICAL | METHODS).items():
        first_line = (method.__doc__ or "").strip().splitlines()[0]
        parameters = ", ".join(f"{key}={value!r}" for key, value in method().get_params().items())
        say(f"{name}: {first_line}")
        say(f"    {parameters}")
