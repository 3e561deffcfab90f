from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from tests.report.browser import hung_browser, show, wait_until_drawn
from tests.report.examples import FRAMES, Clip
from ttpose.corrections import read_corrections
from ttpose.corrections.records import json_schema
from ttpose.media import open_source
from ttpose.report.page import write_report

pytestmark = hung_browser

# The canvas without the clip's noise: what is left are the skeletons.
_LINES = """
const canvas = document.getElementById("canvas");
const { data, width } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
const seen = { left: [], base: 0 };
for (let i = 0; i < data.length; i += 4) {
  const [r, g, b] = [data[i], data[i + 1], data[i + 2]];
  if (r > 190 && g > 110 && g < 190 && b < 70) seen.left.push((i / 4) % width);
  if (r > 190 && g < 170 && b > 150 && r - g > 60) seen.base += 1;
}
const mean = seen.left.length ? seen.left.reduce((a, b) => a + b, 0) / seen.left.length / width : null;
return { left: seen.left.length, at: mean, base: seen.base, sum: data.reduce((a, b) => (a * 31 + b) % 1000003, 7) };
"""


@pytest.fixture(scope="module")
def path(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(clip.path, clip.made, path)
    return path


@pytest.fixture
def page(browser: Any, path: Path) -> Any:
    show(browser, path)
    return browser


def lines(page: Any) -> dict[str, Any]:
    wait_until_drawn(page)
    found: dict[str, Any] = page.execute_script(_LINES)
    return found


def slide(page: Any, position: int) -> None:
    page.execute_script(
        "const s = document.getElementById('slider'); s.value = arguments[0]; s.dispatchEvent(new Event('input'));",
        position,
    )


def press(page: Any, key: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    ActionChains(page).send_keys(
        {"space": " ", "left": Keys.ARROW_LEFT, "right": Keys.ARROW_RIGHT}.get(key, key)
    ).perform()


def frame_shown(page: Any) -> int:
    return int(page.execute_script("return document.getElementById('slider').value"))


def mode(page: Any) -> str:
    return str(page.execute_script("return document.querySelector('input[name=mode]:checked').value"))


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (360, False), (360, True)])
def test_it_opens_without_complaints(browser: Any, path: Path, width: int, dark: bool) -> None:
    browser.get_log("browser")
    show(browser, path, width=width, dark=dark)
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script("return document.querySelectorAll('.uplot').length") == 5
    paper = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(int(part) for part in paper[4:-1].split(",")) < 200) == dark


def test_the_slider_moves_the_skeleton(page: Any) -> None:
    start = lines(page)
    slide(page, 15)
    later = lines(page)
    assert start["left"] > 50
    assert later["at"] - start["at"] == pytest.approx(15 / 160, abs=0.02)  # the person walks a pixel a frame
    slide(page, 21)
    assert lines(page)["left"] == 0  # nobody is there
    assert (
        page.execute_script("return document.getElementById('slider').getAttribute('aria-valuetext')")
        == "Frame 21, 0.70 s"
    )


def test_the_stages_differ(page: Any) -> None:
    seen = {}
    for choice in ("base", "refined", "personalized", "all"):
        page.execute_script(f"document.querySelector('input[value={choice}]').click()")
        seen[choice] = lines(page)
    assert len({each["sum"] for each in seen.values()}) == 4
    assert seen["all"]["base"] > 50 + seen["personalized"]["base"]  # JPEG edges may look alike


def test_keys_step_switch_and_play(page: Any) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    press(page, "right")
    press(page, "right")
    press(page, "left")
    assert frame_shown(page) == 1
    assert [press(page, "b") or mode(page) for _ in range(4)] == ["all", "base", "refined", "personalized"]
    press(page, "space")
    WebDriverWait(page, 10).until(lambda _: frame_shown(page) > 5)
    press(page, "space")
    stopped = frame_shown(page)
    wait_until_drawn(page)
    wait_until_drawn(page)
    assert frame_shown(page) == stopped
    assert page.execute_script("return document.getElementById('play').getAttribute('aria-label')") == "Play"


def test_keys_leave_focused_controls_alone(page: Any) -> None:
    page.execute_script("document.getElementById('angles-of').focus()")
    press(page, "right")
    assert frame_shown(page) == 0
    page.execute_script("document.getElementById('play').focus()")
    press(page, "space")  # pressing the button and the key for it at once would start and stop
    assert page.execute_script("return document.getElementById('play').getAttribute('aria-label')") == "Pause"
    press(page, "space")


