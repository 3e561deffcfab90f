"""Everything around the person that is drawn once per clip, and the rendering of one moment in it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ttpose_synth.assets import SyntheticAssets
from ttpose_synth.camera import Camera, CameraRanges, sample_camera
from ttpose_synth.faults import CameraFaults, FaultRanges, Occluder
from ttpose_synth.lighting import cast_shadow, sample_light
from ttpose_synth.meshes import vertex_normals
from ttpose_synth.motion import MotionRanges
from ttpose_synth.person import Person
from ttpose_synth.raster import SUPERSAMPLE, rasterise
from ttpose_synth.room import Room, RoomExposure, RoomRanges, sample_room
from ttpose_synth.shade_person import Light, PosedMesh, shade_person
from ttpose_synth.shade_room import shade_room
from ttpose_synth.take import Take


@dataclass(frozen=True)
class BystanderRanges:
    """How often somebody else is there, and where; lengths in metres from where the camera looks, chosen by eye."""

    share: float = 0.0
    beside: tuple[float, float] = (0.25, 0.85)
    behind: tuple[float, float] = (-0.5, 1.8)  # below 0: before the person
    nearest: float = 1.2  # to the camera


@dataclass(frozen=True)
class ClipRanges:
    """How clips of one person differ."""

    motion: MotionRanges = field(default_factory=MotionRanges)
    camera: CameraRanges = field(default_factory=CameraRanges)
    room: RoomRanges = field(default_factory=RoomRanges)
    faults: FaultRanges = field(default_factory=FaultRanges)
    bystanders: BystanderRanges = field(default_factory=BystanderRanges)
    luminance: tuple[float, float] = (0.07, 0.4)  # of the person, linear: underexposed to bright
    room_ratio: tuple[float, float] = (0.6, 1.3)  # exposure of the room over the person's


@dataclass(frozen=True)
class Scene:
    """The surroundings of a clip; `luminance` is what the person is exposed to on the first picture."""

    size: int
    camera: Camera
    light: Light
    room: Room
    room_exposure: RoomExposure
    room_ratio: float
    occluder: Occluder | None
    faults: CameraFaults
    luminance: float


@dataclass(frozen=True)
class Moment:
    """One rendered moment.

    Attributes:
        image: float32 [S, S, 3], linear light, RGB.
        coverage: float32 [S, S], 0..1.
        depth_buffer: float32 [S * SUPERSAMPLE, S * SUPERSAMPLE].
        face_buffer: int32, likewise.
    """

    image: np.ndarray
    coverage: np.ndarray
    depth_buffer: np.ndarray
    face_buffer: np.ndarray


def sample_scene(assets: SyntheticAssets, rng: np.random.Generator, take: Take, size: int, ranges: ClipRanges) -> Scene:
    """Draw the surroundings of a take."""
    camera = sample_camera(rng, take.vertices, size, take.slow, ranges.camera)
    light = sample_light(rng)
    room = sample_room(assets.backgrounds, rng, camera, ranges.room)
    room_exposure = RoomExposure.sample(rng)
    hidden = rng.random() < ranges.faults.occluder_share
    occluder = Occluder.sample(assets.backgrounds, rng, size) if hidden else None
    faults = CameraFaults.sample(rng, size, ranges.faults)
    luminance, room_ratio = rng.uniform(*ranges.luminance), rng.uniform(*ranges.room_ratio)
    return Scene(size, camera, light, room, room_exposure, room_ratio, occluder, faults, luminance)


class Studio:
    """Renders the moments of one clip; the first one sets the exposure for all."""

    def __init__(self, person: Person, take: Take, scene: Scene) -> None:
        self._person, self._take, self._scene = person, take, scene
        self._normal = np.zeros_like(person.vertex)
        self._exposure: float | None = None

    def render(self, number: int) -> Moment:
        """Render one moment: the person in the room, exposed, in linear light."""
        person, scene, size = self._person, self._scene, self._scene.size
        posed = self._take.vertices[number]
        vertex_normals(posed, person.surface.face, self._normal)
        screen = scene.camera.screen(posed, person.lift, number)
        side = size * SUPERSAMPLE
        depth_buffer, face_buffer = np.zeros((side, side), np.float32), np.full((side, side), -1, np.int32)
        rasterise(screen, person.surface, depth_buffer, face_buffer)
        shadow = cast_shadow(posed, person.surface.face, scene.light.key_direction)
        image = np.zeros((size, size, 3), np.float32)
        mesh, pinhole = PosedMesh(posed, self._normal), scene.camera.pinhole(number)
        coverage = shade_person(face_buffer, screen, mesh, person.surface, pinhole, scene.light, shadow, image)
        exposure = self._expose(image, coverage)
        image *= np.float32(exposure)
        key_up = float(scene.light.key_direction[1])
        room_light = scene.room_exposure.at(exposure * scene.room_ratio, scene.room, key_up)
        shade_room(coverage, pinhole, shadow, scene.room.box, scene.room.texture, room_light, image)
        return Moment(image, coverage, depth_buffer, face_buffer)

    def _expose(self, image: np.ndarray, coverage: np.ndarray) -> float:
        if self._exposure is None:
            covered = coverage > 0.99
            luminance = float(image[covered].mean()) if covered.any() else 0.2
            self._exposure = float(np.clip(self._scene.luminance / max(luminance, 0.01), 0.4, 4.0))
        return self._exposure
