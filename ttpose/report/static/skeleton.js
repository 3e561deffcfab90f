"use strict";
// One person drawn on a canvas: limbs and joints with a dark outline, confidence as opacity.
const Skeleton = (() => {
  const LEAST = 0.2; // keypoints that score less are not drawn, as in the overlay
  const ENDS = new Set(["elbow", "wrist", "knee", "ankle", "toe", "heel"]);
  const BELOW = { base: "#f590c9", refined: "#f2e14c" }; // stages under the shown one

  const part = (name) => name.split("_").pop();
  const sideOf = (names) => {
    if (names.length === 2 && !names.some((name) => ENDS.has(part(name)))) return "middle";
    return ["left", "right"].find((side) => names.every((name) => name.startsWith(side + "_"))) || "middle";
  };

  // `pose` is flat: x, y, score for each keypoint in picture pixels; `place` takes x, y to canvas pixels.
  function draw(ctx, pose, skeleton, place, { below = null, grow = 1 } = {}) {
    const points = skeleton.keypoints.map((_, k) => {
      const [x, y, score] = pose.slice(3 * k, 3 * k + 3);
      return x === null || y === null || score < LEAST ? null : { at: place(x, y), score };
    });
    const seen = points.filter(Boolean);
    if (!seen.length) return;
    const span = (axis) => Math.max(...seen.map((p) => p.at[axis])) - Math.min(...seen.map((p) => p.at[axis]));
    const width = Math.max(Math.max(span(0), span(1)) * 0.011, 1.6 * grow) * (below ? 0.6 : 1);
    const strokes = skeleton.limbs
      .filter(([a, b]) => points[a] && points[b])
      .map(([a, b]) => ({ ends: [a, b], names: [a, b], wide: width }))
      .concat(points.flatMap((p, k) => (p ? [{ ends: [k, k], names: [k], wide: width * 1.8 }] : [])));
    ctx.save();
    ctx.lineCap = "round";
    for (const outline of [true, false]) {
      for (const { ends, names, wide } of strokes) {
        const [a, b] = ends.map((k) => points[k]);
        ctx.globalAlpha = 0.3 + 0.7 * Math.min(1, (Math.min(a.score, b.score) - LEAST) / (1 - LEAST));
        const colour = below ? BELOW[below] : skeleton.colours[sideOf(names.map((k) => skeleton.keypoints[k]))];
        ctx.strokeStyle = outline ? "#141414" : colour;
        ctx.lineWidth = wide + (outline ? width * 0.8 : 0);
        ctx.beginPath();
        ctx.moveTo(...a.at);
        ctx.lineTo(b.at[0] + 0.01, b.at[1]); // a dot needs some length
        ctx.stroke();
      }
    }
    ctx.restore();
  }

  return { draw };
})();
