import numpy as np
import pytest

from brainbook.datasets import LANGUAGES
from brainbook.errors import ConfigurationError
from brainbook.phantom.grammar import tell
from brainbook.phantom.story import prose, sentences, tell_story, words_with_truth
from brainbook.phantom.world import Event, make_world


def index(name: str) -> int:
    return make_world(0).concepts["concept"].tolist().index(name)


def printed(language: str, *events: dict) -> str:
    names = [{k: index(v) if k not in ("join", "connective") else v for k, v in event.items()} for event in events]
    return prose(tell(make_world(0), [Event(scene=0, **event) for event in names], language), language)


OWL = {"agent": "owl", "agent_number": "three", "action": "find", "thing": "tree", "quality": "old", "place": "well"}
GIFT = {"agent": "king", "action": "give", "thing": "lamp", "number": "five", "quality": "red", "patient": "bear"}


@pytest.mark.parametrize(
    ("event", "english", "french", "chinese"),
    [
        (
            OWL,
            "The three owls found an old tree by the well.",
            "Les trois hiboux trouvèrent un vieil arbre près du puits.",
            "三只猫头鹰在水井边找到了一棵古老的树。",
        ),
        (
            GIFT,
            "The king gave five red lamps to the bear.",
            "Le roi donna cinq lampes rouges à l'ours.",
            "国王把五盏红色的灯送给了熊。",
        ),
        (
            GIFT | {"patient": "fox", "quality": "beautiful", "join": "pronoun"},
            "He gave five beautiful lamps to the fox.",
            "Il donna cinq belles lampes au renard.",
            "他把五盏美丽的灯送给了狐狸。",
        ),
        (
            {"agent": "mouse", "action": "run", "place": "island", "speaker": "child", "connective": 6},
            "At last, the child said: the mouse ran to the island.",
            "Enfin l'enfant dit : la souris courut vers l'île.",
            "终于孩子说：老鼠跑到了岛上。",
        ),
        (
            {"agent": "girl", "action": "see", "patient": "horse", "patient_number": "two", "place": "sea"},
            "The girl saw the two horses by the sea.",
            "La fille vit les deux chevaux près de la mer.",
            "女孩在海边看见了两匹马。",
        ),
    ],
)
def test_grammar_of_three_languages(event, english, french, chinese):
    assert printed("EN", event) == english
    assert printed("FR", event) == french
    assert printed("CN", event) == chinese


def test_two_events_are_joined():
    second = {"agent": "owl", "agent_number": "three", "action": "eat", "thing": "egg", "join": "and"}
    assert printed("EN", OWL, second).endswith("by the well, and ate an egg.")
    assert printed("FR", OWL, second).endswith("près du puits, et mangèrent un œuf.")
    assert printed("CN", OWL, second).endswith("，又吃了一个鸡蛋。")


@pytest.mark.parametrize("quality", ["large", "old", "beautiful", "bright", "secret", "white", "red"])
@pytest.mark.parametrize("number", [None, "two"])
def test_french_adjectives_agree(quality, number):
    more = {"number": number} if number else {}
    event = {"agent": "cat", "action": "draw", "thing": "flower", "quality": quality, **more}
    told = printed("FR", event).removeprefix("Le chat dessina ").removesuffix(".").split()
    entry = make_world(0).entries[index(quality)]
    form = entry["FR_form"] + ("s" if number else "")
    noun = "fleurs" if number else "fleur"
    assert told == ["deux" if number else "une", *((form, noun) if entry["group"] == "before" else (noun, form))]


def test_sentences_are_parallel_repeatable_and_split_back_into_words():
    table = sentences(300, seed=4)
    assert list(table.columns) == ["story", "scene", "concepts", "EN", "FR", "CN"]
    assert table.equals(sentences(300, seed=4))
    assert not table["EN"].equals(sentences(300, seed=5)["EN"])
    entries = make_world(0).entries
    for _, row in table.iterrows():
        for concept in row["concepts"]:
            for language in LANGUAGES:
                stem = entries[concept][language][:2]
                form = entries[concept][f"{language}_form"]
                assert any(w.startswith(stem) or w in form.split() for w in row[language].split()), (row, concept)
    for language in LANGUAGES:
        words = words_with_truth(300, 4, language)
        assert words.groupby("sentence")["word"].agg(" ".join).tolist() == table[language].tolist()
    assert not table["EN"].str.contains("[.,:']").any()


def test_passages_go_on_from_one_another():
    single, double = sentences(40, seed=2, languages=("EN",)), sentences(20, seed=2, languages=("EN",), per_row=2)
    assert double["EN"].tolist() == [" ".join(single["EN"][i : i + 2]) for i in range(0, 40, 2)]


def test_stories_share_no_text_with_the_corpus_of_the_same_seed():
    words, _ = tell_story(60.0, seed=0, languages=("EN",))
    heard = words["EN"].groupby("sentence")["word"].agg(" ".join)
    assert np.mean(heard.isin(sentences(len(heard), 0)["EN"])) < 0.2  # short sentences repeat by chance


def test_story_is_told_in_parallel_with_plausible_times():
    words, texts = tell_story(120.0, seed=1)
    alone, _ = tell_story(120.0, seed=1, languages=("CN",))
    assert alone["CN"].equals(words["CN"])  # a language does not depend on the others
    meant = {}
    for language, table in words.items():
        assert sorted(table["section"].unique()) == list(range(1, 10))
        for _, section in table.groupby("section"):
            assert (section["offset"] >= section["onset"]).all()
            assert (section["onset"].to_numpy()[1:] >= section["offset"].to_numpy()[:-1] - 1e-9).all()
            assert section["onset"].iloc[0] < 1
        rate = len(table) / table.groupby("section")["offset"].max().sum()
        assert 2.2 < rate < 3.0  # words a second
        counts = np.bincount((table["onset"] // 2).astype(int) + 1000 * table["section"])
        assert np.std(counts[counts > 0]) > 0.8  # scans hold different numbers of words
        named = table[table["concept"] >= 0]
        meant[language] = named.groupby("event")["concept"].agg(lambda c: sorted(set(c)))
        assert len(texts[language]) == 9
    assert meant["EN"].equals(meant["FR"])
    assert meant["EN"].equals(meant["CN"])
    ends = words["EN"].groupby("section")["offset"].max()
    assert ends.mean() == pytest.approx(120, rel=0.15)
    assert ends.max() > 1.2 * ends.min()


def test_unknown_languages_are_refused():
    with pytest.raises(ConfigurationError, match="DE"):
        sentences(3, 0, languages=("DE",))
    with pytest.raises(ConfigurationError, match="ZH"):
        tell_story(60.0, 0, languages=("EN", "ZH"))
