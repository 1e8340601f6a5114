/** `sidesocket presets`: every preset has a guide that is true, valid and the same as in the documentation. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { presets } from "../../src/commands/presets-command.ts";
import { loadConfig } from "../../src/config/load.ts";
import { presetNames } from "../../src/protocols/presets.ts";
import { runProduct } from "../support/product.ts";
import { root } from "../support/root.ts";

/** Loads a configuration file as the service does, with every variable set that it names. */
async function load(text: string) {
  const names = [...text.matchAll(/\$\{([A-Z_][A-Z0-9_]*)\}/g)].map(([, name = ""]) => name);
  const env = Object.fromEntries(names.map((name) => [name, "a-value-of-it"]));
  return await loadConfig({ flags: { config: "start.yaml" }, env, readFile: async () => text, cwd: "/" });
}

describe("a preset's start", () => {
  for (const name of presetNames) {
    test(`of ${name} is a valid configuration, also with its comments`, async () => {
      const start = presets({ preset: name });
      for (const text of [start, uncommented(start)]) {
        const { upstreams } = await load(text);
        const { protocol = "" } = upstreams.get("default") ?? {};
        assert.equal(typeof protocol === "string" ? protocol : protocol.preset, name);
      }
    });
  }
});

/** Turns the lines that are comments into settings. */
function uncommented(start: string): string {
  return start.replace(/^( +)# /gm, "$1");
}

test("the list has the presets of the documentation, with the same words", () => {
  const docs = readFileSync(join(root, "docs", "protocols.md"), "utf8");
  const lines = presets({ preset: undefined }).split("\n");
  assert.equal(lines.length, presetNames.length);
  for (const line of lines) {
    const [name, purpose] = line.split(/ {2,}/);
    assert.ok(docs.includes(`| \`${name}\` | ${purpose} |`), line);
  }
});

test("a name that nobody knows is exit code 2, with the one that was meant", async () => {
  const ran = await runProduct(["presets", "home_assistent"]);
  assert.deepEqual([ran.code, ran.stdout], [2, ""]);
  assert.match(ran.stderr, /unknown preset \(did you mean home-assistant\?\)/);
});
