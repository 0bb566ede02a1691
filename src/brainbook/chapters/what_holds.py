"""What the chapters `what_holds_brains` and `what_holds_numbers` need: claims, the cases that test them, verdicts.

A test of a claim has cases, such as models, languages or groups of regions; each is an estimate with a 95% interval and
a reference, 0 or chance, that lies above where the claim is right. `published.claims` says which rows of which
results are the cases of a claim, and which are its controls: estimates that must lie above their reference before the
test says anything, such as a score that is above zero, or a model that has learned what it was trained for.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from scipy import stats

from brainbook.chapters import published
from brainbook.chapters.participants import group
from brainbook.datasets.description import recordings_folder
from brainbook.errors import ConfigurationError
from brainbook.number_sense.claims import criteria
from brainbook.stats import mean_interval
from brainbook.workflow import ARCHIVE, ROOT, format_interval, latest_table, results

HOLDS, IN_PART, OPEN, AGAINST = "holds", "holds in part", "does not show here", "contradicted"
UNDECIDED, NO_CONTROL = "cannot be decided", "no verdict: a control does not pass"
CONTROL_NOT_RUN = "no verdict: a control was not run"
NOT_RUN, UNTESTABLE, NOT_HERE = "not run", "cannot be tested", "not tested here"
REAL = "ds003643"  # the recordings of the paper
KEYS = ["claim", "label", "test", "data", "chapter"]
COLUMNS = [*KEYS, "role", "case", "value", "lower", "upper", "reference"]
CONTROLS = ("word count", "speech or silence")  # what stands beside models in tables of scores
BY_CHANCE = 0.025  # how often an interval lies above its reference by chance


def brain_cases(study: str, data: str | Path, root: str | Path = ROOT) -> pd.DataFrame:
    """Gather the cases and controls of every claim of Luo & Kobayashi from the runs of a study, one row each.

    Parameters
    ----------
    study : whose results are read; archived tables of other studies stand beside them.
    data : the study's recordings; a folder with a known truth is a phantom's.

    Returns
    -------
    DataFrame: claim, label, test, data ("phantom", "ds003643", "Alice", "XNLI"), chapter, role ("test", "control", or
    "none" for what cannot be tested), case, value, lower, upper, reference. A test whose run is missing has one row
    without a value. Of a phantom every claim has one more row, for the real recordings.

    Raises ConfigurationError when no study is named or it has no results.
    """
    if not study:
        raise ConfigurationError("this page gathers the runs of a study: give its name, as `study: demo`")
    phantom = (recordings_folder(data) / "truth").is_dir()
    kinds = {"recordings": "phantom" if phantom else REAL, "sentences": "phantom" if phantom else "XNLI"}
    results(study, root=root)  # raises where there are none
    parts = []
    for spec in published.claims().to_dict("records"):
        if spec["data"] == (REAL if phantom else "phantom"):
            continue  # a control of the other kind of recordings
        about = {key: spec[key] for key in (*KEYS, "role")} | {"data": kinds.get(spec["data"], spec["data"])}
        rows = _rows(spec, study, root) if spec["role"] != "none" else None
        parts.append((pd.DataFrame({"case": [""]}) if rows is None or rows.empty else rows).assign(**about))
    cases = pd.concat(parts, ignore_index=True).reindex(columns=COLUMNS)
    if not phantom:
        return cases
    absent = (
        published.claims().query("data == 'recordings'").drop_duplicates("claim")[[*KEYS, "role"]].assign(data=REAL)
    )
    absent["role"] = absent.role.replace("test", NOT_HERE)
    both = pd.concat([cases, absent])
    return both.sort_values("claim", key=lambda numbers: numbers.astype(int), kind="stable", ignore_index=True)


def _rows(spec: dict, study: str, root: str | Path) -> pd.DataFrame | None:
    """Return case, value, lower, upper, reference of one line of `published.claims`; None where it was not run."""
    source, derive = DERIVED.get(spec["table"], (spec["table"], None))
    try:
        if spec["study"]:
            archived = latest_table(spec["study"], source, root)
            rows = None if archived is None else archived.rows
        else:
            rows = results(study, source, root)
            rows = rows[(rows.run == spec["run"]) | rows.run.str.startswith(spec["run"] + "/")]
    except ConfigurationError:  # no run of the study has this table
        return None
    if rows is None or rows.empty:
        return None
    rows = derive(rows) if derive else rows
    rows = rows.query(spec["rows"], engine="python") if spec["rows"] else rows
    case = rows[spec["case"].split(" + ")].astype(str).agg(" ".join, axis=1) if spec["case"] else ""
    ends = {name: rows[spec["value"] if name == "value" else name] for name in ("value", "lower", "upper")}
    return pd.DataFrame(ends).assign(case=case, reference=float(spec["reference"]))


def _paired(scores: pd.DataFrame, pairs: dict[str, tuple[tuple[str, str], tuple[str, str]]]) -> pd.DataFrame:
    """Compare (model, alignment) with another, by name of the pair and group of regions, over all participants."""
    means = group.mean_over_runs(scores.rename(columns={"run_in_table": "section"}))
    tables = [pd.DataFrame(columns=["model", "group", "value", "lower", "upper"])]
    for name, sides in pairs.items():
        first, second = (dict(zip(("model", "alignment"), side, strict=True)) for side in sides)
        gain = group.paired_differences(means, first, second)
        tables.append(group.group_intervals(gain, ["group"]).assign(model=name))
    return pd.concat(tables[1:] or tables, ignore_index=True)


def _models(scores: pd.DataFrame, alignment: str = "VLA") -> list[str]:
    names = scores.model[scores.alignment == alignment].unique()
    return [name for name in names if name not in CONTROLS and not name.startswith("untrained:")]


def vla_minus_fla(scores: pd.DataFrame) -> pd.DataFrame:
    """Compare the alignments within participants, for each model that has both. Columns: model, group, value, ends."""
    return _paired(scores, {name: ((name, "VLA"), (name, "FLA")) for name in _models(scores, "FLA")})


def brainlm_minus_others(scores: pd.DataFrame) -> pd.DataFrame:
    """Compare BrainLM 2.0 with each other model that was tried under both alignments, both under VLA."""
    names = _models(scores, "FLA")
    brain = next((name for name in names if name.endswith("brainlm-2")), "")
    others = [name for name in names if brain and name != brain]
    return _paired(scores, {f"minus {name}": ((brain, "VLA"), (name, "VLA")) for name in others})


def trained_minus_untrained(scores: pd.DataFrame) -> pd.DataFrame:
    """Compare each model with its untrained twin, where there is one, both under VLA."""
    untrained = {f"untrained:{name}": name for name in _models(scores)}
    twins = {untrained[name]: name for name in scores.model.unique() if name in untrained}
    return _paired(scores, {name: ((name, "VLA"), (twin, "VLA")) for name, twin in twins.items()})


def change_minus_placebo(table: pd.DataFrame) -> pd.DataFrame:
    """Compare, within participants, the change by transfer with that by shuffled translations, in each language."""
    wide = table[table.group == "cortex"].pivot_table("value", ["language", "participant"], "model")
    gain = (wide["after"] - wide["shuffled"]).dropna().rename("value").reset_index()
    return group.group_intervals(gain, ["language"])


def gain_from_brains(table: pd.DataFrame) -> pd.DataFrame:
    """Compare, over seeds, the loss of BrainLMs trained with another's brain, and with none, with that of their own."""
    wide = table[table.measure == "words, brain in view"].pivot(index="seed", columns="brain", values="value")
    return pd.concat([mean_interval(wide[name] - wide["real"]).to_frame(case=[name]) for name in ("shuffled", "none")])


