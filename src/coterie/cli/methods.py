"""`coterie methods`: what can group."""

from coterie.cli.terminal import noted_warnings, say


def methods() -> None:
    """List the methods and their parameters."""
    with noted_warnings():
        from coterie.classical import CLASSICAL
        from coterie.methods import METHODS

    for name, method in (CLASSICAL | METHODS).items():
        words = " ".join((method.__doc__ or "").replace("``", "").split())
        parameters = ", ".join(f"{key}={value!r}" for key, value in method().get_params().items())
        say(f"{name}: {words.split('. ')[0].rstrip('.')}.")
        say(f"    {parameters}")
