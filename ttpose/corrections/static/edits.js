// Changes of records, each saved at once, and the way back from them.
class Edits {
  constructor(clip, { onChange, onSaved }) {
    this.clip = clip;
    this.onChange = onChange;
    this.onSaved = onSaved;
    this.past = [];
    this.future = [];
    this.queue = Promise.resolve();
    this.unsaved = new Map(); // frames' latest records that the server has not confirmed
  }

  place(index, k, x, y) {
    const { width, height, names } = this.clip;
    const inside = (value, side) => Math.round(100 * Math.max(-0.5, Math.min(side - 0.5, value))) / 100;
    this.change(index, (record) => {
      const before = record.joints[names[k]];
      const state = before && before.state === "hidden" ? "hidden" : "visible";
      record.joints[names[k]] = { x: inside(x, width), y: inside(y, height), state };
    });
  }

  // Hidden, or visible again.
  hide(index, k) {
    const joint = this.clip.joints(index)[k];
    if (joint.x === null) return;
    this.change(index, (record) => {
      const state = joint.source === "corrected" && joint.state === "hidden" ? "visible" : "hidden";
      this.fix(record, k, joint, state);
    });
  }

  // Not in the picture, or as predicted again.
  remove(index, k) {
    const joint = this.clip.joints(index)[k];
    this.change(index, (record) => {
      if (joint.state === "not in picture") delete record.joints[this.clip.names[k]];
      else record.joints[this.clip.names[k]] = { state: "not in picture" };
    });
  }

  swap(index, parts) {
    const { names, skeleton } = this.clip;
    const before = this.clip.underlying(index);
    const predicted = Clip.unpacked(this.clip.poses[index], names.length);
    this.change(index, (record) => {
      const old = { ...record.joints };
      const swaps = new Set(record.swaps || []);
      const reference = { ...record.reference };
      for (const part of parts) {
        const members = skeleton.parts[part];
        const places = members.map((k) => before[skeleton.flip[k]]).map(({ x, y }) => (x === null ? null : [x, y]));
        const back = this.clip.agrees(predicted, members, places);
        if (back) swaps.delete(part);
        else swaps.add(part);
        members.forEach((k, i) => {
          if (back || !places[i]) delete reference[names[k]];
          else reference[names[k]] = places[i];
          const other = old[names[skeleton.flip[k]]];
          if (other) record.joints[names[k]] = other;
          else delete record.joints[names[k]];
        });
      }
      record.swaps = Object.keys(skeleton.parts).filter((part) => swaps.has(part));
      record.reference = reference;
    });
  }

  copy(from, to) {
    if (from < 0 || from >= this.clip.count) return;
    const joints = this.clip.joints(from);
    this.change(to, (record) => {
      joints.forEach((joint, k) => {
        if (joint.state === "not in picture") record.joints[this.clip.names[k]] = { state: joint.state };
        else if (joint.x !== null) this.fix(record, k, joint, joint.state);
      });
    });
  }

  // Every joint is right as it is shown.
  confirm(index) {
    const joints = this.clip.joints(index);
    this.change(index, (record) => {
      joints.forEach((joint, k) => {
        if (joint.source !== "corrected" && joint.x !== null) this.fix(record, k, joint, joint.state);
      });
    });
  }

  reset(index) {
    this.change(index, (record) => {
      record.joints = {};
      delete record.swaps;
      delete record.reference;
    });
  }

  fix(record, k, { x, y }, state) {
    const { width, height, names } = this.clip;
    const inside = x >= -0.5 && y >= -0.5 && x <= width - 0.5 && y <= height - 0.5;
    record.joints[names[k]] = inside ? { x, y, state } : { state: "not in picture" };
  }

  change(index, edit) {
    const before = this.clip.record(index);
    const after = structuredClone(before);
    after.joints = after.joints || {};
    edit(after);
    if (JSON.stringify(before) === JSON.stringify(after)) return;
    this.past.push({ index, before, after });
    this.future = [];
    this.set(index, after);
  }

  undo() {
    const step = this.past.pop();
    if (!step) return;
    this.future.push(step);
    this.set(step.index, step.before);
  }

  redo() {
    const step = this.future.pop();
    if (!step) return;
    this.past.push(step);
    this.set(step.index, step.after);
  }

  set(index, record) {
    this.clip.recordOf.set(index, record);
    this.onChange(index);
    this.unsaved.set(index, record);
    this.queue = this.queue.then(() => this.save());
  }

  // Save what is not saved yet, also what could not be saved before.
  async save() {
    try {
      for (const [index, record] of this.unsaved) {
        await Server.save(record);
        if (this.unsaved.get(index) === record) this.unsaved.delete(index);
      }
      this.onSaved(this.unsaved.size, null);
    } catch (error) {
      this.onSaved(this.unsaved.size, error);
    }
  }
}
