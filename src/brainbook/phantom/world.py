"""The world that a phantom's stories are about: concepts, their senses in each hidden scene, and events.

A concept is a vector of meaning. What a word means HERE is an interaction of its concept with a scene that no word ever
names: sense = normalise(v + 1.2 R_scene v), with R_scene a random rotation. What happens next follows the sense, so
a model that predicts the next word well must have inferred the scene from what happened before. The transition tables
are balanced within each scene (Sinkhorn), so that counting words tells next to nothing about the scene.
"""

from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

N_SCENES = 4
N_DIMENSIONS = 16
SCENE_STRENGTH = 1.2  # weight of the rotated vector in a sense
SHARPNESS = 9.0  # of the choice of the next concept, a softmax over sense . vector
SCENE_CHANGE = 1 / 12  # chance that an event opens another scene
N_CONNECTIVES = 8

# What a reader would accept as likely (chance of a numeral, of a place, ...): style, the same in every scene.
P_SPEECH, P_AND, P_PRONOUN, P_CONNECTIVE = 0.08, 0.30, 0.35, 0.35
P_NUMBER, P_AGENT_NUMBER, P_QUALITY, P_PLACE = 0.35, 0.12, 0.50, 0.45


@dataclass
class Event:
    """Who does what to whom, where, how many. Concepts are indices into `World.concepts`; -1 means not said."""

    scene: int
    agent: int
    action: int
    agent_number: int = -1
    thing: int = -1
    number: int = -1
    quality: int = -1
    patient: int = -1  # a living being: the object of "follow", the receiver of "give"
    patient_number: int = -1
    place: int = -1
    speaker: int = -1  # "the fox said: ..."
    connective: int = -1
    join: str = "new"  # "new" names the agent, "pronoun" refers to it, "and" goes on with the sentence
    concepts: list[int] = field(default_factory=list)  # in the order in which they were thought of


@dataclass
class World:
    """Concepts, vectors and rules. Everything depends on `seed` alone, and all of a study's stories share one world.

    Attributes
    ----------
    concepts : DataFrame of 112 rows: concept, kind, group and the words of each language (lexicon.csv).
    vectors : array [112 concepts, 16 dimensions], unit length, mean near zero.
    rotations : array [4 scenes, 16, 16], orthogonal.
    sharpness, scene_change : see `SHARPNESS` and `SCENE_CHANGE`.

    Examples
    --------
    >>> world = make_world()
    >>> world.vectors.shape, world.senses.shape
    ((112, 16), (4, 112, 16))
    """

    seed: int
    concepts: pd.DataFrame
    vectors: np.ndarray
    rotations: np.ndarray
    sharpness: float = SHARPNESS
    scene_change: float = SCENE_CHANGE

    @cached_property
    def senses(self) -> np.ndarray:
        """Return what each concept means in each scene: array [scenes, concepts, dimensions], unit length."""
        turned = np.einsum("sij,cj->sci", self.rotations, self.vectors)
        senses = self.vectors + SCENE_STRENGTH * turned
        return senses / np.linalg.norm(senses, axis=-1, keepdims=True)

    @cached_property
    def interactions(self) -> np.ndarray:
        """The part of a sense that neither word nor scene has alone: array [scenes, concepts, dimensions].

        The sense minus its mean over scenes (what the word brings), minus its mean over concepts (what the scene does).
        """
        inside = self.senses - self.senses.mean(axis=0, keepdims=True)
        return inside - inside.mean(axis=1, keepdims=True)

    @cached_property
    def entries(self) -> list[dict]:
        """The rows of `concepts` as dictionaries: quick to look up."""
        return self.concepts.to_dict("records")

    def of_kind(self, kind: str) -> np.ndarray:
        """Return the indices of the concepts of a kind ("agent", "thing", "place", "quality", "number", "action")."""
        return np.flatnonzero(self.concepts["kind"] == kind)

    @cached_property
    def _cumulative(self) -> dict[str, tuple[list[int], list[list[list[float]]]]]:
        """By kind of the next concept: the candidates, and cumulative chances [scene][previous concept]."""
        tables = {}
        agents, things, actions = (self.of_kind(kind) for kind in ("agent", "thing", "action"))
        everything = np.arange(len(self.concepts))
        before = {"agent": everything, "action": agents, "thing": actions, "place": everything, "quality": things}
        for kind, rows in {**before, "number": np.concatenate([things, agents])}.items():
            candidates = self.of_kind(kind)
            allowed = np.ones((len(self.concepts), len(candidates)))
            if kind == "thing":
                groups = self.concepts["group"]
                for action in rows:
                    accepted = groups[action].split()
                    if not {"thing", "gift"} & set(accepted):
                        allowed[action] = groups.iloc[candidates].isin(accepted).to_numpy(float)
                rows = rows[allowed[rows].any(axis=1)]
            cumulative = []
            for scene in range(N_SCENES):
                weight = np.exp(self.sharpness * self.senses[scene] @ self.vectors[candidates].T) * allowed
                chance = np.full(weight.shape, 1 / len(candidates))
                chance[rows] = _balanced(weight[rows])
                cumulative.append(np.cumsum(chance, axis=1).tolist())
            tables[kind] = (candidates.tolist(), cumulative)
        return tables

    def _next(self, kind: str, before: int, scene: int, dice: Iterator[float], besides: int = -1) -> int:
        candidates, cumulative = self._cumulative[kind]
        row = cumulative[scene][before]
        while True:
            chosen = candidates[min(bisect(row, next(dice) * row[-1]), len(candidates) - 1)]
            if chosen != besides:
                return chosen

    def _add(self, event: Event, name: str, kind: str, before: int, dice: Iterator[float], besides: int = -1) -> int:
        """Draw what an event has as `name`, and note the concept."""
        chosen = self._next(kind, before, event.scene, dice, besides)
        setattr(event, name, chosen)
        event.concepts.append(chosen)
        return chosen

    def events(self, rng: np.random.Generator) -> Iterator[Event]:
        """Yield an endless story. The scene is hidden, changes at times, and steers every choice of what comes next."""
        dice = _dice(rng)
        groups = self.concepts["group"].tolist()
        agents = self.of_kind("agent")
        scene = int(next(dice) * N_SCENES)
        last = int(agents[int(next(dice) * len(agents))])
        connective = 0
        previous: Any = None  # the last event
        while True:
            if previous is not None and next(dice) < self.scene_change:
                scene = (scene + 1 + int(next(dice) * (N_SCENES - 1))) % N_SCENES
            event = Event(scene=scene, agent=-1, action=-1)
            roll = next(dice)
            stays = previous is not None and previous.speaker < 0
            if stays and roll < P_AND and previous.join != "and":
                event.join = "and"
            elif stays and P_AND <= roll < P_AND + P_PRONOUN:
                event.join = "pronoun"
            if event.join != "and" and next(dice) < P_CONNECTIVE:
                shift = 1 + int(next(dice) * (N_CONNECTIVES - 1))
                event.connective = connective = (connective + shift) % N_CONNECTIVES  # never the same twice running
            done, place = -1, -1
            if event.join == "new":
                if previous is not None and next(dice) < P_SPEECH:
                    last = self._add(event, "speaker", "agent", last, dice)
                event.agent = last = self._next("agent", last, scene, dice, besides=event.speaker)
                if next(dice) < P_AGENT_NUMBER:
                    self._add(event, "agent_number", "number", last, dice)
                event.concepts.append(last)
            else:
                event.agent, event.agent_number = previous.agent, previous.agent_number
                done, place = previous.action, previous.place
            self._add(event, "action", "action", event.agent, dice, besides=done)
            last = self._complete(event, groups[event.action], place, dice)
            previous = event
            yield event

    def _complete(self, event: Event, group: str, place: int, dice: Iterator[float]) -> int:
        """Draw the things, beings and place (other than `place`) that go with the action; return the last concept."""
        last = event.action
        if group in ("alone", "motion"):
            if group == "motion" or next(dice) < P_PLACE:
                last = self._add(event, "place", "place", last, dice, besides=place)
            return last
        if group != "agent":
            event.thing = last = self._next("thing", last, event.scene, dice)
            if next(dice) < P_NUMBER:
                self._add(event, "number", "number", last, dice)
            if next(dice) < P_QUALITY:
                self._add(event, "quality", "quality", last, dice)
            event.concepts.append(last)
        if group in ("agent", "gift"):
            event.patient = last = self._next("agent", last, event.scene, dice, besides=event.agent)
            if next(dice) < P_AGENT_NUMBER:
                self._add(event, "patient_number", "number", last, dice)
            event.concepts.append(last)
        if group != "gift" and next(dice) < P_PLACE:
            last = self._add(event, "place", "place", last, dice, besides=place)
        return last


