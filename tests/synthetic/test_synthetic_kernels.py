from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("numba", reason="numba comes with ttpose[training]")

from ttpose_synth import rotations
from ttpose_synth.camera import Camera, look_at
from ttpose_synth.garments import strongest_bones
from ttpose_synth.labels import POINTS, box_of, inside, visible_points
from ttpose_synth.lighting import cast_shadow
from ttpose_synth.meshes import Surface, bounding_box, displace, skin_vertices, vertex_normals
from ttpose_synth.raster import SUPERSAMPLE, Screen, rasterise
from ttpose_synth.rig import Bones, driving_joint
from ttpose_synth.shade_person import Light, PosedMesh, shade_person
from ttpose_synth.shade_room import RoomBox, RoomLight, shade_room
from ttpose_synth.shell_garments import smooth_open_edges

from ttpose.core.geometry import Box, crop_to_heatmap

# Clockwise on the screen (x right, y down) is the order of a front face, as in the rasteriser's sign of the area.
FRONT, BACK = [[0, 2, 1]], [[0, 1, 2]]


def make_surface(face, *, colour=(255, 255, 255, 255), alpha_test=0, cull_back=0, specular=0.0) -> Surface:
    face = np.array(face, np.int32)
    texture = np.full((1, 8, 8, 4), 255, np.uint8)
    texture[:] = colour
    return Surface(
        face,
        np.zeros((len(face), 3, 2), np.float32),
        np.zeros(len(face), np.int32),
        texture,
        np.array([alpha_test], np.int32),
        np.array([cull_back], np.int32),
        np.array([specular], np.float32),
    )


def draw(points, surface: Surface, inverse_depth=1.0, size: int = 12, buffers=None):
    points = np.array(points, np.float32)
    depth, faces = buffers or (np.zeros((size, size), np.float32), np.full((size, size), -1, np.int32))
    z = np.broadcast_to(np.float32(inverse_depth), len(points)).astype(np.float32)
    rasterise(Screen(points[:, 0].copy(), points[:, 1].copy(), z), surface, depth, faces)
    return depth, faces


def test_a_triangle_covers_exactly_the_samples_whose_centres_lie_inside() -> None:
    corners = [(1.1, 0.7), (8.6, 2.2), (2.3, 9.4)]
    _, faces = draw(corners, make_surface(FRONT))
    (x0, y0), (x1, y1), (x2, y2) = corners
    y, x = np.mgrid[0:12, 0:12]
    expected = np.ones((12, 12), bool)
    for xa, ya, xb, yb in ((x0, y0, x1, y1), (x1, y1, x2, y2), (x2, y2, x0, y0)):
        expected &= (xb - xa) * (y - ya) - (yb - ya) * (x - xa) >= 0
    np.testing.assert_array_equal(faces == 0, expected)
    assert expected.sum() > 20


def test_backs_are_dropped_only_where_asked_and_points_behind_the_camera_always() -> None:
    corners = [(1, 1), (9, 1), (1, 9)]
    assert (draw(corners, make_surface(BACK, cull_back=1))[1] == -1).all()
    assert (draw(corners, make_surface(BACK))[1] == 0).any()
    assert (draw(corners, make_surface(FRONT), inverse_depth=[1, -1, 1])[1] == -1).all()


def test_the_nearer_triangle_wins_in_any_order() -> None:
    corners = [(0, 0), (11, 0), (0, 11)]
    for first, second in ((2.0, 1.0), (1.0, 2.0)):
        buffers = draw(corners, make_surface(FRONT), first)
        depth, _ = draw(corners, make_surface(FRONT), second, buffers=buffers)
        assert depth.max() == 2.0


def test_transparent_texels_are_holes() -> None:
    corners = [(1, 1), (9, 1), (1, 9)]
    clear = (255, 255, 255, 0)
    assert (draw(corners, make_surface(FRONT, colour=clear, alpha_test=1))[1] == -1).all()
    assert (draw(corners, make_surface(FRONT, colour=clear))[1] == 0).any()


def test_far_off_screen_vertices_do_no_harm() -> None:
    _, faces = draw([(-1e30, -1e30), (1e30, -1e30), (0, 1e30)], make_surface(FRONT))
    assert faces.shape == (12, 12)
    assert (draw([(-50, -50), (-20, -50), (-50, -20)], make_surface(FRONT))[1] == -1).all()


