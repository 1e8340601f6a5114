/** Traces: a caller's traceparent, and the spans that an OpenTelemetry SDK gets, Deno's own or one before Node. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { freePort } from "../support/free-port.ts";
import { type Product, startProduct } from "../support/product.ts";
import { root, runtime } from "../support/root.ts";
import { until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CALLER = "b7ad6b7169203331";
const REQUEST = "/v1/upstreams/default/request";
const CLIENT = 2;

/** The environment of Deno's own SDK, and the arguments for one before Node. */
const otelTo = (endpoint: string) => ({
  OTEL_DENO: "true",
  OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
  OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
  OTEL_BSP_SCHEDULE_DELAY: "100",
});
const spanFile = ["--import", join(root, "test", "support", "span-file.mjs")];

interface Span {
  readonly scope: string;
  readonly name: string;
  /** As the API numbers it. */
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly failed?: boolean;
}

const call = (method: string, params: unknown = []) => ({ jsonrpc: "2.0", id: 1, method, params });
const traceparent = (span = CALLER, trace = TRACE) => `00-${trace}-${span}-01`;

/** A receiver: of spans in OTLP over HTTP with JSON, and of what a webhook delivers. */
class Receiver {
  readonly #server: Server;
  readonly spans: Span[] = [];
  readonly deliveries: IncomingHttpHeaders[] = [];

  private constructor() {
    this.#server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () => {
        if (request.url === "/v1/traces") this.spans.push(...spansIn(JSON.parse(body) as Exported));
        else if (request.url === "/hook") this.deliveries.push(request.headers);
        response.writeHead(200, { "content-type": "application/json" }).end("{}");
      });
    });
  }

  static async start(): Promise<Receiver> {
    const receiver = new Receiver();
    await new Promise<void>((resolve) => receiver.#server.listen(0, "127.0.0.1", resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

interface Exported {
  readonly resourceSpans: readonly {
    readonly scopeSpans: readonly {
      readonly scope: { readonly name: string };
      readonly spans: readonly (Omit<Span, "scope" | "attributes" | "failed"> & {
        readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
        readonly status?: { readonly code?: number };
      })[];
    }[];
  }[];
}

/** OTLP counts kinds from 1, and has no parent as an empty text. */
function spansIn({ resourceSpans }: Exported): Span[] {
  return resourceSpans.flatMap(({ scopeSpans }) =>
    scopeSpans.flatMap(({ scope, spans }) =>
      spans.map(({ attributes, kind, status, ...span }) => ({
        ...span,
        scope: scope.name,
        kind: kind - 1,
        attributes: Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]])),
        failed: status?.code === 2,
      })),
    ),
  );
}

describe("a service with an OpenTelemetry SDK", () => {
  let folder: string;
  let receiver: Receiver;
  let upstream: Upstream;
  let product: Product;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sidesocket-spans-"));
    receiver = await Receiver.start();
    upstream = await startUpstream();
    const reconnect = { from: "20ms", to: "50ms" };
    const upstreams = {
      default: { url: `${upstream.url}/secret-path`, reconnect, webhooks: [{ url: `${receiver.url}/hook` }] },
      dead: { url: `ws://127.0.0.1:${await freePort()}`, required: false, reconnect },
    };
    product = await startProduct({
      config: { upstreams },
      env: runtime === "deno" ? otelTo(receiver.url) : { SPAN_FILE: join(folder, "spans") },
      runtimeArgs: runtime === "deno" ? [] : spanFile,
    });
    await product.ready();
  });
  after(async () => {
    await product?.kill();
    await upstream?.stop();
    receiver?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  function spans(): readonly Span[] {
    if (runtime === "deno") return receiver.spans;
    const file = join(folder, "spans");
    const lines = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
    return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Span);
  }

  /** The span of a call that was made in this trace. */
  const spanOf = (trace: string) =>
    until(() => spans().find(({ scope, traceId }) => scope === "sidesocket" && traceId === trace), {
      what: () => `a span of ${trace} among ${JSON.stringify(spans())} ${product.child.output()}`,
    });

  const traced = (trace: string, body: unknown, name = "default", query = "") =>
    product.post(`/v1/upstreams/${name}/request${query}`, body, {
      headers: { traceparent: traceparent(CALLER, trace) },
    });

  test("a call has a span of kind CLIENT below its caller's, with the names of the conventions", async () => {
    assert.equal((await traced(TRACE, call("echo"))).status, 200);
    const { name, kind, parentSpanId, attributes, failed = false } = await spanOf(TRACE);
    assert.deepEqual([name, kind, parentSpanId, failed], ["jsonrpc", CLIENT, CALLER, false]);
    const { port } = new URL(upstream.url);
    assert.deepEqual(attributes, {
      "rpc.system.name": "jsonrpc",
      "server.address": "127.0.0.1",
      "server.port": Number(port),
      "sidesocket.upstream": "default",
      "sidesocket.sent": "yes",
    });
  });

  test("the span of a failure has its code and sent, whether or not anything was sent", async () => {
    const [late, down] = ["1", "2"].map((digit) => digit.repeat(32));
    await (await traced(late as string, call("drop"))).body?.cancel();
    await (await traced(down as string, call("echo"), "dead")).body?.cancel();
    const lost = await spanOf(late as string);
    assert.deepEqual(
      [lost.failed, lost.attributes["error.type"], lost.attributes["sidesocket.sent"]],
      [true, "connection_lost", "maybe"],
    );
    const unsent = await spanOf(down as string);
    assert.deepEqual(
      [unsent.failed, unsent.attributes["error.type"], unsent.attributes["sidesocket.sent"]],
      [true, "upstream_down", "no"],
    );
    await product.ready();
  });

  test("a delivery to a webhook is a span, which the receiver gets as its parent", async () => {
    assert.equal((await product.request(call("notify", [1]))).status, 200);
    const delivery = await until(() => receiver.deliveries.at(-1));
    const [, trace = "", span] = String(delivery.traceparent).split("-");
    const { name, kind, spanId, attributes } = await spanOf(trace);
    assert.deepEqual([name, kind], ["POST", CLIENT]);
    // Deno's SDK watches outgoing requests, too: the receiver's parent is its span, which is below ours.
    const below = () => spans().some((each) => each.spanId === span && each.parentSpanId === spanId);
    if (spanId !== span) await until(below, { what: "the span that the receiver was told" });
    assert.equal(Number(attributes["http.response.status_code"]), 200);
    assert.ok(!JSON.stringify(spans().filter(({ scope }) => scope === "sidesocket")).includes("secret-path"));
  });
});

