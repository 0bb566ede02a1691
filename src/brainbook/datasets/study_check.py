"""What is in a dataset and what is wrong with it, in plain words, before any model is loaded."""

import contextlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainbook.datasets.atlas import HEARING, functional_groups
from brainbook.datasets.base import Dataset
from brainbook.datasets.bids import DescribedDataset
from brainbook.datasets.files import is_pointer
from brainbook.datasets.opening import open_dataset
from brainbook.errors import BrainbookError

LONGEST_LAG = 12.0  # seconds that words and recordings are shifted by to find where they fit
NEAR = 2.0  # seconds that the best lag may differ from none, as responses differ between participants and regions
EDGE = 16.0  # seconds at each end of a run that do not count: any story begins and ends there
SHORTEST = 90.0  # seconds of a run in which words can be shifted away from themselves
N_SHIFTS = 49  # shifted copies of the words that the fit is compared with
ENOUGH = 10.0  # minutes of recordings, all participants together, in which words that fit would be seen to
MOST_OUTSIDE = 0.3  # of a section's words, where its recording was trimmed
WORDS_A_MINUTE = (40, 400)  # of speech in any language
CLOCKS_DIFFER = 0.3  # of a scan, between participants


@dataclass
class Report:
    """What `check` found. `print` shows it; `ok` says whether the chapters may run.

    Attributes
    ----------
    lines : what is there. warnings : what looks odd. problems : what has to be mended.
    """

    lines: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether there is no problem."""
        return not self.problems

    def __str__(self) -> str:
        parts = [*self.lines]
        parts += [f"Note: {line}" for line in self.warnings] + [f"Problem: {line}" for line in self.problems]
        parts.append("Words and recordings are ready." if self.ok else f"Not ready: {len(self.problems)} to mend.")
        return "\n".join(parts)

    def attempt(self, do: Callable, *arguments: Any) -> Any:
        """Call a function; what it raises becomes a problem (and None is returned), what it warns of a warning."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                return do(*arguments)
            except BrainbookError as error:
                self._add(self.problems, str(error))
                return None
            finally:
                for warning in caught:
                    if issubclass(warning.category, UserWarning | RuntimeWarning):
                        self._add(self.warnings, str(warning.message))

    @staticmethod
    def _add(lines: list[str], line: str) -> None:
        if line not in lines:
            lines.append(line)


def check(study: str | Path | Dataset, n_participants: int = 3, cache: str | Path | None = None) -> Report:
    """Say in plain words what a dataset holds, what is missing, and whether its words and recordings fit.

    Parameters
    ----------
    study : a description, a folder, or an open dataset.
    n_participants : so many of each language have their responses read, to see whether they follow the words: the
        number of words in each scan, convolved with the haemodynamic response, is correlated with their mean response
        where hearing begins (or else in auditory regions, or everywhere) at several lags (`lag_check`), without the
        edges of runs, and so are copies of the words that are shifted far away.
    cache : folder of what is computed from recordings, for the chapters to find; None stores nothing.

    Returns
    -------
    Report. Nothing that is wrong with the data is raised.

    Examples
    --------
    >>> report = check("no_such_study.yaml")
    >>> report.ok
    False
    """
    report = Report()
    dataset = report.attempt(open_dataset, study) if isinstance(study, str | Path) else study
    if dataset is None:
        return report
    simulated = " (a phantom: simulated recordings)" if dataset.is_phantom else ""
    known = "" if dataset.is_phantom else getattr(dataset, "license", "")
    licence = f"; licence of the recordings: {known}" if known else ""
    report.lines.append(f"{getattr(dataset, 'name', type(dataset).__name__)} in {dataset.root}{simulated}{licence}")
    for language in dataset.languages:
        words = report.attempt(dataset.words, language)
        names = report.attempt(dataset.participants, language)
        tr = report.attempt(getattr, dataset, "tr")
        if words is None or names is None or tr is None:
            continue
        described = report.attempt(_describe_participants, dataset, language, names)
        scans, starts = report.attempt(dataset.scans, language), report.attempt(dataset.starts, language)
        if described is None or scans is None or starts is None:
            continue
        report.lines += described
        report.lines += _describe_sections(dataset, language, words, scans, starts, report)
        absent = _check_runs(dataset, names, scans, report)
        if report.ok:
            there = [name for name in names if name not in absent][:n_participants]
            _check_fit(dataset, language, there, words, scans, starts, cache, report)
    return report


