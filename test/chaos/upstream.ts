/** The upstream of the chaos runs, in its own process so that it can be stopped, and controlled over HTTP. */
import { Buffer } from "node:buffer";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { type Behaviour, startFaultUpstream } from "../faults/upstream.ts";
import { violations } from "../faults/violations.ts";
import { seeded } from "../support/random.ts";
import { answersOf, numberIn } from "./answers.ts";
import type { DialectName } from "./dialects.ts";
import type { Deed, Mood, Stats } from "./moods.ts";
import { Ticks } from "./ticks.ts";

const seed = Number(process.argv[2] ?? 1);
const dialect = (process.argv[3] ?? "rpc") as DialectName;
const ticks = new Ticks(seeded(seed));
const known = answersOf(dialect, seed, ticks);
/** The number of arrivals of each numbered request. */
let received = new Uint8Array(1_024);
let messages = 0;
let configured = 0;
let mood: Mood = { answer: "echo" };

function count(n: number): void {
  messages += 1;
  if (n >= received.length) {
    const more = new Uint8Array(n * 2);
    more.set(received);
    received = more;
  }
  received[n] = Math.min(255, (received[n] ?? 0) + 1);
}

function behaviour(): Behaviour {
  return {
    ...(mood.handshake === undefined ? {} : { handshake: mood.handshake }),
    onMessage: (peer, frame) => {
      peer.frames.length = 0; // Frames are only counted; keeping all of them would fill the memory.
      const n = numberIn(dialect, frame);
      if (n === undefined) configured += 1;
      else count(n);
      (known.get(mood.answer) ?? known.get("mixed"))?.(peer, frame);
    },
    onPing: (peer, payload) => {
      if (!mood.mute) peer.pong(payload);
    },
  };
}

const upstream = await startFaultUpstream(behaviour);

async function carryOut(deed: Deed): Promise<void> {
  const open = upstream.live.filter(({ phase }) => phase === "open");
  switch (deed.do) {
    case "mood":
      mood = deed.mood;
      return;
    case "close":
      for (const peer of open) peer.close(deed.code, deed.reason);
      return;
    case "violate":
      for (const peer of open) violations.get(deed.name)?.(peer);
      return;
    case "raw":
      for (const peer of open) peer.raw(Buffer.from(deed.hex, "hex"));
      return;
    case "reset":
      for (const peer of open) peer.reset();
      return;
    case "end":
      for (const peer of open) peer.end();
      return;
    case "restart":
      await upstream.stop();
      setTimeout(() => void upstream.restart(), deed.ms);
      return;
    case "flood": {
      const text = JSON.stringify({ jsonrpc: "2.0", method: "flood", params: ["x".repeat(deed.bytes)] });
      for (const peer of open) for (let n = 0; n < deed.count; n += 1) peer.text(text);
      return;
    }
    case "pings":
      for (const peer of open) for (let n = 0; n < deed.count; n += 1) peer.ping(`${n}`);
      return;
    case "pause":
      for (const peer of open) {
        peer.pause();
        peer.later(deed.ms, () => peer.resume());
      }
  }
}

const control = createServer((request, response) => {
  if (request.url === "/received") {
    response.end(received);
    return;
  }
  let body = "";
  request.setEncoding("utf8").on("data", (text: string) => {
    body += text;
  });
  request.on("end", async () => {
    if (body !== "") await carryOut(JSON.parse(body) as Deed);
    const { sent, ended } = ticks;
    const stats: Stats = { connections: upstream.peers.length, messages, configured, ticks: sent, ended };
    response.end(JSON.stringify(stats));
  });
});
control.listen(0, "127.0.0.1", () => {
  process.stdout.write(
    `${JSON.stringify({ port: upstream.port, control: (control.address() as AddressInfo).port })}\n`,
  );
});

// The parent may be killed, and must not leave this process running.
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.exit();
}, 500);