@pytest.fixture
def camera() -> Camera:
    eye, target = np.array([0.3, 1.2, 3.0]), np.array([0.0, 1.0, 0.0])
    return Camera(look_at(eye, target, 0.2)[None], eye[None], 90.0, 63.2, 64.9, 3.0, target[None])


def test_labels_and_pictures_agree_to_a_tenth_of_a_pixel(camera: Camera) -> None:
    """The coverage-weighted middle of a small square is where the label of its middle says."""
    right, down = camera.rotation[0, 0], camera.rotation[0, 1]
    middle = np.array([0.4, 1.3, 0.1])
    # Turned against the samples, so that not a whole row of them is won or lost at once.
    square = np.stack([middle + 0.3 * (np.cos(t) * right + np.sin(t) * down) for t in np.arange(4) * np.pi / 2 + 0.4])
    surface = make_surface([[0, 3, 2], [0, 2, 1]])
    screen = camera.screen(square.astype(np.float32), np.zeros(4, np.float32), 0)
    depth, faces = np.zeros((128, 128), np.float32), np.full((128, 128), -1, np.int32)
    rasterise(screen, surface, depth, faces)
    coverage = (faces >= 0).reshape(64, SUPERSAMPLE, 64, SUPERSAMPLE).mean((1, 3))
    y, x = np.mgrid[0:64, 0:64]
    seen = np.array([(x * coverage).sum(), (y * coverage).sum()]) / coverage.sum()
    label = crop_to_heatmap(camera.project(middle[None], 0)[0], SUPERSAMPLE)[0]
    np.testing.assert_allclose(seen, label, atol=0.1)
    np.testing.assert_allclose(1 / depth[faces >= 0].mean(), camera.project(middle[None], 0)[1][0], rtol=0.01)


def test_camera_axes(camera: Camera) -> None:
    """Up in the world is up on the picture, and the person's left (+x) is on the right for a camera before them."""
    upright = Camera(look_at(np.array([0, 1.0, 3]), np.array([0, 1.0, 0]), 0.0)[None], np.array([[0, 1.0, 3]]), 90.0,
                     63.5, 63.5, 3.0, np.zeros((1, 3)))  # fmt: skip
    samples, depth = upright.project(np.array([[0, 1.0, 0], [0, 1.5, 0], [0.5, 1.0, 0]]), 0)
    np.testing.assert_allclose(samples[0], [63.5, 63.5])
    assert samples[1, 1] < samples[0, 1]
    assert samples[2, 0] > samples[0, 0]
    np.testing.assert_allclose(depth, 3)
    np.testing.assert_allclose(camera.rotation[0] @ camera.rotation[0].T, np.eye(3), atol=1e-12)


def test_a_surface_towards_the_lamp_is_brighter_and_one_in_shadow_is_not(camera: Camera) -> None:
    up = np.array([0, 1, 0], np.float32)
    floor = np.array([[-2, 0, -2], [2, 0, -2], [2, 0, 2], [-2, 0, 2]], np.float32)
    roof = floor * 0.5 + [0, 2.5, 0]
    one, none, lamp = np.ones(3, np.float32), np.zeros(3, np.float32), np.array([0.2, 0.97, 0.1], np.float32)
    light = Light(lamp, one, up, none, one * np.float32(0.1), none)

    def floor_light(vertices, faces) -> float:
        vertices, surface = np.array(vertices, np.float32), make_surface(faces)
        normal = np.zeros_like(vertices)
        vertex_normals(vertices, surface.face, normal)
        shadow = cast_shadow(vertices, surface.face, lamp)
        screen = camera.screen(vertices, np.zeros(len(vertices), np.float32), 0)
        depth, buffer = np.zeros((128, 128), np.float32), np.full((128, 128), -1, np.int32)
        rasterise(screen, surface, depth, buffer)
        buffer[buffer > 1] = -1  # the floor alone
        image = np.zeros((64, 64, 3), np.float32)
        coverage = shade_person(
            buffer, screen, PosedMesh(vertices, normal), surface, camera.pinhole(0), light, shadow, image
        )
        x, y = (crop_to_heatmap(camera.project(np.zeros((1, 3)), 0)[0], SUPERSAMPLE)[0] + 0.5).astype(int)
        assert coverage[y, x] == 1
        return float(image[y, x, 0])

    quad = [[0, 3, 2], [0, 2, 1]]
    lit = floor_light(floor, quad)
    shaded = floor_light(np.concatenate([floor, roof]), quad + [[a + 4, b + 4, c + 4] for a, b, c in quad])
    assert lit > 1.0
    assert 0 < shaded < 0.2