def _describe_participants(dataset: Dataset, language: str, names: list[str]) -> list[str]:
    listed = ", ".join(names[:4]) + (f", ... {names[-1]}" if len(names) > 4 else "")
    line = f"{language}: {_count(names)} ({listed}), a scan every {dataset.tr:g} s"
    reasons = dataset.reasons(language) if isinstance(dataset, DescribedDataset) else getattr(dataset, "left_out", {})
    return [line, *(f"  left out: {name}, {why}" for name, why in reasons.items())]


def _describe_sections(
    dataset: Dataset, language: str, words: pd.DataFrame, scans: dict, starts: dict, report: Report
) -> list[str]:
    """Return a line for each section; words that lie outside its scans, or are too many or few, are problems."""
    lines = []
    names = _section_names(dataset, language, scans)
    for section, n_scans in scans.items():
        heard = words[words["section"] == section]
        name = names[section]
        scan = np.floor((heard["onset"].to_numpy() + starts[section]) / dataset.tr + 1e-9)
        outside = int(((scan < 0) | (scan >= n_scans)).sum())
        minutes = max(float(heard["offset"].max() - heard["onset"].min()), 1e-9) / 60
        lines.append(
            f"  {name}: {len(heard):,} words in {minutes:.1f} min, {n_scans} scans ({n_scans * dataset.tr / 60:.1f} "
            f"min); the words' clock starts {starts[section]:+.2f} s from the first scan"
        )
        if outside:
            few = outside <= MOST_OUTSIDE * len(heard)
            (report.warnings if few else report.problems).append(
                f"{language}, {name}: {outside} of {len(heard)} words lie outside its {n_scans} scans: "
                + ("they count for nothing" if few else "check start, lead_in, trimmed and skip_first, and its times")
            )
        rate, (least, most) = len(heard) / minutes, WORDS_A_MINUTE
        if len(heard) >= 20 and not least <= rate <= most:
            report.problems.append(
                f"{language}, {name}: {rate:.0f} words a minute, where speech has {least} to {most}: are its times in "
                f"seconds, and is each word there once?"
            )
    if isinstance(dataset, DescribedDataset):
        _check_clocks(dataset, language, scans, report)
        if dataset.description.confounds and not dataset.description.nuisance:
            report.warnings.append("confounds are named and not used: say which columns to regress out, as nuisance")
    return lines


def _section_names(dataset: Dataset, language: str, scans: dict) -> dict[int, str]:
    """Return the story of each section, with its number where a story has several."""
    if isinstance(dataset, DescribedDataset):
        return {section.number: section.name for section in dataset.sections(language)}
    stories = {}
    with contextlib.suppress(BrainbookError):  # what is wrong with the runs is said elsewhere
        stories = {run.section: run.story for run in dataset.runs(dataset.participants(language)[0])}
    alone = [story for story in stories.values() if list(stories.values()).count(story) == 1]
    return {n: stories[n] if stories.get(n) in alone and stories[n] else f"section {n}" for n in scans}


