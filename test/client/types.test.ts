/** The types of the client, for a program that has neither Node's types nor any dependency. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { nodePath, root, runtime } from "../support/root.ts";

const PAGE = `
import { type AsyncSidecar, connect, SidesocketError } from "sidesocket/client";
const sidecar: AsyncSidecar = connect("http://127.0.0.1:8787", { repeat: 1, fetch });
const numbers: number[] = await sidecar.rpc<number[]>("echo", [1]);
const { result } = await sidecar.request({ method: "echo" }).json<{ result: string }>();
for await (const message of sidecar.subscribe({ request: { numbers, result }, match: { "/method": "tick" } })) {
  const at: Date = message.at;
  console.log("gap" in message ? message.gap.reason : message.data, at);
}
const remote = connect("http://127.0.0.1:8787", { upstream: "rooms" });
await using room = await remote.instance({ params: { room: "lobby" }, idleMs: 1_000 });
const ends: Date = room.endsAt;
console.log(await room.rpc<string>("say", [ends.toISOString()]));
// @ts-expect-error a parameter is a text
await remote.instance({ params: { room: 7 } });
try {
  const { exit_code } = await sidecar.exit({ force: true });
  console.log(exit_code.toFixed());
} catch (error) {
  if (error instanceof SidesocketError && error.code === "rpc_error") console.log(error.rpc?.code.toFixed());
}
// @ts-expect-error a misspelt option
await sidecar.send("text", { timeout: 5 });
// @ts-expect-error a number is no message
await sidecar.send(5);
export {};
`;

const OPTIONS = {
  target: "es2022",
  lib: ["es2023", "dom", "dom.asynciterable", "esnext.disposable"],
  module: "nodenext",
  strict: true,
  exactOptionalPropertyTypes: true,
  types: [],
  skipLibCheck: false,
  noEmit: true,
};

test("a page's program compiles with the types of the browser alone", { skip: runtime === "deno" }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sidesocket-types-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules", "sidesocket"));
  writeFileSync(join(folder, "page.mts"), PAGE);
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: OPTIONS, files: ["page.mts"] }));
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const { status, stdout, stderr } = spawnSync(nodePath(), [tsc, "-p", folder], { encoding: "utf8", timeout: 60_000 });
  assert.equal(status, 0, stdout + stderr);
});
