"""`make alice` against a server of our own: the real one is never asked."""

import hashlib
import io
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from brainbook.datasets import Alice
from brainbook.errors import DatasetError
from brainbook.workflow import download_alice

CONTENT = {
    "alice_data_shared/10mm/s18-timecourses.txt": b"1 2 3\n",
    "alice_data_shared/README.txt": b"read me\n",
    "alice_stim_shared/words.TextGrid": b"words\n" * 500,
}


def archive(*names, **changed):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as zipped:
        for name in names:
            zipped.writestr(f"downloaded/{name}", changed.get("content", CONTENT[name]))
        zipped.writestr("downloaded/story.wav", b"sound")
    return stream.getvalue()


@pytest.fixture
def server(monkeypatch):
    """A page with links to two archives; `sent` notes what was asked for, from which byte on."""
    names = list(CONTENT)
    pages = {"/data.zip": archive(*names[:2]), "/stim.zip": archive(names[2])}
    sent, broken = [], set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = pages[self.path]
            first = int(self.headers.get("Range", "bytes=0-")[6:-1])
            sent.append((self.path, first))
            self.send_response(206 if first else 200)
            body = body[first:]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if self.path in broken else body)

        def log_message(self, *arguments):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=http.serve_forever, daemon=True).start()
    root = f"http://127.0.0.1:{http.server_port}"
    links = "".join(f'<a href="{root}/{name}.zip">here</a>' for name in ("data", "stim"))
    pages["/page"] = f'<a href="{root}/about">about</a>{links}'.encode()
    monkeypatch.setattr(download_alice, "PAGE", f"{root}/page")
    monkeypatch.setattr(download_alice, "OTHERS", ())
    keys = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}
    monkeypatch.setattr(download_alice, "published_files", lambda: keys)
    yield sent, broken, pages
    http.shutdown()
    http.server_close()


def test_both_archives_come_and_are_not_asked_for_again(server, tmp_path):
    sent, _, _ = server
    assert download_alice.download(tmp_path) == 3
    assert {name: (tmp_path / name).read_bytes() for name in CONTENT} == CONTENT
    assert not list(tmp_path.rglob("*.wav"))
    before = len(sent)
    assert download_alice.download(tmp_path) == 0 and len(sent) == before


def test_an_archive_that_broke_off_is_continued(server, tmp_path):
    sent, broken, pages = server
    broken.add("/stim.zip")
    with pytest.raises(DatasetError, match=r"1 of 3 files .* same command goes on"):
        download_alice.download(tmp_path)
    broken.clear()
    assert download_alice.download(tmp_path) == 1
    assert sent[-1] == ("/stim.zip", len(pages["/stim.zip"]) // 2)


def test_other_content_is_not_taken(server, tmp_path):
    _, _, pages = server
    pages["/data.zip"] = archive(*list(CONTENT)[:2], content=b"something else")
    pages["/stim.zip"] = b"<html>log in</html>"
    with pytest.raises(DatasetError, match="3 of 3 files of Alice are missing.*is no archive.*By hand"):
        download_alice.download(tmp_path)
    assert not list(tmp_path.rglob("*.txt"))


def test_an_archive_without_end_is_left(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download_alice, "MOST_BYTES", 100)
    with pytest.raises(DatasetError, match="sends more than 100 bytes"):
        download_alice.download(tmp_path)


def test_an_address_that_is_none_of_the_web_is_not_opened(server, tmp_path):
    (tmp_path / "secret.zip").write_bytes(b"secret")
    server[2]["/page"] = f'<a href="file://{tmp_path}/secret.zip">here</a>'.encode()
    with pytest.raises(DatasetError, match="secret.zip: it is no address on the web"):
        download_alice.download(tmp_path / "alice")


def test_without_a_network_the_message_says_how_to_go_on(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(download_alice, "PAGE", "http://127.0.0.1:9/nothing")
    assert download_alice.main([str(tmp_path / "alice")]) == 2
    assert "cannot be read" in (error := capsys.readouterr().err) and "make alice FROM=" in error


def test_archives_saved_by_hand(server, tmp_path):
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "one.zip").write_bytes(archive(*CONTENT))
    assert download_alice.download(tmp_path / "alice", saved) == 3
    assert server[0] == []


def test_the_checksums_are_those_of_the_real_files(real_alice, capsys):
    assert download_alice.missing_files(real_alice) == {}
    assert download_alice.main([str(real_alice)]) == 0
    assert "all files are there already" in capsys.readouterr().out
    assert len(Alice(real_alice).participants()) == 27