def _check_clocks(dataset: DescribedDataset, language: str, scans: dict, report: Report) -> None:
    """Warn of stories that begin at another moment of a scan than in the first recording, and fill half a recording."""
    table = report.attempt(dataset.clock_differences, language)
    if table is not None and (far := table[table["seconds"].abs() > CLOCKS_DIFFER * dataset.tr]).size:
        row = far.iloc[0]
        report.warnings.append(
            f"in {len(far)} of {len(table)} recordings the story begins at another moment of a scan than in the first "
            f"(of {row.participant} {row.seconds:+.2f} s in section {row.section}): words are that much off"
        )
    filled: dict[Path, list] = {}
    for take in dataset.takes(language):
        if not take.is_absent:
            entry = filled.setdefault(take.path, [0, take])
            entry[0] += scans[take.section.number]
    sparse = [(n, take) for n, take in filled.values() if n < take.recording.n_scans / 2]
    if sparse:
        n, take = sparse[0]
        report.warnings.append(
            f"{take.path.name}: only {n} of {take.recording.n_scans} scans are of a story (so in {len(sparse)} "
            "recordings): if the rest is no other task, times are not in seconds, or a section is missing"
        )


def _check_runs(dataset: Dataset, names: list[str], scans: dict, report: Report) -> list[str]:
    """Check every participant's runs and nuisance signals; return those who are not wholly downloaded."""
    absent = []
    for name in names:
        runs = report.attempt(dataset.runs, name)
        if runs is None:
            continue
        expected = list(scans.items())
        found = [(run.section, run.n_scans) for run in runs]
        if found != expected:
            report.problems.append(f"{name}: runs() has the sections and scans {found}, scans() says {expected}")
            continue
        lacking = [run for run in runs if is_pointer(run.path)]
        if lacking:
            absent.append(name)
            report.problems.append(
                f"{name}: {len(lacking)} of {len(runs)} recordings are not downloaded, such as {lacking[0].path}"
            )
            continue
        nuisance, total = report.attempt(dataset.nuisance, name), sum(scans.values())
        if nuisance is not None and (np.ndim(nuisance) != 2 or len(nuisance) != total):
            report.problems.append(
                f"{name}: nuisance() has the shape {np.shape(nuisance)}, [{total} scans, signals] is expected"
            )
        elif nuisance is not None and name == names[0]:
            report.lines.append(f"  nuisance: {np.shape(nuisance)[1]} signals, regressed out inside the training folds")
    return absent


def _check_fit(
    dataset: Dataset,
    language: str,
    names: Any,
    words: Any,
    scans: Any,
    starts: Any,
    cache: str | Path | None,
    report: Report,
) -> None:
    """Compare the mean response of some participants with the one that speech should evoke."""
    responses = [report.attempt(dataset.responses, name, dataset.targets[0], cache) for name in names]
    if not names or any(each is None for each in responses):
        return
    runs, total = responses[0].run_of_scan, sum(scans.values())
    for name, each in zip(names, responses, strict=True):
        if not np.array_equal(each.run_of_scan, np.repeat(list(scans), list(scans.values()))):
            report.problems.append(
                f"{name}: responses() has {len(each.run_of_scan)} scans, or others than scans(), which has {total}"
            )
            return
    regions = responses[0].names["region"]
    auditory = functional_groups().query("group == 'auditory'").region
    heard = regions.isin(HEARING if regions.isin(HEARING).any() else auditory).to_numpy()
    chosen = heard if heard.any() else np.ones(len(heard), bool)
    means = [
        _mean_response(each.values[:, chosen], runs, dataset.nuisance(name))
        for name, each in zip(names, responses, strict=True)
    ]
    mean = np.mean(means, axis=0)
    where = "auditory regions" if heard.any() else "all targets"
    if not np.isfinite(mean).all():
        report.problems.append(f"{language}: {where} have no signal in some of the scans")
        return
    fit = best_fit(count_words(words, scans, starts, dataset.tr), mean, runs, dataset.tr)
    if fit is None:
        report.warnings.append(f"{language}: its sections are too short to tell whether words and recordings fit")
        return
    lag, r, p = fit
    near = abs(lag) <= max(NEAR, dataset.tr) + 1e-6
    line = (
        f"{language}: responses of {where} follow the words best at a lag of {lag:+.1f} s (r = {r:.2f}, "
        f"{_count(names)}; p = {p:.2f}, among {N_SHIFTS} shifts of the words)"
    )
    if p <= 0.05 and near:
        report.lines.append(line)
    elif p <= 0.05:
        late, change = ("later", "more") if lag > 0 else ("earlier", "less")
        report.problems.append(
            f"{line}: responses come {abs(lag):.1f} s {late} than the words say. If scans were cut off or added, or "
            f"the sound began at another moment, start has to be {abs(lag):.1f} s {change}"
        )
    elif near or len(names) * total * dataset.tr / 60 < ENOUGH:
        report.warnings.append(f"{line}: no better than by chance; more participants may show whether they fit")
    else:
        report.problems.append(
            f"{line}: no better than by chance. Are these the words of this story, in this order, and its recordings?"
        )