def left_minus_right_as_printed(table: pd.DataFrame) -> pd.DataFrame:
    """Turn differences of the hemispheres so that they are positive where they go the way of the published ones."""
    table = table.dropna(subset="published")
    sign = np.sign(table.published)
    ends = pd.DataFrame({"lower": sign * table.lower, "upper": sign * table.upper})
    return table.assign(value=sign * table.value, lower=ends.min(axis=1), upper=ends.max(axis=1))


# name in `published.claims`: the saved table, what makes cases of it
DERIVED: dict[str, tuple[str, Callable[[pd.DataFrame], pd.DataFrame]]] = {
    "vla_minus_fla": ("scores", vla_minus_fla),
    "brainlm_minus_others": ("scores", brainlm_minus_others),
    "trained_minus_untrained_twin": ("scores", trained_minus_untrained),
    "change_minus_placebo": ("change_by_participant", change_minus_placebo),
    "gain_from_brains": ("brains", gain_from_brains),
    "left_minus_right_as_printed": ("left_minus_right_by_language", left_minus_right_as_printed),
}


def number_cases(
    studies: list[str],
    root: str | Path = ROOT,
    archive: str | Path = ARCHIVE,
    completed_by: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Gather the criteria of every claim of Noda, Soda & Yamashita, and our own, from archived studies.

    Parameters
    ----------
    studies : each has the tables `criteria` and `claims`; its results here go before what is archived.
    completed_by : study -> another one with more arms and designs, which decides the claims that the study leaves out.

    Returns
    -------
    As `brain_cases`, one row per criterion that asks for something above its reference, with the verdict of
    `number_sense.claims` and how many criteria were met. A claim that was decided nowhere, not by all of its criteria,
    or by others than today's has one row without a value.
    """
    asked = criteria().groupby("claim", sort=False).criterion.agg(set)
    parts = []
    for study in studies:
        rows = pd.DataFrame({"claim": asked.index, "criterion": "", "kind": "above", "verdict": NOT_RUN})
        for name in (study, (completed_by or {}).get(study, "")):
            missing = set(rows.claim[rows.verdict == NOT_RUN])
            decided = _decided(name, asked[list(missing)], root, archive)
            rows = pd.concat([decided, rows[~rows.claim.isin(decided.claim)]])
        rows = rows.sort_values("claim", key=lambda names: names.map(list(asked.index).index), kind="stable")
        rows = rows[rows.kind == "above"].rename(columns={"criterion": "case", "difference": "value"})
        parts.append(rows.reindex(columns=[*COLUMNS, "verdict", "criteria met"]).assign(data=study))
    cases = pd.concat(parts, ignore_index=True).assign(chapter="number_sense", role="test", reference=0.0, test="")
    cases["claim"], cases["label"] = zip(*cases.claim.str.split(" ", n=1), strict=True)
    return cases.assign(**{name: cases[name].fillna("") for name in ("case", "criteria met")})


def _decided(study: str, asked: pd.Series, root: str | Path, archive: str | Path) -> pd.DataFrame:
    """Return the criteria and verdicts of a study for those claims of `asked` that it decided by exactly these."""
    tables: list[Any] = [latest_table(study, name, root, archive) for name in ("criteria", "claims")] if study else []
    if not tables or not all(tables):
        return pd.DataFrame(columns=["claim"])
    decided, given = tables[0].rows.drop(columns="value"), tables[1].rows[["claim", "verdict", "criteria met"]]
    answered = decided.groupby("claim").criterion.agg(set)
    current = [claim for claim, names in answered.items() if names == asked.get(claim)]
    return decided[decided.claim.isin(current)].merge(given, on="claim")


def origins(studies: list[str]) -> str:
    """Return when, by what and at which commit the claims of each study were decided, as sentences for `glue`."""
    tables = {study: latest_table(study, "claims") for study in studies}
    return " ".join(f"*{study}*: {it.origin() if it else 'not run, and not archived.'}" for study, it in tables.items())


def verdicts(cases: pd.DataFrame) -> pd.DataFrame:
    """Decide every test of every claim.

    Parameters
    ----------
    cases : rows as from `brain_cases`.

    Returns
    -------
    One row per claim, test and data: verdict, met (in how many cases the interval lies above the reference), and of the
    case that lies lowest: case, value, lower, upper, reference.

    A claim holds if the intervals of all its cases lie above their reference; in part, if more of them do than one in
    forty explains, which is what chance lets through; it is contradicted if none does and more than that lie below. A
    control whose interval does not lie above its reference leaves no verdict.
    """
    rows = []
    for key, part in cases.groupby(KEYS, sort=False):
        tests, controls = part[part.role != "control"], part[part.role == "control"]
        about = {"verdict": verdict(tests, controls), "met": ""}
        if "verdict" in part:  # decided before, from criteria of several kinds
            about = {"verdict": part.verdict.iloc[0], "met": part["criteria met"].iloc[0]}
        elif tests.value.notna().any():
            about["met"] = f"{(tests.lower > tests.reference).sum()} of {len(tests)}"
        lowest = tests.loc[strength(tests).idxmin()] if strength(tests).notna().any() else tests.iloc[0]
        ends = lowest[["case", "value", "lower", "upper", "reference"]].to_dict()
        rows.append(dict(zip(KEYS, key, strict=True)) | about | ends)
    return pd.DataFrame(rows)


def strength(cases: pd.DataFrame) -> pd.Series:
    """Return how far each case lies above its reference, in half-widths of its interval: above 1 excludes it."""
    half = (cases.upper - cases.lower).clip(lower=1e-12) / 2
    return (cases.value - cases.reference) / half


def verdict(tests: pd.DataFrame, controls: pd.DataFrame) -> str:
    """Decide one test from its cases and its controls (columns role, value, lower, upper, reference)."""
    fixed = {"none": UNTESTABLE, NOT_HERE: NOT_HERE}
    if tests.value.isna().all():
        return fixed.get(tests.role.iloc[0], NOT_RUN)
    if controls.lower.isna().any():
        return CONTROL_NOT_RUN
    if not (controls.lower > controls.reference).all():
        return NO_CONTROL
    if tests.lower.isna().all():
        return UNDECIDED
    above, below = (tests.lower > tests.reference).sum(), (tests.upper < tests.reference).sum()
    if above == len(tests):
        return HOLDS
    if _beyond_chance(above, len(tests)):
        return IN_PART
    return AGAINST if above == 0 and _beyond_chance(below, len(tests)) else OPEN


def _beyond_chance(count: int, n: int) -> bool:
    return stats.binomtest(int(count), n, BY_CHANCE, alternative="greater").pvalue < 0.05


def compact(table: pd.DataFrame) -> pd.DataFrame:
    """Return verdicts as a page shows them; the column `where` is a link to the chapter of the test."""
    lowest = [_lowest(row) if row.value == row.value else "" for row in table.itertuples()]
    shown = table[["claim", "data", "test", "verdict", "met"]].assign(claim=table.claim + " " + table.label)
    shown["lowest case"] = lowest
    links = [Markup(f'<a href="{name}.html">{name}</a>') for name in table.chapter]
    shown["where"] = pd.Series(links, shown.index, dtype=object)
    return shown.rename(columns={"test": "our test", "met": "cases that agree"}).reset_index(drop=True)


def describe(table: pd.DataFrame, claim: str) -> str:
    """Return all verdicts on one claim as a sentence for `glue`: test, verdict, the lowest case with its interval."""
    texts = []
    for row in table[table.claim == claim].itertuples():
        agree = f" ({row.met} cases agree; the lowest is {_lowest(row)})" if row.met else ""
        texts.append(f"*{row.data}*{', ' * bool(row.test)}{row.test}: **{row.verdict}**{agree}")
    return "; ".join(texts)


def _lowest(row: pd.Series) -> str:
    return f"{row.case}: {format_interval(row)}" if row.case else format_interval(row)


def drawn(cases: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Return what `plots.claims_overview` draws: every case that is no control, with its strength and its verdict.

    Real data share a panel beside the phantom's, each with its name once; without a phantom they have one each.
    """
    cases = cases[cases.role != "control"].drop(columns="verdict", errors="ignore")
    cases = cases.merge(table[[*KEYS, "verdict"]], on=KEYS)
    panel, note = cases.data, ""
    if (phantom := cases.data == "phantom").any():
        panel = panel.where(phantom, "real")
        note = cases.data.mask(phantom | cases.duplicated(["claim", "data"]), "")
    return cases.assign(claim=cases.claim + " " + cases.label, strength=strength(cases), panel=panel, note=note)
