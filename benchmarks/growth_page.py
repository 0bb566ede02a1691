"""The page "How cost grows" and its figure, written from the tables of bench_growth.py."""

from pathlib import Path

import numpy as np
import pandas as pd

DISK_MB_S = 100.0  # assumed: what one server gives over a network of 1 Gbit/s
BENT = 1.25  # a time that is off the line by this factor is named
EUROS_PER_CORE_HOUR = 0.04  # assumed: a common price of rented cores; your centre's may differ

PAGE = """# How cost grows

This page is written by `{command}`. What one participant in full size takes is on the page
[How long will it take?](how_long.md); for a study of your own, `make check STUDY=...` does the sums.

## Twice as much of one thing

![{alt}](pictures/growth.png)

Leave one run out over {runs} runs, penalties chosen inside; {base} unless the axis says otherwise.
{threads}

{exponents}

An exponent of 1 means that twice as much takes twice as long, of 2 four times, of 0 nothing more. They are the slopes
of lines through the three largest values.

{reading}

{origin}

## The published design on many nodes

The study `paper` ({n_runs} runs) is scheduled as Slurm would: a run starts when all that it waits for is done and a
node is free, the longest chain first. A run takes what the measured rates of two CPU cores say; of GPUs the rates are
assumed (see [How long will it take?](how_long.md)). Nothing was sent to a cluster for this table.

{nodes}

{scaling}

'Disk' is what all runs together read and write on the disk that they share, over the time of the study: responses of
every participant, and states of words, as if every run both wrote and read them.

## 1,000 participants and 30 models

{example}

Models of 25 layers as large as BERT-large, each language's story read once; all layers over 148 regions, one layer over
20,484 vertices. {money}

{verdict}
"""


def exponents(curves: pd.DataFrame) -> pd.DataFrame:
    """Return by axis the powers with which CPU time and memory grow, over its three largest values.

    Returns a DataFrame: axis, cpu_s, memory_mb (the powers), at_one (CPU seconds of the fitted line at the value 1),
    off (the largest factor by which a CPU time lies off that line).
    """
    rows = {}
    for axis, part in curves.groupby("axis", sort=False):
        last = part.nlargest(3, "value")
        size, cpu = np.log(last.value), np.log(last.cpu_s)
        power, start = np.polyfit(size, cpu, 1)
        memory = np.polyfit(size, np.log(np.maximum(last.memory_mb, 1e-3)), 1)[0]
        off = np.exp(np.abs(cpu - start - power * size).max())
        rows[axis] = {"cpu_s": power, "memory_mb": memory, "at_one": np.exp(start), "off": off}
    return pd.DataFrame(rows).T.rename_axis("axis").reset_index()


def page(
    curves: pd.DataFrame, nodes: pd.DataFrame, costs: pd.DataFrame, *, origin: str, command: str, n_runs: int, base: str
) -> str:
    """Return the page "How cost grows" as Markdown, from its archived tables."""
    powers = exponents(curves).set_index("axis")
    first, last = (curves.groupby("axis").apply(lambda part, at=at: part.iloc[at]) for at in (0, -1))
    cells = [
        [axis, f"{first.value[axis]:,.0f} to {last.value[axis]:,.0f}",
         f"{first.cpu_s[axis]:.1f} to {last.cpu_s[axis]:.1f}", f"{powers.cpu_s[axis]:.1f}",
         f"{first.memory_mb[axis]:,.0f} to {last.memory_mb[axis]:,.0f}",
         f"{powers.memory_mb[axis]:.1f}" if last.memory_mb[axis] > 1.5 * first.memory_mb[axis] else "0"]
        for axis in powers.index
    ]  # fmt: skip
    columns = ["axis", "values", "CPU seconds", "exponent", "memory (MB)", "exponent"]
    cpu, gpu = (nodes[nodes.device == device].set_index("nodes") for device in ("cpu", "gpu"))
    return PAGE.format(
        command=command,
        alt="Six panels: CPU seconds against scans, features, targets, participants, layers and permutations, both "
        "axes logarithmic, each with a line of the measured slope",
        runs=n_runs,
        base=base,
        threads="One thread; CPU seconds, and memory beyond that of the imports, the data included.",
        exponents=_table(columns, "lrrrrr", cells),
        reading=_reading(powers),
        origin=origin,
        n_runs=int(nodes.runs.iloc[0]),
        nodes=_table(
            ["nodes", "hours, CPU", "busy", "disk (MB/s)", "hours, GPU (assumed)", "busy", "disk (MB/s)"],
            "rrrrrrr",
            [
                [
                    f"{n}",
                    *(f"{cpu.hours[n]:.1f}", f"{cpu.busy[n]:.0%}", f"{cpu.disk_mb_s[n]:.1f}"),
                    *(f"{gpu.hours[n]:.1f}", f"{gpu.busy[n]:.0%}", f"{gpu.disk_mb_s[n]:.1f}"),
                ]
                for n in cpu.index
            ],
        ),  # fmt: skip
        scaling=_scaling(cpu, "CPU nodes") + " " + _scaling(gpu, "nodes with a GPU (assumed rates)"),
        example=_example_table(costs),
        money=_money(costs),
        verdict=_verdict(cpu, gpu, costs),
    )