describe("the exit of a service with an SDK that holds its spans for a minute", () => {
  let folder: string;
  let receiver: Receiver;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sidesocket-spans-"));
    receiver = await Receiver.start();
  });
  after(async () => {
    receiver.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Calls once and stops. @returns the texts of the spans that were exported then, and how long the stop took */
  async function stopped(spans: "held" | "stuck", collector: string): Promise<{ exported: string; ms: number }> {
    const upstream = await startUpstream();
    const file = join(folder, spans);
    const product = await startProduct({
      upstream,
      env:
        runtime === "deno"
          ? { ...otelTo(collector), OTEL_BSP_SCHEDULE_DELAY: "60000", OTEL_EXPORTER_OTLP_TIMEOUT: "300" }
          : { SPAN_FILE: file, SPANS: spans },
      runtimeArgs: runtime === "deno" ? [] : spanFile,
    });
    await product.ready();
    assert.equal((await product.request(call("echo"))).status, 200);
    const { code, ms } = await product.stop();
    assert.equal(code, 0);
    await upstream.stop();
    const written = existsSync(file) ? readFileSync(file, "utf8") : "";
    return { exported: written + JSON.stringify(receiver.spans), ms };
  }

  test("exports the last ones", async () => {
    const { exported } = await stopped("held", receiver.url);
    assert.match(exported, /"sidesocket\.sent":"yes"/);
  });

  test("does not wait for a collector that takes none", async (t) => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    t.after(() => {
      silent.close();
      silent.closeAllConnections();
    });
    const { ms } = await stopped("stuck", `http://127.0.0.1:${(silent.address() as AddressInfo).port}`);
    assert.ok(ms < 3_000, `${ms} ms`);
  });
});

describe("a service without an SDK", () => {
  let upstream: Upstream;
  let product: Product;
  before(async () => {
    upstream = await startUpstream();
    product = await startProduct({ upstream });
    await product.ready();
  });
  after(async () => {
    await product?.kill();
    await upstream?.stop();
  });

  const send = (header: string, method: string) =>
    product.post(`${REQUEST}?timeout=50ms`, call(method), { headers: { traceparent: header } });

  test("a valid traceparent is handed back on replies and failures, and stands in the line of the failure", async () => {
    assert.equal((await send(traceparent(), "echo")).headers.get("traceparent"), traceparent());
    const failed = await send(traceparent(), "silent");
    assert.deepEqual([failed.status, failed.headers.get("traceparent")], [504, traceparent()]);
    const id = failed.headers.get("x-request-id");
    const line = await product.until(() => product.log().find((each) => each["http.request.id"] === id));
    assert.equal(line["trace.id"], TRACE);
  });

  test("an invalid traceparent is as good as none, and the request is served", async () => {
    for (const header of ["nonsense", traceparent(CALLER, "0".repeat(32)), `${traceparent()}-more`]) {
      const response = await send(header, "echo");
      assert.deepEqual([response.status, response.headers.get("traceparent")], [200, null], header);
    }
  });
});
