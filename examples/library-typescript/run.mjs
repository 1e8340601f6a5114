/** The program in TypeScript: on Node compiled, which checks its types, and on Deno as it is. */
import process from "node:process";
import { startEcho } from "../echo.mjs";
import { beside, example, RUNTIME, run } from "../parts.mjs";

await example(async () => {
  const { url } = await startEcho();
  const source = beside(import.meta.url, "program.ts");
  if ("Deno" in globalThis) return await run([...RUNTIME, source, url]);
  await run([
    process.execPath,
    beside(import.meta.url, "../../node_modules/typescript/bin/tsc"),
    "-p",
    beside(import.meta.url, "."),
  ]);
  await run([...RUNTIME, beside(import.meta.url, "../../build/examples/program.js"), url]);
});
