"""What the page says of angles, on squats with a hidden knee."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.report.browser import hung_browser, show
from tests.report.examples import Clip, figure
from tests.report.squats import COUNT, DEEPEST, LENGTH, squat_clip, squatting
from ttpose.core.skeleton import COCO17
from ttpose.report.angles import AngleSummary, nearer_side
from ttpose.report.page import write_report
from ttpose.results.angles import BodyAngles, body_angles
from ttpose.results.repetitions import find_repetitions

pytestmark = hung_browser


def angles_of(frames: list[np.ndarray]) -> tuple[BodyAngles, np.ndarray]:
    times = np.arange(len(frames)) / 30
    return body_angles(np.stack(frames), COCO17, times), times


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return squat_clip(tmp_path_factory.mktemp("squat"))


@pytest.fixture(scope="module")
def path(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    (folder / "overlay.mp4").write_bytes(b"")
    write_report(clip.path, clip.made, folder / "report.html")
    return folder / "report.html"


def test_minimum_maximum_range_and_what_is_seen() -> None:
    angles, times = angles_of(squatting())
    rows = {row.name: row for row in AngleSummary.of(angles, times, None).rows}
    right, left = rows["right knee"], rows["left knee"]
    assert (right.least, right.most, right.reach, right.known) == ("0°", f"{DEEPEST:.0f}°", f"{DEEPEST:.0f}°", 100)
    assert not right.far and left.far
    assert 70 < left.known < 90
    assert rows["pelvis"].least == "–"
    # The deepest of the left knee is hidden: its maximum is at least what was seen.
    assert left.most.startswith("≥ ") and left.reach.startswith("≥ ") and not left.least.startswith("≤")


def test_a_gap_elsewhere_hides_no_extreme() -> None:
    frames = squatting()
    for frame in frames:
        frame[COCO17.index("left_knee"), 2] = 0.9
    for frame in frames[34:38]:  # standing
        frame[COCO17.index("right_knee"), 2] = 0.1
    angles, times = angles_of(frames)
    (row,) = [row for row in AngleSummary.of(angles, times, None).rows if row.name == "right knee"]
    assert (row.least, row.most) == ("0°", f"{DEEPEST:.0f}°")


def test_one_stray_frame_is_no_maximum() -> None:
    frames = squatting()
    frames[20][COCO17.index("right_ankle"), :2] += 30
    angles, times = angles_of(frames)
    (row,) = [row for row in AngleSummary.of(angles, times, None).rows if row.name == "right knee"]
    assert int(row.most[:-1]) == pytest.approx(DEEPEST, abs=1)


def test_each_repetition_has_its_figures() -> None:
    angles, times = angles_of(squatting())
    summary = AngleSummary.of(angles, times, find_repetitions(angles, times))
    assert summary.repeats is not None and summary.part in ("knee", "hip")
    rows = summary.repetitions["knee"]
    assert [row.number for row in rows] == list(range(1, COUNT + 1))
    assert all(0.6 * LENGTH / 30 < row.takes_s < LENGTH / 30 for row in rows)
    for row in rows:
        left, right = row.sides
        assert int(right.most[:-1]) == pytest.approx(DEEPEST, abs=1)
        assert left.far and left.known < right.known == 100


def test_the_nearer_side_follows_the_facing() -> None:
    frames = squatting()
    mirrored = [frame * (-1, 1, 1) + (160, 0, 0) for frame in frames]
    assert nearer_side(angles_of(frames)[0])[0] == "right"
    assert nearer_side(angles_of(mirrored)[0])[0] == "left"
    side, sentence = nearer_side(angles_of(frames + mirrored)[0])
    assert side is None and "turns round" in sentence
    front = [figure()] * 30
    side, sentence = nearer_side(angles_of(front)[0])
    assert side is None and "seen from the front" in sentence


def test_the_page_names_side_gaps_and_repetitions(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    assert "The right side is nearer to the camera." in page
    assert f"{COUNT} repetitions: knee" in page
    gaps = re.findall(r"the left knee angle is not known", page)
    assert len(gaps) >= COUNT
    assert "the right knee angle is not known" not in page
    assert '<a href="overlay.mp4">' in page and "angles.csv</a>" not in page  # which is not there
    assert page.index('id="plot-angles"') < page.index('id="plot-confidence"') < page.index('id="plot-speed"')


def test_csv_and_png_can_be_saved(browser: Any, path: Path, clip: Clip, tmp_path: Path) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    show(browser, path)
    browser.execute_cdp_cmd("Page.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    browser.execute_script("document.getElementById('angles-csv').click()")
    table, shot = tmp_path / "squat_angles.csv", tmp_path / "squat_knee.png"
    WebDriverWait(browser, 10).until(lambda _: table.exists())
    rows = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"))))
    angles, times = angles_of(squatting())
    assert len(rows) == len(times)
    for name in ("right_knee", "left_knee", "trunk"):
        for row, value in zip(rows, angles.column(name), strict=True):
            cell = row[f"{name}_deg"]
            assert (cell == "") if np.isnan(value) else float(cell) == pytest.approx(value, abs=0.06)
    choose = "const s = document.getElementById('angles-of'); s.value = 'knee'; s.dispatchEvent(new Event('change'))"
    browser.execute_script(choose)
    browser.execute_script("document.getElementById('angles-png').click()")
    WebDriverWait(browser, 10).until(lambda _: shot.exists())
    image = cv2.imread(str(shot))
    assert image is not None and image.shape[1] > 300 and image.std() > 5


def test_the_table_of_repetitions_follows_the_chosen_joint(browser: Any, path: Path) -> None:
    show(browser, path)
    for part in ("elbow", "knee"):
        browser.execute_script(
            "const s = document.getElementById('angles-of'); s.value = arguments[0];"
            "s.dispatchEvent(new Event('change'))",
            part,
        )
        shown = (
            "return [...document.querySelectorAll('[data-part]')].filter((t) => !t.hidden).map((t) => t.dataset.part)"
        )
        assert browser.execute_script(shown) == [part]


@pytest.mark.parametrize("width", [360, 390, 768])
def test_nothing_is_cut_off(browser: Any, path: Path, width: int) -> None:
    """Nothing has to be scrolled sideways, and a phone is told of no keys."""
    show(browser, path, width=width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    wide = """
    return [...document.querySelectorAll("main *")]
      .filter((e) => e.getClientRects().length && !e.closest(".sr, details:not([open]), canvas, svg, .u-wrap"))
      .filter((e) => e.getBoundingClientRect().right > innerWidth + 1
        || (e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== "visible"))
      .map((e) => e.outerHTML.slice(0, 100));
    """
    assert browser.execute_script(wide) == []
    keys = browser.execute_script("return document.querySelector('.keys').getClientRects().length")
    assert (keys == 0) == (width < 600)


def test_the_machinery_is_folded_away(browser: Any, path: Path) -> None:
    show(browser, path)
    seen = browser.execute_script("return document.querySelector('.files').checkVisibility()")
    assert seen is False
