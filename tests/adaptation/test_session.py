"""From a clip to keypoints and a person, with a model that finds coloured dots."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.feet import feet_of, second_network
from tests.listed import ListedClip
from tests.live.dot_stream import DotDetector
from tests.recorded import Recorded
from tests.small_models import CountedDots, DotModel, recoloured
from ttpose.adaptation.session import PersonalizationSession
from ttpose.adaptation.settings import PersonalizeSettings
from ttpose.adaptation.weights import PersonalizedWeights
from ttpose.core.errors import InputError
from ttpose.core.skeleton import COCO17, COCO17_FEET
from ttpose.corrections.model import Corrections, FrameCorrection
from ttpose.inference.ensemble import EnsembleMember
from ttpose.inference.settings import RefineSettings
from ttpose.models.shipped import LoadedModel
from ttpose.results import with_disagreement

FRAMES = 24
SETTINGS = PersonalizeSettings(
    steps=6, batch=4, pose_rate=0.01, ema=0.5, rate_warmup=0, teacher_views=2, distillation=1.0,
    refine=RefineSettings(views=2, rescore=False),
)  # fmt: skip


def _session(settings=SETTINGS, *, base=None, start=None):
    base = LoadedModel(base or recoloured(CountedDots(), 0.15, -0.15, 0.15), "dots", "ab" * 32)
    return PersonalizationSession(base, start or base, DotDetector(), settings, Recorded())


def _positions(result):
    return np.stack([frame.people[0].keypoints for frame in result.frames])


@pytest.fixture(scope="module")
def made(walk):
    session = _session()
    seen = session.observe(ListedClip(walk[1][:FRAMES]), "auto")
    weights = session.learn([seen])
    return session, seen, weights, session.predict(seen, weights)


def test_three_stages_are_told_apart(made, walk):
    _, seen, _, result = made
    base, refined, personal = map(_positions, (result.base_keypoints, result.refined_keypoints, result.keypoints))
    assert np.allclose(base, seen.clip.single_view.keypoints), "one plain view, as the network says it"
    assert not np.allclose(refined, base, atol=1e-3)
    assert result.guard.decision == "personalized"
    assert personal[..., 2].mean() > refined[..., 2].mean() + 0.02
    assert np.abs(personal - walk[0][:FRAMES])[..., :2].max() < 8
    for one in (result.keypoints, result.refined_keypoints, result.base_keypoints):
        assert [frame.index for frame in one.frames] == list(range(FRAMES))
        assert one.source["frames"] == FRAMES
    assert result.keypoints.model["guard"] == result.guard.to_dict()
    assert result.refined_keypoints.model["guard"] is None


def test_the_teacher_and_the_first_prediction_are_one(made):
    session, *_ = made
    stages = session.progress.stages
    assert set(stages) == {
        "finding the subject",
        "predict with nothing learned",
        "adapt",
        "compare weights on held-out frames",
        "predict",
    }
    assert all(done == total for name, (total, done) in stages.items() if name != "finding the subject")


def test_the_person_holds_how_it_was_made(made):
    session, _, weights, result = made
    assert result.person is weights.person
    notes = result.person.notes
    assert json.loads(notes["settings"])["steps"] == 6
    assert json.loads(notes["guard"]) == result.guard.to_dict()
    assert (notes["source"], notes["base"]) == ("clip.mp4", "dots")
    assert set(result.timings) == {"find_s", "refine_s", "teacher_s", "adapt_s", "guard_s", "predict_s"}
    assert result.samples.base is session.start.model and result.samples.personal is weights.model.model
    assert len(result.history) == 6


def test_the_person_file_gives_the_same_weights(made, tmp_path):
    session, seen, weights, result = made
    weights.person.save(tmp_path / "person.safetensors")
    again = PersonalizedWeights.load(tmp_path / "person.safetensors", session.base)
    assert again.guard == weights.guard and again.timings == {}
    for one, other in zip(again.model.model.parameters(), weights.model.model.parameters(), strict=True):
        assert torch.equal(one, other)
    repeated = session.predict(seen, again)
    assert np.allclose(_positions(repeated.keypoints), _positions(result.keypoints), atol=1e-6)


def test_where_the_guard_keeps_the_base_nothing_is_predicted_again(walk):
    session = _session(replace(SETTINGS, pose_rate=50.0), base=CountedDots())
    seen = session.observe(ListedClip(walk[1][:FRAMES]), "auto")
    before = session.start.model.predicted
    assert session.detector.released == 0
    weights = session.learn([seen])
    assert session.detector.released == 1  # learning needs the memory of what was compiled
    assert weights.guard.decision == "base" and weights.person.changes == {}
    learned = weights.model.model.predicted
    made = session.predict(seen, weights)
    assert weights.model.model.predicted == learned and "predict" not in session.progress.stages
    assert session.start.model.predicted > before, "the guard alone"
    assert np.array_equal(_positions(made.keypoints), _positions(made.refined_keypoints))


@pytest.mark.parametrize("mode", ["offline", "online"])
def test_the_ensemble_predicts_each_frame_once_for_all_weights(walk, mode, monkeypatch):
    asked = []

    def predict(self, crops, keypoints):
        asked.extend(crop.index for crop in crops)
        return np.concatenate([keypoints, np.zeros((*keypoints.shape[:2], 1))], -1)

    monkeypatch.setattr(EnsembleMember, "predict", predict)
    refine = replace(SETTINGS.refine, ensemble=True, rescore=True)
    session = _session(replace(SETTINGS, mode=mode, refine=refine, guard=False, steps=1))
    seen = session.observe(ListedClip(walk[1][:FRAMES]), "auto")
    made = session.online(seen) if mode == "online" else session.predict(seen, session.learn([seen]))
    assert asked == list(range(FRAMES))
    assert made.guard.decision == "personalized"


@pytest.fixture
def with_feet(walk, monkeypatch):
    """A session whose second network sees feet, and what it observed; a toe and a knee are corrected in frame 3."""
    monkeypatch.setattr(EnsembleMember, "predict", second_network)
    refine = replace(SETTINGS.refine, ensemble=True, feet=True)
    session = _session(replace(SETTINGS, refine=refine, guard=False, steps=1))
    keypoints = np.full((21, 3), np.nan)
    keypoints[COCO17_FEET.index("left_big_toe")] = 30.0, 40.0, 2
    keypoints[COCO17_FEET.index("left_knee")] = *walk[0][3, COCO17.index("left_knee"), :2], 2
    keypoints[COCO17_FEET.index("right_heel"), 2] = 0
    only_foot = np.full((21, 3), np.nan)
    only_foot[20] = 50.0, 60.0, 1
    return session, Corrections({3: FrameCorrection(keypoints), 9: FrameCorrection(only_foot)})


def _personalized(session, walk, said):
    seen = session.observe(ListedClip(walk[1][:FRAMES]), "auto", corrections=said)
    return session.predict(seen, session.learn([seen]))


@pytest.mark.parametrize("mode", ["offline", "online"])
def test_results_have_feet_and_the_base_has_none(with_feet, walk, mode):
    session = replace(with_feet[0], settings=replace(with_feet[0].settings, mode=mode))
    seen = session.observe(ListedClip(walk[1][:FRAMES]), "auto")
    made = session.online(seen) if mode == "online" else session.predict(seen, session.learn([seen]))
    assert made.keypoints.skeleton == made.refined_keypoints.skeleton == COCO17_FEET
    assert made.base_keypoints.skeleton == COCO17
    assert np.abs(_positions(made.keypoints)[:, 17:] - feet_of(walk[0][:FRAMES]))[..., :2].max() < 10
    compared = with_disagreement(made.keypoints, made.base_keypoints).frames[5].people[0].disagreement
    assert np.isfinite(compared[:17]).all() and np.isnan(compared[17:]).all()


def test_corrected_feet_are_written_and_the_rest_is_learned(with_feet, walk):
    session, said = with_feet
    made = _personalized(session, walk, said)
    person = made.keypoints.frames[3].people[0]
    assert person.keypoints[COCO17_FEET.index("left_big_toe")].tolist() == [30.0, 40.0, 1.0]
    assert person.keypoints[COCO17_FEET.index("right_heel"), 2] == 0
    assert person.corrected == tuple(sorted(map(COCO17_FEET.index, ("left_knee", "left_big_toe", "right_heel"))))
    assert made.keypoints.frames[9].people[0].corrected == (20,)
    alone = _personalized(session, walk, said.joints(17))
    assert np.allclose(_positions(alone.keypoints)[:, :17], _positions(made.keypoints)[:, :17]), "nothing else changes"


def test_without_feet_their_corrections_are_left_out(with_feet, walk):
    session, said = with_feet
    session = replace(session, settings=replace(session.settings, refine=replace(session.settings.refine, feet=False)))
    made = _personalized(session, walk, said)
    assert made.keypoints.skeleton == COCO17
    assert made.keypoints.frames[3].people[0].corrected == (COCO17.index("left_knee"),)
    assert made.keypoints.frames[9].people[0].corrected == ()


@pytest.mark.parametrize(("feet", "told"), [(True, "not learned from"), (False, "are left out")])
def test_a_file_with_corrected_feet_says_what_becomes_of_them(with_feet, walk, tmp_path, feet, told):
    session = with_feet[0]
    session = replace(session, settings=replace(session.settings, refine=replace(session.settings.refine, feet=feet)))
    clip = ListedClip(walk[1][:FRAMES])
    name, size = clip.info.path.name, (clip.info.width, clip.info.height)
    record = {"index": 2, "joints": {"left_heel": {"x": 20.0, "y": 30.0, "state": "visible"}}}
    head = {"name": name, "sha256": None, "width": size[0], "height": size[1], "frames": clip.info.frames}
    file = tmp_path / "corrections.json"
    file.write_text(json.dumps({"schema": "ttpose.corrections/1", "clip": head, "frames": [record]}))
    read = session.corrections(file, clip)
    assert read.frames[2].keypoints[COCO17_FEET.index("left_heel")].tolist() == [20.0, 30.0, 2.0]
    assert any(told in note for note in session.progress.notes)


def test_online_learns_and_predicts_frame_by_frame(walk):
    session = _session(replace(SETTINGS, mode="online", distillation=0.0, self_training=1.0))
    made = session.online(session.observe(ListedClip(walk[1][:FRAMES]), "auto"))
    assert len(made.history) == FRAMES and made.guard.decision == "personalized"
    assert np.abs(_positions(made.keypoints) - walk[0][:FRAMES])[..., :2].max() < 8
    assert {"adapt_s", "guard_s", "predict_s"} <= set(made.timings)


def test_online_needs_every_crop(walk):
    session = _session(replace(SETTINGS, mode="online"))
    seen = session.observe(ListedClip(walk[1][:FRAMES]), "auto", most=10)
    with pytest.raises(InputError, match="too long for --mode online"):
        session.online(seen)


def test_a_run_that_continues_starts_from_the_earlier_person(walk):
    base = LoadedModel(recoloured(DotModel(), 0.15, -0.15, 0.15), "dots", "ab" * 32)
    earlier = LoadedModel(recoloured(DotModel(), 0.08, -0.08, 0.08), "dots", "ab" * 32, person_sha256="cd" * 32)
    session = PersonalizationSession(base, earlier, DotDetector(), SETTINGS, Recorded())
    seen = session.observe(ListedClip(walk[1][:FRAMES]), "auto")
    made = session.predict(seen, session.learn([seen]))
    assert made.person.notes["continues"] == "cd" * 32
    assert "earlier personalization" in made.guard.reason
    assert made.base_keypoints.model["person_sha256"] is None, "before is the base"
    assert made.refined_keypoints.model["person_sha256"] == "cd" * 32
    scores = [_positions(r)[..., 2].mean() for r in (made.base_keypoints, made.refined_keypoints, made.keypoints)]
    assert scores[0] < scores[1] < scores[2]
    # The file holds both changes: it is relative to the base.
    whole = made.person.apply(base.model)
    start, end = (m.encoder.colors for m in (earlier.model, whole))
    assert (end - base.model.encoder.colors).abs().mean() > (start - base.model.encoder.colors).abs().mean()