def test_a_click_on_a_curve_moves_the_player(page: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By

    curve = page.find_element(By.CSS_SELECTOR, "#plot-speed .u-over")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", curve)
    ActionChains(page).move_to_element_with_offset(curve, curve.size["width"] // 4, 0).click().perform()
    assert frame_shown(page) == pytest.approx(0.75 * (FRAMES - 1), abs=1)


def test_a_flag_jumps_to_its_frame(page: Any) -> None:
    from selenium.webdriver.common.by import By

    button = page.find_element(By.XPATH, "//button[text()='Frames 20–22']")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()
    assert frame_shown(page) == 20


def test_the_doubts_are_saved_as_corrections_with_the_swaps_chosen(page: Any, clip: Clip, tmp_path: Path) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    page.execute_cdp_cmd("Page.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    selects = "return [...document.querySelectorAll('select[data-swap]')].map((e) => [e.dataset.first, e.hidden])"
    assert dict(page.execute_script(selects)) == {"5": False, "20": True}  # nobody is in frames 20 to 22
    page.execute_script("document.querySelector('select[data-first=\"5\"]').value = 'legs'")
    page.execute_script("document.getElementById('export').click()")
    saved = tmp_path / "corrections.json"
    WebDriverWait(page, 10).until(lambda _: saved.exists())
    content = json.loads(saved.read_text(encoding="utf-8"))
    jsonschema.validate(content, json_schema())
    notes = {record["index"]: record.get("note") for record in content["frames"]}
    assert notes[21] == "Person not found: nobody was found" and "legs swapped" in notes[5]
    result = clip.made.keypoints
    found = read_corrections(saved, result.skeleton, open_source(clip.path).info).frames
    assert list(found) == [5]
    left, right = (result.skeleton.index(f"{side}_knee") for side in ("left", "right"))
    assert found[5].swaps == ("legs",)
    np.testing.assert_allclose(found[5].sides[left], result.frames[5].people[0].keypoints[right, :2])


def test_choosing_joints_redraws_the_curves(page: Any) -> None:
    label = "return document.getElementById('plot-angles').getAttribute('aria-label')"
    assert page.execute_script(label).startswith("knee angle")
    page.execute_script(
        "const s = document.getElementById('angles-of'); s.value = 'elbow'; s.dispatchEvent(new Event('change'));"
    )
    assert page.execute_script(label).startswith("elbow angle")
    assert page.execute_script("return document.querySelectorAll('.uplot').length") == 5


def test_controls_have_names(page: Any) -> None:
    nameless = """
    return [...document.querySelectorAll("button, input, select, #canvas, svg[role=img], img, [role=region]")]
      .filter((e) => !(e.labels && e.labels.length && e.labels[0].textContent.trim()) && !e.textContent.trim()
        && !e.getAttribute("aria-label") && !e.getAttribute("alt") && !e.getAttribute("aria-labelledby"))
      .map((e) => e.outerHTML.slice(0, 90));
    """
    assert page.execute_script(nameless) == []
    assert page.execute_script("return [...document.querySelectorAll('[id]')].length") == page.execute_script(
        "return new Set([...document.querySelectorAll('[id]')].map((e) => e.id)).size"
    )


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_its_ground(browser: Any, path: Path, dark: bool) -> None:
    """WCAG AA: 4.5 to 1."""
    show(browser, path, dark=dark)
    faint = """
    const parse = (c) => { const v = c.match(/[\\d.]+/g).map(Number); return v.length < 4 ? [...v, 1] : v; };
    const light = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, w, i) => {
      const v = c[i] / 255; return sum + w * (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); }, 0);
    const over = (a, b, alpha) => a.map((v, i) => v * alpha + b[i] * (1 - alpha)).slice(0, 3);
    const ground = (e) => { for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor); if (c[3] > 0) return c; } return [255, 255, 255, 1]; };
    const opacity = (e) => e ? getComputedStyle(e).opacity * opacity(e.parentElement) : 1;
    return [...document.querySelectorAll("h1,h2,h3,p,dt,dd,th,td,li,summary,button,label,span,a,code,kbd,select")]
      .filter((e) => e.getClientRects().length && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
      .filter((e) => !e.closest(".sr, .skip, .stage"))
      .map((e) => { const back = ground(e); const front = over(parse(getComputedStyle(e).color), back, opacity(e));
        const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
        return [(a + 0.05) / (b + 0.05), e.textContent.trim().slice(0, 40)]; })
      .filter(([ratio]) => ratio < 4.5);
    """
    assert browser.execute_script(faint) == []
