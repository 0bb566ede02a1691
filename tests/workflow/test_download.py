"""The dataset's files from a server on loopback that behaves like OpenNeuro on a bad day."""

import hashlib
import json
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from brainbook.errors import ConfigurationError, DatasetError
from brainbook.workflow.download import download, main, present_bytes, remote_files, source_of
from brainbook.workflow.download_sources import SOURCES

BOLD = "derivatives/sub-EN057/func/sub-EN057_task-lppEN_run-{:02d}_space-MNIColin27_desc-preproc_bold.nii.gz"
DROPPED, CORRUPT, BEGUN = BOLD.format(7), BOLD.format(8), BOLD.format(9)


@pytest.fixture
def openneuro(monkeypatch, rng):
    """A server; `.files` {path: bytes}, `.asked` [(path, Range header)], `.sick` the paths it serves badly once."""
    from openneuro import _download, _nemar

    paths = ["annotation/EN/lppEN_word_information.csv", "annotation/EN/lppEN_prosody.csv", "stimuli/task-lppEN.wav"]
    paths += [BOLD.format(n) for n in range(6, 10)] + ["sub-EN057/func/sub-EN057_task-lppEN_run-06_echo-1_bold.nii.gz"]
    files = {path: rng.integers(0, 256, 200_000, dtype=np.uint8).tobytes() for path in paths}
    doi = {"Name": "Le Petit Prince", "DatasetDOI": "doi:10.18112/openneuro.ds003643.v2.0.7"}
    files["dataset_description.json"] = json.dumps(doi).encode()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.files, server.asked, server.sick, server.in_parts = files, [], {DROPPED, CORRUPT}, False
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(_download, "gql_url", f"http://127.0.0.1:{server.server_port}/crn/graphql")
    server.checksums = {}  # of NEMAR, the mirror: {path: (checksum, kind)}; none where it cannot be reached
    monkeypatch.setattr(_nemar, "get_checksums", lambda **_: server.checksums)
    yield server
    server.shutdown()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["query"]
        if "latestSnapshot" in query:
            answer = {"dataset": {"latestSnapshot": {"id": "ds002345:9.9.9", "files": self.listed()}}}
        elif "snapshots" in query:
            answer = {"dataset": {"snapshots": [{"id": "ds003643:2.0.4"}, {"id": "ds003643:2.0.7"}]}}
        else:
            answer = {"snapshot": {"id": "ds003643:2.0.7", "files": self.listed()}}
        content = json.dumps({"data": answer}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def listed(self):
        root = f"http://127.0.0.1:{self.server.server_port}/"
        return [
            {"filename": path, "urls": [root + path], "size": len(content), "id": path}
            for path, content in self.server.files.items()
        ]

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body):
        path = self.path.lstrip("/")
        content = self.server.files[path]
        wanted = self.headers.get("Range", "")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        parts = "-2" if self.server.in_parts else ""  # then it is no checksum of the content
        self.send_header("ETag", f'"{hashlib.md5(content).hexdigest()}{parts}"')
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if not body:
            return
        self.server.asked.append((path, wanted))
        sick = path in self.server.sick
        self.server.sick.discard(path)
        if sick and path == CORRUPT:
            content = content[:1000] + bytes(1000) + content[2000:]
        if sick and path == DROPPED:
            self.wfile.write(content[start : start + 90_000])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(content[start:])


def test_broken_and_corrupt_files_arrive_whole_and_nothing_comes_twice(openneuro, tmp_path):
    folder = tmp_path / "ds003643"
    (folder / BEGUN).parent.mkdir(parents=True)
    (folder / BEGUN).write_bytes(openneuro.files[BEGUN][:150_000])  # what a killed download left behind
    wanted = remote_files(["sub-EN057"])
    assert openneuro.asked == [], "sizes are known before anything is fetched"
    assert sum(wanted.values()) == 6 * 200_000 + len(openneuro.files["dataset_description.json"])
    assert present_bytes(folder, wanted) == 150_000
    download(folder, ["sub-EN057"])
    for path in wanted:
        assert (folder / path).read_bytes() == openneuro.files[path], path
    asked = [path for path, _ in openneuro.asked]
    assert (BEGUN, "bytes=150000-") in openneuro.asked, "resumed"
    assert asked.count(DROPPED) == 2 and asked.count(CORRUPT) == 2
    assert not any(path.startswith(("stimuli", "sub-EN057")) for path in asked), "only what the study needs"
    fetched = len(openneuro.asked)
    download(folder, ["sub-EN057"])
    assert len(openneuro.asked) == fetched


def test_a_file_that_stays_corrupt_is_an_error(openneuro, tmp_path, monkeypatch):
    monkeypatch.setattr("brainbook.workflow.download.MIN_RETRIES", 1)

    class Stubborn(set):
        def discard(self, path):
            pass

    openneuro.sick = Stubborn({CORRUPT})
    with pytest.raises(DatasetError, match="not everything came.*same command"):
        download(tmp_path / "ds", ["sub-EN057"])


def test_the_mirrors_checksums_count_where_storage_knows_none(openneuro, tmp_path, monkeypatch):
    """Of a file that came to the storage in parts the ETag is no checksum: other bytes of the right size would pass."""
    monkeypatch.setattr("brainbook.workflow.download.MIN_RETRIES", 1)
    openneuro.in_parts, openneuro.sick = True, set()
    openneuro.checksums = {path: (hashlib.md5(content).hexdigest(), "md5") for path, content in openneuro.files.items()}
    download(tmp_path / "whole", ["sub-EN057"])
    openneuro.files[CORRUPT] = openneuro.files[CORRUPT][::-1]
    with pytest.raises(DatasetError, match="not everything came"):
        download(tmp_path / "changed", ["sub-EN057"])
    openneuro.checksums = {}
    download(tmp_path / "unseen", ["sub-EN057"])  # as SECURITY.md says


