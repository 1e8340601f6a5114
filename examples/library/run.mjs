/** The programs of the library and of the client: each calls, subscribes, and exits. */
import { startEcho } from "../echo.mjs";
import { beside, example, RUNTIME, run, startService } from "../parts.mjs";

await example(async () => {
  const upstream = await startEcho();
  const service = await startService(["--upstream", upstream.url], {}, { shutsDown: true });
  for (const [name, url] of [
    ["awaiting.mjs", upstream.url],
    ["blocking.mjs", upstream.url],
    ["client.mjs", service],
  ]) {
    console.log(name);
    await run([...RUNTIME, beside(import.meta.url, name), url]);
  }
});
