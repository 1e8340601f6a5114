/** Tests that the message codec does not compile if it leaves out a field of the contract. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { type TestContext, test } from "node:test";
import { root, runtime } from "../support/root.ts";

const CODEC = "src/sidecar/message-codec.ts";

/** The declaration of a hot message, or of what it holds. */
interface Declaration {
  readonly file: "src/sidecar/contract.ts" | "src/core/outcome.ts";
  readonly type: string;
}

const request: Declaration = { file: "src/sidecar/contract.ts", type: "request" };
const part: Declaration = { file: "src/sidecar/contract.ts", type: "part" };
const settled: Declaration = { file: "src/sidecar/contract.ts", type: "settled" };
const late: Declaration = { file: "src/sidecar/contract.ts", type: "late" };
const reply: Declaration = { file: "src/core/outcome.ts", type: "reply" };

/** The compiler is the same on both runtimes, and takes long. */
const skip = runtime === "deno" && "the compiler runs on Node";

/** Compiles the codec against a contract with `field` added to `declarations`. @returns the functions with an error */
function refused(t: TestContext, field: string, declarations: readonly Declaration[]): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), "sidesocket-codec-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(join(root, "src"), join(folder, "src"), { recursive: true });
  for (const name of ["package.json", "tsconfig.json"]) cpSync(join(root, name), join(folder, name));
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  for (const { file, type } of declarations) {
    const [before, after, ...more] = readFileSync(join(folder, file), "utf8").split(`readonly type: "${type}";`);
    assert.ok(after !== undefined && more.length === 0, `${file} declares "${type}" once`);
    writeFileSync(join(folder, file), `${before}readonly type: "${type}"; ${field}${after}`);
  }
  const config = { extends: "./tsconfig.json", compilerOptions: { noEmit: true }, include: [CODEC] };
  writeFileSync(join(folder, "codec.json"), JSON.stringify(config));
  const tsc = [join(root, "node_modules/typescript/bin/tsc"), "--pretty", "false", "-p", "codec.json"];
  const { stdout, stderr } = spawnSync(process.execPath, tsc, { cwd: folder, encoding: "utf8" });
  const lines = readFileSync(join(folder, CODEC), "utf8").split("\n");
  const errors = [...stdout.matchAll(/^(.+)\((\d+),\d+\): error/gm)];
  assert.ok(errors.length > 0 || stdout + stderr === "", stdout + stderr);
  const functions = errors.map(([text, file, line]) => {
    assert.equal(file, CODEC, text);
    const above = lines.slice(0, Number(line)).findLast((each) => /^(export )?function /.test(each));
    return above?.match(/function (\w+)/)?.[1] ?? text;
  });
  return [...new Set(functions)].sort();
}

test("a field added to a hot message, required or optional, must be packed and unpacked", { skip }, (t) => {
  const both = ["packPart", "packReply", "packRequest", "unpackPart", "unpackReply", "unpackRequest"];
  assert.deepEqual(refused(t, "readonly added: number;", [request, part, settled]), both);
  assert.deepEqual(refused(t, "readonly added?: number | undefined;", [request, part, late]), both);
});

test("a field added to a reply must be packed and unpacked, and nothing else is refused", { skip }, (t) => {
  assert.deepEqual(refused(t, "readonly added?: string;", [reply]), ["packReply", "unpackReplied"]);
});
