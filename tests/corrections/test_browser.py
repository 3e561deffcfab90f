"""The page in a browser: joints dragged and swapped, saved, undone, loaded again, learned from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.clips import write_clip
from tests.corrections.serve import DOUBTED, FRAMES, POSES, page_of
from tests.report.browser import hung_browser
from ttpose.core.skeleton import COCO17
from ttpose.corrections import HIDDEN, NOT_IN_PICTURE, VISIBLE, FrameCorrection, read_corrections
from ttpose.corrections.server import CorrectServer
from ttpose.media import Source, open_source

pytestmark = hung_browser

NOSE, WRIST = COCO17.index("nose"), COCO17.index("left_wrist")
KNEES = [COCO17.index("left_knee"), COCO17.index("right_knee")]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return open_source(write_clip(tmp_path_factory.mktemp("clip") / "walk.mp4", FRAMES))


@pytest.fixture
def server(source: Source, tmp_path: Path) -> Iterator[CorrectServer]:
    with page_of(source, tmp_path) as server:
        yield server


def show(browser: Any, server: CorrectServer, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
    phone = width < 600
    size = {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": phone})
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    browser.get("about:blank")
    browser.get(server.address)
    until(browser, "return canvas.view && canvas.view.pictures.get(canvas.view.index) instanceof ImageBitmap")


def until(browser: Any, script: str) -> Any:
    from selenium.common.exceptions import JavascriptException
    from selenium.webdriver.support.ui import WebDriverWait

    def holds(page: Any) -> Any:
        try:
            return page.execute_script(f"const canvas = document.getElementById('canvas'); {script}")
        except JavascriptException:
            return None

    return WebDriverWait(browser, 20, poll_frequency=0.05).until(holds)


def saved(browser: Any) -> None:
    until(browser, "return document.getElementById('saved').textContent === 'Saved'")


@pytest.fixture
def page(browser: Any, server: CorrectServer) -> Any:
    show(browser, server)
    return browser


@pytest.fixture
def corrected(server: CorrectServer, source: Source, page: Any) -> Callable[[int], FrameCorrection | None]:
    """What the file says of a frame, once the page says that it is saved."""

    def read(index: int) -> FrameCorrection | None:
        saved(page)
        return read_corrections(server.page.file.path, COCO17, source.info).frames.get(index)

    return read


def press(page: Any, *keys: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(page).send_keys(*keys).perform()


def click(page: Any, css: str) -> None:
    page.execute_script("document.querySelector(arguments[0]).click()", css)


def go(page: Any, index: int) -> None:
    page.execute_script(
        "const s = document.getElementById('slider'); s.value = arguments[0]; s.dispatchEvent(new Event('input'));",
        index,
    )


def shown(page: Any) -> int:
    return int(page.execute_script("return document.getElementById('canvas').view.index"))


def on_screen(page: Any, k: int) -> tuple[float, float, float]:
    """Where a joint is in the window, and how many window pixels a picture pixel has."""
    x, y, scale = page.execute_script(
        "const { view } = document.getElementById('canvas');"
        "const box = view.canvas.getBoundingClientRect();"
        "const joint = view.clip.joints(view.index)[arguments[0]];"
        "const [x, y] = view.toCanvas(joint.x, joint.y);"
        "return [box.left + x, box.top + y, view.scale];",
        k,
    )
    return x, y, scale


def drag(page: Any, k: int, dx: int, dy: int) -> np.ndarray:
    """Drag a joint by window pixels; returns that in picture pixels."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.actions.action_builder import ActionBuilder

    x, y, scale = on_screen(page, k)
    chain = ActionChains(page)
    builder = ActionBuilder(page)
    pointer = builder.pointer_action
    pointer.move_to_location(round(x), round(y)).pointer_down()
    for part in (0.4, 0.8, 1.0):
        pointer.move_to_location(round(x) + round(dx * part), round(y) + round(dy * part))
    pointer.pointer_up()
    builder.perform()
    chain.reset_actions()
    return np.array([dx, dy]) / scale


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False), (390, True)])
def test_it_opens_without_complaints(browser: Any, server: CorrectServer, width: int, dark: bool) -> None:
    browser.get_log("browser")
    show(browser, server, width=width, dark=dark)
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    paper = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(int(part) for part in paper[4:-1].split(",")) < 200) == dark
    told = browser.execute_script("return document.getElementById('frames').innerText")
    assert told.count("Frame ") == 5
    assert "low confidence: left knee" in told
    assert shown(browser) in DOUBTED  # the most doubtful first


