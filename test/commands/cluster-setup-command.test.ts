/** `sidesocket cluster-setup` as a real process: what it makes and the rights that it prints are all that a member needs. */
import assert from "node:assert/strict";
import { natsEngine } from "../../src/cluster/nats.ts";
import { bytes, connected, settingsOf } from "../cluster/engine-expectations.ts";
import { JetStream, lacksNats } from "../support/jetstream.ts";
import { runProduct } from "../support/product.ts";
import { runtime } from "../support/root.ts";
import { sideBySide } from "../support/side-by-side.ts";

const test = sideBySide("cluster-setup");
const SETTINGS = ["--cluster-name", "c-1", "--upstream", "ws://127.0.0.1:1"];
const LIMITS = { bytes: 20 * 1024 * 1024 };

test("a member gets on with the rights that it prints, once an administrator has made all", {
  skip: lacksNats,
}, async (t) => {
  const printed = await runProduct(["cluster-setup", "--rights", "--cluster", "nats://nowhere", ...SETTINGS]);
  assert.equal(printed.code, 0, printed.stderr);
  const password = "$SIDESOCKET_NATS_PASSWORD";
  assert.match(printed.stdout, /^# The least rights of a replica of the cluster c-1\.\nauthorization \{$/m);
  const block = printed.stdout.replace(password, "p").replace("users: [", "users: [ { user: admin, password: p }");
  assert.ok(!block.includes(password));
  const server = await JetStream.start({ t, lines: [block] });
  const as = (name: string) => server.url.replace("//", `//${name}:p@`);

  const early = await runProduct(["cluster-setup", "--cluster", as("sidesocket"), ...SETTINGS]);
  assert.deepEqual([early.code, early.stdout], [1, ""]);
  assert.match(early.stderr, /NATS refuses a right: .*STREAM\.CREATE/);
  for (const _again of [1, 2]) {
    const made = await runProduct(["cluster-setup", "--cluster", as("admin"), ...SETTINGS]);
    assert.deepEqual([made.code, made.stdout, made.stderr], [0, printed.stdout, ""]);
  }

  const { engine, faults } = await connected(natsEngine(settingsOf([as("sidesocket")], "one")), t);
  assert.deepEqual((await engine.openLog("default", LIMITS, 1_000)).last, 0);
  assert.equal(await engine.append("default", "1", bytes("entry"), 1_000), 1);
  assert.equal(await engine.claim({ bucket: "owner", key: "default", value: bytes("one"), after: 0 }, 1_000), 1);
  await assert.rejects(engine.openLog("other", LIMITS, 1_000), /NATS refuses a right/);
  assert.ok(faults.every(({ message }) => /bounds|max_|not as configured|STREAM\.\w+\.ss_c_1_log_other/.test(message)));
});

test("what fails is said, with an exit code", { skip: lacksNats }, async (t) => {
  const alone = await runProduct(["cluster-setup", "--upstream", "ws://127.0.0.1:1"]);
  assert.equal(alone.code, 2);
  assert.match(alone.stderr, /there is no cluster: give --cluster URL/);
  const server = await JetStream.start({ t, lines: ["authorization { users: [ { user: a, password: p } ] }"] });
  const refused = await runProduct(["cluster-setup", "--cluster", server.url, ...SETTINGS]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /Authorization Violation/);
});

test("Deno is asked for the way to the servers", {
  skip: runtime === "node" && "Node has no permissions",
}, async () => {
  const denoPermissions = ["--allow-env", "--allow-read", "--allow-sys", "--allow-net=nats.example:1"];
  const servers = ["--cluster", "nats://nats.example:1", "--cluster", "tls://nats.example"];
  const lacking = await runProduct(["cluster-setup", ...servers, ...SETTINGS], { denoPermissions });
  assert.equal(lacking.code, 2);
  assert.match(lacking.stderr, /Deno lacks permission to reach, read or write nats\.example:4222\. Use:/);
});
