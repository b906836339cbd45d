"""What README.md and docs/ say: code runs, commands and options exist, links lead somewhere, tables are current."""

import json
import re
import shlex
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import typer.main

from cli.runner import Done, make_photos
from coterie import errors
from coterie.images.oddities import SENTENCES
from scripts import load_script

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
RESULTS = ROOT / "docs/results/linkage.json"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)|(?:src|srcset)=\"([^\"]+)\"|```\{image\} (\S+)")


def blocks(page: Path, language: str) -> list[str]:
    return [code for found, code in FENCE.findall(page.read_text(encoding="utf-8")) if found == language]


def with_blocks(language: str) -> list[Any]:
    pages = [page for page in PAGES if blocks(page, language)]
    return [pytest.param(page, id=str(page.relative_to(ROOT))) for page in pages]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages take for granted: photos/ (40 of each of three kinds), more-photos/, and a run photos-groups/."""
    folder = tmp_path_factory.mktemp("docs")
    make_photos(folder / "photos", each=40)
    make_photos(folder / "more-photos", each=2, seed=1)
    return folder


@pytest.fixture
def inside(sandbox: Path, coterie: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sandbox as the current folder, with its run."""
    monkeypatch.chdir(sandbox)
    if not (sandbox / "photos-groups").exists():
        done = coterie("cluster", "photos", "-k", "3", "--map", "pca", "--classes", "folders")
        assert done.code == 0, done.err
    return sandbox


@pytest.fixture(scope="module")
def renderer() -> ModuleType:
    return load_script("render_results")


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize("page", with_blocks("python"))
def test_the_python_of_every_page_runs_from_top_to_bottom(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # forty images deserve every warning there is
        for number, code in enumerate(blocks(page, "python"), 1):
            exec(compile(code, f"{page.name}, block {number}", "exec"), names)
    capsys.readouterr()


def commands_of(page: Path) -> Iterator[list[str]]:
    for code in blocks(page, "sh"):
        for line in code.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["coterie"]:
                yield words[1:]


@pytest.mark.parametrize("page", with_blocks("sh"))
def test_every_command_and_option_that_a_page_shows_exists(page: Path) -> None:
    from coterie.cli.main import app

    group = typer.main.get_command(app)
    for name, *words in commands_of(page):
        command = group.commands[name]  # type: ignore[attr-defined]
        with command.make_context(name, list(words), resilient_parsing=False) as context:
            assert not context.args, f"{page.name}: {name} {words}"


def test_the_reference_names_every_command_and_every_option() -> None:
    from coterie.cli.main import app

    text = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        assert f"## coterie {name}" in text
        for option in (p for p in command.params if p.param_type_name == "option"):
            flags = [flag for flag in (*option.opts, *option.secondary_opts) if flag not in ("-h", "--help")]
            absent = [flag for flag in flags if f"`{flag}" not in text]
            assert not absent, f"{name}: {absent}"


@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES])
def test_every_link_inside_the_repository_leads_to_a_file(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = ["".join(groups) for groups in LINK.findall(text)]
    inner = [target for target in targets if not re.match(r"[a-z]+:", target)]
    assert [target for target in inner if not (page.parent / target).exists()] == []


def test_the_tables_of_readme_and_results_are_those_of_the_json(renderer: ModuleType) -> None:
    """Fails after a measurement until ``python benchmarks/render_results.py --readme`` has run."""
    rows = renderer.read_rows(RESULTS)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert renderer.with_table(readme, renderer.readme_table(rows)) == readme
    assert renderer.page(rows) == RESULTS.with_suffix(".md").read_text(encoding="utf-8")


@pytest.mark.parametrize("script", ["render_checks", "render_speed", "render_tcc"])
def test_the_pages_of_the_other_measurements_are_those_of_their_json(script: str) -> None:
    """Fails after a measurement until that script in benchmarks/ has run."""
    pages = load_script(script).pages()
    assert pages
    for path, text in pages.items():
        assert path.read_text(encoding="utf-8") == text


def row(**changes: Any) -> dict[str, Any]:
    return {
        "set": "digits", "method": "default", "n": 1797, "k": 10, "found": 10, "features": "pixels", "n_neighbors": 5,
        "acc": 0.5, "nmi": 0.25, "ari": 0.125, "seconds": 1.25, "peak_gb": 0.5, "warnings": [],
        "rule_chosen_on_this_set": False, "command": "python x", "commit": "abc", "date": "2026-01-01",
        "machine": "a laptop", "seeds": [0],
    } | changes  # fmt: skip


def rendered(renderer: ModuleType, tmp_path: Path, *rows: dict[str, Any]) -> tuple[str, str]:
    path = tmp_path / "linkage.json"
    path.write_text(json.dumps({"rows": rows}))
    read = renderer.read_rows(path)
    return renderer.readme_table(read), renderer.page(read)


def test_a_row_that_was_not_measured_is_a_dash(renderer: ModuleType, tmp_path: Path) -> None:
    table, _ = rendered(renderer, tmp_path, row())
    assert "| scikit-learn digits | 1,797 | 10 | – | – | .500 / .250 | – | – | 1.2 |" in table


def test_a_set_the_rule_was_chosen_on_is_marked_and_another_is_not(renderer: ModuleType, tmp_path: Path) -> None:
    table, _ = rendered(renderer, tmp_path, row(), row(set="usps", rule_chosen_on_this_set=True))
    assert "| USPS \\* |" in table
    assert "| scikit-learn digits |" in table
    assert "was chosen while looking at this set" in table


def test_scores_on_photos_from_imagenet_say_that_the_encoder_knows_imagenet(
    renderer: ModuleType, tmp_path: Path
) -> None:
    photos, faces = row(set="photos", features="efficientnet-lite0"), row(set="orl", features="efficientnet-lite0")
    table, page = rendered(renderer, tmp_path, photos, faces)
    assert "| Tiny-ImageNet, ten classes ‡ |" in table
    assert "| ORL faces † |" in table
    assert "the images stem from ImageNet themselves" in table
    assert "the images stem from ImageNet themselves" in page


def test_a_bad_number_stays_and_a_missed_number_of_groups_is_said(renderer: ModuleType, tmp_path: Path) -> None:
    table, page = rendered(
        renderer, tmp_path, row(method="auto", found=2, acc=0.02), row(method="kmeans", acc=0.9), row()
    )
    assert ".020 / .250" in table
    assert "scikit-learn digits: 2 instead of 10" in page
    assert "higher ACC on 0 of 1 sets, not on scikit-learn digits (.500 against .900)" in page


def test_every_named_warning_and_every_oddity_stands_on_the_page_about_trust() -> None:
    text = (ROOT / "docs/trust.md").read_text(encoding="utf-8")
    named = [name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Warning)]
    assert [name for name in named if name != "CoterieWarning" and f"### `{name}`" not in text] == []
    said = [sentence.removeprefix("{n} ").removeprefix("images ") for _, sentence in SENTENCES.values()]
    assert [sentence for sentence in said if sentence not in text] == []


