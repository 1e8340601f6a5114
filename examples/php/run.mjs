/** A page of PHP in front of the demo upstream, then with no service to call. */
import { beside, example, run, startService } from "../parts.mjs";

const page = ["php", beside(import.meta.url, "page.php")];

await example(async () => {
  await run(page, { SIDESOCKET_URL: await startService([]) });
  await run(page, { SIDESOCKET_URL: "http://127.0.0.1:9" });
});
