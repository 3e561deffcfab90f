"use strict";
// The page's own server: every request bears the token that came in the page's address.
const Server = (() => {
  const token = new URLSearchParams(location.search).get("token") || "";

  async function ask(path, options = {}) {
    const answer = await fetch(path, { ...options, headers: { "X-Token": token }, cache: "no-store" });
    if (answer.ok) return answer;
    const text = await answer.text();
    let message = text;
    try { message = JSON.parse(text).error; } catch { /* not every error is JSON */ }
    const error = new Error(message || answer.statusText);
    error.status = answer.status;
    throw error;
  }

  return {
    clip: async () => (await ask("/clip")).json(),
    learning: async () => (await ask("/learning")).json(),
    save: (record) => ask(`/frame/${record.index}`, { method: "PUT", body: JSON.stringify(record) }),
    post: (what) => ask(`/${what}`, { method: "POST" }),

    // A frame's picture, null where the frame is damaged.
    async picture(index) {
      try {
        return await createImageBitmap(await (await ask(`/frame/${index}`)).blob());
      } catch (error) {
        if (error.status === 404) return null;
        throw error;
      }
    },
  };
})();
