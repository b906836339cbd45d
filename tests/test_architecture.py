"""The house rules of docs/architecture.md, checked on the imports themselves."""

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "coterie"

# room -> rooms it may import from, besides errors and itself
ARROWS: dict[str, set[str]] = {
    "cli": {
        "report", "evidence", "methods", "classical", "clusterer", "training",
        "images", "files", "graphs", "metrics", "nets", "loading", "parameters", "__init__",
    },
    "report": {"files", "images", "metrics", "graphs"},
    "evidence": {"methods", "classical", "graphs", "metrics", "files", "images", "parameters"},
    "methods": {"nets", "graphs", "training", "images", "clusterer", "parameters"},
    "classical": {"graphs", "clusterer", "images", "parameters"},
    "loading": {"classical", "methods", "clusterer", "files"},
    "clusterer": {"files", "images", "graphs", "parameters"},
    "training": {"files"},
    "images": {"nets", "files"},
    "files": set(),
    "graphs": set(),
    "metrics": set(),
    "nets": set(),
    "errors": set(),
    "parameters": set(),
    "__init__": {"loading", "classical", "methods", "clusterer", "images", "files", "metrics"},
}  # fmt: skip


def room_of(path: Path) -> str:
    relative = path.relative_to(SOURCE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").split(".")[0] == "coterie":
            parts = (node.module or "").split(".")
            rooms |= {parts[1]} if len(parts) > 1 else {name_room(a.name) for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write coterie.<room> so the arrow can be seen"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                parts = alias.name.split(".")
                if parts[0] == "coterie":
                    rooms.add(parts[1] if len(parts) > 1 else "__init__")
    return rooms


def name_room(name: str) -> str:
    return name if (SOURCE / name).is_dir() or (SOURCE / f"{name}.py").exists() else "__init__"


def test_every_import_follows_an_arrow_of_the_architecture() -> None:
    wrong = []
    for path in sorted(SOURCE.rglob("*.py")):
        room = room_of(path)
        allowed = ARROWS[room] | {"errors", room}
        wrong += [f"{path.relative_to(SOURCE)} imports {other}" for other in sorted(imported_rooms(path) - allowed)]
    assert not wrong, "\n".join(wrong)


def test_two_methods_never_import_each_other() -> None:
    from coterie.methods import METHODS

    files = {method.__module__ for method in METHODS.values()}
    for module in files:
        text = (SOURCE.parent / f"{module.replace('.', '/')}.py").read_text()
        assert not [other for other in files - {module} if other in text], module


def test_no_module_imports_torchvision_or_pickle() -> None:
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                roots = {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                roots = {(node.module or "").split(".")[0]}
            else:
                continue
            assert not roots & {"torchvision", "pickle", "joblib"}, path


def test_only_the_command_line_prints() -> None:
    for path in SOURCE.rglob("*.py"):
        if room_of(path) == "cli":
            continue
        calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        assert not [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"], path
