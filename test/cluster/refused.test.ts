/** A message server that refuses a replica: the start fails, and a process that serves goes on. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { JetStream, lacksNats } from "../support/jetstream.ts";
import { type StartFailed, startProduct } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";
import { RecordingUpstream } from "./scene.ts";

/** A server without JetStream, and an upstream. */
async function withoutJetStream(t: Cleanup) {
  return await Promise.all([JetStream.start({ t, isJetStream: false }), RecordingUpstream.start(t)]);
}

test("a start that the message server refuses ends with code 2, and names the cluster", {
  skip: lacksNats,
}, async (t) => {
  const [nats, { url }] = await withoutJetStream(t);
  const config = { cluster: { servers: [nats.url] }, upstreams: { a: { url } } };
  const ended = await startProduct({ t, config }).then(
    async (product) => ({ exit: await product.ended(), stderr: product.stderr() }),
    (error: StartFailed) => error,
  );
  assert.equal(ended.exit?.code, 2, ended.stderr);
  assert.match(ended.stderr, /a: the cluster: .*no JetStream/);
  assert.doesNotMatch(ended.stderr, /the protocol:/);
});

test("an upstream that a reload adds waits for a server that refuses it", { skip: lacksNats }, async (t) => {
  const [nats, { url }] = await withoutJetStream(t);
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-refused-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "sidesocket.yaml");
  const write = (more: object) => {
    const upstreams = { default: { url, owner: "each" }, ...more };
    return writeFile(file, JSON.stringify({ cluster: { servers: [nats.url], lease: "500ms" }, upstreams }));
  };
  await write({});
  const product = await startProduct({ t, args: ["--config", file] });
  await write({ b: { url } });
  const reloaded = await product.post("/reload", "");
  assert.equal(reloaded.status, 200, await reloaded.text());
  const lastError = async () => String((await product.state("b"))["last_error"]);
  await until(async () => /no JetStream/.test(await lastError()), { what: "the refusal as the last error" });
  const answer = await product.request({ jsonrpc: "2.0", id: 1, method: "echo", params: ["one"] });
  assert.equal(answer.status, 200, await answer.text());
  await product.said(/upstream b: .*no JetStream/);

  await nats.kill();
  await JetStream.start({ t, port: nats.port });
  await product.line((each) => each["log.level"] === "info" && /b: .*server is there$/.test(String(each["message"])));
  await until(async () => (await product.state("b"))["phase"] === "ready", {
    within: 8_000,
    what: () => product.stderr(),
  });
});
