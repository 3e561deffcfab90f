// The list of flagged frames as a corrections file: a remark for each stretch, and swaps where they were chosen.
const Corrections = (() => {
  function records(stretches, { poses, parts, flip }, names) {
    const found = new Map();
    const record = (index) => found.get(index) || found.set(index, { index, joints: {} }).get(index);
    for (const { first, last, note, swap } of stretches) {
      record((first + last) >> 1).note = note;
      if (!swap) continue;
      const chosen = swap === "all" ? Object.keys(parts) : [swap];
      for (let index = first; index <= last; index += 1) {
        const pose = poses[index];
        if (!pose) continue;
        const reference = {};
        for (const k of chosen.flatMap((part) => parts[part])) {
          const place = pose.slice(2 * flip[k], 2 * flip[k] + 2);
          if (!place.includes(null)) reference[names[k]] = place;
        }
        Object.assign(record(index), { swaps: chosen, reference });
      }
    }
    return [...found.values()].sort((a, b) => a.index - b.index);
  }

  function text(values, stretches) {
    const { head } = values.corrections;
    return JSON.stringify({ ...head, frames: records(stretches, values.corrections, values.skeleton.keypoints) }, null, 1);
  }

  // Stretches as the list has them; those without a pose in the page cannot be swapped there.
  function bind(values) {
    const selects = [...document.querySelectorAll("select[data-swap]")];
    for (const select of selects) {
      let some = false;
      for (let index = Number(select.dataset.first); index <= Number(select.dataset.last); index += 1) some ||= index in values.corrections.poses;
      select.hidden = !some;
    }
    document.getElementById("export")?.addEventListener("click", () => {
      const stretches = selects.map(({ dataset, value }) => ({
        first: Number(dataset.first), last: Number(dataset.last), note: dataset.note, swap: value,
      }));
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([text(values, stretches)], { type: "application/json" }));
      link.download = "corrections.json";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    });
  }

  return { bind, text };
})();
