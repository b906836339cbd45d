"""Pages and plots of made-up summaries."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coterie.errors import ConfigError
from coterie.evidence.plots import Spread, difference_plot, spread_plot
from coterie.evidence.recipe import Recipe
from coterie.evidence.render import by_set, ranks, read_summaries, render, table, variant
from coterie.evidence.summary import summarise
from coterie.metrics.significance import friedman_nemenyi

SVG = "{http://www.w3.org/2000/svg}"


def record(seed: int, acc: float, data_set: str) -> dict[str, Any]:
    scores = {"acc": acc, "nmi": acc - 0.1, "ari": acc - 0.2}
    return {
        "data": {"set": data_set, "shape": [100, 1, 8, 8], "n_classes": 4, "note": "made up"}, "seed": seed,
        "chosen": "head" if seed % 2 else "linkage", "scores": scores, "answers": {"head": scores}, "seconds": 12.0,
        "peak_memory_gb": 1.0, "peak_gpu_memory_gb": None, "machine": {"cores": 2, "gpu": None}, "versions": {},
        "commit": "abcdef0123", "created": "2026-01-02T03:04:05", "warnings": [], "device": "cpu", "continued": False,
        "last_epoch": None,
    }  # fmt: skip


def summary(method: str, data_set: str, *accs: float, published: float | None = None) -> dict[str, Any]:
    recipe = Recipe(
        name=f"{method}-{data_set}", description="Made up.", protocol="None.", data_set=data_set, method="kmeans",
        published={} if published is None else {"acc": published},
    )  # fmt: skip
    return summarise(recipe, [record(seed, acc, data_set) for seed, acc in enumerate(accs)])


@pytest.fixture
def made() -> list[dict[str, Any]]:
    """Three variants on four sets, of which the third variant lacks one; a fourth variant on one set only."""
    found = []
    for i, data_set in enumerate(("a", "b", "c", "d")):
        found.append(summary("best", data_set, 0.9, 0.95, 0.8 + i / 100))
        found.append(summary("middle", data_set, 0.6, published=0.7))
        if data_set != "d":
            found.append(summary("worst", data_set, 0.2, 0.3))
    return [*found, summary("alone", "a", 0.5)]


def test_a_table_has_the_median_and_the_ends_and_a_single_run_has_none(made: list[dict[str, Any]]) -> None:
    lines = table(by_set(made)["a"]).splitlines()
    first = "| `best-a` | – | .900 (.800–.950) | .800 (.700–.850) | .700 (.600–.750) | 3 | 12 | linkage 2, head |"
    assert lines[2] == first
    assert lines[3] == "| `middle-a` | .700 | .600 | .500 | .400 | 1 | 12 | linkage |"
    assert [line.split("`")[1] for line in lines[2:]] == ["best-a", "middle-a", "alone-a", "worst-a"]


def test_the_same_summaries_give_the_same_bytes_in_any_order(made: list[dict[str, Any]]) -> None:
    assert render(made) == render(made[::-1])
    assert render(made) == render(json.loads(json.dumps(made)))


def test_a_page_shows_its_plots_and_says_where_everything_comes_from(made: list[dict[str, Any]]) -> None:
    found = render(made, "Night", "../images/")
    assert found.page.startswith("# Night\n")
    assert found.images.keys() == {*(f"results-{name}.svg" for name in "abcd"), "results-ranks.svg"}
    for name in found.images:
        assert f"(../images/{name})" in found.page
    assert "- `worst-c`: 2026-01-02, commit abcdef0, 2 cores" in found.page
    assert max(map(len, found.page.splitlines())) <= 130


def test_ranks_are_those_of_the_test_over_the_sets_that_all_have(made: list[dict[str, Any]]) -> None:
    found = ranks(made)
    assert found is not None
    expected = friedman_nemenyi({"best": [0.9, 0.9, 0.9], "middle": [0.6] * 3, "worst": [0.25] * 3})
    assert found.mean_ranks == expected.mean_ranks == {"best": 1, "middle": 2, "worst": 3}
    assert (found.n, found.p) == (3, expected.p)
    page = render(made).page
    assert "Left out, for want of common sets: alone." in page
    assert "These differ by Nemenyi's test: best and worst (" in page.replace("\n", " ")


def test_too_few_methods_or_common_sets_have_no_ranks() -> None:
    few = [summary(method, data_set, 0.5) for method in ("x", "y") for data_set in ("a", "b", "c")]
    assert ranks(few) is None
    assert ranks([*few, summary("z", "a", 0.5), summary("z", "b", 0.5)]) is None
    found = render(few)
    assert "No ranks: they need 3 methods that have 3 sets in common." in found.page
    assert "results-ranks.svg" not in found.images


def test_a_variant_is_the_name_without_the_set() -> None:
    assert variant(summary("jule-paper", "usps-11k", 0.5)) == "jule-paper"
    alone = summary("tcc", "usps", 0.5)
    alone["recipe"]["name"] = "tcc-usps-alone"
    assert variant(alone) == "tcc-alone"
    alone["recipe"]["name"] = "mine"
    assert variant(alone) == "mine"


def test_sizes_of_a_set_are_tables_of_their_own_and_never_ranked_together(made: list[dict[str, Any]]) -> None:
    larger = summary("large", "a", 0.99)
    larger["data"]["shape"] = [100, 1, 16, 16]
    both = [*made, larger]
    assert list(by_set(both)) == ["a 1 x 16 x 16", "a 1 x 8 x 8", "b", "c", "d"]
    assert [each["recipe"]["name"] for each in by_set(both)["a 1 x 16 x 16"]] == ["large-a"]
    ranking = ranks(both)
    assert ranking is not None
    assert "large" not in ranking.mean_ranks
    assert "results-a-1-x-16-x-16.svg" in render(both).images


def marks(svg: str, tag: str, **wanted: str) -> list[ET.Element]:
    return [node for node in ET.fromstring(svg).iter(SVG + tag) if all(node.get(k) == v for k, v in wanted.items())]


def test_a_spread_plot_has_a_dot_for_each_run_where_it_belongs_and_a_ring_where_published() -> None:
    svg = spread_plot("a & b", "ACC", [Spread("one", (0.2, 0.6)), Spread("two <2>", (0.4,), published=0.6)])
    dots = marks(svg, "circle", r="3.2")
    assert len(dots) == 3
    x = [float(dot.get("cx", 0)) for dot in dots]
    assert x[2] == pytest.approx((x[0] + x[1]) / 2, abs=0.02)
    (ring,) = marks(svg, "circle", r="5")
    assert float(ring.get("cx", 0)) == pytest.approx(x[1])
    words = [node.text for node in marks(svg, "text")]
    assert {"a & b", "two <2>", "ACC"} <= set(words)
    numbers = [float(word) for word in words if word and word.replace(".", "").isdigit()]
    assert min(numbers) <= 0.2
    assert max(numbers) >= 0.6


@pytest.mark.parametrize("values", [(1.0,), (0.0, 1.0), (0.9871, 0.9872), (-0.02, 0.01), (0.5, 0.5)])
def test_every_dot_of_a_spread_plot_lies_within_the_picture(values: tuple[float, ...]) -> None:
    svg = spread_plot("t", "x", [Spread("name", values)])
    width = float(ET.fromstring(svg).get("width", 0))
    ends = [float(line.get("x1", 0)) for line in marks(svg, "line", stroke="#e6e6e6")]
    assert 3 <= len(ends) <= 11
    for dot in marks(svg, "circle"):
        assert min(ends) - 0.01 <= float(dot.get("cx", 0)) <= max(ends) + 0.01 < width


def test_a_plot_of_nothing_is_refused() -> None:
    for rows in ([], [Spread("none", ())]):
        with pytest.raises(ValueError, match="needs rows"):
            spread_plot("t", "x", rows)


def test_bars_of_a_difference_plot_join_exactly_the_methods_that_do_not_differ() -> None:
    rng = np.random.default_rng(0)
    levels = {"a": 0.9, "b": 0.88, "c": 0.5, "d": 0.48}
    ranking = friedman_nemenyi({name: level + rng.normal(0, 0.03, 12) for name, level in levels.items()})
    svg = difference_plot("ranks", ranking)
    bars = [(float(bar.get("x1", 0)), float(bar.get("x2", 0))) for bar in marks(svg, "line", stroke="#0072b2")]
    places = list(ranking.mean_ranks.values())
    left = min(
        float(line.get("x1", 0)) for line in marks(svg, "line", stroke="#24292f") if line.get("stroke-width") == "1"
    )
    at = [left + 460 * (rank - 1) / 3 for rank in places]
    joined = [tuple(i for i in range(4) if start <= at[i] <= end) for start, end in bars]
    near = [[b - a <= ranking.critical_difference for b in places] for a in places]
    for group in joined:
        assert all(near[min(group)][i] for i in group)
    assert {(i, j) for group in joined for i in group for j in group if i < j} == {
        (i, j) for i in range(4) for j in range(i + 1, 4) if near[i][j]
    }
    words = [node.text or "" for node in marks(svg, "text")]
    assert f"critical difference {ranking.critical_difference:.2f}" in words
    assert [word.split()[0] for word in words[-4:]] == list(ranking.mean_ranks)


def test_summaries_are_read_as_a_campaign_or_the_docs_keep_them(made: list[dict[str, Any]], tmp_path: Path) -> None:
    for one in made[:2]:
        (tmp_path / one["recipe"]["name"]).mkdir()
        (tmp_path / one["recipe"]["name"] / "summary.json").write_text(json.dumps(one))
    (tmp_path / "campaign.json").write_text("{}")
    assert read_summaries(tmp_path) == made[:2]
    flat = tmp_path / "flat"
    flat.mkdir()
    with pytest.raises(ConfigError, match="holds no summary"):
        read_summaries(flat)
    (flat / "x.json").write_text(json.dumps(made[0]))
    assert read_summaries(flat) == made[:1]
    for text, words in (
        ("{", "cannot be read"),
        ("{}", "is no summary"),
        (json.dumps(made[0] | {"format_version": 9}), "another release"),
    ):
        (flat / "x.json").write_text(text)
        with pytest.raises(ConfigError, match=words):
            read_summaries(flat)
