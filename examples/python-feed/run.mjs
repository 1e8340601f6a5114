/** A feed in Python that is killed twice, once in the middle of a line: each message is in its file, once. */
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beside, example, run, start, startService, startUpstream, until } from "../parts.mjs";

const folder = mkdtempSync(join(tmpdir(), "sidesocket-feed-"));
const file = join(folder, "feed.ndjson");
const feed = ["python3", beside(import.meta.url, "feed.py"), file];
const linesIn = () => (existsSync(file) ? readFileSync(file, "utf8").split("\n").length - 1 : 0);

let sent = 0;
function serve(socket) {
  const timer = setInterval(() => socket.send(JSON.stringify({ reading: ++sent })), 4);
  socket.on("close", () => clearInterval(timer));
}

await example(async () => {
  const upstream = await startUpstream({ serve });
  const env = { SIDESOCKET_URL: await startService(["--upstream", upstream.url, "--protocol", "json"]) };

  for (const times of ["once", "twice"]) {
    const enough = linesIn() + 10;
    const { child, ended } = start(feed, env);
    await until(() => linesIn() >= enough);
    child.kill("SIGKILL");
    await ended;
    console.log(`killed ${times}, with ${linesIn()} messages in the file`);
  }
  appendFileSync(file, '{"cursor":"m');
  console.log("cut off in the middle of a line");

  await run([...feed, "50"], env);
  const readings = readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).data.reading);
  const isWhole = readings.every((reading, index) => reading === index + 1);
  rmSync(folder, { recursive: true });
  if (!isWhole) throw new Error(`lost or repeated: ${readings}`);
  console.log(`${readings.length} messages from 1 to ${readings.at(-1)}, each once`);
});
