"""`train`, `score` and `models ...` on the shop: what is shown, what is asked back, and the exit codes."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from pathlib import Path

import pytest

from command_lines import Ask
from lakes import record_night
from lakesmith.contracts.declaration import METRICS, ProblemKind
from lakesmith.engine import training
from lakesmith.errors import ExitCode
from lakesmith.ml.gates import Verdict
from planted_models import plant
from shops import DAYS, MODEL, SCORES, FirstTraining, Shop, night
from workspaces import day

POOR = Verdict("minimum", False, 0.55, 0.6, "roc_auc 0.5500 should be at least 0.6000 (required)")


@pytest.fixture
def here(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The shop with two versions, as the working folder, on a terminal wide enough for every table."""
    monkeypatch.chdir(shop.root)
    monkeypatch.setenv("COLUMNS", "200")
    return shop


@pytest.fixture
def trained_here(tmp_path: Path, first_training: FirstTraining, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The shop that was trained in once, as the working folder; trainings take the model of the first one for their own."""
    shop = first_training.shop.copied_to(tmp_path / "shop")
    monkeypatch.chdir(shop.root)
    monkeypatch.setattr(training, "fit", lambda *_: first_training.trained.fitted)
    return shop


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def cells(text: str) -> list[list[str]]:
    """The columns of a table's lines, which stand two spaces apart or more."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines()]


def run_of(shop: Shop, version: int) -> str:
    event = shop.timeline().registered(version)
    assert event is not None
    return event.run_id


# --- list and show --------------------------------------------------------------------------------------------------


def test_every_version_is_listed_with_what_became_of_it(ask: Ask, here: Shop) -> None:
    here.promote(1, 40)
    record_night(here, 4)
    here.promote(2, 42)
    plant(here.context(), MODEL, night(DAYS), verdicts=(POOR,))
    plant(here.context(), MODEL, night(DAYS))
    assert ask("models", "reject", MODEL, "4", "--reason", "biased").code == 0
    plant(here.context(), MODEL, night(DAYS))

    answer = ask("models", "list")

    assert (answer.code, answer.err) == (0, "")
    assert cells(answer.out) == [
        ["returning", "state", "as of", "scores from", "run", "why"],
        ["5", "challenger", "2024-02-14", run_of(here, 5), "planted"],
        ["4", "rejected", "2024-02-14", run_of(here, 4), "biased"],
        ["3", "validation_failed", "2024-02-14", run_of(here, 3), "planted"],
        ["2", "champion", "2024-02-14", "2024-02-11", run_of(here, 2)],
        ["1", "previous champion", "2024-02-14", "2024-02-09", run_of(here, 1)],
        [],
        ["revenue: no version yet. lakesmith train revenue"],
    ]
    assert ask("models", "list", "revenue").out == "revenue: no version yet. lakesmith train revenue\n"
    then = ask("models", "list", MODEL, "--as-of", f"{day(4)}", "--json").json[MODEL]
    assert (then["champion"], then["previous_champion"]) == (1, None)
    assert ask("models", "show", MODEL, "--as-of", f"{day(4)}", "--json").json["version"] == 1


def test_models_as_json_hold_every_event(ask: Ask, here: Shop) -> None:
    here.promote(2, 40)
    found = ask("models", "list", "--json").json
    assert {name: (m["champion"], m["previous_champion"]) for name, m in found.items()} == {
        "returning": (2, None),
        "revenue": (None, None),
    }
    events = found["returning"]["events"]
    assert [(e["event"], e["version"], e["effective_from"], e["before"], e["reason"]) for e in events] == [
        ("registered", 1, None, None, "first"),
        ("registered", 2, None, None, "planted"),
        ("promoted", 2, "2024-02-09", None, ""),
    ]
    registered = here.timeline().registered(1)
    assert registered is not None
    assert events[0] == {
        "model": "returning",
        "version": 1,
        "event": "registered",
        "recorded_at": registered.recorded_at.isoformat(),
        "effective_from": None,
        "before": None,
        "run_id": registered.run_id,
        "sha256": registered.digest,
        "as_of": "2024-02-14",
        "who": getpass.getuser(),
        "reason": "first",
        "forced": False,
        "share": None,
        "gates": [dict(gate) for gate in registered.gates],
    }
    assert found["revenue"]["events"] == []


def test_a_version_is_shown_with_its_events_gates_and_card(ask: Ask, here: Shop) -> None:
    here.promote(2, 40)
    here.promote(1, 42)
    moments = [f"{e.recorded_at:%Y-%m-%d %H:%M:%S}" for e in here.timeline().events]

    answer = ask("models", "show", MODEL)

    assert (answer.code, answer.err) == (0, "")
    who = getpass.getuser()
    gates = [
        f"{'passed' if gate['passed'] else 'refused'}  {gate['gate']}: {gate['text']}"
        for gate in here.timeline().events[0].gates
    ]
    found = cells(answer.out)
    assert found[:4] == [
        ["when (UTC)", "who", "what", "why"],
        [moments[0], who, "registered", "first"],
        [moments[3], who, "promoted, from 2024-02-11"],
        [],
    ]
    shown = lines(answer.out)
    assert shown[4 : 4 + len(gates) + 1] == [*gates, ""]
    # The whole card, as Markdown on a terminal: its heading, its tables, no marks of Markdown.
    card = "\n".join(shown[5 + len(gates) :])
    assert "returning, version 1" in card
    assert "Knows customers of two weeks only." in card
    assert "##" not in card
    # Without a champion it is the newest; and any may be named.
    assert "registered" in ask("models", "show", MODEL, "2").out
    assert ask("models", "show", MODEL, "2", "--json").json["version"] == 2


def test_the_newest_is_shown_where_there_is_no_champion(ask: Ask, here: Shop) -> None:
    found = ask("models", "show", MODEL, "--json").json
    assert (found["model"], found["version"], [e["event"] for e in found["events"]]) == (
        "returning",
        2,
        ["registered"],
    )
    assert found["card"] == f"# returning, run {run_of(here, 2)}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("show", "returnin"),
            "there is no model 'returnin'. Did you mean 'returning'? Models: returning, revenue.",
        ),
        (
            ("show", "revenue"),
            "revenue has no version yet. See what there is: lakesmith models list revenue",
        ),
        (
            ("show", "returning", "7"),
            "returning has no version 7. See what there is: lakesmith models list returning",
        ),
        (
            ("compare", "returning", "1", "7"),
            "returning has no version 7. See what there is: lakesmith models list returning",
        ),
        (
            ("promote", "returning", "7"),
            "returning has no version 7. See what there is: lakesmith models list returning",
        ),
        (
            ("rollback", "returning"),
            "returning has no champion before the one in use. See what there is: lakesmith models list returning",
        ),
        (("reject", "returning", "1"), 'say why, for the record: --reason "..."'),
        (
            ("promote", "returning", "1", "--force"),
            '--force needs the reason for the record: --reason "..."',
        ),
        (
            ("promote", "returning", "1", "--from", "soon"),
            "'soon' is not a day. Write it as YYYY-MM-DD, for example 2011-03-01.",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_there_is_not_is_said_and_nothing_changes(
    ask: Ask, two_versions: Shop, arguments: Sequence[str], said: str
) -> None:
    before = two_versions.timeline()
    answer = ask("models", *arguments, "--project", str(two_versions.root))
    assert (answer.code, answer.out, answer.err) == (ExitCode.USAGE, "", f"error: {said}\n")
    assert two_versions.timeline() == before


# --- promote, roll back, reject -------------------------------------------------------------------------------------


def test_a_change_of_champion_is_one_command_and_one_sentence(ask: Ask, here: Shop) -> None:
    poor = plant(here.context(), MODEL, night(DAYS), verdicts=(POOR,)).version

    def said(*arguments: str) -> str:
        answer = ask("models", *arguments)
        assert (answer.code, answer.err) == (0, "")
        return answer.out

    assert [
        said("promote", MODEL, "1"),
        said("promote", MODEL, "2", "--from", "2024-02-16", "--reason", "better on web customers"),
        said("rollback", MODEL, "--from", "2024-02-18", "--reason", "it promised too much"),
        said("reject", MODEL, "2", "--reason", "biased"),
        said("promote", MODEL, str(poor), "--force", "--reason", "nothing else reads the new column"),
    ] == [
        # Nothing was scored yet: it begins with the last night that its training knew.
        "returning version 1 is the champion from the batch 2024-02-14 on\n",
        "returning version 2 is the champion from the batch 2024-02-16 on (better on web customers)\n",
        "returning version 1 is the champion again from the batch 2024-02-18 on (it promised too much)\n",
        "returning version 2 is rejected (biased)\n",
        "returning version 3 is the champion from the batch 2024-02-18 on (forced) (nothing else reads the new column)\n",
    ]
    assert here.aliases() == {"champion": 3, "previous_champion": 1}
    assert [(e.version, str(e.event), e.reason, e.forced) for e in here.timeline().events[3:]] == [
        (1, "promoted", "", False),
        (2, "promoted", "better on web customers", False),
        (1, "rolled_back", "it promised too much", False),
        (2, "rejected", "biased", False),
        (3, "promoted", "nothing else reads the new column", True),
    ]


def test_a_change_as_json_is_the_event(ask: Ask, here: Shop) -> None:
    found = ask("models", "promote", MODEL, "2", "--from", "2024-02-16", "--json").json
    assert (found["event"], found["version"], found["effective_from"], found["before"]) == (
        "promoted",
        2,
        "2024-02-16",
        None,
    )
    found = ask("models", "reject", MODEL, "1", "--reason", "biased", "--json").json
    assert (found["event"], found["version"], found["effective_from"], found["reason"]) == (
        "rejected",
        1,
        "2024-02-16",
        "biased",
    )


def test_what_cannot_be_the_champion_is_refused(ask: Ask, here: Shop) -> None:
    here.promote(1, 40)
    here.registry().reject(MODEL, 2, "biased")
    poor = plant(here.context(), MODEL, night(DAYS), verdicts=(POOR,)).version
    before = here.timeline()

    refused = ask("models", "promote", MODEL, str(poor))
    assert (refused.code, refused.out) == (ExitCode.REJECTED, "")
    assert refused.err == (
        f"error: returning version 3 is not promoted: {POOR.text}. To promote it all the same, say why: "
        'lakesmith models promote returning 3 --force --reason "..."\n'
    )
    for arguments, said in (
        (("promote", MODEL, "1"), "returning version 1 is the champion already."),
        (("promote", MODEL, "2"), "returning version 2 was rejected: biased."),
        (
            ("promote", MODEL, "2", "--force", "--reason", "all the same"),
            "returning version 2 was rejected: biased.",
        ),
        (
            ("reject", MODEL, "1", "--reason", "biased"),
            "returning version 1 is the champion; roll back before rejecting it.",
        ),
    ):
        answer = ask("models", *arguments)
        assert (answer.code, answer.out) == (ExitCode.USAGE, "")
        assert answer.err == f"error: {said} See what there is: lakesmith models list returning\n"
    assert here.timeline() == before


# --- compare --------------------------------------------------------------------------------------------------------


def test_two_versions_are_compared_on_the_same_rows(
    ask: Ask, here: Shop, first_training: FirstTraining
) -> None:
    """The rows are those that the later training was tested on, so that its numbers are those of its own test."""
    early = plant(here.context(), MODEL, night(30), seed=3).version
    trained = first_training.trained
    names = METRICS[ProblemKind.CLASSIFICATION]

    found = ask("models", "compare", MODEL, "1", str(early), "--json").json
    answer = ask("models", "compare", MODEL, "1", str(early))

    assert (found["model"], found["versions"]) == ("returning", [1, early])
    assert found["rows"] == trained.test.rows
    assert found["metrics"][0] == trained.test.to_dict()["metrics"]
    assert found["metrics"][1] != found["metrics"][0]
    assert {name: gap["value"] for name, gap in found["differences"].items()} == {
        name: pytest.approx(
            found["metrics"][0][name]["value"] - found["metrics"][1][name]["value"], abs=1e-12
        )
        for name in names
    }
    assert (answer.code, answer.err) == (0, "")
    shown = lines(answer.out)
    assert shown[:2] == [
        f"returning: both on the same {trained.test.rows} rows, as of 2024-02-03 .. 2024-02-07",
        "",
    ]
    assert shown[-2:] == [
        "",
        f"difference: version 1 minus version {early}, the same customers drawn for both; an interval that holds 0 tells no "
        "difference",
    ]

    def text(interval: dict[str, float]) -> str:
        digits = 1 if abs(interval["value"]) >= 100 else 3
        value, low, high = (f"{interval[key]:.{digits}f}" for key in ("value", "low", "high"))
        return f"{value} ({low} .. {high})"

    first, second = found["metrics"]
    assert cells("\n".join(shown[2:-2])) == [
        ["metric", "version 1", f"version {early}", "difference"],
        *[[name, text(first[name]), text(second[name]), text(found["differences"][name])] for name in names],
    ]


# --- train ----------------------------------------------------------------------------------------------------------


def test_a_training_is_told_from_its_rows_to_the_next_step(
    ask: Ask, trained_here: Shop, first_training: FirstTraining
) -> None:
    trained = first_training.trained
    counted = [
        sum(trained.rows[day] for day in days)
        for days in (trained.pinned.dates.train, trained.pinned.dates.test)
    ]

    answer = ask("train", MODEL, "--as-of", "2024-02-14", "--reason", "new data")

    assert answer.code == ExitCode.DONE
    assert [line.split("s  ", 1)[1] for line in lines(answer.err)] == [
        "pinning",
        "looking for look-ahead",
        "searching",
        "measuring",
        "keeping it in MLflow",
    ]
    shown = lines(answer.out)
    assert shown[:2] == [
        f"returning as of the night 2024-02-14: {counted[0]} rows of 7 dates to train on (2024-01-15 .. 2024-01-27), "
        f"{counted[1]} of 3 to test on (2024-02-03 .. 2024-02-07)",
        "",
    ]
    tables = cells(answer.out)[2:]
    assert tables[:5] == [
        ["tried (validation log_loss)", "value", "seconds"],
        *[[trial.name, f"{trial.value:.5f}", f"{trial.seconds:.1f}"] for trial in trained.fitted.trials],
        [],
    ]
    names = METRICS[ProblemKind.CLASSIFICATION]
    assert tables[5] == ["test", "this model", "base_rate", "recency"]
    assert [row[0] for row in tables[6 : 6 + len(names)]] == list(names)
    auc = trained.test.metrics["roc_auc"]
    assert tables[6 + names.index("roc_auc")][1] == f"{auc.value:.3f} ({auc.low:.3f} .. {auc.high:.3f})"
    assert shown[-12:] == [
        "",
        *[f"passed  {verdict.gate}: {verdict.text}" for verdict in trained.verdicts],
        "",
        "returning version 2 is the challenger: every gate passed (new data)",
        "put it to use: lakesmith models promote returning 2",
        "its card:      lakesmith models show returning 2",
    ]


def test_a_training_that_a_gate_refuses_exits_3_and_offers_no_promotion(
    ask: Ask, trained_here: Shop, first_training: FirstTraining
) -> None:
    (trained_here.root / "conf" / "dev.yml").write_text(
        "models: {returning: {gates: {minimum: {roc_auc: 0.99}}}}\n"
    )
    auc = first_training.trained.test.metrics["roc_auc"].value

    answer = ask("train", MODEL)

    assert answer.code == ExitCode.REJECTED
    shown = lines(answer.out)
    assert f"refused minimum: roc_auc {auc:.4f} should be at least 0.9900 (required)" in shown
    assert shown[-3:] == [
        "",
        "returning version 2 is kept, and cannot be promoted: a gate refused it (asked for)",
        "its card:      lakesmith models show returning 2",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ("revenu",),
            ExitCode.USAGE,
            "there is no model 'revenu'. Did you mean 'revenue'? Models: returning, revenue.",
        ),
        (
            (MODEL, "--as-of", "2024-02-01"),
            ExitCode.MISSING,
            "returning: as of the night 2024-02-01 there are 0 training dates, of which 6 are needed. The first night that this "
            "split can be trained on is 2024-02-12. Wait for it, or shorten the split: models.returning.split in settings",
        ),
        (
            (MODEL, "--as-of", "2024-02-16"),
            ExitCode.MISSING,
            "returning: gold.next_week 2024-02-09 is needed and was never published (needs bronze.orders 2024-02-15, which is "
            "missing, bronze.orders 2024-02-16, which is missing). Publish it first: lakesmith run --date 2024-02-16 --table "
            "gold.next_week",
        ),
    ],
    ids=["a model misspelt", "too early a night", "a night that was never run"],
)
def test_what_cannot_be_trained_is_told_before_any_work(
    ask: Ask, first_training: FirstTraining, arguments: Sequence[str], code: ExitCode, said: str
) -> None:
    shop = first_training.shop
    answer = ask("train", *arguments, "--project", str(shop.root))
    assert (answer.code, answer.out) == (code, "")
    assert answer.err.splitlines()[-1].startswith(f"error: {said}")
    assert shop.timeline().versions == (1,)


