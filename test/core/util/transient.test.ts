/** Tests of the maps and sets whose entries come and go: against those of the language, and by their garbage. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { TransientMap, TransientSet } from "../../../src/core/util/transient.ts";
import { run } from "../../support/child.ts";
import { denoPath, nodePath, root, runtime } from "../../support/root.ts";

/** Of the 4,000 bytes that each entry holds. A `Map` leaves all of them. */
const LEFT_MAX_BYTES = 2_000;
/** Each step is repeated, so that the table is begun anew many times. */
const TIMES = 700;

/** A step adds or removes some keys, from a range that is larger than the room of a table. */
const step = fc.record({ adds: fc.boolean(), from: fc.nat({ max: 3_000 }) });
const keysOf = (from: number) => Array.from({ length: TIMES }, (_, index) => from + index);

test("a map is as a Map of the language", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const [map, model] = [new TransientMap<number, string>(), new Map<number, string>()];
      for (const [index, { adds, from }] of steps.entries()) {
        for (const key of keysOf(from)) {
          if (!adds) assert.equal(map.delete(key), model.delete(key));
          else map.set(key, `${index}`);
          if (adds) model.set(key, `${index}`);
          assert.equal(map.get(key), model.get(key));
          assert.equal(map.has(key), model.has(key));
        }
        assert.equal(map.size, model.size);
        assert.deepEqual([...map], [...model]);
        assert.deepEqual([[...map.keys()], [...map.values()]], [[...model.keys()], [...model.values()]]);
      }
    }),
    { numRuns: 20 },
  );
});

test("a set is as a Set of the language", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const [set, model] = [new TransientSet<number>(), new Set<number>()];
      for (const { adds, from } of steps) {
        for (const key of keysOf(from)) {
          if (!adds) assert.equal(set.delete(key), model.delete(key));
          else set.add(key);
          if (adds) model.add(key);
          assert.equal(set.has(key), model.has(key));
        }
        assert.equal(set.size, model.size);
        assert.deepEqual([...set], [...model]);
      }
    }),
    { numRuns: 20 },
  );
});

test("what has been removed is collected young", async (t) => {
  const program = fileURLToPath(import.meta.url).replace(".test.", ".");
  const [command, args] =
    runtime === "deno" ? [denoPath(), ["run", "--allow-all", "--v8-flags=--expose-gc"]] : [nodePath(), ["--expose-gc"]];
  const { code, stdout, stderr } = await run({ command, args: [...args, program], cwd: root, t, within: 30_000 });
  assert.equal(code, 0, stderr);
  const [ofMap = Number.NaN, ofSet = Number.NaN] = stdout.trim().split(" ").map(Number);
  assert.ok(ofMap < LEFT_MAX_BYTES && ofSet < LEFT_MAX_BYTES, `bytes that outlived small collections: ${stdout}`);
});