def test_the_room_shows_its_sides_where_they_are(camera: Camera) -> None:
    eye = np.array([[0.0, 1.0, 0.0]])
    ahead = Camera(look_at(eye[0], np.array([0, 1.0, 5]), 0.0)[None], eye, 30.0, 63.5, 63.5, 5.0, eye)
    texture = np.zeros((6, 4, 4, 3), np.uint8)
    for side in range(6):
        texture[side] = 40 * (side + 1)
    numbers = map(np.float32, (3, 3, 2, 1, 1, 1, 0, 0, 0))
    image, coverage = np.zeros((64, 64, 3), np.float32), np.zeros((64, 64), np.float32)
    shadow = cast_shadow(np.eye(3, dtype=np.float32), np.array(FRONT, np.int32), np.array([0, 1, 0], np.float32))
    light = RoomLight(*map(np.float32, (1, 0, 1, 1)))
    shade_room(coverage, ahead.pinhole(0), shadow, RoomBox(*numbers), texture, light, image)
    shown = np.rint(np.sqrt(image[..., 0]) * 255 / 40).astype(int) - 1
    # Facing +z, +x is on the left: floor below, ceiling above, the +z wall ahead, the +x wall left, -x right.
    assert (shown[60, 32], shown[3, 32], shown[32, 32], shown[32, 1], shown[32, 62]) == (0, 1, 4, 2, 3)


def test_skinning_blends_rigid_motions() -> None:
    rng = np.random.default_rng(0)
    rest = rng.normal(size=(5, 3)).astype(np.float32)
    turn = np.stack([rotations.from_vector(rng.normal(size=3)) for _ in range(3)]).astype(np.float32)
    shift = rng.normal(size=(3, 3)).astype(np.float32)
    index = rng.integers(0, 3, (5, 4)).astype(np.int32)
    weight = rng.dirichlet(np.ones(4), 5).astype(np.float32)
    out = np.empty_like(rest)
    skin_vertices(rest, index, weight, turn, shift, out)
    expected = [
        sum(weight[v, k] * (turn[index[v, k]] @ rest[v] + shift[index[v, k]]) for k in range(4)) for v in range(5)
    ]
    np.testing.assert_allclose(out, expected, atol=1e-5)


def test_normals_boxes_and_displacement() -> None:
    square = np.array([[0, 0, 0], [2, 0, 0], [2, 0, 2], [0, 0, 2]], np.float32)
    normal = np.zeros_like(square)
    vertex_normals(square, np.array([[0, 3, 2], [0, 2, 1]], np.int32), normal)
    np.testing.assert_allclose(normal, [[0, 1, 0]] * 4, atol=1e-6)
    np.testing.assert_array_equal(bounding_box(square), [[0, 0, 0], [2, 0, 2]])
    displace(square, np.array([1, 1], np.uint16), np.array([[1, 0, 0], [0, 2, 0]], np.int16), np.float32(0.5))
    np.testing.assert_allclose(square[1], [2.5, 1, 0])


def test_posed_bones_keep_their_lengths_and_hang_together() -> None:
    head = np.array([[0, 1.0, 0], [0, 1.5, 0], [0.4, 1.5, 0]])
    bones = Bones((-1, 0, 1), head, np.array([0, 1, 1]), np.tile(np.eye(3), (3, 1, 1)), (), 0.8)
    turn = np.stack([np.eye(3), rotations.from_vector(np.array([0, 0, np.pi / 2]))])[None]
    rotation, translation, start = bones.pose(turn, np.array([[5.0, 1.0, 0.0]]))
    np.testing.assert_allclose(start[0], [[5, 1, 0], [5, 1.5, 0], [5, 1.9, 0]], atol=1e-12)
    mapped = np.einsum("bij,bj->bi", rotation[0], head) + translation[0]
    np.testing.assert_allclose(mapped, start[0], atol=1e-5)


