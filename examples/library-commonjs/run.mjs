/** The program in CommonJS, in front of a fake upstream. */
import { startEcho } from "../echo.mjs";
import { beside, example, RUNTIME, run } from "../parts.mjs";

await example(async () => {
  const { url } = await startEcho();
  await run([...RUNTIME, beside(import.meta.url, "program.cjs"), url]);
});