def test_a_dragged_joint_is_saved_undone_done_again_and_loaded_again(
    browser: Any, server: CorrectServer, page: Any, corrected: Callable[[int], FrameCorrection | None]
) -> None:
    go(page, 8)
    moved = drag(page, WRIST, 60, -45)
    frame = corrected(8)
    assert frame is not None
    assert np.flatnonzero(frame.corrected).tolist() == [WRIST]
    np.testing.assert_allclose(frame.keypoints[WRIST, :2], POSES[8][WRIST, :2] + moved, atol=0.01)
    assert frame.keypoints[WRIST, 2] == VISIBLE
    press(page, "z")
    assert corrected(8) is None
    go(page, 20)
    press(page, "y")  # goes to the frame that it changes
    assert shown(page) == 8
    again = corrected(8)
    assert again is not None
    np.testing.assert_array_equal(again.keypoints, frame.keypoints)
    show(browser, server)
    go(page, 8)
    state = page.execute_script("return document.getElementById('canvas').view.clip.joints(8)[arguments[0]]", WRIST)
    assert (state["source"], [state["x"], state["y"]]) == ("corrected", frame.keypoints[WRIST, :2].tolist())
    assert "8" in page.execute_script("return document.getElementById('others').innerText").split()


def test_a_joint_stays_in_the_picture(page: Any, corrected: Callable[[int], FrameCorrection | None]) -> None:
    go(page, 8)
    click(page, "#whole")
    click(page, "#zoom-out")
    x, _, _ = on_screen(page, NOSE)
    drag(page, NOSE, 5 - round(x), 0)
    frame = corrected(8)
    assert frame is not None and frame.keypoints[NOSE, 0] == -0.5


def test_dragging_goes_to_the_right_place_at_any_zoom(
    page: Any, corrected: Callable[[int], FrameCorrection | None]
) -> None:
    go(page, 8)
    press(page, "+", "+", "-", "+")
    page.execute_script("const { view } = document.getElementById('canvas'); view.origin[0] += 3; view.draw();")
    moved = drag(page, COCO17.index("left_hip"), 31, 17)
    frame = corrected(8)
    assert frame is not None
    hip = COCO17.index("left_hip")
    np.testing.assert_allclose(frame.keypoints[hip, :2], POSES[8][hip, :2] + moved, atol=0.01)
    press(page, "0")
    assert page.execute_script("return document.getElementById('canvas').view.follow")