def test_rotations() -> None:
    quarter = rotations.from_vector(np.array([0, 0, np.pi / 2]))
    np.testing.assert_allclose(quarter @ [1, 0, 0], [0, 1, 0], atol=1e-12)
    q = np.array([np.cos(np.pi / 4), 0, 0, np.sin(np.pi / 4)]) * 7
    np.testing.assert_allclose(rotations.from_quaternions(q), quarter, atol=1e-12)
    a, b = np.array([1.0, 2, 3]), np.array([-2.0, 0.5, 1])
    turned = rotations.between(a, b) @ a
    np.testing.assert_allclose(turned / np.linalg.norm(turned), b / np.linalg.norm(b), atol=1e-12)
    np.testing.assert_array_equal(rotations.from_vector(np.zeros(3)), np.eye(3))


def test_bones_know_what_drives_them() -> None:
    names = ("root", "spine03", "lowerarm02.L", "finger3-1.R", "toe1-1.L", "eye.L", "upperleg01.R", "clavicle.R")
    driven = ("hip", "abdomen", "lForeArm", "rHand", "lFoot", "head", "rThigh", "rCollar")
    assert tuple(map(driving_joint, names)) == driven


def test_strongest_bones_merge_repeats() -> None:
    bone = np.array([[5, 5, 1, 2, 3, 4]])
    index, weight = strongest_bones(bone, np.array([[0.2, 0.2, 0.3, 0.15, 0.1, 0.05]], np.float32))
    assert index.tolist() == [[1, 2, 3, 5]]
    np.testing.assert_allclose(weight, np.array([[0.3, 0.15, 0.1, 0.4]]) / 0.95, rtol=1e-5)


def test_smoothing_moves_only_the_open_edge() -> None:
    y, x = np.mgrid[0:4, 0:4].astype(np.float32)
    vertex = np.stack([x.ravel(), y.ravel() + 0.3 * (x.ravel() % 2), np.zeros(16, np.float32)], 1)
    corner = np.array([0, 1, 2, 4, 5, 6, 8, 9, 10])
    face = np.concatenate(
        [np.stack([corner, corner + 1, corner + 5], 1), np.stack([corner, corner + 5, corner + 4], 1)]
    )
    before = vertex.copy()
    smooth_open_edges(vertex, face)
    np.testing.assert_array_equal(vertex[[5, 6, 9, 10]], before[[5, 6, 9, 10]])
    assert np.ptp(vertex[1:3, 1]) < np.ptp(before[1:3, 1])


def test_boxes_and_borders() -> None:
    mask = np.zeros((10, 12), np.uint8)
    mask[2:5, 3:9] = 255
    mask[0, 0] = 100  # less than half
    assert box_of(mask) == Box(2.5, 1.5, 6.0, 3.0)
    assert box_of(np.zeros((10, 12), np.uint8)) == Box(-0.5, -0.5, 12.0, 10.0)
    points = np.array([[-0.5, 0], [-0.51, 0], [9.49, 9.49], [9.5, 3]])
    assert inside(points, 10).tolist() == [True, False, True, False]


def test_points_behind_another_limb_are_hidden_and_behind_their_own_are_not() -> None:
    depth, faces = np.zeros((20, 20), np.float32), np.full((20, 20), -1, np.int32)
    depth[:, 10:], faces[:, 10:] = 1 / 2.0, 0  # a surface at two metres
    own = np.zeros((len(POINTS), 2), bool)
    wrist, elbow = POINTS.index("left_wrist"), POINTS.index("left_elbow")
    own[elbow, 1] = True
    samples, away = np.full((len(POINTS), 2), 5.0), np.full(len(POINTS), 2.5)
    samples[[wrist, elbow]] = 15.0
    samples[0] = [25.0, 5.0]
    seen = visible_points(samples, away, depth, faces, np.array([1]), own)
    assert not seen[0]  # outside
    assert seen[POINTS.index("right_wrist")]  # nothing before it
    assert not seen[wrist]
    assert seen[elbow]
    away[wrist] = 2.05
    assert visible_points(samples, away, depth, faces, np.array([1]), own)[wrist]  # within its own flesh


def test_without_numba_the_error_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['numba'] = None\n"
        "from ttpose.core.errors import UsageError\n"
        "try:\n    import ttpose_synth\n"
        "except UsageError as error:\n    print(error)\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "ttpose[training]" in shown
    assert shown.count("\n") == 1
