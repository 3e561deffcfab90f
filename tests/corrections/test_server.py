"""The page's server: what it answers, and whom it refuses."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.clips import number_of, write_clip
from tests.report.examples import figure, result_of
from ttpose.core.errors import InputError, UsageError
from ttpose.core.progress import Progress
from ttpose.core.skeleton import COCO17
from ttpose.corrections import read_corrections
from ttpose.corrections.learning import Learned
from ttpose.corrections.page import CorrectPage
from ttpose.corrections.server import CorrectServer, serving
from ttpose.corrections.store import CorrectionsFile
from ttpose.media import Source, open_source

FRAMES = 40
WIDTHS = [figure(0.5 * i) for i in range(FRAMES)]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return open_source(write_clip(tmp_path_factory.mktemp("clip") / "walk.mp4", FRAMES))


class Learning:
    """A learner that waits until it is told to go on."""

    def __init__(self) -> None:
        self.go_on, self.error = threading.Event(), None

    def __call__(self, corrections: Path, progress: Progress) -> Learned:
        with progress.stage("adapt", 10) as advance:
            for _ in range(10):
                while not self.go_on.wait(0.01):
                    advance(0)
                advance()
        progress.note("a remark")
        if self.error is not None:
            raise self.error
        return Learned(result_of(Path("walk.mp4"), [points + 3 for points in WIDTHS]), "14 px → 8 px")


@pytest.fixture
def learning() -> Learning:
    return Learning()


@pytest.fixture
def server(source: Source, tmp_path: Path, learning: Learning) -> Iterator[CorrectServer]:
    file = CorrectionsFile(tmp_path / "corrections.json", COCO17, source.info)
    with serving(CorrectPage(source, result_of(source.info.path, WIDTHS), file, learning)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


Ask = Callable[..., tuple[int, bytes]]


@pytest.fixture
def ask(server: CorrectServer) -> Ask:
    def answer(path: str, method: str = "GET", body: Any = None, **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=20)
        sent = {"X-Token": server.token, **{key.replace("_", "-"): value for key, value in headers.items()}}
        connection.request(method, path, None if body is None else json.dumps(body), sent)
        found = connection.getresponse()
        return found.status, found.read()

    return answer


def told(answer: tuple[int, bytes]) -> Any:
    return json.loads(answer[1])


def test_it_listens_on_this_machine_only(server: CorrectServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert server.address.startswith("http://127.0.0.1:")
    outside = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    for address in outside:
        with pytest.raises(OSError), socket.create_connection((address, server.server_address[1]), timeout=1):
            pass


@pytest.mark.parametrize("path", ["/", "/clip", "/frame/3", "/learning", "/nothing"])
def test_no_token_no_answer(server: CorrectServer, ask: Ask, path: str) -> None:
    assert ask(path)[0] in (200, 404)
    for token in ("", "x", server.token[:-1], server.token + "x", "ü"):
        assert ask(path, X_Token=token.encode("utf-8").decode("latin-1"))[0] == 403
        assert ask(path, X_Token="", body=None)[0] == 403


def test_the_address_opens_the_page_but_changes_nothing(server: CorrectServer, ask: Ask) -> None:
    status, html = ask(f"/?token={server.token}", X_Token="")
    assert (status, html[:15]) == (200, b"<!doctype html>")
    assert server.token.encode() not in html
    for method, path in (("POST", "/quit"), ("POST", "/learn"), ("PUT", "/frame/3")):
        status, _ = ask(f"{path}?token={server.token}", method, {"index": 3, "swaps": ["legs"]}, X_Token="")
        assert status == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "[::1]:{port}", ""]
)
def test_other_hosts_are_refused(server: CorrectServer, ask: Ask, host: str) -> None:
    port = server.server_address[1]
    assert ask("/clip", Host=f"localhost:{port}")[0] == 200
    assert ask("/clip", Host=host.format(port=port))[0] == 403
    assert ask("/clip", Origin="http://evil.example")[0] == 403
    assert ask("/clip", Origin=f"http://127.0.0.1:{port}")[0] == 200


def test_nothing_may_be_loaded_framed_or_kept(server: CorrectServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1])
    connection.request("GET", f"/?token={server.token}")
    headers = connection.getresponse().headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; connect-src 'self';")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert (headers["Referrer-Policy"], headers["Cache-Control"]) == ("no-referrer", "no-store")


def test_the_clip_and_its_frames(server: CorrectServer, ask: Ask) -> None:
    clip = told(ask("/clip"))
    assert (clip["name"], clip["width"], clip["height"], len(clip["poses"])) == ("walk.mp4", 160, 120, FRAMES)
    assert clip["poses"][7][:3] == [*WIDTHS[7][0, :2].round(2), 0.9]
    assert len(clip["suggestions"]) == 5 and all(item["reasons"] for item in clip["suggestions"])
    for index in (0, 39, 17, 3):
        status, data = ask(f"/frame/{index}")
        assert status == 200
        assert number_of(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)) == index
    assert ask("/frame/40")[0] == 404
    for wrong in ("/frame/x", "/frame/-1", "/frame", "/frame/1/2", "/frame/9999999999999"):
        assert ask(wrong)[0] == 400


def test_a_change_is_saved_or_refused(server: CorrectServer, ask: Ask, source: Source) -> None:
    record = {"index": 3, "joints": {"nose": {"x": 10, "y": 20, "state": "hidden"}}}
    assert ask("/frame/3", "PUT", record)[0] == 200
    found = read_corrections(server.page.file.path, COCO17, source.info)
    assert found.frames[3].keypoints[0].tolist() == [10, 20, 1]
    assert told(ask("/clip"))["records"] == [record]
    wrong = {"index": 3, "joints": {"nose": {"x": 1000, "y": 20}}}
    for body in (wrong, record | {"index": 4}, [], {"index": 3, "joints": {"tail": {"x": 1, "y": 1}}}):
        status, said = ask("/frame/3", "PUT", body)
        assert status == 400 and json.loads(said)["error"]
    assert told(ask("/clip"))["records"] == [record]


def test_what_is_no_request_is_refused_and_the_server_goes_on(server: CorrectServer, ask: Ask) -> None:
    for raw in (
        b"nonsense\r\n\r\n",
        b"PUT /frame/3 HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"\x00" * 100 + b"\n",
    ):
        with socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=5) as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
    assert ask("/frame/3", "PUT", "not a record")[0] == 400
    assert ask("/clip")[0] == 200


def wait_for(ask: Ask, *states: str) -> Any:
    for _ in range(400):
        state = told(ask("/learning"))
        if state["state"] in states:
            return state
        time.sleep(0.02)
    raise AssertionError(state)


def test_learning_tells_how_far_it_is_and_gives_before_and_after(ask: Ask, learning: Learning) -> None:
    assert told(ask("/learning")) == {"state": "none"}
    assert "correct a frame first" in told(ask("/learn", "POST"))["error"]
    ask("/frame/3", "PUT", {"index": 3, "swaps": ["legs"]})
    assert told(ask("/learn", "POST"))["state"] == "running"
    assert "already" in told(ask("/learn", "POST"))["error"]
    state = wait_for(ask, "running")
    assert (state["stage"], state["done"], state["total"]) == ("adapt", 0, 10)
    assert told(ask("/clip"))["before"] is None
    learning.go_on.set()
    state = wait_for(ask, "done")
    assert (state["text"], state["notes"]) == ("14 px → 8 px", ["a remark"])
    clip = told(ask("/clip"))
    assert clip["poses"][7][0] == pytest.approx(clip["before"][7][0] + 3)


def test_learning_can_be_stopped_and_can_fail(ask: Ask, learning: Learning) -> None:
    ask("/frame/3", "PUT", {"index": 3, "swaps": ["legs"]})
    ask("/learn", "POST")
    ask("/cancel", "POST")
    assert "as they were" in wait_for(ask, "cancelled")["text"]
    learning.go_on.set()
    learning.error = InputError("the clip is gone", "copy it back")
    ask("/learn", "POST")
    assert wait_for(ask, "failed")["text"] == "the clip is gone (copy it back)"
    assert told(ask("/clip"))["before"] is None


def test_without_a_learner_the_reason_is_told(source: Source, tmp_path: Path) -> None:
    file = CorrectionsFile(tmp_path / "corrections.json", COCO17, source.info)
    page = CorrectPage(source, result_of(source.info.path, WIDTHS), file, None, "not with this method")
    assert page.clip()["learning"] == {"possible": False, "why_not": "not with this method"}
    with pytest.raises(UsageError, match="not with this method"):
        page.learn()


def test_the_button_ends_it(source: Source, tmp_path: Path, learning: Learning) -> None:
    file = CorrectionsFile(tmp_path / "corrections.json", COCO17, source.info)
    with serving(CorrectPage(source, result_of(source.info.path, WIDTHS), file, learning)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1])
        connection.request("POST", "/quit", headers={"X-Token": server.token})
        assert connection.getresponse().status == 200
        thread.join(10)
        assert not thread.is_alive()


def test_a_taken_port_is_one_line(server: CorrectServer) -> None:
    with pytest.raises(UsageError, match="cannot listen on port"):
        CorrectServer(server.page, server.server_address[1])
