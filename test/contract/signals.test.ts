/** Signals: which of them end the process in order, and how many of them are one wish. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { dirname } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { lacks } from "../real/programs.ts";
import { Child } from "../support/child.ts";
import { productCommand, startProduct } from "../support/product.ts";
import { logLines, reportsIn } from "../support/report.ts";
import { findOnPath, root, runtime } from "../support/root.ts";
import { bounded, type Cleanup, until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { problem } from "./expect.ts";
import { written } from "./files.ts";

const call = (method: string, params: unknown = []) => ({ jsonrpc: "2.0", id: 1, method, params });

async function start(t: Cleanup, wrapper: readonly string[] = []) {
  const upstream = await startUpstream({ t });
  const config = { shutdown: { drain: "20s" }, upstreams: { default: { url: upstream.url } } };
  const product = await startProduct({ config, wrapper, t });
  await product.ready();
  return { upstream, product };
}

const signals = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGUSR2", ...(runtime === "deno" ? ["SIGUSR1"] : [])];
for (const cause of signals as NodeJS.Signals[]) {
  test(`${cause} lets a reply on its way in, and ends the process in order`, async (t) => {
    const { upstream, product } = await start(t);
    const pending = product.request(call("sleep", [300]));
    await upstream.until(() => upstream.messages.length === 1);
    const { code, signal } = await product.stop(cause);
    assert.equal((await pending).status, 200);
    assert.deepEqual([code, signal], [0, null], product.stderr());
    assert.deepEqual([product.report().cause, product.report().forced], [cause, false]);
    assert.equal(upstream.last.closed?.code, 1001);
  });
}

for (const [first, second] of [
  ["SIGTERM", "SIGTERM"],
  ["SIGINT", "SIGTERM"],
  ["SIGQUIT", "SIGINT"],
] as const) {
  test(`${first} and ${second} within half a second are one wish`, async (t) => {
    const { upstream, product } = await start(t);
    const pending = product.request(call("sleep", [800]));
    await upstream.until(() => upstream.messages.length === 1);
    product.child.signal(first);
    await delay(2);
    product.child.signal(second);
    assert.equal((await pending).status, 200, "the reply on its way has arrived");
    assert.equal((await product.ended()).code, 0, product.stderr());
    assert.deepEqual([product.report().cause, product.report().forced], [first, false]);
  });
}

test("two pairs of signals are two wishes: the second pair forces the exit, and the report is still written", async (t) => {
  const { upstream, product } = await start(t);
  const pending = product.request(call("silent"));
  await upstream.until(() => upstream.messages.length === 1);
  for (const wish of [1, 2]) {
    product.child.signal("SIGINT");
    product.child.signal("SIGTERM");
    if (wish === 1) await delay(600);
  }
  const { code, signal } = await product.ended();
  assert.deepEqual([code, signal], [1, null], product.stderr());
  await problem(await pending, { status: 503, code: "cancelled", sent: "maybe" });
  assert.equal(product.report().forced, true);
});

test("SIGTERM to `timeout`, which signals its child twice, is one wish", { skip: lacks("timeout") }, async (t) => {
  const { upstream, product } = await start(t, ["timeout", "--preserve-status", "120"]);
  t.after(() => endGroup(product.pid));
  const pending = product.request(call("sleep", [800]));
  await upstream.until(() => upstream.messages.length === 1);
  const { code } = await product.stop("SIGTERM");
  assert.equal((await pending).status, 200, product.stderr());
  assert.equal(code, 0, product.stderr());
});

/** Ends what `timeout` leaves behind if it is killed: it leads a group of its own. */
function endGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch {
    // Nothing is left.
  }
}

test("`call` prints the outcome although its Ctrl-C is delivered again while it ends", async (t) => {
  const upstream = await startUpstream({ t });
  const config = { upstreams: { default: { url: upstream.url } }, shutdown: { drain: "100ms" } };
  const file = await written(t, "config.json", JSON.stringify(config));
  const { command, args } = productCommand(["call", JSON.stringify(call("silent")), "--config", file]);
  const child = await Child.start({ command, args, cwd: root, t });
  await upstream.until(() => upstream.messages.length === 1);
  const began = performance.now();
  while (child.exit === undefined && performance.now() - began < 400) {
    child.signal("SIGINT");
    await delay(1);
  }
  const { code, signal } = await child.ended(5_000);
  assert.deepEqual([code, signal], [4, null], child.output());
});

