from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.clips import picture
from tests.report.examples import FRAMES, NASTY, Clip, figure, made_for
from ttpose.core.errors import OutputError
from ttpose.core.files import sha256_of
from ttpose.core.geometry import Box
from ttpose.core.skeleton import COCO17_FEET
from ttpose.report.page import Selector, write_report
from ttpose.results import KeypointResult
from ttpose.results.seen import SeenPerson
from ttpose.results.smoothing import smooth


def page_of(clip: Clip, folder: Path) -> str:
    write_report(clip.path, clip.made, folder / "report.html")
    return (folder / "report.html").read_text(encoding="utf-8")


def values_of(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="values">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_the_page_holds_everything(clip: Clip, tmp_path: Path) -> None:
    (tmp_path / "person.safetensors").write_bytes(b"weights")
    page = page_of(clip, tmp_path)
    values = values_of(page)
    assert len(values["film"]["pictures"]) == len(values["tracks"][0]) == len(values["plots"]["times"]) == FRAMES
    assert len(values["tracks"]) == len(values["plots"]["speed"]) == 3
    assert [values["tracks"][stage][7][1] for stage in range(3)] == [28.5, 24, 22.5]  # base, refined, personalized
    x, y, score = values["tracks"][2][7][:3]
    assert (x, y, score) == (67.5, 22.5, 0.9)  # the nose of frame 7; positions count from the picture's corner
    assert values["tracks"][2][20][:3] == [None, None, 0.0]
    assert list(values["plots"]["angles"])[:2] == ["left_knee", "right_knee"]
    assert values["plots"]["angles"]["left_knee"][2][0] == 0
    for text in ("The personalized weights are used", "every check passed", sha256_of(tmp_path / "person.safetensors"),
                 sha256_of(clip.path), "ab" * 32, "legs swapped", "Person not found", "Affinity W", "Learn",
                 "augmentation: flip", "Correct frames:"):  # fmt: skip
        assert text in page, text


def test_the_page_says_what_happened_to_the_keypoints(clip: Clip, tmp_path: Path) -> None:
    page = page_of(clip, tmp_path)
    assert '<h2 id="decision">The personalized weights are used</h2>' in page
    assert "Personalizing moved the keypoints by 5 % of the torso on average." in page
    assert "Personalized weights used: test-time views agree better on held-out frames, 0.05 → 0.04." in page
    same = replace(clip.made, refined_keypoints=clip.made.keypoints)
    page = page_of(Clip(clip.path, same), tmp_path)
    assert '<h2 id="decision">Personalizing changed almost nothing</h2>' in page
    assert "`ttpose predict --preset fast` gives the same in a fifth of the time." in page


def test_the_player_offers_every_stage(clip: Clip, tmp_path: Path) -> None:
    page = page_of(clip, tmp_path)
    modes = re.findall(r'name="mode" value="(\w+)"', page)
    assert modes == ["base", "refined", "personalized", "all"]
    spoken = re.search(r"<dt>Confidence</dt><dd>(.*?)</dd>", page, re.DOTALL)
    assert spoken
    text = " ".join(re.sub(r"<[^>]*>", "", spoken[1]).split())
    assert text == "0.70 base, → 0.70 refined, → 0.90 personalized"


def test_nothing_is_loaded_from_elsewhere(clip: Clip, tmp_path: Path) -> None:
    page = page_of(clip, tmp_path)
    assert set(re.findall(r'(?:src|href)="(?!data:|#)([^"]*)"', page)) == set()
    assert "url(" not in page and "@import" not in page
    assert "default-src 'none'" in page
    assert len(page) < 2_000_000


def test_names_are_escaped(clip: Clip, tmp_path: Path) -> None:
    page = page_of(clip, tmp_path)
    assert NASTY not in page and "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert str(clip.path.parent) not in page  # whoever gets the page need not know where the clip lay


def test_notes_are_escaped(clip: Clip, tmp_path: Path) -> None:
    frames = list(clip.made.keypoints.frames)
    frames[0] = replace(frames[0], note="</script><img src=x onerror=alert(1)>")
    made = replace(clip.made, keypoints=replace(clip.made.keypoints, frames=frames))
    page = page_of(Clip(clip.path, made), tmp_path)
    assert "<img src=x" not in page
    assert values_of(page)["film"]["notes"][0] == frames[0].note


def test_smoothed_keypoints_get_their_own_track(clip: Clip, tmp_path: Path) -> None:
    made = replace(clip.made, keypoints=smooth(clip.made.keypoints))
    page = page_of(Clip(clip.path, made), tmp_path)
    values = values_of(page)
    assert len(values["tracks"]) == len(values["plots"]["speed"]) == 4
    assert values["tracks"][2][20][0] is None and values["tracks"][3][20][0] is not None  # a short gap is filled
    assert 'value="smoothed"' in page


def _with_feet(result: KeypointResult) -> KeypointResult:
    frames = []
    for frame in result.frames:
        feet = [(60.0 + k, 110.0, 0.5) for k in range(4)]
        people = [replace(p, keypoints=np.concatenate([p.keypoints, feet])) for p in frame.people]
        frames.append(replace(frame, people=tuple(people)))
    return replace(result, skeleton=COCO17_FEET, frames=frames)


def test_results_with_feet_are_compared_with_a_base_that_has_none(clip: Clip, tmp_path: Path) -> None:
    refined, after = _with_feet(clip.made.refined_keypoints), _with_feet(clip.made.keypoints)
    made = replace(clip.made, refined_keypoints=refined, keypoints=after)
    values, before = (values_of(page_of(Clip(clip.path, each), tmp_path)) for each in (made, clip.made))
    assert values["skeleton"]["keypoints"] == list(COCO17_FEET.keypoints)
    base, _, personalized = (track[7] for track in values["tracks"])
    assert base[51:] == [None, None, 0.0] * 4 and personalized[51:54] == [60.5, 110.5, 0.5]
    assert values["plots"]["confidence"]["left_heel"][0][7] is None
    assert values["plots"]["confidence"]["left_heel"][2][7] == 0.5
    for name in ("speed", "jitter"):
        assert values["plots"][name] == before["plots"][name], "of the keypoints that all have"
    assert values["plots"]["confidence"]["all"] == before["plots"]["confidence"]["all"]


def test_a_photo_has_no_player_controls(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), picture(3)[..., ::-1])
    page = page_of(Clip(path, made_for(path, [figure()])), tmp_path)
    assert 'id="slider"' not in page.split("<script>")[0]
    assert "Inside the model" not in page
    assert values_of(page)["film"]["indices"] == [0]