def test_a_server_that_drips_is_left(openneuro, tmp_path, monkeypatch):
    for name, value in {"LOOK_S": 0.05, "STALLED_S": 0.3}.items():
        monkeypatch.setattr(f"brainbook.workflow.download.{name}", value)
    monkeypatch.setattr("openneuro.download", lambda **_: time.sleep(20))
    began = time.monotonic()
    with pytest.raises(DatasetError, match="the server sent less than 1.0 MB in 0 minutes.*same command"):
        download(tmp_path / "ds", ["sub-EN057"])
    assert time.monotonic() - began < 10


def test_what_cannot_be_is_said_before_anything_is_fetched(openneuro, tmp_path, monkeypatch, capsys):
    with pytest.raises(ConfigurationError, match="not EN57"):
        remote_files(["EN57"])
    with pytest.raises(DatasetError, match="sub-EN099"):
        remote_files(["sub-EN099"])
    with monkeypatch.context() as changed, pytest.raises(DatasetError, match="2.0.9"):
        changed.setitem(SOURCES, "ds003643", replace(SOURCES["ds003643"], version="2.0.9"))
        remote_files(["sub-EN057"])
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1_000_000}))
    with pytest.raises(ConfigurationError, match="1.2 MB are to come and 1.0 MB are free"):
        download(tmp_path / "ds", ["sub-EN057"])
    assert main([str(tmp_path / "ds"), "sub-EN057", "--sizes"]) == 0
    said = capsys.readouterr().out
    assert "7 files, 1.2 MB" in said and "CC0" in said and "Scientific Data" in said
    assert openneuro.asked == []
    assert "sub-EN057/func/*_bold.*" in source_of().patterns(["sub-EN057"], True, [])


CLEAN = "derivatives/afni-nosmooth/{}/func/{}_task-{}_space-fsaverage6_hemi-{}_desc-clean.func.gii"
OTHERS = {
    "ds002345": (
        "sub-075",
        ["dataset_description.json", "code/event_meta.json", "stimuli/gentle/pieman/align.json"]
        + ["stimuli/gentle/pieman/align.csv", "sub-075/func/sub-075_task-pieman_events.tsv"]
        + [CLEAN.format("sub-075", "sub-075", "pieman", side) for side in "LR"],
        ["stimuli/gentle/tunnel/align.csv", CLEAN.format("sub-075", "sub-075", "tunnel", "L")]
        + [CLEAN.format("sub-076", "sub-076", "pieman", "L"), "stimuli/pieman_audio.wav"],
        "pieman",
    ),
    "ds003020": (
        "UTS01",
        ["dataset_description.json", "derivative/respdict.json", "derivative/TextGrids/souls.TextGrid"]
        + ["derivative/preprocessed_data/UTS01/souls.hf5"],
        ["derivative/preprocessed_data/UTS01/legacy.hf5", "derivative/preprocessed_data/UTS02/souls.hf5"]
        + ["derivative/TextGrids/legacy.TextGrid", "sub-UTS01/ses-1/func/sub-UTS01_ses-1_task-souls_bold.nii.gz"],
        "souls",
    ),
}


@pytest.mark.parametrize("dataset", OTHERS)
def test_one_participant_of_the_other_datasets(openneuro, tmp_path, capsys, dataset):
    participant, needed, unneeded, story = OTHERS[dataset]
    openneuro.files = {path: path.encode() * 50 for path in [*needed, *unneeded]}
    doi = {"Name": "of another name", "DatasetDOI": f"doi:10.18112/openneuro.{dataset}.v9.9.9"}
    openneuro.files["dataset_description.json"] = json.dumps(doi).encode()
    openneuro.sick = set()
    files = remote_files([participant], dataset=dataset, stories=[story])
    assert set(files) == set(needed) and openneuro.asked == []
    everything = set(remote_files([participant], dataset=dataset))
    assert everything - set(needed) == {path for path in unneeded if "gentle" in path or "TextGrid" in path} | {
        path for path in unneeded if f"{participant}/func/{participant}_task-tunnel" in path or "UTS01/legacy" in path
    }
    assert main([str(tmp_path), participant, "--dataset", dataset, "--stories", story, "--sizes"]) == 0
    said = capsys.readouterr().out
    assert f"{len(needed)} files" in said and "CC0" in said and "Scientific Data" in said
    download(tmp_path / "data", [participant], dataset=dataset, stories=[story])
    assert {path for path, _ in openneuro.asked} == set(needed)
    for path in needed:
        assert (tmp_path / "data" / path).read_bytes() == openneuro.files[path]
    with pytest.raises(ConfigurationError, match="not sub-EN057"):
        remote_files(["sub-EN057"], dataset=dataset)
    with pytest.raises(DatasetError, match=f"{dataset}.*has no"):
        remote_files([participant], dataset=dataset, stories=["unheard"])


def test_a_dataset_that_nothing_is_known_of():
    with pytest.raises(ConfigurationError, match=r"ds009999.*ds003643 \(Le Petit Prince\), ds002345 \(Narratives\)"):
        remote_files(["sub-01"], dataset="ds009999")
