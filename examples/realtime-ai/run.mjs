/** Two callers, each with its own key and its own conversation, in front of a fake realtime model. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atEnd, beside, example, RUNTIME, run, startService, until } from "../parts.mjs";
import { startRealtime } from "./fake-realtime.mjs";

await example(async () => {
  const folder = mkdtempSync(join(tmpdir(), "sidesocket-realtime-"));
  atEnd(() => rmSync(folder, { recursive: true }));
  const model = await startRealtime();
  const config = beside(import.meta.url, "realtime.yaml");
  const url = await startService(["--config", config], { UPSTREAM_URL: model.url });

  const talk = [...RUNTIME, beside(import.meta.url, "talk.mjs")];
  const callers = ["key-1", "key-number-2"].map((key) => ({ key, file: join(folder, `${key}.pcm`) }));
  await Promise.all(
    callers.map(({ key, file }) =>
      run([...talk, `Hello, caller with ${key}.`, file], { SIDESOCKET_URL: url, OPENAI_API_KEY: key }),
    ),
  );
  for (const { key, file } of callers) {
    const bytes = readFileSync(file);
    const tone = model.toneOf(key);
    const isOwn = bytes.length === 3 * tone.length && bytes.subarray(0, tone.length).equals(tone);
    console.log(`${key}: ${bytes.length} bytes of audio, ${isOwn ? "its own" : "not its own"}`);
  }
  await until(() => model.sockets.size === 0);
  console.log(`${model.keys.length} connections, all closed`);
});
