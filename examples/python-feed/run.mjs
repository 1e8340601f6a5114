/**
 * A feed in Python, behind a proxy that has lost the service for a moment. It is killed twice, once in the middle of a
 * line: each message is in its file, once.
 */
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream";
import { beside, example, run, start, startBytes, startService, startUpstream, until } from "../parts.mjs";

const folder = mkdtempSync(join(tmpdir(), "sidesocket-feed-"));
const file = join(folder, "feed.ndjson");
const feed = ["python3", beside(import.meta.url, "feed.py"), file];
const linesIn = () => (existsSync(file) ? readFileSync(file, "utf8").split("\n").length - 1 : 0);

const LOST = "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 20\r\n\r\n<h1>Bad Gateway</h1>";

let sent = 0;
function serve(socket) {
  const timer = setInterval(() => socket.send(JSON.stringify({ reading: ++sent })), 4);
  socket.on("close", () => clearInterval(timer));
}

await example(async () => {
  const upstream = await startUpstream({ serve });
  const service = new URL(await startService(["--upstream", upstream.url, "--protocol", "json"]));
  let isLost = true;
  const proxy = await startBytes((socket) => {
    socket.once("data", (request) => {
      if (isLost) socket.end(LOST);
      else {
        const onward = connect(service.port, service.hostname);
        onward.write(String(request).replace(/^Host: .*$/m, `Host: ${service.host}`));
        pipeline(socket, onward, socket, () => {});
      }
      isLost = false;
    });
  });
  const env = { SIDESOCKET_URL: proxy };

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
