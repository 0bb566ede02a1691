"""What is fetched of each dataset on OpenNeuro: the files of a participant, their licence, and whom to cite."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from brainbook.errors import ConfigurationError

_TOP = ("dataset_description.json", "participants.tsv", "participants.json", "README", "CHANGES")


@dataclass(frozen=True)
class Source:
    """One dataset on OpenNeuro.

    Attributes
    ----------
    dataset, title : its number, and what it is called.
    version : the snapshot that is taken, None for the latest.
    licence, citation : what may be done with it, and the paper.
    participant, example : regular expression of the names of participants, and some of them.
    files : (participants, raw, stories) -> patterns of files, each of which must find some; "*" for all stories.
    more : (participants) -> patterns of files that are taken where there are any.
    elsewhere : where else to look for what OpenNeuro does not list.
    """

    dataset: str
    title: str
    version: str | None
    licence: str
    citation: str
    participant: str
    example: str
    files: Callable[[list[str], bool, list[str]], list[str]]
    more: Callable[[list[str]], list[str]] = lambda participants: []
    elsewhere: str = ""

    @property
    def name(self) -> str:
        """Its number and version."""
        return f"{self.dataset} {self.version or '(latest version)'}"

    def patterns(self, participants: list[str], raw: bool, stories: list[str]) -> list[str]:
        """Return patterns of the files that are needed; ConfigurationError if nobody can be called so."""
        wrong = [name for name in participants if not re.fullmatch(self.participant, name)]
        if wrong or not participants:
            raise ConfigurationError(
                f"participants are named like {self.example}, not {', '.join(wrong) or 'nobody'}: "
                f'say PARTICIPANTS="{self.example.replace(",", "")}"'
            )
        return self.files(participants, raw, stories or ["*"])

    def optional(self, participants: list[str]) -> list[str]:
        """Return patterns of files that are taken where there are any."""
        return [*_TOP, *self.more(participants)]


def _little_prince(participants: list[str], raw: bool, stories: list[str]) -> list[str]:
    languages = sorted({name[4:6] for name in participants})
    annotation = [
        f"annotation/{code}/lpp{code}_{what}.csv" for code in languages for what in ("word_information", "prosody")
    ]
    bold = [f"derivatives/{name}/func/*_desc-preproc_bold.nii.gz" for name in participants]
    return [*annotation, *bold, *(f"{name}/func/*_bold.*" for name in participants if raw)]


def _narratives(participants: list[str], raw: bool, stories: list[str]) -> list[str]:
    folder = "derivatives/afni-nosmooth/{}/func/{}_task-{}_space-fsaverage6_hemi-*_desc-clean.func.gii"
    words = [f"stimuli/gentle/{story}/align.*" for story in stories]
    return [*words, *(folder.format(name, name, story) for name in participants for story in stories)]


def _narratives_more(participants: list[str]) -> list[str]:
    func = [f"{name}/func/*_{what}" for name in participants for what in ("events.tsv", "bold.json")]
    return ["code/event_meta.json", "code/scan_exclude.json", "task-*_bold.json", *func]


def _lebel(participants: list[str], raw: bool, stories: list[str]) -> list[str]:
    names = [name.removeprefix("sub-") for name in participants]
    words = [f"derivative/TextGrids/{story}.TextGrid" for story in stories]
    recordings = [f"derivative/preprocessed_data/{name}/{story}.hf5" for name in names for story in stories]
    return ["derivative/respdict.json", *words, *recordings]


SOURCES = {
    source.dataset: source
    for source in (
        Source(
            dataset="ds003643",
            title="Le Petit Prince",
            version="2.0.7",  # before 2.0.5 the Chinese files are damaged
            licence="CC0: free to use; please cite",
            citation="Li, J., Bhattasali, S., Zhang, S., Franzluebbers, B., Luh, W.-M., Spreng, R. N., Brennan, J. R., "
            "Yang, Y., Pallier, C., & Hale, J. (2022). Le Petit Prince multilingual naturalistic fMRI corpus. "
            "Scientific Data, 9, 530. https://doi.org/10.1038/s41597-022-01625-7",
            participant=r"sub-(EN|FR|CN)\d{3}",
            example="sub-EN057, sub-FR025, sub-CN003",
            files=_little_prince,
        ),
        Source(
            dataset="ds002345",
            title="Narratives",
            version=None,
            licence="CC0: free to use; please cite",
            citation="Nastase, S. A., Liu, Y.-F., Hillman, H., ..., & Hasson, U. (2021). The Narratives fMRI dataset "
            "for evaluating models of naturalistic language comprehension. Scientific Data, 8, 250. "
            "https://doi.org/10.1038/s41597-021-01033-3",
            participant=r"sub-\d{3}",
            example="sub-075, sub-076",
            files=_narratives,
            more=_narratives_more,
            elsewhere="The derivatives are also at DataLad: `datalad install ///labs/hasson/narratives`.",
        ),
        Source(
            dataset="ds003020",
            title="LeBel et al.",
            version=None,
            licence="CC0: free to use; please cite",
            citation="LeBel, A., Wagner, L., Jain, S., Adhikari-Desai, A., Gupta, B., Morgenthal, A., Tang, J., "
            "Xu, L., & Huth, A. G. (2023). A natural language fMRI dataset for voxelwise encoding models. Scientific "
            "Data, 10, 555. https://doi.org/10.1038/s41597-023-02437-z",
            participant=r"(sub-)?UTS\d{2}",
            example="UTS01, UTS02",
            files=_lebel,
        ),
    )
}
