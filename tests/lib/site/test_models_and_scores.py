"""The pages of models and of scores: what they say, and that a card and a reason are text."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from deltalake import DeltaTable

from lakesmith.ml.evaluation_values import Evaluation, Interval
from lakesmith.ml.wording import interval_text
from lakesmith.monitoring.stored import newest_outcomes, outcomes_of
from lakesmith.site.build import build_site
from lakesmith.site.scores import count_scores, quantile
from shops import MODEL, SCORES, Shop
from sites import HOSTILE, make_scored_lake
from workspaces import Workspace, day


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_scored_lake(tmp_path_factory.mktemp("scored") / "shop")


@pytest.fixture(scope="module")
def site(lake: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "site"
    build_site(lake.context(), out)
    return out


def test_a_model_is_told_by_its_versions_metrics_and_events(lake: Workspace, site: Path) -> None:
    text = (site / f"models/{MODEL}.html").read_text()
    stored = lake.root / f"lake/mlflow/artifacts/{MODEL}/run1/artifacts/evaluation.json"
    test = Evaluation.from_dict(json.loads(stored.read_text())["test"])
    assert f'<td class="n">{interval_text(test.metrics["roc_auc"])}</td>' in text
    rows = re.findall(r'<th scope="row" class="n">(\d+)</th><td class="t">([\w ]+)</td>', text)
    assert rows == [("2", "challenger"), ("1", "champion")]
    assert "<strong>version 1 promoted</strong> from batch 2024-01-01" in text
    newest = {o.metric: o for o in newest_outcomes(outcomes_of(lake.table("monitoring.model_performance")))}
    loss = newest["log_loss"]
    assert "log_loss on labels that came since, 2024-01-01 to 2024-01-05" in text
    now, then = (
        interval_text(Interval(*ends))
        for ends in (
            (loss.value, loss.lower, loss.upper),
            (loss.test_value, loss.test_lower, loss.test_upper),
        )
    )
    assert f'<td class="n">{now}</td><td class="n">{then}</td><td class="n">300</td>' in text
    assert '<span class="bad">worse: concept drift, inputs are stable</span>' in text
    for title in ("Calibration", "Lift by tenth", "Scores on the test"):
        assert f"<strong>{title}</strong>" in text


def test_a_card_and_the_reasons_of_people_are_text(site: Path) -> None:
    text = (site / f"models/{MODEL}.html").read_text()
    assert "<script>alert" not in text
    assert "<img" not in text
    assert 'href="javascript' not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 3
    assert HOSTILE not in text
    assert "style=" not in text


def test_a_model_without_a_version_says_how_to_train_one(site: Path) -> None:
    assert "No version was trained yet: lakesmith train revenue" in (site / "models/revenue.html").read_text()


def test_artifacts_that_are_gone_are_said_and_nothing_else_fails(lake: Workspace, tmp_path: Path) -> None:
    copy = Shop(lake.root).copied_to(tmp_path / "shop")
    (copy.root / f"lake/mlflow/artifacts/{MODEL}/run1/artifacts/model_card.md").unlink()
    build_site(copy.context(), tmp_path / "site")
    assert "holds no model_card.md" in (tmp_path / f"site/models/{MODEL}.html").read_text()


def test_scores_are_counted_as_the_table_has_them(lake: Workspace, site: Path) -> None:
    table = DeltaTable(lake.context().lake.path(SCORES))
    found = count_scores(table, "score")
    assert found is not None
    rows = table.to_pyarrow_table().to_pylist()
    for number in range(1, 6):
        scores = sorted(r["score"] for r in rows if r["batch_date"] == day(number))
        bins = [0] * 40
        for score in scores:
            bins[min(int(score * 40), 39)] += 1
        assert list(found.days[day(number)]) == bins
        middle = quantile(found, day(number), 0.5)
        assert middle is not None
        assert abs(middle - scores[len(scores) // 2]) < 2 / 40
    assert found.arms[day(1)] == {"scored, version 1": 40}
    assert found.arms[day(5)] == {"scored, version 2": 40}
    text = (site / f"scores/{SCORES}.html").read_text()
    assert "the batch of 2024-01-05 beside all before it." in text


def test_no_customer_is_on_a_page(lake: Workspace, site: Path) -> None:
    rows = DeltaTable(lake.context().lake.path(SCORES)).to_pyarrow_table().to_pylist()
    texts = [file.read_text() for file in site.rglob("*.html")]
    # Whole scores would tell who they are of.
    assert not [r["score"] for r in rows if any(str(r["score"]) in text for text in texts)]
