"""What scores come out when nothing is there: refitted nulls that keep the recordings' autocorrelation.

For a fixed alpha the cross-validated prediction of all scans is a linear map of the responses, P = H Y, where H has
zeros wherever a test scan would see its own fold. A refit on permuted responses is then one matrix product, H perm(Y):
as honest as fitting anew, at a fraction of the price. (Comparing permuted responses with predictions that were fitted
once is not honest: run j trains k and k trains j, so the folds' scores are correlated, and 5% become 12-18%.)
"""

from collections.abc import Iterator

import numpy as np
import torch

from brainbook.encoding.delays import run_slices
from brainbook.encoding.solver import Space

NULLS = ("shift", "phase")


def linear_maps(space: Space, splits: list, alphas: np.ndarray) -> Iterator[tuple[float, torch.Tensor]]:
    """For each alpha the map H [scans, scans] from responses to their cross-validated predictions.

    Parameters
    ----------
    space : the features.
    splits : list of (training scans, test scans); no scan tests twice.
    alphas : the alphas wanted.

    Yields
    ------
    (alpha, H), H in the space's precision; rows of scans that never test are zero. Predictions H Y lack the mean, which
    no correlation within a fold needs.
    """
    folds = []
    for train, test in splits:
        fold = space.fold(train, [test])
        left = fold.whole_left()
        if space.z.shape[1]:  # responses lose what the intercept and nuisance signals explain in training
            z = space.z[train].to(left.dtype)
            left = left - torch.linalg.pinv(z).T @ (z.T @ left)
        folds.append((train, test, fold.values, fold.rights[0], left))
    n = len(space.x)
    for alpha in alphas:
        mapping = torch.zeros(n, n, device=space.device, dtype=space.dtype)
        for train, test, values, right, left in folds:
            rows = (right / (values + alpha)) @ left.T  # test scans, training scans
            mapping[torch.as_tensor(test)[:, None], torch.as_tensor(train)] = rows
        yield float(alpha), mapping


class Compact:
    """A linear map as a product of two thin matrices where that is cheaper, or as it is.

    The directions left out carry less than `tolerance` of the map's Frobenius norm: in a null prediction that is noise
    of a hundredth of its size, far below what 1,000 permutations resolve.
    """

    def __init__(self, mapping: torch.Tensor, tolerance: float = 0.01):
        self.whole, self.inner, self.outer = mapping, None, None
        if tolerance <= 0:
            return
        values, vectors = torch.linalg.eigh((mapping.T @ mapping).double())
        values = values.clamp_min(0)
        left_out = values.cumsum(0) <= tolerance**2 * values.sum()
        rank = len(values) - int(left_out.sum())
        if rank < 0.4 * len(mapping):
            self.inner = vectors[:, len(values) - rank :].to(mapping.dtype)  # scans, rank
            self.outer = mapping @ self.inner

    def __call__(self, responses: torch.Tensor) -> torch.Tensor:
        if self.inner is None:
            return self.whole @ responses
        return self.outer @ (self.inner.T @ responses)


class Permutations:
    """Random rearrangements of the responses within runs, the same for all targets, so that their relations stay.

    "shift": each run's scans move in a circle by a random number of scans; every value and nearly all of the
    autocorrelation stay. "phase": each run keeps its mean and power spectrum, with random phases (Theiler et al. 1992,
    Physica D 58, 77-94): the same phases for all targets, for a run its own.

    Parameters
    ----------
    runs : array [scans].
    null : "shift" or "phase".
    count : how many.
    seed : the k-th permutation depends on the seed and k alone.
    """

    def __init__(self, runs: np.ndarray, null: str, count: int, seed: int):
        if null not in NULLS:
            raise ValueError(f'null is "shift" or "phase", not {null!r}')
        self.parts, self.null, self.count = run_slices(runs), null, count
        self.n_scans = len(runs)
        rng = np.random.default_rng(seed)
        lengths = np.array([part.stop - part.start for part in self.parts])
        if null == "shift":  # row by row, so that more permutations begin with the same ones
            self.draws = (rng.random((count, len(lengths))) * lengths).astype(int)
        else:
            sizes = lengths // 2 + 1
            self.draws = np.split(2 * np.pi * rng.random((count, sizes.sum())), np.cumsum(sizes)[:-1], axis=1)
            for draws, length in zip(self.draws, lengths, strict=True):
                draws[:, 0] = 0  # the mean stays
                if length % 2 == 0:  # the highest frequency of an even length is real: its sign may change
                    draws[:, -1] = np.where(draws[:, -1] < np.pi, 0, np.pi)

    def of(
        self, responses: torch.Tensor, at_once: int = 1, start: int = 0, stop: int | None = None
    ) -> Iterator[torch.Tensor]:
        """Yield permutations of responses [scans, targets], `at_once` together: [scans, permutations, targets].

        start, stop : the first one and the one before which to end; all by default.
        """
        device, spectra = responses.device, None
        stop = self.count if stop is None else min(stop, self.count)
        if self.null == "phase":
            spectra = [torch.fft.rfft(responses[part], dim=0) for part in self.parts]
        for first in range(start, stop, at_once):
            chosen = slice(first, min(first + at_once, stop))
            if self.null == "shift":
                yield responses[torch.as_tensor(self._sources(chosen)).to(device)]
                continue
            out = responses.new_empty(self.n_scans, chosen.stop - chosen.start, responses.shape[1])
            for draws, spectrum, part in zip(self.draws, spectra, self.parts, strict=True):
                angle = torch.as_tensor(draws[chosen].T, device=device).to(responses.dtype)  # frequencies, permutations
                turn = torch.polar(torch.ones_like(angle), angle)
                turned = spectrum[:, None, :] * turn[:, :, None]
                out[part] = torch.fft.irfft(turned, n=part.stop - part.start, dim=0)
            yield out

    def _sources(self, chosen: slice) -> np.ndarray:
        """Which scan each scan's value comes from, array [scans, permutations]."""
        rows = []
        for number, part in enumerate(self.parts):
            length = part.stop - part.start
            rows.append(part.start + (np.arange(length)[:, None] - self.draws[chosen, number]) % length)
        return np.concatenate(rows)


def fold_correlations(predicted: torch.Tensor, observed: torch.Tensor, tests: list) -> torch.Tensor:
    """r in every fold, tensor [folds, targets], from predictions and responses [scans, targets]."""
    scores = predicted.new_empty(len(tests), predicted.shape[1])
    for place, test in enumerate(tests):
        p, o = predicted[test], observed[test]
        n = len(p)
        p_sum, o_sum = p.sum(0), o.sum(0)
        spread = (p.square().sum(0) - p_sum.square() / n) * (o.square().sum(0) - o_sum.square() / n)
        scores[place] = ((p * o).sum(0) - p_sum * o_sum / n) / spread.clamp_min(1e-30).sqrt()
    return scores.nan_to_num_(0.0).clamp_(-0.999999, 0.999999)
