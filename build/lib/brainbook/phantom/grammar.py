"""Says an event in English, French and Chinese: word order, articles, agreement, elision, classifiers.

Every function takes a `World` and an `Event` and returns `Token`s. A sentence is one event, or two joined by "and".
"""

from collections.abc import Callable
from typing import NamedTuple

from brainbook.phantom.world import Event, World


class Token(NamedTuple):
    """One spoken word. `concept` is what it names (-1: nothing), `meant` what it stands for (a pronoun's referent)."""

    word: str
    lemma: str
    pos: str  # universal part of speech
    concept: int = -1
    meant: int = -1
    after: str = ""  # punctuation that follows it in print: , : .


CONNECTIVES = {
    "EN": ["then", "in the morning", "that evening", "in winter", "suddenly", "but", "at last", "later"],
    "FR": ["puis", "le matin", "ce soir-là", "en hiver", "soudain", "mais", "enfin", "plus tard"],
    "CN": ["然后", "早上", "那天 晚上", "冬天", "忽然", "但是", "终于", "后来"],
}
_COMMA_AFTER = {"EN": {1, 2, 3, 6}, "FR": {1, 2, 3}, "CN": {1, 2, 3}}
_VOWELS = tuple("aeiouâéêîôœ")  # "hibou" has an aspirated h: no elision


def tell(world: World, events: list[Event], language: str) -> list[Token]:
    """Return the words of one sentence, which says `events` (all but the first with join == "and")."""
    tokens: list[Token] = []
    clause = _CLAUSES[language]
    for event in events:
        if event.join == "and":
            tokens = _mark(tokens, ",") + [Token(*_AND[language])]
        if event.connective >= 0:
            spoken = [Token(w, w, "ADV") for w in CONNECTIVES[language][event.connective].split()]
            tokens += _mark(spoken, ",") if event.connective in _COMMA_AFTER[language] else spoken
        if event.speaker >= 0:
            tokens += _NAMES[language](world, event.speaker, -1) + _mark([_SAID[language]], ":")
        tokens += clause(world, event)
    return _mark(tokens, ".")


def _mark(tokens: list[Token], mark: str) -> list[Token]:
    return [*tokens[:-1], tokens[-1]._replace(after=mark)]


def _content(concept: int, word: str, lemma: str, pos: str) -> Token:
    return Token(word, lemma, pos, concept, concept)


_AND = {"EN": ("and", "and", "CCONJ"), "FR": ("et", "et", "CCONJ"), "CN": ("又", "又", "ADV")}
_SAID = {"EN": Token("said", "say", "VERB"), "FR": Token("dit", "dire", "VERB"), "CN": Token("说", "说", "VERB")}


# English


def _english_name(world: World, concept: int, number: int) -> list[Token]:
    counted = [_number(world, number, "EN")] if number >= 0 else []
    return [Token("the", "the", "DET"), *counted, _noun(world, concept, number, "EN")]


def _english_thing(world: World, event: Event) -> list[Token]:
    words = []
    if event.quality >= 0:
        quality = world.entries[event.quality]["EN"]
        words.append(_content(event.quality, quality, quality, "ADJ"))
    words.append(_noun(world, event.thing, event.number, "EN"))
    if event.number >= 0:
        return [_number(world, event.number, "EN"), *words]
    return [Token("an" if words[0].word[0] in "aeiou" else "a", "a", "DET"), *words]


def _english_clause(world: World, event: Event) -> list[Token]:
    words = _subject(world, event, "EN")
    action = world.entries[event.action]
    words.append(_content(event.action, action["EN_form"], action["EN"], "VERB"))
    if event.thing >= 0:
        words += _english_thing(world, event)
        if event.patient >= 0:
            words.append(Token("to", "to", "ADP"))
    if event.patient >= 0:
        words += _english_name(world, event.patient, event.patient_number)
    if event.place >= 0:
        preposition = "to" if action["group"] == "motion" else world.entries[event.place]["EN_form"]
        words += [Token(preposition, preposition, "ADP"), *_english_name(world, event.place, -1)]
    return words


# French


def _french_article(entry: dict, number: int, definite: bool = True) -> Token:
    feminine = entry["FR_gender"] == "f"
    if not definite:
        return Token("une" if feminine else "un", "un", "DET")
    elided = "l'" if entry["FR"].startswith(_VOWELS) else "la" if feminine else "le"
    return Token("les" if number >= 0 else elided, "le", "DET")


def _french_name(world: World, concept: int, number: int, preposition: str = "") -> list[Token]:
    """Return a noun with its definite article, contracted with the preposition where French does so (au, du)."""
    article = _french_article(world.entries[concept], number)
    head = [Token(w, w, "ADP") for w in preposition.split()]
    contracted = {("à", "le"): "au", ("à", "les"): "aux", ("de", "le"): "du", ("de", "les"): "des"}
    if head and (head[-1].word, article.word) in contracted:
        head = [*head[:-1], Token(contracted[head[-1].word, article.word], head[-1].lemma, "ADP")]
    else:
        head.append(article)
    counted = [_number(world, number, "FR")] if number >= 0 else []
    return [*head, *counted, _noun(world, concept, number, "FR")]


