"""Triangle meshes: skinning, normals, bounding boxes.

Here as in all of this package: metres, x to the person's left, y up, z forward, right-handed. Rotations act on column
vectors. Kernels take float32 arrays and write into arrays given by the caller, so that a clip reuses its memory.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ttpose_synth.jit import kernel


class Surface(NamedTuple):
    """What stays the same about a person's mesh in all poses (a named tuple, because compiled code takes those).

    Attributes:
        face: int32 [F, 3], vertex numbers; seen from outside they run clockwise on the screen.
        uv: float32 [F, 3, 2], texture coordinates of the corners, v up.
        material: int32 [F].
        texture: uint8 [M, T, T, 4], RGBA.
        alpha_test: int32 [M], 1 where the alpha channel cuts holes.
        cull_back: int32 [M], 1 where back sides are not drawn.
        specular: float32 [M], strength of the highlight.
    """

    face: np.ndarray
    uv: np.ndarray
    material: np.ndarray
    texture: np.ndarray
    alpha_test: np.ndarray
    cull_back: np.ndarray
    specular: np.ndarray


@kernel
def displace(vertices: np.ndarray, index: np.ndarray, delta: np.ndarray, scale: np.float32) -> None:
    """Move vertices [V, 3] in place: those at `index` [N] by `scale` times `delta` [N, 3]."""
    for row in range(len(index)):
        for c in range(3):
            vertices[index[row], c] += scale * delta[row, c]


@kernel
def skin_vertices(
    rest: np.ndarray,
    bone_index: np.ndarray,
    bone_weight: np.ndarray,
    rotation: np.ndarray,
    translation: np.ndarray,
    out: np.ndarray,
) -> None:
    """Linear blend skinning: `out[v] = sum_k weight[v, k] * (rotation[b] @ rest[v] + translation[b])`.

    Args:
        rest: float32 [V, 3].
        bone_index: int32 [V, 4].
        bone_weight: float32 [V, 4], each row sums to 1.
        rotation: float32 [B, 3, 3].
        translation: float32 [B, 3].
        out: float32 [V, 3], written.
    """
    for v in range(rest.shape[0]):
        x, y, z = rest[v, 0], rest[v, 1], rest[v, 2]
        px = py = pz = np.float32(0)
        for k in range(bone_index.shape[1]):
            w = bone_weight[v, k]
            if w == 0:
                continue
            b = bone_index[v, k]
            px += w * (rotation[b, 0, 0] * x + rotation[b, 0, 1] * y + rotation[b, 0, 2] * z + translation[b, 0])
            py += w * (rotation[b, 1, 0] * x + rotation[b, 1, 1] * y + rotation[b, 1, 2] * z + translation[b, 1])
            pz += w * (rotation[b, 2, 0] * x + rotation[b, 2, 1] * y + rotation[b, 2, 2] * z + translation[b, 2])
        out[v, 0], out[v, 1], out[v, 2] = px, py, pz


@kernel
def vertex_normals(position: np.ndarray, face: np.ndarray, normal: np.ndarray) -> None:
    """Write area-weighted unit normals of vertices [V, 3] with faces [F, 3] into `normal` [V, 3]."""
    normal[:] = 0
    for f in range(face.shape[0]):
        i, j, k = face[f, 0], face[f, 1], face[f, 2]
        ax, ay, az = position[j, 0] - position[i, 0], position[j, 1] - position[i, 1], position[j, 2] - position[i, 2]
        bx, by, bz = position[k, 0] - position[i, 0], position[k, 1] - position[i, 1], position[k, 2] - position[i, 2]
        nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        for v in (i, j, k):
            normal[v, 0] += nx
            normal[v, 1] += ny
            normal[v, 2] += nz
    for v in range(position.shape[0]):
        x, y, z = normal[v, 0], normal[v, 1], normal[v, 2]
        scale = np.float32(1) / (np.sqrt(x * x + y * y + z * z) + np.float32(1e-12))
        normal[v, 0], normal[v, 1], normal[v, 2] = x * scale, y * scale, z * scale


@kernel
def bounding_box(points: np.ndarray) -> np.ndarray:
    """Lowest and highest value per column of [V, C], as [2, C]; numpy is slow on such long thin arrays."""
    box = np.empty((2, points.shape[1]), points.dtype)
    box[0] = points[0]
    box[1] = points[0]
    for v in range(1, points.shape[0]):
        for c in range(points.shape[1]):
            value = points[v, c]
            box[0, c] = min(box[0, c], value)
            box[1, c] = max(box[1, c], value)
    return box
