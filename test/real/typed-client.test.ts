/** A typed client, generated from the OpenAPI document by openapi-typescript and used with openapi-fetch. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { startDemo } from "../../src/demo/demo-upstream.ts";
import { startProduct } from "../support/product.ts";
import { nodePath, root } from "../support/root.ts";
import { packageFolder } from "./packages.ts";

/** The program of a user. A line after `@ts-expect-error` must not compile. */
const PROGRAM = `
import createClient from "openapi-fetch";
import type { components, paths } from "./api.d.ts";

export async function run(baseUrl: string) {
  const client = createClient<paths>({ baseUrl });
  const path = { upstream: "default" };
  const message = { jsonrpc: "2.0", id: "a", method: "echo", params: [1] };
  const answered = await client.POST("/v1/upstreams/{upstream}/request", { params: { path }, body: message });
  const late = await client.POST("/v1/upstreams/{upstream}/request", {
    params: { path, query: { timeout: "50ms" } },
    body: { jsonrpc: "2.0", id: 1, method: "sleep", params: [300] },
  });
  const sent: "no" | "maybe" | "yes" | undefined = late.error?.sent;
  const code: components["schemas"]["Code"] | undefined = late.error?.code;
  const order: components["schemas"]["SubscriptionOrder"] = {
    name: "clock",
    request: { jsonrpc: "2.0", method: "subscribe" },
    id: "/result",
    any: [{ match: { "/params/subscription": "$id" } }, { not: { has: ["/method"] } }],
  };
  const created = await client.POST("/v1/upstreams/{upstream}/subscriptions", { params: { path }, body: order });
  const phase: "waiting" | "asking" | "active" | "failed" | undefined = created.data?.phase;
  const page = await client.GET("/v1/upstreams/{upstream}/messages", { params: { path, query: { limit: 1 } } });
  // Lines and events are text, a page is JSON.
  const cursors = typeof page.data === "object" ? page.data.messages.map(({ cursor }): string => cursor) : undefined;
  // @ts-expect-error a limit is a number
  void (() => client.GET("/v1/upstreams/{upstream}/messages", { params: { path, query: { limit: "ten" } } }));
  // @ts-expect-error no such route
  void (() => client.GET("/v1/upstream", {}));
  // @ts-expect-error a condition has no such part
  void ({ ...order, not: { equals: 1 } } satisfies components["schemas"]["SubscriptionOrder"]);
  return { answer: answered.data, sent, code, phase, cursors };
}
`;

const CONFIG = {
  compilerOptions: {
    strict: true,
    module: "nodenext",
    target: "es2023",
    lib: ["es2023", "dom"],
    types: [],
    verbatimModuleSyntax: true,
    outDir: "out",
    rewriteRelativeImportExtensions: true,
  },
  include: ["*.ts"],
};

test("a client whose types are generated from the document compiles, and calls", async (t) => {
  const demo = await startDemo();
  t.after(() => demo.stop());
  const product = await startProduct({ upstream: demo, t });
  // Inside of node_modules, where the program finds openapi-fetch.
  const folder = await mkdtemp(join(packageFolder("openapi-fetch"), "..", "sidesocket-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const files = {
    "openapi.json": await (await product.fetch("/openapi.json")).text(),
    "tsconfig.json": JSON.stringify(CONFIG),
    "package.json": '{"type":"module"}',
    "program.ts": PROGRAM,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const generator = join(packageFolder("openapi-typescript"), "bin", "cli.js");
  await tool(folder, generator, "openapi.json", "--output", "api.d.ts");
  await tool(folder, join(root, "node_modules", "typescript", "bin", "tsc"), "--project", ".");
  const { run } = (await import(pathToFileURL(join(folder, "out", "program.js")).href)) as {
    run: (baseUrl: string) => Promise<object>;
  };
  assert.deepEqual(await run(product.url), {
    answer: { jsonrpc: "2.0", id: "a", result: [1] },
    sent: "maybe",
    code: "reply_timeout",
    phase: "active",
    cursors: [],
  });
});

/** Runs a program of a package. Its output is the message of the error. */
async function tool(cwd: string, program: string, ...args: readonly string[]): Promise<void> {
  await promisify(execFile)(nodePath(), [program, ...args], { cwd, timeout: 60_000 }).catch((error) => {
    throw new Error(`${program} failed: ${error.stdout}${error.stderr}`);
  });
}
