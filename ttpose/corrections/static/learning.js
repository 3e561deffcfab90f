// Learning from the corrections: the button, how far it is, and what came of it.
class Learning {
  constructor(clip, find, onLearned) {
    this.clip = clip;
    this.find = find;
    this.onLearned = onLearned;
    this.running = false;
    find("learn").addEventListener("click", () => this.start());
    find("cancel").addEventListener("click", () => Server.post("cancel"));
  }

  // What the panel says as long as nothing is being learned.
  refresh() {
    const { possible, why_not } = this.clip.learning;
    const count = this.clip.correctedFrames().length;
    this.find("learn").disabled = !possible || !count || this.running;
    this.find("learn-hint").textContent = !possible
      ? why_not
      : count === 0
        ? "Correct a frame first. About five, in different poses, teach the most."
        : count < 3
          ? `${count} corrected ${count === 1 ? "frame" : "frames"}. From three on, learning is checked against them.`
          : `${count} corrected frames. Each is also predicted by a model that has not seen it, to check what is learned.`;
  }

  async start() {
    this.find("learned").hidden = true;
    try {
      await Server.post("learn");
      await this.watch();
    } catch (error) {
      this.tell("failed", error.message);
    }
  }

  // Follow a run, also one that began before the page was loaded.
  async watch() {
    this.running = true;
    this.refresh();
    let told = await Server.learning();
    while (told.state === "running") {
      this.progress(told);
      await new Promise((later) => setTimeout(later, 700));
      told = await Server.learning();
    }
    this.running = false;
    this.find("progress").hidden = true;
    this.refresh();
    if (told.state === "done") await this.onLearned();
    if (told.state !== "none") this.tell(told.state, told.text);
  }

  progress({ stage, done, total, notes, seconds }) {
    this.find("progress").hidden = false;
    const bar = this.find("bar");
    if (total) bar.value = Math.min(done / total, 1);
    else bar.removeAttribute("value");
    this.find("stage").textContent = `${stage}${total ? `: ${Math.min(done, total)} of ${total}` : ""} · ${Math.round(seconds)} s`;
    this.find("learn-note").textContent = notes.length ? notes[notes.length - 1] : "";
  }

  tell(state, text) {
    const place = this.find("learned");
    place.hidden = false;
    place.className = `told ${state}`;
    const first = { done: "Learned. ", failed: "This did not work: ", cancelled: "" }[state] || "";
    place.textContent = first + text;
  }
}
