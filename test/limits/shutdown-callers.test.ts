/** Many callers of /shutdown at once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RawConnection } from "../support/http.ts";
import { startProduct } from "../support/product.ts";
import { runtime } from "../support/root.ts";
import { startUpstream } from "../support/upstream.ts";

const RESET = "Error: the server ended the connection (reset) before a response";

test("five hundred callers of /shutdown at once all get the report", async (t) => {
  const upstream = await startUpstream({ t });
  const product = await startProduct({ upstream, t });
  await product.ready();
  // Connected first: the system resets a connection that the service has not accepted when it stops listening.
  const connections = await Promise.all(Array.from({ length: 500 }, () => RawConnection.open(product, t)));
  const ends = await Promise.all(
    connections.map(async (connection) => {
      try {
        connection.send({ method: "POST", path: "/shutdown" });
        const { status, body } = await connection.response(20_000);
        return status === 200 && "exit_code" in JSON.parse(body) ? "report" : `${status} ${body}`;
      } catch (error) {
        return String((error as NodeJS.ErrnoException).code ?? error);
      }
    }),
  );
  const counts = new Map<string, number>();
  for (const end of ends) counts.set(end, (counts.get(end) ?? 0) + 1);
  // On Deno the listener may stop before it has accepted all of them, and the system resets the rest.
  const reset = runtime === "deno" ? (counts.get(RESET) ?? 0) : 0;
  assert.ok(reset < 100, `${reset} of 500 were reset`);
  counts.delete(RESET);
  assert.deepEqual([...counts], [["report", 500 - reset]]);
  assert.equal((await product.ended()).code, 0);
});