def _reading(powers: pd.DataFrame) -> str:
    """Say which axes grow faster and which slower than their size."""
    steep = [axis for axis in powers.index if powers.cpu_s[axis] > 1.2]
    flat = [axis for axis in powers.index if powers.cpu_s[axis] < 0.8]
    text = f"Time grows faster than the size with {_and(steep)}." if steep else "Nothing grows faster than its size."
    if flat:
        text += f" It grows more slowly with {_and(flat)}: what they share is computed once, so take many at a time."
    bent = [axis for axis in powers.index if powers.off[axis] > BENT]
    if bent:
        text += (
            f" Times of {_and(bent)} lie off the line by more than {BENT - 1:.0%}: the solver takes another way where "
            "that is less work, or a part that is the same for all sizes ends; the exponent is then only a mean."
        )
    return text


def _scaling(table: pd.DataFrame, what: str) -> str:
    """Say from how many nodes on more of them save less than a tenth."""
    chain, at = table.longest_chain_hours.iloc[0], table.loc[16]
    enough = next((n for n, hours in table.hours.items() if hours <= 1.1 * chain), None)
    text = f"On 16 {what} the study takes {at.hours:.1f} hours and keeps them {at.busy:.0%} busy; its longest chain of "
    text += f"runs alone takes {chain:.1f} hours, and no number of nodes goes below that."
    return text + (f" From {enough} on, more of them save less than a tenth." if enough else "")


def _example_table(costs: pd.DataFrame) -> str:
    names = {
        "download": "download (one line, assumed 10 MB/s)", "recordings": "recordings to the surface",
        "states": "states of words", "decomposition": "decompositions",
        "ridge_regions": "ridge, 148 regions, all layers", "ridge_vertices": "ridge, 20,484 vertices, one layer",
    }  # fmt: skip
    cells = [
        [names[row.stage], f"{row.units:,.0f}", f"{row.hours:,.0f}",
         "" if row.stage == "download" else f"{row.hours / 16:,.0f}", f"{row.disk_gb:,.0f}"]
        for row in costs.itertuples()
    ]  # fmt: skip
    computed = costs[costs.stage != "download"].hours.sum()
    cells.append(
        ["all that is computed", "", f"{computed:,.0f}", f"{computed / 16:,.0f}", f"{costs.disk_gb.sum():,.0f}"]
    )
    return _table(["what", "units", "hours, 2 cores", "hours, 16 nodes", "disk (GB)"], "lrrrr", cells)


def _money(costs: pd.DataFrame) -> str:
    hours = 2 * costs[costs.stage != "download"].hours.sum()
    return (
        f"That is {hours:,.0f} core-hours, or {hours * EUROS_PER_CORE_HOUR:,.0f} euros at an assumed "
        f"{EUROS_PER_CORE_HOUR:.2f} euros per core-hour."
    )


def _verdict(cpu: pd.DataFrame, gpu: pd.DataFrame, costs: pd.DataFrame) -> str:
    """Say whether the numbers ask for object storage or for a scheduler of small tasks."""
    computed = costs[costs.stage != "download"]
    example = 2 * computed.disk_gb.sum() * 1000 / (computed.hours.sum() / 16 * 3600)
    rates = {
        "on CPUs": cpu.disk_mb_s[16],
        "on GPUs at the assumed rates": gpu.disk_mb_s[16],
        "in this example": example,
    }
    text = "On 16 nodes the shared disk carries, on average, "
    text += _and([f"{rate:.1f} MB/s {what}" for what, rate in rates.items()])
    text += f"; one server on a network of 1 Gbit/s gives some {DISK_MB_S:.0f} MB/s (assumed). "
    text += (
        "It is enough: object storage would gain nothing. "
        if max(rates.values()) < DISK_MB_S
        else "That is too much for one server: spread the files over several, or over object storage. "
    )
    shares = {"on CPUs": _start_share(cpu), "on GPUs": _start_share(gpu)}
    text += f"Starting runs takes {_and([f'{share:.2%} of their time {what}' for what, share in shares.items()])}: "
    enough = max(shares.values()) < 0.02
    return text + (
        "a scheduler of smaller tasks, such as Dask, has nothing to save either."
        if enough
        else "a scheduler of smaller tasks, such as Dask, could save some of it."
    )


def _start_share(table: pd.DataFrame) -> float:
    """Return the share of a study's time that goes into starting its runs, 4 s each (`workflow.times`)."""
    return 4.0 * table.runs.iloc[0] / (table.hours.loc[1] * 3600)


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _table(columns: list[str], sides: str, cells: list[list[str]]) -> str:
    rule = "|" + "|".join({"l": "---", "r": "--:"}[side] for side in sides) + "|"
    return "\n".join(["| " + " | ".join(columns) + " |", rule, *("| " + " | ".join(row) + " |" for row in cells)])


def draw(curves: pd.DataFrame, path: Path) -> None:
    """Draw CPU seconds against every axis, with a line of the measured slope."""
    import matplotlib.pyplot as plt

    from brainbook.plots.look import power_of_ten, style

    style()
    fits = exponents(curves).set_index("axis")
    figure, panels = plt.subplots(3, 2, figsize=(6, 7.5), sharey=True)
    for axis, panel in zip(fits.index, panels.flat, strict=True):
        part = curves[curves.axis == axis]
        panel.loglog(part.value, part.cpu_s, "o")
        last, fit = part.nlargest(3, "value").value, fits.loc[axis]
        panel.loglog(last, fit.at_one * last**fit.cpu_s, "-", linewidth=1.5)
        panel.set(title=f"{axis}: power {fit.cpu_s:.1f}", xticks=part.value)
        panel.set_xticklabels([f"{value:,}" for value in part.value], fontsize=10)
        panel.yaxis.set_major_formatter(power_of_ten)
        panel.minorticks_off()
    for panel in panels[:, 0]:
        panel.set_ylabel("CPU seconds")
    figure.savefig(path)
    plt.close(figure)
