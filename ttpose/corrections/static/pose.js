// What is known of each frame's joints: predicted, swapped, or corrected. A frame's record is as the file has it.
class Clip {
  constructor(values) {
    Object.assign(this, values);
    this.count = values.poses.length;
    this.names = values.skeleton.keypoints;
    this.recordOf = new Map(values.records.map((record) => [record.index, record]));
  }

  record(index) {
    return this.recordOf.get(index) || { index, joints: {} };
  }

  corrected(index) {
    const record = this.recordOf.get(index);
    return Boolean(record && (Object.keys(record.joints || {}).length || (record.swaps || []).length));
  }

  // Whether every joint of a frame was corrected or confirmed.
  complete(index) {
    return this.names.every((name) => (this.record(index).joints || {})[name]);
  }

  correctedFrames() {
    return [...this.recordOf.keys()].filter((index) => this.corrected(index)).sort((a, b) => a - b);
  }

  // Joints of a frame: { x, y, score, state, source }; x is null where a joint has no place.
  joints(index) {
    const { joints = {} } = this.record(index);
    return this.underlying(index).map((joint, k) => {
      const fixed = joints[this.names[k]];
      if (!fixed) return joint;
      const { x = null, y = null, state = "visible" } = fixed;
      return { x, y, score: 1, state, source: "corrected" };
    });
  }

  // The same without single corrected joints: the prediction, with swaps.
  underlying(index) {
    const predicted = Clip.unpacked(this.poses[index], this.names.length);
    const { swaps = [], reference = {} } = this.record(index);
    for (const part of swaps) {
      const members = this.skeleton.parts[part];
      const places = members.map((k) => reference[this.names[k]]);
      // A result that was made anew may have the sides right by itself.
      if (this.agrees(predicted, members, places)) continue;
      members.forEach((k, i) => {
        if (places[i]) predicted[k] = { ...predicted[k], x: places[i][0], y: places[i][1], source: "swapped" };
      });
    }
    return predicted;
  }

  // Whether places of a part's joints are nearer to the joints of the same names than to those of the other side.
  agrees(joints, members, places) {
    const { flip } = this.skeleton;
    let [same, other] = [0, 0];
    members.forEach((k, i) => {
      const place = places[i];
      if (!place || joints[k].x === null || joints[flip[k]].x === null) return;
      same += Math.hypot(joints[k].x - place[0], joints[k].y - place[1]);
      other += Math.hypot(joints[flip[k]].x - place[0], joints[flip[k]].y - place[1]);
    });
    return same < other;
  }

  static unpacked(pose, count) {
    return Array.from({ length: count }, (_, k) => {
      const [x, y, score] = pose ? pose.slice(3 * k, 3 * k + 3) : [null, null, 0];
      return x === null || y === null
        ? { x: null, y: null, score: 0, state: "visible", source: "none" }
        : { x, y, score, state: "visible", source: "predicted" };
    });
  }
}
