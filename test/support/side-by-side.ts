/** Tests that mostly wait, run side by side: node:test's own `concurrency` does nothing between tests on Deno. */
import { type TestContext, test } from "node:test";

type Body = (t: TestContext) => Promise<void>;

/** As `test` of node:test. */
export interface SideBySide {
  (name: string, body: Body): void;
  (name: string, options: { readonly skip?: boolean | string | undefined }, body: Body): void;
}

/**
 * Returns a `test` whose tests begin in their order, `atOnce` of them at a time. They must share nothing that one of
 * them changes, and measure nothing that another's work could falsify.
 * @param what names the group: it is one test, and these are its subtests
 */
export function sideBySide(what: string, atOnce = 4): SideBySide {
  const queue: [name: string, options: { readonly skip?: boolean | string }, body: Body][] = [];
  let isOver = false;
  test(what, { concurrency: true }, async (t) => {
    const worker = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) await t.test(...next);
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    isOver = true;
  });
  return (name: string, ...rest: [Body] | [{ readonly skip?: boolean | string | undefined }, Body]) => {
    if (isOver) throw new Error(`"${name}" comes too late: ${what} has ended`);
    const [options, body] = rest.length === 1 ? [{}, rest[0]] : rest;
    queue.push([name, { skip: options.skip ?? false }, body]);
  };
}