def _mean_response(values: np.ndarray, runs: np.ndarray, nuisance: np.ndarray | None) -> np.ndarray:
    """Return the mean of a participant's targets [scans], less what nuisance signals explain of it in each run."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)  # no target has a signal: NaN
        mean = np.nanmean(values, axis=1, dtype=float)
    if nuisance is not None and np.isfinite(mean).all():
        for run in dict.fromkeys(runs.tolist()):
            scans = runs == run
            mean[scans] -= nuisance[scans] @ np.linalg.lstsq(nuisance[scans], mean[scans], rcond=None)[0]
    return mean


def _count(names: list[str]) -> str:
    return f"{len(names)} participant{'s' * (len(names) != 1)}"


def count_words(words: pd.DataFrame, scans: dict[int, int], starts: dict[int, float], tr: float) -> np.ndarray:
    """Count the words that begin in each scan, float array [scans of all sections]."""
    counts = []
    for section, n_scans in scans.items():
        onsets = words.loc[words["section"] == section, "onset"].to_numpy()
        scan = np.floor((onsets + starts[section]) / tr + 1e-9).astype(int)
        counts.append(np.bincount(scan[(scan >= 0) & (scan < n_scans)], minlength=n_scans))
    return np.concatenate(counts).astype(float)


def best_fit(
    counts: np.ndarray, response: np.ndarray, runs: np.ndarray, tr: float
) -> tuple[float, float, float] | None:
    """Find the lag at which a response follows the words best.

    Parameters
    ----------
    counts : words that begin in each scan, array [scans]. response : array [scans]. runs : array [scans].

    Returns
    -------
    lag : seconds by which the response comes later than it should.
    r : the correlation there, mean over runs.
    p : share of copies of the words, rolled by more than the longest lag within their runs, that fit as well at their
        own best lag, the true words counted among them. None in place of all three where every run is too short.
    """
    from brainbook.encoding import lag_check  # its imports take seconds

    most = max(1, round(LONGEST_LAG / tr))
    lags = range(-most, most + 1)

    def highest(words: np.ndarray) -> tuple[int, float]:
        curve = lag_check(words, response, runs, lags, tr, round(EDGE / tr)).groupby("lag")["value"].mean()
        return (int(curve.idxmax()), float(curve.max())) if curve.notna().any() else (0, 0.0)

    names, sizes = np.unique(runs, return_counts=True)
    long = np.isin(runs, names[sizes * tr > SHORTEST])
    if not long.any():
        return None
    counts, response, runs = counts[long], response[long], runs[long]
    lag, r = highest(counts)
    spoken = [np.flatnonzero((runs == run) & (counts > 0)) for run in dict.fromkeys(runs.tolist())]
    parts = [slice(scans.min(), scans.max() + 1) for scans in spoken if len(scans)]
    margin = round(2 * LONGEST_LAG / tr)  # no copy comes near the words themselves, whatever its lag
    as_high = 1
    for share in np.linspace(0, 1, N_SHIFTS):
        rolled = counts.copy()
        for part in parts:
            room = max(part.stop - part.start - 2 * margin, 0)
            rolled[part] = np.roll(counts[part], margin + round(share * room))
        as_high += highest(rolled)[1] >= r
    return lag * tr, r, as_high / (N_SHIFTS + 1)