def test_wheel_zooms_at_the_pointer_and_dragging_beside_joints_pans(page: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin

    go(page, 8)
    canvas = page.find_element("id", "canvas")
    before = on_screen(page, NOSE)
    ActionChains(page).scroll_from_origin(ScrollOrigin.from_element(canvas, 0, 0), 0, -300).perform()
    after = on_screen(page, NOSE)
    assert after[2] > 1.3 * before[2]
    ActionChains(page).move_to_element_with_offset(canvas, 330, 200).click_and_hold().move_by_offset(
        -40, 20
    ).release().perform()
    panned = on_screen(page, NOSE)
    assert (panned[0] - after[0], panned[1] - after[1]) == pytest.approx((-40, 20), abs=1)


def test_swapped_sides_are_saved_and_taken_back(page: Any, corrected: Callable[[int], FrameCorrection | None]) -> None:
    left, right = KNEES
    go(page, 8)
    press(page, "l")
    frame = corrected(8)
    assert frame is not None
    assert frame.swaps == ("legs",)
    assert not frame.corrected.any()
    np.testing.assert_allclose(frame.sides[left], POSES[8][right, :2])
    press(page, "l")
    assert corrected(8) is None
    press(page, "w")
    frame = corrected(8)
    assert frame is not None and frame.swaps == ("legs", "arms", "head")
    press(page, "a")
    frame = corrected(8)
    assert frame is not None and frame.swaps == ("legs", "head")


def test_swapping_takes_corrected_joints_along(page: Any, corrected: Callable[[int], FrameCorrection | None]) -> None:
    left, right = KNEES
    go(page, 8)
    moved = drag(page, left, 40, 10)
    click(page, "[data-do=legs]")
    frame = corrected(8)
    assert frame is not None
    assert np.flatnonzero(frame.corrected).tolist() == [right]
    np.testing.assert_allclose(frame.keypoints[right, :2], POSES[8][left, :2] + moved, atol=0.01)
    np.testing.assert_allclose(frame.sides[left], POSES[8][right, :2])


def test_keys_choose_joints_and_say_how_they_are_seen(
    page: Any, corrected: Callable[[int], FrameCorrection | None]
) -> None:
    go(page, 8)
    press(page, "n", "h", "n", "x", "n", "p")
    assert page.execute_script("return document.getElementById('joint-label').textContent") == "left eye"
    frame = corrected(8)
    assert frame is not None
    assert frame.keypoints[NOSE].tolist() == [*POSES[8][NOSE, :2], HIDDEN]
    assert frame.keypoints[1, 2] == NOT_IN_PICTURE
    press(page, "x", "p", "h")
    frame = corrected(8)
    assert frame is not None
    assert np.flatnonzero(frame.corrected).tolist() == [NOSE]
    assert frame.keypoints[NOSE, 2] == VISIBLE
    assert (
        page.execute_script("return document.querySelector('[data-do=hide]').getAttribute('aria-pressed')") == "false"
    )


def test_a_joint_without_a_place_is_put_where_one_taps(
    page: Any, corrected: Callable[[int], FrameCorrection | None]
) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    go(page, 8)
    press(page, "n", "x")
    ActionChains(page).move_to_element_with_offset(page.find_element("id", "canvas"), -200, 30).click().perform()
    frame = corrected(8)
    assert frame is not None and frame.keypoints[NOSE, 2] == VISIBLE


def test_arrows_with_alt_move_the_joint_and_without_the_frame(
    page: Any, corrected: Callable[[int], FrameCorrection | None]
) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    go(page, 8)
    press(page, "n")
    ActionChains(page).key_down(Keys.ALT).send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_UP).key_up(
        Keys.ALT
    ).perform()
    frame = corrected(8)
    assert frame is not None
    assert frame.keypoints[NOSE, :2].tolist() == (POSES[8][NOSE, :2] - [2, 1]).tolist()
    click(page, "#fit")
    page.execute_script("document.activeElement.blur()")
    press(page, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    assert shown(page) == 9


def test_joints_are_copied_from_the_frame_before(page: Any, corrected: Callable[[int], FrameCorrection | None]) -> None:
    go(page, 8)
    drag(page, WRIST, 50, 0)
    first = corrected(8)
    assert first is not None
    go(page, 9)
    press(page, "c")
    frame = corrected(9)
    assert frame is not None
    assert frame.corrected.all()
    np.testing.assert_array_equal(frame.keypoints[WRIST], first.keypoints[WRIST])
    np.testing.assert_array_equal(frame.keypoints[NOSE, :2], POSES[8][NOSE, :2])
    click(page, "[data-do=reset]")
    assert corrected(9) is None


def test_enter_says_that_all_is_right_and_goes_on(
    page: Any, corrected: Callable[[int], FrameCorrection | None]
) -> None:
    from selenium.webdriver.common.keys import Keys

    first = shown(page)
    press(page, Keys.ENTER)
    frame = corrected(first)
    assert frame is not None
    assert frame.corrected.all()
    np.testing.assert_array_equal(frame.keypoints[:, :2], POSES[first][:, :2])
    assert shown(page) != first
    assert "✓ all right" in page.execute_script("return document.getElementById('frames').innerText")


def touch(page: Any, kind: str, *points: tuple[float, float]) -> None:
    where = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
    page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": where})


def test_a_finger_drags_and_two_zoom(
    browser: Any, server: CorrectServer, page: Any, corrected: Callable[[int], FrameCorrection | None]
) -> None:
    show(browser, server, width=390, height=844)
    go(page, 8)
    x, y, scale = on_screen(page, WRIST)
    touch(page, "touchStart", (x + 4, y - 10))  # beside the joint, which a finger would cover
    for part in (0.3, 0.7, 1.0):
        touch(page, "touchMove", (x + 4 + 30 * part, y - 10 + 40 * part))
    touch(page, "touchEnd")
    frame = corrected(8)
    assert frame is not None
    np.testing.assert_allclose(frame.keypoints[WRIST, :2], POSES[8][WRIST, :2] + np.array([30, 40]) / scale, atol=0.05)
    before = on_screen(page, NOSE)[2]
    touch(page, "touchStart", (150, 300), (250, 300))
    for wide in (20, 50, 80):
        touch(page, "touchMove", (150 - wide, 300), (250 + wide, 300))
    touch(page, "touchEnd")
    assert on_screen(page, NOSE)[2] == pytest.approx(2.6 * before, rel=0.05)
    assert np.flatnonzero(corrected(8).corrected).tolist() == [WRIST]  # type: ignore[union-attr]


def test_a_change_that_cannot_be_saved_is_told(
    page: Any, server: CorrectServer, corrected: Callable[[int], FrameCorrection | None]
) -> None:
    go(page, 8)
    path, server.page.file.path = server.page.file.path, Path("/dev/null/corrections.json")
    press(page, "l")
    until(page, "return document.getElementById('saved').textContent === 'Not saved'")
    assert "cannot write /dev/null" in page.execute_script("return document.getElementById('trouble').textContent")
    server.page.file.path = path
    press(page, "a")
    assert corrected(8).swaps == ("legs", "arms")  # type: ignore[union-attr]
    assert page.execute_script("return document.getElementById('trouble').hidden")


def test_a_wrong_token_is_told(browser: Any, server: CorrectServer) -> None:
    browser.get(server.address[:-4] + "xxxx")
    assert "open the address" in browser.execute_script("return document.body.innerText")


def test_learning_shows_progress_then_before_and_after(
    page: Any, corrected: Callable[[int], FrameCorrection | None]
) -> None:
    assert page.execute_script("return document.getElementById('learn').disabled")
    go(page, 8)
    drag(page, WRIST, 60, -45)
    frame = corrected(8)
    assert frame is not None
    click(page, "#learn")
    until(page, "return document.getElementById('stage').textContent.startsWith('adapt: ')")
    until(page, "return document.getElementById('learned').textContent.includes('14 px → 8 px')")
    assert page.execute_script("return document.querySelector('input[name=mode]:checked').value") == "both"
    told = page.execute_script("return document.getElementById('changed').innerText")
    assert told.count("Frame ") >= 3 and "Frame 8\n" not in told
    found = page.execute_script(
        "const { clip } = document.getElementById('canvas').view;"
        "return [clip.before[20][0], clip.poses[20][0], clip.poses[8].slice(3 * arguments[0], 3 * arguments[0] + 2)];",
        WRIST,
    )
    assert found[1] == pytest.approx(found[0] + 5)
    assert found[2] == pytest.approx(frame.keypoints[WRIST, :2].tolist(), abs=0.01)
    click(page, "input[value=before]")
    press(page, "l")  # nothing can be changed in the result before
    assert corrected(8).swaps == ()  # type: ignore[union-attr]
    assert page.execute_script("return document.querySelector('[data-do=legs]').disabled")
    click(page, "input[value=after]")
    assert not page.execute_script("return document.querySelector('[data-do=legs]').disabled")


def test_finish_ends_the_server_and_says_where_the_file_is(page: Any, server: CorrectServer) -> None:
    go(page, 8)
    press(page, "l")
    saved(page)
    click(page, "#finish")
    until(page, "return !document.getElementById('ended').hidden")
    told = page.execute_script("return document.getElementById('ended').innerText")
    assert "1 corrected frame is saved" in told and str(server.page.file.path) in told


def test_controls_have_names(page: Any) -> None:
    nameless = """
    return [...document.querySelectorAll("button, input, summary, canvas, progress")]
      .filter((each) => !each.closest("[hidden]"))
      .filter((each) => !(each.getAttribute("aria-label") || each.textContent.trim() || each.closest("label")))
      .map((each) => each.outerHTML);
    """
    assert page.execute_script(nameless) == []
