"""`personalize_many` and `person=` with the shipped base."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ttpose
from tests import sample
from ttpose.core.errors import InputError, UsageError, WeightsError
from ttpose.core.files import sha256_of
from ttpose.core.progress import Progress
from ttpose.media.images import write_image
from ttpose.models.checkpoint import read_metadata
from ttpose.models.person import PersonDelta

HOW = {"preset": "fast", "steps": 1, "device": "cpu"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("inputs")
    write_image(folder / "photo.png", sample.images()[90])
    one = sample.write_part(folder / "one.mp4", range(2))
    return [one, folder / "photo.png", sample.write_part(folder / "two.mp4", range(40, 42))]


@pytest.fixture(scope="module")
def made(inputs: list[Path]) -> list[ttpose.api.Personalization]:
    return ttpose.personalize_many(inputs, **HOW)


def positions(result: ttpose.api.KeypointResult) -> np.ndarray:
    return np.stack([frame.people[0].keypoints[:, :2] for frame in result.frames])


def test_each_source_has_keypoints_and_all_have_one_person(
    made: list[ttpose.api.Personalization], inputs: list[Path], tmp_path: Path
) -> None:
    assert [one.keypoints.source["path"] for one in made] == [str(path) for path in inputs]
    assert [len(one.keypoints.frames) for one in made] == [2, 1, 2]
    assert made[0].person is made[2].person
    assert made[0].person.changes
    made[0].person.save(tmp_path / "person.safetensors")
    notes = read_metadata(tmp_path / "person.safetensors")
    assert json.loads(notes["sources"]) == ["one.mp4", "photo.png", "two.mp4"]
    again = ttpose.predict(inputs[0], weights=tmp_path / "person.safetensors", device="cpu")
    np.testing.assert_allclose(positions(again), positions(made[0].keypoints), atol=0.05)


def test_a_person_that_was_learned_before_is_not_learned_again(
    made: list[ttpose.api.Personalization], inputs: list[Path], tmp_path: Path
) -> None:
    file = tmp_path / "person.safetensors"
    made[0].person.save(file)
    again = ttpose.api.learn_person([], learned=file, **HOW)
    assert (again.guard, again.timings, again.sources) == (made[0].guard, {}, ())
    one = again.predict(inputs[2])
    np.testing.assert_allclose(positions(one.keypoints), positions(made[2].keypoints), atol=0.05)
    np.testing.assert_allclose(positions(one.base_keypoints), positions(made[2].base_keypoints), atol=0.05)
    assert one.keypoints.model == made[2].keypoints.model
    assert set(one.timings) == {"predict_s"}
    PersonDelta(made[0].person.base_sha256, {}, {"guard": '{"verdict": "base"}'}).save(file)
    with pytest.raises(WeightsError, match="does not say how it was made"):
        ttpose.api.learn_person([], learned=file, **HOW)


def test_continuing_gives_a_self_contained_person(
    made: list[ttpose.api.Personalization], inputs: list[Path], tmp_path: Path
) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    made[0].person.save(first)
    further = ttpose.personalize(inputs[2], person=first, **HOW)
    # What it starts from is the earlier person; before that there was the base.
    np.testing.assert_allclose(positions(further.base_keypoints), positions(made[2].base_keypoints), atol=0.05)
    np.testing.assert_allclose(positions(further.refined_keypoints), positions(made[2].keypoints), atol=0.05)
    assert further.base_keypoints.model["person_sha256"] is None
    further.person.save(second)
    assert read_metadata(second)["continues"] == further.refined_keypoints.model["person_sha256"] == sha256_of(first)
    first.unlink()
    again = ttpose.predict(inputs[2], weights=second, device="cpu")
    np.testing.assert_allclose(positions(again), positions(further.keypoints), atol=0.05)
    # The earlier changes are in it: it is further from the base than the step that was added.
    size = {name: float(np.abs(change.numpy()).sum()) for name, change in made[0].person.changes.items()}
    most = max(size, key=size.__getitem__)
    before, after = made[0].person.changes[most].flatten(), further.person.changes[most].flatten()
    assert float(np.corrcoef(before, after)[0, 1]) > 0.5


def test_a_bad_source_raises_or_is_left_out(inputs: list[Path], tmp_path: Path) -> None:
    class Ended(Exception):
        pass

    class UntilAdapting(Progress):
        def stage(self, name: str, total: int | None = None) -> Any:
            if name == "adapt":
                raise Ended
            return super().stage(name, total)

    bad = tmp_path / "bad.mp4"
    bad.write_text("no video")
    empty = tmp_path / "empty.png"
    write_image(empty, np.full((120, 160, 3), 100, np.uint8))
    with pytest.raises(InputError, match=r"bad\.mp4"):
        ttpose.personalize_many([inputs[1], bad], **HOW)
    left_out: list[Path] = []
    with pytest.raises(Ended):  # by then all sources were looked at
        ttpose.personalize_many(
            [bad, inputs[1], empty], on_bad=lambda path, _: left_out.append(path), progress=UntilAdapting(), **HOW
        )
    assert left_out == [bad, empty]
    with pytest.raises(InputError):
        ttpose.personalize_many([bad, empty], on_bad=lambda path, _: None, **HOW)


def test_wrong_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: list[ttpose.api.Personalization]) -> None:
    with pytest.raises(UsageError, match="no input"):
        ttpose.personalize_many([], **HOW)
    monkeypatch.setenv("TTPOSE_DATA_DIR", str(tmp_path))
    with pytest.raises(WeightsError, match="no person 'anna'"):
        ttpose.personalize("x.mp4", person="anna", **HOW)
    made[0].person.save(tmp_path / "person.safetensors")
    with pytest.raises(UsageError, match="not a base"):
        ttpose.personalize("x.mp4", base=tmp_path / "person.safetensors", **HOW)