def test_a_long_clip_makes_no_long_page(clip: Clip, tmp_path: Path) -> None:
    walk = [figure(np.sin(i / 9)) for i in range(10_000)]
    page = page_of(Clip(clip.path, made_for(clip.path, walk)), tmp_path)
    assert len(values_of(page)["plots"]["times"]) <= 1500
    assert len(page) < 2_000_000


def test_failing_leaves_an_earlier_page_alone(clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "report.html"
    target.write_text("earlier")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ttpose.core.files.os.replace", full)
    with pytest.raises(OutputError):
        write_report(clip.path, clip.made, target)
    assert target.read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_it_is_quick(clip: Clip, tmp_path: Path) -> None:
    page_of(clip, tmp_path)
    start = time.process_time()
    page_of(clip, tmp_path)
    assert time.process_time() - start < 3


def test_pages_of_several_people_choose_among_each_other(clip: Clip, tmp_path: Path) -> None:
    (tmp_path / "person_2.safetensors").write_bytes(b"weights")
    pages = {1: "report.html", 2: "report_person_2.html"}
    path = tmp_path / pages[2]
    write_report(clip.path, clip.made, path, selector=Selector(2, pages, "person_2.safetensors"))
    page = path.read_text(encoding="utf-8")
    assert '<a href="report.html">Person 1</a>' in page
    assert '<a href="report_person_2.html" aria-current="page">Person 2</a>' in page
    assert sha256_of(tmp_path / "person_2.safetensors") in page
    assert "Correct frames" not in page  # which is about one person


def test_the_page_says_who_else_was_seen(clip: Clip, tmp_path: Path) -> None:
    assert "people were seen" not in page_of(clip, tmp_path)
    seen = tuple(SeenPerson(n, n == 1, 9, 0, 8, Box(100 * n, 40, 20, 60)) for n in (1, 2))
    made = replace(clip.made, keypoints=replace(clip.made.keypoints, people=seen))
    page = page_of(Clip(clip.path, made), tmp_path)
    assert (
        "2 people were seen; number 1 is followed, at 110,70 in frame 0; --people all takes all, "
        "--subject 210,70 somebody else." in page
    )
    assert 'aria-label="People"' not in page
