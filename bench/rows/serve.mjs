/**
 * The common part of the programs that sidesocket is compared with: the listener, and instruments for their main
 * thread.
 */
import { serve } from "@hono/node-server";

/** The main thread's longest pause is found with a timer of our own: the runtimes' own figures are wrong under Deno. */
const LOOK_EVERY_MS = 1;

/**
 * Adds `GET /bench/lag`, the longest pause since its last call, and `POST /bench/block?ms=`, which blocks the main
 * thread.
 */
export function instruments(app) {
  let watching = false;
  let longest = 0;
  app.get("/bench/lag", (c) => {
    const longestMs = longest;
    longest = 0;
    if (!watching) {
      watching = true;
      let last = performance.now();
      setInterval(() => {
        const now = performance.now();
        longest = Math.max(longest, now - last - LOOK_EVERY_MS);
        last = now;
      }, LOOK_EVERY_MS);
    }
    return c.json({ longestMs });
  });
  app.post("/bench/block", (c) => {
    const until = performance.now() + Number(c.req.query("ms"));
    while (performance.now() < until);
    return c.body(null, 204);
  });
  return app;
}

export function listen(app) {
  const listening = ({ port }) => console.log(`listening on http://127.0.0.1:${port}`);
  serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, listening);
}
