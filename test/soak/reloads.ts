/** Reloads of one service under load, in this process, with random files that are valid and ones that are not. */
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type WebSocket, WebSocketServer } from "ws";
import { loadConfig } from "../../src/config/load.ts";
import { SidesocketError } from "../../src/errors.ts";
import { runtime as host } from "../../src/runtime/pick-runtime.ts";
import { Service } from "../../src/service/service.ts";
import { seeded } from "../support/random.ts";
import { delay, until } from "../support/until.ts";
import { grown, Memory, ownHoldings, settled, shown, textOf, timesOf } from "./figures.ts";
import type { Soaked, SoakOptions } from "./soaks.ts";

/** Callers at a time of each upstream. */
const CALLERS = 2;
/** Between two requests of a caller: the load is there to lose requests, not to fill the machine. */
const PAUSE_MS = 5;
const WARM_UP = 50;
/** Codes with which a request to an upstream that comes and goes may fail; the others may not fail. */
const HONEST = new Set(["not_found", "shutting_down", "upstream_down", "cancelled", "connection_lost"]);

/** An upstream that echoes, and keeps nothing of what it got. */
class Echo {
  connections = 0;
  readonly #server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  readonly #live = new Set<WebSocket>();

  constructor() {
    this.#server.on("connection", (socket) => {
      this.connections++;
      this.#live.add(socket);
      socket.on("close", () => this.#live.delete(socket));
      socket.on("message", (data) => {
        const { id, params } = JSON.parse(String(data)) as { id?: unknown; params?: unknown };
        if (id !== undefined) socket.send(JSON.stringify({ jsonrpc: "2.0", id, result: params }));
      });
    });
  }

  async listening(): Promise<this> {
    if (this.#server.address() === null) await once(this.#server, "listening");
    return this;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get live(): number {
    return this.#live.size;
  }

  say(value: unknown): void {
    for (const socket of this.#live) socket.send(JSON.stringify(value));
  }

  stop(): void {
    for (const socket of this.#live) socket.terminate();
    this.#server.close();
  }
}

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

function post(agent: Agent, url: string, body: unknown): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json" };
    const request = httpRequest(
      url,
      { agent, method: body === undefined ? "GET" : "POST", headers },
      async (response) => {
        let text = "";
        try {
          for await (const chunk of response.setEncoding("utf8")) text += chunk;
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as Answer["body"] });
        } catch (error) {
          reject(error as Error);
        }
      },
    );
    request.on("error", reject).end(body === undefined ? undefined : JSON.stringify(body));
  });
}

type Draw = (count: number) => number;

/** One upstream that only ever changes in place or rotates, and some that come, go and are replaced. */
function randomFile(still: Readonly<Record<string, unknown>>, urls: readonly string[], draw: Draw) {
  const url = () => urls[draw(urls.length)];
  const moving = {
    url: url(),
    headers: { "x-turn": String(draw(3)) },
    limits: { in_flight: 100 + draw(3), reply_bytes: `${1 + draw(2)}MiB`, pace: draw(4) ? null : { messages: 5_000 } },
    keepalive: { ping: `${10 + draw(3)}s` },
    messages: { count: 10 + draw(3) },
    subscriptions: draw(2) ? { s: { request: { jsonrpc: "2.0", method: `s${draw(2)}` }, match: { "/s": 1 } } } : {},
    webhooks: draw(2) ? [{ url: "http://127.0.0.1:9/hook", headers: { "x-turn": String(draw(2)) } }] : [],
  };
  const protocol = () => (draw(2) ? "json-rpc" : { preset: "json-rpc", frames: { split: "\n" } });
  const others = Object.fromEntries(
    ["x", "y", "z"].filter(() => draw(2)).map((name) => [name, { url: url(), protocol: protocol() }]),
  );
  return { quota: { keys: 1 + draw(9) }, upstreams: { ...still, moving, ...others } };
}

function invalidFile(valid: ReturnType<typeof randomFile>, draw: Draw): string {
  const { upstreams } = valid;
  const wrong: readonly (() => string)[] = [
    () => JSON.stringify(valid).slice(0, -2 - draw(40)),
    () => JSON.stringify({ ...valid, qouta: {} }),
    () => JSON.stringify({ ...valid, upstreams: { ...upstreams, x: { url: "http://no" } } }),
    () =>
      JSON.stringify({
        ...valid,
        upstreams: { ...upstreams, moving: { ...upstreams.moving, limits: { in_flight: 0 } } },
      }),
    () =>
      JSON.stringify({
        ...valid,
        upstreams: { ...upstreams, x: { url: upstreams.moving.url, protocol: "./none.js" } },
      }),
    () =>
      JSON.stringify({
        ...valid,
        upstreams: { ...upstreams, x: { url: upstreams.moving.url, protocol: "./broken.js" } },
      }),
    () => "",
  ];
  return (wrong[draw(wrong.length)] ?? (() => ""))();
}