// ---- in a terminal ----

interface Terminal {
  readonly url: string;
  output(): string;
  press(key: string): void;
  /** Takes the terminal away, as closing its window does. */
  close(): void;
  /** The exit code of the command. */
  readonly exited: Promise<number | null>;
}

/**
 * Starts a command in a pseudo-terminal, and waits until it listens.
 * `exec`, because a shell that stays (dash does) takes the Ctrl-C too, and its 130 hides the command's own code.
 */
async function inTerminal(t: Cleanup, command: string, cwd: string): Promise<Terminal> {
  const args = ["--quiet", "--return", "--command", `exec ${command}`, "/dev/null"];
  const script = spawn(findOnPath("script"), args, { cwd, stdio: ["pipe", "pipe", "ignore"] });
  const exited = new Promise<number | null>((resolve) => script.once("exit", resolve));
  t.after(async () => {
    script.kill("SIGKILL"); // The command gets SIGHUP then.
    await exited;
  });
  let output = "";
  script.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  script.stdin.on("error", () => {});
  const listening = () => /listening on (\S+)/.exec(output)?.[1];
  const url = await until(listening, { within: 30_000, what: () => `\`listening on\` in ${output}` });
  return {
    url,
    output: () => output,
    press: (key) => script.stdin.write(key),
    close: () => script.kill("SIGKILL"),
    exited,
  };
}

const quoted = (words: readonly string[]) => words.map((word) => `'${word}'`).join(" ");

function started(upstream: Upstream): string {
  const { command, args } = productCommand(["--port", "0", "--upstream", upstream.url, "--log-format", "json"]);
  return quoted([command, ...args]);
}

/** Commands that run the product by the `start` of a folder, as the project's own does, but without a build. */
const npm = { name: "npm start", command: "npm start", file: "package.json", key: "scripts", prefix: "exec " };
const starters = [{ ...npm, needs: ["npm"] }];
if (runtime === "deno") {
  const command = `'${process.execPath}' task start`;
  starters.push({ name: "deno task start", command, file: "deno.json", key: "tasks", prefix: "", needs: [] });
}

for (const { name, command, file, key, prefix, needs } of starters) {
  test(`one Ctrl-C to \`${name}\` in a terminal lets a reply on its way in: exit code 0`, {
    skip: lacks("script", ...needs),
  }, async (t) => {
    const upstream = await startUpstream({ t });
    const manifest = JSON.stringify({ [key]: { start: prefix + started(upstream) } });
    const terminal = await inTerminal(t, command, dirname(await written(t, file, manifest)));
    const body = JSON.stringify(call("sleep", [800]));
    const headers = { "content-type": "application/json" };
    const pending = fetch(`${terminal.url}/rpc`, { method: "POST", headers, body });
    await upstream.until(() => upstream.messages.length === 1);
    terminal.press("\x03");
    assert.equal((await pending).status, 200, terminal.output());
    assert.equal(await bounded(terminal.exited, { within: 10_000 }), 0, terminal.output());
    const reports = reportsIn(logLines(terminal.output().replaceAll("\r", "")));
    assert.deepEqual(
      reports.map(({ cause, forced }) => [cause, forced]),
      [["SIGINT", false]],
    );
    assert.equal(upstream.last.closed?.code, 1001);
  });
}

test("closing the terminal ends the process in order", { skip: lacks("script") }, async (t) => {
  const upstream = await startUpstream({ t });
  const terminal = await inTerminal(t, started(upstream), root);
  await upstream.until(() => upstream.connections.length === 1);
  terminal.close();
  await upstream.until(() => upstream.last.closed !== undefined, { within: 10_000 });
  assert.equal(upstream.last.closed?.code, 1001);
  const gone = () =>
    fetch(`${terminal.url}/livez`).then(
      () => false,
      () => true,
    );
  await until(gone, { within: 10_000, what: "the listener to be gone" });
});