def _french_adjective(entry: dict, feminine: bool, plural: bool, before_vowel: bool) -> str:
    if feminine:
        word = entry["FR_form"]
    elif before_vowel and not plural and entry["FR_gender"]:
        return entry["FR_gender"]  # vieil, bel: the column holds this third form of an adjective
    else:
        word = entry["FR"]
    if not plural or word.endswith(("s", "x")):
        return word
    return word + ("x" if word.endswith("eau") else "s")


def _french_thing(world: World, event: Event) -> list[Token]:
    entry = world.entries[event.thing]
    noun = _noun(world, event.thing, event.number, "FR")
    words = [noun]
    if event.quality >= 0:
        quality = world.entries[event.quality]
        first = quality["group"] == "before"
        form = _french_adjective(
            quality, entry["FR_gender"] == "f", event.number >= 0, first and noun.word.startswith(_VOWELS)
        )
        adjective = _content(event.quality, form, quality["FR"], "ADJ")
        words = [adjective, noun] if first else [noun, adjective]
    head = _number(world, event.number, "FR") if event.number >= 0 else _french_article(entry, -1, definite=False)
    return [head, *words]


def _french_clause(world: World, event: Event) -> list[Token]:
    words = _subject(world, event, "FR")
    action = world.entries[event.action]
    singular, plural = action["FR_form"].split()
    words.append(_content(event.action, plural if event.agent_number >= 0 else singular, action["FR"], "VERB"))
    if event.thing >= 0:
        words += _french_thing(world, event)
    if event.patient >= 0:
        words += _french_name(world, event.patient, event.patient_number, "à" if event.thing >= 0 else "")
    if event.place >= 0:
        preposition = "vers" if action["group"] == "motion" else world.entries[event.place]["FR_form"]
        words += _french_name(world, event.place, -1, preposition)
    return words


# Chinese


def _chinese_counted(world: World, concept: int, number: int, quality: int = -1) -> list[Token]:
    """Return numeral, classifier, quality, noun: 三 盏 红色 的 灯."""
    entry = world.entries[concept]
    words = [_number(world, number, "CN") if number >= 0 else Token("一", "一", "NUM")]
    words.append(Token(entry["CN_form"], entry["CN_form"], "NOUN"))
    if quality >= 0:
        word = world.entries[quality]["CN"]
        words += [_content(quality, word, word, "ADJ"), Token("的", "的", "PART")]
    return [*words, _content(concept, entry["CN"], entry["CN"], "NOUN")]


def _chinese_name(world: World, concept: int, number: int) -> list[Token]:
    if number >= 0:
        return _chinese_counted(world, concept, number)
    word = world.entries[concept]["CN"]
    return [_content(concept, word, word, "NOUN")]


def _chinese_place(world: World, concept: int) -> list[Token]:
    side = world.entries[concept]["CN_form"]
    return [*_chinese_name(world, concept, -1), Token(side, side, "ADP")]


def _chinese_clause(world: World, event: Event) -> list[Token]:
    words = _subject(world, event, "CN")
    action = world.entries[event.action]
    motion = action["group"] == "motion"
    if event.place >= 0 and not motion:
        words += [Token("在", "在", "ADP"), *_chinese_place(world, event.place)]
    thing = _chinese_counted(world, event.thing, event.number, event.quality) if event.thing >= 0 else []
    gift = action["group"] == "gift"
    if gift:
        words += [Token("把", "把", "ADP"), *thing]
    words += [_content(event.action, action["CN"], action["CN"], "VERB"), Token("了", "了", "PART")]
    if thing and not gift:
        words += thing
    if event.patient >= 0:
        words += _chinese_name(world, event.patient, event.patient_number)
    if event.place >= 0 and motion:
        words += _chinese_place(world, event.place)
    return words


# What the three have in common

_PRONOUNS = {
    "EN": {"person_he": ("he", "they"), "person_she": ("she", "they"), "animal": ("it", "they")},
    "CN": {"person_he": ("他", "他们"), "person_she": ("她", "她们"), "animal": ("它", "它们")},
    "FR": {"m": ("il", "ils"), "f": ("elle", "elles")},
}
_NAMES: dict[str, Callable] = {"EN": _english_name, "FR": _french_name, "CN": _chinese_name}
_CLAUSES: dict[str, Callable] = {"EN": _english_clause, "FR": _french_clause, "CN": _chinese_clause}


def _noun(world: World, concept: int, number: int, language: str) -> Token:
    """Return an English or French noun, in the plural if it is counted."""
    entry = world.entries[concept]
    return _content(concept, entry[f"{language}_form" if number >= 0 else language], entry[language], "NOUN")


def _number(world: World, number: int, language: str) -> Token:
    word = world.entries[number][language]
    return _content(number, word, word, "NUM")


def _subject(world: World, event: Event, language: str) -> list[Token]:
    if event.join == "and":
        return []
    if event.join == "new":
        return _NAMES[language](world, event.agent, event.agent_number)
    agent = world.entries[event.agent]
    singular, plural = _PRONOUNS[language][agent["FR_gender"] if language == "FR" else agent["group"]]
    return [Token(plural if event.agent_number >= 0 else singular, singular, "PRON", -1, event.agent)]
