"""Sentence pairs: real XNLI where it is, errors that name file and row, and what no draw may ever break."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from brainbook.datasets import make_pairs, read_xnli, shuffle_pairs, xnli_from_hub
from brainbook.datasets.xnli import LABELS
from brainbook.errors import BrainbookError, ConfigurationError, DatasetError

QUIET = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ROWS = {
    "en": ["He left.\tHe is here.\tcontradiction", "He left.\tHe went.\tentailment", "It rains.\tIt is wet.\tneutral"],
    "fr": [
        "Il partit.\tIl est là.\tcontradiction",
        "Il partit.\tIl alla.\tentailment",
        "Il pleut.\tÇa mouille.\tneutral",
    ],
    "zh": ["他走了。\t他在这里。\tcontradiction", "他走了。\t他去了。\tentailment", "下雨了。\t湿了。\tneutral"],
}


def write(folder, part="dev", encoding="utf-8", **changed):
    for language, rows in {**ROWS, **changed}.items():
        (folder / f"{part}-{language}.tsv").write_bytes(("\n".join(rows) + "\n").encode(encoding))
    return folder


@pytest.fixture(scope="module")
def xnli(real_xnli):
    return read_xnli(real_xnli)


def test_real_xnli_has_ten_thousand_distinct_sentences(xnli):
    assert len(xnli) == 10_000
    assert xnli.role.value_counts().to_dict() == {"hypothesis": 7500, "premise": 2500}
    first = xnli.iloc[0]
    assert (first.EN, first.CN) == ("And he said, Mama, I'm home.", "他说，妈妈，我回来了。")
    assert first.FR == "Et il a dit, maman, je suis à la maison."
    assert xnli.group.nunique() == 2500 and set(xnli.groupby("group").size()) <= {2, 3, 4}


@pytest.mark.parametrize(("first", "second"), [("EN", "FR"), ("EN", "CN"), ("FR", "CN")])
@pytest.mark.parametrize("mismatch", ["random", "length"])
def test_ten_thousand_real_pairs(xnli, first, second, mismatch):
    pairs = make_pairs(xnli, first, second, group="group", mismatch=mismatch)
    assert len(pairs) == 10_000 and pairs.match.sum() == 5000
    assert pairs.groupby("part").size().to_dict() == {"train": 7000, "validation": 1000, "test": 2000}
    assert (pairs.groupby("part").match.mean() == 0.5).all()
    group = xnli.group.to_numpy()
    for a, b in [("train", "test"), ("train", "validation"), ("validation", "test")]:
        one, other = pairs[pairs.part == a], pairs[pairs.part == b]
        rows = [set(part.first_row) | set(part.second_row) for part in (one, other)]
        assert not rows[0] & rows[1]
        assert not set(group[list(rows[0])]) & set(group[list(rows[1])])
        assert not set(one["first"]) & set(other["first"]) and not set(one.second) & set(other.second)
    apart = (pairs["first"].str.len() - xnli[first].str.len().to_numpy()[pairs.second_row]).abs()
    wrong = pairs.match == 0
    assert apart[~wrong].max() == 0
    assert (apart[wrong].median() < 2) == (mismatch == "length")


def test_wrong_rows_are_named(tmp_path):
    cases = {
        "row 2 is empty": ["He left.\tHe is here.\tneutral", "", "It rains.\tIt is wet.\tneutral"],
        "row 3: the hypothesis is empty": [*ROWS["en"][:2], "It rains.\t \tneutral"],
        "row 1 has 4 fields": ["a\tb\tneutral\td", *ROWS["en"][1:]],
        "row 2: label 'maybe'": [ROWS["en"][0], "He left.\tHe went.\tmaybe", ROWS["en"][2]],
        "has 3 rows and": ROWS["en"][:2],
        "row 1 is neutral": ["He left.\tHe is here.\tneutral", *ROWS["en"][1:]],
        "holds no rows": [""],
    }
    for message, rows in cases.items():
        with pytest.raises(DatasetError, match=message) as error:
            read_xnli(write(tmp_path, en=rows), parts=["dev"])
        assert "dev-en.tsv" in str(error.value)


def distribution(folder, change=lambda row: row):
    """xnli.dev.tsv as it is distributed: 19 columns, a header, and languages this book does not read."""
    parses = [f"sentence{n}_{kind}" for kind in ("binary_parse", "parse") for n in (1, 2)]
    header = ["language", "gold_label", *parses, "sentence1", "sentence2", "promptID", "pairID", "genre"]
    header += [*(f"label{n}" for n in range(1, 6)), "sentence1_tokenized", "sentence2_tokenized", "match"]
    assert len(header) == 19
    lines = ["\t".join(header)]
    for language, rows in {"ar": ROWS["en"], **ROWS}.items():
        for number, row in enumerate(rows[::-1] if language == "fr" else rows):
            premise, hypothesis, label = row.split("\t")
            pair = 2 - number if language == "fr" else number  # French stands in another order
            cells = dict.fromkeys(header, "") | {"sentence1": premise, "sentence2": hypothesis, "match": "True"}
            cells |= {"language": language, "gold_label": label, "pairID": str(pair), "genre": "telephone"}
            lines.append("\t".join(change(cells).values()))
    (folder / "xnli.dev.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_xnli_as_it_is_distributed(tmp_path):
    expected = read_xnli(write(tmp_path), parts=["dev"])
    (tmp_path / "own").mkdir()
    pd.testing.assert_frame_equal(read_xnli(distribution(tmp_path / "own"), parts=["dev"]), expected)
    for change, message in (
        (lambda c: c | {"pairID": "0"}, "row 6: pair '0' stands there twice in en"),  # Arabic before it is not read
        (lambda c: c | {"language": "en" if c["language"] == "en" else "de"}, "of 3 pairs 3 are not there in fr"),
        (lambda c: c | {"sentence1": ""}, "row 5: the premise is empty"),
        (lambda c: c | {"gold_label": "maybe"}, "row 5: label 'maybe'"),
        (lambda c: c | {"match": "True\t"}, "row 2 has 20 fields, its header 19"),
    ):
        with pytest.raises(DatasetError, match=f"xnli.dev.tsv.*{message}"):
            read_xnli(distribution(tmp_path, change), parts=["dev"])
    (tmp_path / "xnli.dev.tsv").write_text("a\tb\n")
    with pytest.raises(DatasetError, match="names no column language"):
        read_xnli(tmp_path, parts=["dev"])


def test_labels_are_read_however_they_are_written(tmp_path):
    expected = read_xnli(write(tmp_path), parts=["dev"])
    written = {"contradiction": ("contradictory", "2"), "entailment": ("entailment", "0"), "neutral": ("-", "1")}
    for way in (0, 1):
        rows = {
            k: ["\t".join([*r.split("\t")[:2], written[r.split("\t")[2]][way]]) for r in v] for k, v in ROWS.items()
        }
        headed = {k: ["premise\thypo\tlabel", *v] for k, v in rows.items()}
        for tables in (rows, headed):
            found = read_xnli(write(tmp_path, **tables), parts=["dev"])
            pd.testing.assert_frame_equal(found, expected)
    rows["fr"][0] = rows["fr"][0].replace("2", "1")
    with pytest.raises(DatasetError, match="row 1 is contradiction in .* and neutral in"):
        read_xnli(write(tmp_path, **rows), parts=["dev"])


@pytest.mark.parametrize(("mark", "name"), [("\0", "a zero byte"), ("\ufffd", "a replacement character")])
def test_lost_letters_are_named_and_the_real_one_is_mended(tmp_path, real_xnli, mark, name):
    with pytest.raises(DatasetError, match=f"dev-fr.tsv, line 2: holds {name}"):
        read_xnli(write(tmp_path, fr=[row.replace("alla", f"all{mark}") for row in ROWS["fr"]]), parts=["dev"])
    english = read_xnli(real_xnli, ("EN", "FR"), parts=["test"]).EN
    assert english.str.contains("legal attaché's office", regex=False).sum() == 1


@QUIET
@given(st.binary(max_size=30), st.integers(0, 130), st.integers(0, 30))
def test_damage_is_either_read_or_named(tmp_path, noise, position, gone):
    content = "\n".join(ROWS["fr"]).encode()
    write(tmp_path)
    (tmp_path / "dev-fr.tsv").write_bytes(content[:position] + noise + content[position + gone :])
    try:
        sentences = read_xnli(tmp_path, parts=["dev"])
    except BrainbookError as error:
        assert "dev-" in str(error) and str(tmp_path) in str(error)
    else:
        assert sentences.FR.str.strip().ne("").all() and not sentences.FR.str.contains("[\0\ufffd]").any()


def test_files_that_are_shifted_without_labels_are_not_aligned(tmp_path):
    rows = {k: [r.rsplit("\t", 1)[0] for r in v] * 20 for k, v in ROWS.items()}
    assert len(read_xnli(write(tmp_path, **rows), parts=["dev"])) == 5
    rows["fr"] = [*rows["fr"][1:], rows["fr"][0]]
    with pytest.raises(DatasetError, match="dev-fr.tsv repeats its premises in other rows .* not row-aligned"):
        read_xnli(write(tmp_path, **rows), parts=["dev"])


def test_other_encodings_and_absent_files(tmp_path):
    write(tmp_path)
    (tmp_path / "dev-fr.tsv").write_bytes("\n".join(ROWS["fr"]).encode("latin-1"))
    with pytest.raises(DatasetError, match=r"dev-fr.tsv, line 1: not text in UTF-8"):
        read_xnli(tmp_path, parts=["dev"])
    assert len(read_xnli(tmp_path, ("EN", "CN"), parts=["dev"])) == 5  # French is not read
    assert len(read_xnli(write(tmp_path, encoding="utf-16"), parts=["dev"])) == 5
    with pytest.raises(DatasetError, match="test-en.tsv does not exist"):
        read_xnli(tmp_path, parts=["test"])
    with pytest.raises(ConfigurationError, match="languages"):
        read_xnli(tmp_path, ("EN", "DE"))


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path):
    expected = read_xnli(write(tmp_path), parts=["dev"])
    for language, rows in ROWS.items():
        (tmp_path / f"dev-{language}.tsv").write_bytes(("\ufeff" + "\r\n".join(rows)).encode())
    pd.testing.assert_frame_equal(read_xnli(tmp_path, parts=["dev"]), expected)


def test_the_hub_gives_the_same_table(tmp_path, monkeypatch):
    def load_dataset(name, language, split):
        assert (name, split) == ("facebook/xnli", "dev")
        rows = [row.split("\t") for row in ROWS[language]]
        return [{"premise": p, "hypothesis": h, "label": LABELS.index(label)} for p, h, label in rows]

    module = ModuleType("datasets")
    module.load_dataset = load_dataset
    monkeypatch.setitem(sys.modules, "datasets", module)
    pd.testing.assert_frame_equal(xnli_from_hub(parts=["dev"]), read_xnli(write(tmp_path), parts=["dev"]))

    def unreachable(*_, **__):
        raise ConnectionError("no route to the hub")

    def scripted(*_, **__):
        raise RuntimeError("Dataset scripts are no longer supported")

    for load, message in ((unreachable, "no route to the hub.*read_xnli"), (scripted, "no longer supported")):
        module.load_dataset = load
        with pytest.raises(DatasetError, match=message):
            xnli_from_hub(parts=["dev"])
    module.load_dataset = lambda *_, **__: [{"premise": {"en": "all languages"}, "hypothesis": "b", "label": 0}]
    with pytest.raises(DatasetError, match="no text premise"):
        xnli_from_hub(parts=["dev"])
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DatasetError, match="pip install"):
        xnli_from_hub()


def test_the_datasets_library_reads_a_stand_in_of_the_hub(tmp_path, monkeypatch):
    """The real library on a folder laid out like facebook/xnli: a configuration a language, labels as numbers."""
    pytest.importorskip("datasets")
    import pyarrow
    import pyarrow.parquet

    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "kept")
    hub = tmp_path / "xnli"
    card = ["---", "configs:"]
    for language, rows in ROWS.items():
        fields = [row.split("\t") for row in rows]
        table = {"premise": [f[0] for f in fields], "hypothesis": [f[1] for f in fields]}
        table["label"] = [LABELS.index(f[2]) for f in fields]
        (hub / language).mkdir(parents=True)
        pyarrow.parquet.write_table(pyarrow.table(table), hub / language / "validation-00000-of-00001.parquet")
        card += [f"- config_name: {language}", "  data_files:", "  - split: validation"]
        card += [f"    path: {language}/validation-*"]
    (hub / "README.md").write_text("\n".join([*card, "---", ""]))
    found = xnli_from_hub(parts=["validation"], name=str(hub))
    expected = read_xnli(write(tmp_path), parts=["dev"])
    unchanged = ["row", "role", "EN", "FR", "CN"]
    pd.testing.assert_frame_equal(found[unchanged], expected[unchanged])
    with pytest.raises(DatasetError, match="cannot be had from the hub.*read_xnli"):
        xnli_from_hub(parts=["train"], name=str(hub))


texts = st.lists(st.sampled_from("abcdefghijkl"), min_size=24, max_size=60)


@settings(deadline=None)
@given(texts, texts, st.integers(0, 2**32 - 1), st.sampled_from(["random", "length"]), st.booleans())
def test_no_draw_leaks_or_matches_by_accident(english, french, seed, mismatch, unique):
    n = min(len(english), len(french))
    tail = [f" {i}" if unique or i % 3 else "" for i in range(n)]  # a third of the texts may repeat
    table = pd.DataFrame({"EN": english[:n], "FR": french[:n]}) + pd.DataFrame({"EN": tail, "FR": tail})
    options = SimpleNamespace(n=n, mismatch=mismatch, seed=seed, parts={"train": 0.6, "test": 0.4})
    try:
        pairs = make_pairs(table, **vars(options))
    except DatasetError as error:
        assert not unique and ("hang together" in str(error) or "too few distinct" in str(error))
        return
    pd.testing.assert_frame_equal(pairs, make_pairs(table, **vars(options)))
    assert len(pairs) == n
    assert sorted(pairs.first_row) == sorted(pairs.second_row) == list(range(n))
    assert (table.EN.to_numpy()[pairs.first_row] == pairs["first"]).all()
    assert (table.FR.to_numpy()[pairs.second_row] == pairs.second).all()
    assert ((pairs.first_row == pairs.second_row) == (pairs.match == 1)).all()
    wrong = pairs[pairs.match == 0]
    assert (table.EN.to_numpy()[wrong.second_row] != wrong["first"]).all()
    assert (table.FR.to_numpy()[wrong.first_row] != wrong.second).all()
    train, test = pairs[pairs.part == "train"], pairs[pairs.part == "test"]
    assert not set(train["first"]) & set(test["first"]) and not set(train.second) & set(test.second)


def test_seeds_differ_and_the_share_of_mismatches_is_kept():
    table = pd.DataFrame({"EN": [f"sentence {i}" for i in range(200)], "FR": [f"phrase {i}" for i in range(200)]})
    one, other = (make_pairs(table, n=None, seed=seed) for seed in (0, 1))
    assert not one.equals(other)
    for share in (0.0, 0.3, 1.0):
        found = make_pairs(table, n=100, mismatched=share).groupby("part").match.mean()
        np.testing.assert_allclose(found, 1 - share, atol=0.051)


def test_parts_are_the_same_for_all_languages_and_mismatches(xnli):
    made = [
        make_pairs(xnli, *pair, group="group", mismatch=mismatch)
        for pair in (("EN", "FR"), ("EN", "CN"), ("FR", "CN"))
        for mismatch in ("random", "length")
    ]
    for pairs in made[1:]:
        assert (pairs[["part", "second_row"]] == made[0][["part", "second_row"]]).all(axis=None)


def test_shuffled_pairs_leave_the_test_part_alone():
    table = pd.DataFrame({"EN": [f"sentence {i}" for i in range(400)], "FR": [f"phrase {i}" for i in range(400)]})
    pairs = make_pairs(table, n=None)
    training = pairs.part != "test"
    for what in ("labels", "sentences"):
        control = shuffle_pairs(pairs, what, seed=1)
        assert control.dtypes.equals(pairs.dtypes)
        pd.testing.assert_frame_equal(control[~training], pairs[~training])
        assert sorted(control.second_row) == sorted(pairs.second_row)
        assert (control.groupby("part").match.mean() == pairs.groupby("part").match.mean()).all()
        true = (control.first_row == control.second_row)[training & (control.match == 1)]
        assert 0.4 < true.mean() < 0.6 if what == "labels" else true.mean() < 0.03
    # two languages one below the other, with an index that repeats: a sentence stays in its language
    two = pd.concat([pairs.assign(language="FR"), pairs.assign(language="CN", second=pairs.second + "。")])
    control = shuffle_pairs(two, "sentences")
    assert (control.second.str.endswith("。") == (control.language == "CN")).all()
    assert ((control.second == two.second).to_numpy() == (two.part == "test").to_numpy()).all()
    with pytest.raises(ConfigurationError, match="labels"):
        shuffle_pairs(pairs, "words")


def test_pairs_that_cannot_be_made():
    table = pd.DataFrame({"EN": [f"sentence {i}" for i in range(50)], "FR": [f"phrase {i}" for i in range(50)], "g": 0})
    for options, error, message in [
        ({"n": 51}, DatasetError, "51 pairs asked for; there are 50"),
        ({"second": "CN"}, DatasetError, "no column CN"),
        ({"mismatch": "syntax"}, ConfigurationError, "random, length"),
        ({"mismatched": 1.5}, ConfigurationError, "between 0 and 1"),
        ({"parts": {"train": 0.5, "test": 0.4}}, ConfigurationError, "add up to 1"),
        ({"group": "g"}, DatasetError, "hang together"),
        ({"n": 3}, DatasetError, "too few"),
    ]:
        with pytest.raises(error, match=message):
            make_pairs(table, **{"n": 50, **options})
    table.loc[7, "FR"] = " "
    with pytest.raises(DatasetError, match="sentence 7 has no text in FR"):
        make_pairs(table, n=50)