# --- score ----------------------------------------------------------------------------------------------------------


def test_a_day_is_scored_and_scored_again_by_the_version_asked_for(ask: Ask, here: Shop) -> None:
    here.promote(1, 40)
    scored = ask("score", "--date", "2024-02-09")
    assert scored.code == ExitCode.DONE
    assert lines(scored.out)[:2] == [
        "plan: 1 batch of 1 table to run",
        "  gold.scores  2024-02-09  missing: never published",
    ]
    before = here.rows(SCORES, "batch_date", "customer_id", "score")
    assert here.scored_by(40) == {40: {1}}
    here.promote(2, 41)

    again = ask("score", "--date", "2024-02-09")

    assert (again.code, again.err) == (ExitCode.DONE, "")
    assert again.out == "nothing to do for 2024-02-09: all 1 batches are fresh or closed.\n"
    assert here.scored_by(40) == {40: {1}}

    asked = ask("score", "--date", "2024-02-09", "--table", SCORES, "--model", "2", "--json")

    assert asked.code == ExitCode.DONE
    assert {t["table"]: t["published"] for t in asked.json["tables"]} == {SCORES: ["2024-02-09"]}
    assert here.scored_by(40) == {40: {2}}
    after = here.rows(SCORES, "batch_date", "customer_id", "score")
    assert [row[:2] for row in after] == [row[:2] for row in before]
    assert after != before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--table", "gold.customers"),
            "no table to score: gold.customers reads no model. Tables of scores: gold.revenue_scores, gold.scores",
        ),
        (
            ("--model", "2"),
            "a version belongs to one model: name the table, --table gold.revenue_scores",
        ),
        (
            ("--table", "gold.scores", "--model", "9"),
            "returning has no version 9. See what there is: lakesmith models list returning",
        ),
    ],
    ids=["a table without a model", "a version of which model", "a version that there is not"],
)
def test_a_score_that_cannot_be_is_a_mistake_of_usage(
    ask: Ask, two_versions: Shop, arguments: Sequence[str], said: str
) -> None:
    answer = ask("score", "--date", "2024-02-09", *arguments, "--project", str(two_versions.root))
    assert (answer.code, answer.out, answer.err) == (ExitCode.USAGE, "", f"error: {said}\n")


def test_a_model_that_cannot_be_loaded_is_told_with_the_way_back(ask: Ask, here: Shop) -> None:
    here.promote(1, 40)
    (here.artifacts(1) / "model" / "lakesmith.json").unlink()

    answer = ask("score", "--date", "2024-02-09")

    assert answer.code == ExitCode.FAILED
    assert (
        "not published; readers keep what was there before:\ngold.scores failed 2024-02-09: ModelUnusable: "
        in answer.out
    )
    assert "Take the champion before it: lakesmith models rollback returning" in answer.out