export async function soakReloads({ count, progress }: SoakOptions, seed = 7): Promise<Soaked> {
  const random = seeded(seed);
  const draw: Draw = (of) => Math.floor(random() * of);
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-reloads-"));
  const file = join(folder, "config.yaml");
  await writeFile(join(folder, "broken.js"), "export default 42;\n");
  const [one, two, ...elsewhere] = await Promise.all(Array.from({ length: 4 }, () => new Echo().listening()));
  if (!one || !two) throw new RangeError("unreachable");
  const still = { one: { url: one.url, messages: { count: count + 1 } }, two: { url: two.url } };
  const urls = elsewhere.map(({ url }) => url);
  const base = JSON.stringify({ upstreams: { ...still, moving: { url: urls[0] } } });
  const load = () => loadConfig({ flags: { config: file, port: "0" }, env: {} });
  await writeFile(file, base);
  const service = await Service.start(await load(), host, load);
  await service.opened;

  const problems: string[] = [];
  const counts = { valid: 0, invalid: 0, requests: 0, honest: 0 };
  const times: number[] = [];
  const agent = new Agent({ keepAlive: true, maxSockets: 20 });
  const lose = (what: string) => {
    if (problems.length < 20) problems.push(what);
  };
  let isOver = false;
  const callers = ["one", "two", "moving", "x", "y", "z"].flatMap((name) =>
    Array.from({ length: CALLERS }, async (_, caller) => {
      for (let n = 0; !isOver; n++) {
        await delay(PAUSE_MS);
        const id = `${name}-${caller}-${n}`;
        const message = { jsonrpc: "2.0", id, method: "echo", params: [id] };
        try {
          const { status, body } = await post(agent, `${service.url}/v1/upstreams/${name}/request`, message);
          counts.requests++;
          const isOwn = status === 200 && body.id === id && JSON.stringify(body.result) === JSON.stringify([id]);
          if (isOwn) continue;
          const mayFail = "xyz".includes(name) && HONEST.has(String(body.code));
          if (mayFail) counts.honest++;
          else lose(`${id}: ${status} ${JSON.stringify(body)}`);
        } catch (error) {
          lose(`${id}: ${error}`);
        }
      }
    }),
  );

  const reload = async (text: string, isValid: boolean) => {
    await writeFile(file, text);
    const began = performance.now();
    const failed = await service.reload("soak").then(
      () => undefined,
      (error: unknown) => error,
    );
    times.push(performance.now() - began);
    counts[isValid ? "valid" : "invalid"]++;
    if (isValid && failed) lose(`a valid file was refused: ${failed}`);
    if (!isValid && !(failed instanceof SidesocketError && failed.code === "invalid_request"))
      lose(`an invalid file was not refused: ${text}`);
  };
  /** Back to where it began, with nobody calling: then what is held can be compared. */
  const rest = async () => {
    await reload(base, true);
    await until(() => elsewhere.reduce((all, { live }) => all + live, 0) === 1, { within: 60_000 }).catch(() => {
      lose("connections to upstreams are left");
    });
  };

  await until(async () => (await post(agent, `${service.url}/readyz`, undefined)).status === 200);
  const memory = new Memory();
  let held = ownHoldings();
  for (let n = 1; n <= count; n++) {
    const valid = randomFile(still, urls, draw);
    if (draw(4) > 0) await reload(JSON.stringify(valid), true);
    else await reload(invalidFile(valid, draw), false);
    one.say({ n });
    if (n === Math.min(WARM_UP, Math.ceil(count / 2))) {
      await rest();
      held = await settled(ownHoldings, held);
    }
    if (n % Math.ceil(count / 20) === 0) {
      memory.sample(n);
      progress?.(n, `${textOf(timesOf(times))}, ${memory.lastMb.toFixed(0)} MB`);
    }
  }
  await rest();
  const after = await settled(ownHoldings, held);
  isOver = true;
  await Promise.all(callers);
  if (one.connections !== 1 || two.connections !== 1)
    lose(`unchanged upstreams were connected ${one.connections} and ${two.connections} times`);
  const lost = await missingOf(agent, `${service.url}/v1/upstreams/one/messages`, count);
  if (lost > 0) lose(`${lost} messages of an unchanged upstream are missing`);
  const { exit_code: code } = await service.exit({ cause: "soak" });
  if (code !== 0) lose(`the exit had the code ${code}`);
  agent.destroy();
  for (const upstream of [one, two, ...elsewhere]) upstream.stop();
  await rm(folder, { recursive: true });
  return {
    figures: {
      reloads: counts.valid + counts.invalid,
      "of wrong files": counts.invalid,
      "a reload": timesOf(times),
      requests: counts.requests,
      "failed on upstreams that came and went": counts.honest,
      ...shown(held, after),
      "kB of memory each": memory.slopeFrom(Math.ceil(count / 2)),
    },
    problems: [...problems, ...grown(held, after)],
  };
}

/** How many of the numbered messages are not there, or not in their place. */
async function missingOf(agent: Agent, url: string, count: number): Promise<number> {
  let next = "earliest";
  let expected = 1;
  for (;;) {
    const { body } = await post(agent, `${url}?limit=1000&after=${next}`, undefined);
    const { messages, next: cursor } = body as { messages: { data?: { n: number } }[]; next: string };
    if (messages.length === 0) return count - expected + 1;
    for (const { data } of messages) if (data?.n === expected) expected++;
    next = cursor;
  }
}