def _balanced(weight: np.ndarray, n_steps: int = 60) -> np.ndarray:
    """Scale rows and columns in turn (Sinkhorn 1967): rows [before] sum to 1, columns [candidates] get equal shares.

    Ends with a scaling of the rows, so columns are equal only as nearly as the zeros of `weight` allow.
    """
    chance = weight / weight.sum(axis=1, keepdims=True)
    share = len(weight) / weight.shape[1]
    for _ in range(n_steps):
        chance = chance * (share / chance.sum(axis=0, keepdims=True))
        chance = chance / chance.sum(axis=1, keepdims=True)
    return chance


def _dice(rng: np.random.Generator) -> Iterator[float]:
    while True:
        yield from rng.random(4096).tolist()


@lru_cache(maxsize=2)
def make_world(seed: int = 0, sharpness: float = SHARPNESS, scene_change: float = SCENE_CHANGE) -> World:
    """Return the world of a seed. Every study uses seed 0, `SHARPNESS` and `SCENE_CHANGE`.

    Concepts, senses and grammar depend on `seed` alone: with a larger `sharpness` what happens next follows the sense
    more closely, and `scene_change` is the chance that an event opens another scene.

    Examples
    --------
    >>> make_world(seed=0).concepts[["concept", "kind"]].head(2)
      concept   kind
    0   child  agent
    1    king  agent
    """
    concepts = pd.read_csv(Path(__file__).with_name("lexicon.csv"), keep_default_na=False)
    rng = np.random.default_rng([seed, 0])
    vectors = rng.standard_normal((len(concepts), N_DIMENSIONS))
    for kind in concepts["kind"].unique():  # so that neither the kind of a concept nor the count of words is in them
        of_kind = (concepts["kind"] == kind).to_numpy()
        vectors[of_kind] -= vectors[of_kind].mean(axis=0) * (1 if of_kind.sum() > N_DIMENSIONS else 0.5)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rotations = np.stack([_rotation(rng) for _ in range(N_SCENES)])
    return World(seed, concepts, vectors, rotations, sharpness, scene_change)


def _rotation(rng: np.random.Generator) -> np.ndarray:
    """Draw a uniformly random orthogonal matrix [16, 16] (QR of a Gaussian matrix, signs fixed as in Mezzadri 2007)."""
    q, r = np.linalg.qr(rng.standard_normal((N_DIMENSIONS, N_DIMENSIONS)))
    return q * np.sign(np.diag(r))
