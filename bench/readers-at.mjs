/** Readers at the end of a journal, while the upstream sends messages at a fixed rate. */
import process from "node:process";
import { measure } from "./processes.mjs";

const MESSAGE_BYTES = 200;

export async function readersAt({ url, path, pid, messagesPath }, readers, seconds, rate) {
  const there = await fetch(`${url}${messagesPath}`);
  if (there.status !== 200) throw new Error(`not available: GET ${messagesPath} responds ${there.status}`);
  await there.body.cancel();
  await fetch(`${url}${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "flood",
      params: [{ rate, bytes: MESSAGE_BYTES, count: rate * (seconds + 60) }],
    }),
  });
  return measure(process.execPath, [
    "bench/readers.mjs",
    JSON.stringify({ url, path: messagesPath, readers, seconds, pid }),
  ]);
}