@pytest.mark.parametrize("method", ["gdl", "kmeans", "jule", "tcc", "dac", "dccm", "gatcluster", "udc"])
def test_every_parameter_stands_on_the_page_of_its_method_with_its_default(method: str) -> None:
    from coterie.classical import CLASSICAL
    from coterie.methods import METHODS

    text = (ROOT / f"docs/methods/{method}.md").read_text(encoding="utf-8")
    for name, default in {**CLASSICAL, **METHODS}[method]().get_params().items():
        assert f"| `{name}` | `{default!r}` |" in text


def test_every_file_and_key_of_a_run_stands_on_the_page_about_the_run_folder(inside: Path) -> None:
    text = (ROOT / "docs/run-folder.md").read_text(encoding="utf-8")
    run = inside / "photos-groups"
    names = [f"{item.name}/" if item.is_dir() else item.name for item in run.iterdir() if not item.name.startswith(".")]
    assert [name for name in names if f"`{name}`" not in text] == []
    info = json.loads((run / "run.json").read_text(encoding="utf-8"))
    keys = set(info) | set(info["images"]) | set(info["clusters"]) | set(info["timings"]) | set(info["versions"])
    keys |= set(info.get("linkage", {}))
    assert sorted(key for key in keys if f"`{key}`" not in text) == []
    with np.load(run / "linkage.npz", allow_pickle=False) as linkage:
        assert [name for name in linkage.files if f"`{name}`" not in text] == []


def test_every_score_stands_on_the_page_about_scores(inside: Path) -> None:
    text = (ROOT / "docs/scores.md").read_text(encoding="utf-8")
    scores = json.loads((inside / "photos-groups/run.json").read_text(encoding="utf-8"))["scores"]
    assert [name for name in scores if f"`{name}`" not in text] == []


def test_the_pictures_of_the_page_are_small_enough_for_a_first_screen() -> None:
    sizes = {path.name: path.stat().st_size for path in (ROOT / "docs/images").glob("*.png")}
    assert set(sizes) == {"page.png", "page-dark.png"}
    assert max(sizes.values()) < 400_000
