"""Numbers of archived tables on the first page: `[[name]]` is filled in; lines whose number is nowhere are left out."""

import re
from functools import cache

PAGE = "book/intro"
NUMBER = re.compile(r"\[\[(\w+)\]\]")


@cache
def numbers() -> dict[str, str]:
    """Return {name: text} of what the archived tables say."""
    from brainbook.chapters.clock import clock_errors_by_language
    from brainbook.errors import BrainbookError
    from brainbook.workflow import archived_table

    found = {}

    def read(study, table, add):
        try:
            add(archived_table(study, table).rows)
        except (BrainbookError, LookupError):
            return  # not archived in this checkout: its lines are left out

    def clock(rows):
        lost = clock_errors_by_language(rows).set_index(["language", "alignment"]).lost
        found.update(lost_fla=f"{lost['EN', 'FLA 5']:.0%}", lost_vla=f"{lost['EN', 'VLA']:.0%}")

    def matched(rows):
        rows = rows.query("mismatch == 'length' and language == 'CN'").set_index("classifier")
        best, length = rows.loc["transfer, cosine"], rows.loc["length only"]
        interval = f"{best.lower:.0%} to {best.upper:.0%}"
        found.update(matched=f"{best.accuracy:.0%}", matched_interval=interval, by_length=f"{length.accuracy:.0%}")

    def recalled(rows):
        rows = rows.query("arm == 'multimodal' and measure == 'cross-modal generation' and condition == 'noise-free'")
        number = rows[rows.factor == "number"].set_index("source")
        found.update(digit=f"{number.value['oscn']:.0%}", objects=f"{number.value['cmnist']:.0%}")
        found.update(recalled_chance=f"{number.chance.iloc[0]:.0%}", seeds=f"{number.seeds.iloc[0]:.0f}")

    read("story", "clock", clock)
    read("xnli", "accuracy", matched)
    read("digits", "scores", recalled)
    return found


def fill_page(app, docname, source):
    if docname == PAGE:
        lines = source[0].split("\n")
        known = [line for line in lines if all(name in numbers() for name in NUMBER.findall(line))]
        source[0] = NUMBER.sub(lambda it: numbers()[it[1]], "\n".join(known))


def setup(app):
    app.connect("source-read", fill_page)
    app.connect("env-get-outdated", lambda *_: [PAGE])
    return {"parallel_read_safe": True, "parallel_write_safe": True}
