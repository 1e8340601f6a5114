/** Many requests on one connection that do not wait for their responses. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RawConnection } from "../support/http.ts";
import { residentBytes } from "../support/proc.ts";
import { startProduct } from "../support/product.ts";
import { pollLive, probed, probedThread, watchTurns } from "../support/turns.ts";
import { until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";

const MIB = 1024 * 1024;
const GET = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";

test("requests behind a long poll wait unread, cost little, and are all answered in the end", async (t) => {
  const upstream = await startUpstream({ t });
  const config = { upstreams: { default: { url: upstream.url, ...probedThread } } };
  const product = await startProduct({ config, t, ...probed });
  await product.ready();
  const before = residentBytes(product.pid);
  const turns = watchTurns(product);
  const live = pollLive(product);
  const connections = await Promise.all(Array.from({ length: 3 }, () => RawConnection.open(product, t)));
  for (const connection of connections) {
    connection.write(
      `GET /v1/upstreams/default/messages?after=latest&wait=3s HTTP/1.1\r\nHost: ${new URL(product.url).host}\r\n\r\n`,
    );
    connection.write(GET.repeat(5_000));
  }
  let most = 0;
  const answers = ({ received }: RawConnection) => received.split("HTTP/1.1 200").length - 1;
  const all = () => {
    most = Math.max(most, residentBytes(product.pid));
    return connections.every((connection) => connection.ended || answers(connection) === 5_001);
  };
  await until(all, { within: 40_000, every: 100, what: () => `${connections.map(answers)}` });
  assert.deepEqual(connections.map(answers), [5_001, 5_001, 5_001]);
  assert.ok(most - before < 120 * MIB, `${(most - before) / MIB} MiB`);
  await live.end();
  // One read brings two thousand requests, which the runtime takes apart in one piece.
  turns.assertShort(300);
});

test("a stop answers the requests that wait", async (t) => {
  const product = await startProduct({ t });
  await product.ready();
  const connection = await RawConnection.open(product, t);
  const { host } = new URL(product.url);
  connection.write(`GET /v1/upstreams/default/messages?after=latest&wait=60s HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  connection.write(GET.repeat(5_000));
  await product.fetch("/livez").then((response) => response.text());
  const { code, ms } = await product.stop();
  assert.deepEqual([code, ms < 9_500], [0, true]);
});
