/** Prometheus, which scrapes a running service and answers every query of the dashboard and of the alerts. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { parse } from "yaml";
import { Child } from "../support/child.ts";
import { freePort } from "../support/free-port.ts";
import { type Product, startProduct } from "../support/product.ts";
import { findOnPath, root } from "../support/root.ts";
import { until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { lacks } from "./programs.ts";

const DASHBOARD = join(root, "ops", "grafana", "sidesocket.json");
const ALERTS = join(root, "ops", "prometheus", "alerts.yaml");
const TOKEN = "prometheus-token-of-thirty-two-characters";

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly { readonly expr: string }[];
}

interface Dashboard {
  readonly uid: string;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
}

interface AlertRule {
  readonly alert: string;
  readonly expr: string;
}

async function alertRules(): Promise<readonly AlertRule[]> {
  const { groups } = parse(await readFile(ALERTS, "utf8")) as {
    readonly groups: readonly { readonly rules: readonly AlertRule[] }[];
  };
  return groups.flatMap(({ rules }) => rules);
}

/** Queries that may be empty in a run without webhooks, subscriptions, gaps or failing attempts. */
const MAY_BE_EMPTY = /webhook|subscriptions|gaps_total|failed_attempts|disconnects|failures_total/;

describe("scraped by Prometheus", { skip: lacks("prometheus", "promtool") }, () => {
  let folder: string;
  let upstream: Upstream;
  let product: Product;
  let prometheus: Child;
  let api: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sidesocket-prometheus-"));
    upstream = await startUpstream();
    await writeFile(join(folder, "token"), TOKEN);
    const settings = { url: upstream.url, keepalive: { ping: "200ms" }, reconnect: { from: "20ms", to: "50ms" } };
    product = await startProduct({
      config: { upstreams: { default: settings } },
      args: ["--token-file", join(folder, "token")],
    });
    await product.ready();
    const port = await freePort();
    api = `http://127.0.0.1:${port}/api/v1/query`;
    const config = {
      global: { scrape_interval: "500ms", scrape_timeout: "450ms", evaluation_interval: "500ms" },
      rule_files: [ALERTS],
      scrape_configs: [
        {
          job_name: "sidesocket",
          authorization: { credentials: TOKEN },
          static_configs: [{ targets: [`127.0.0.1:${product.port}`] }],
        },
      ],
    };
    await writeFile(join(folder, "prometheus.yml"), JSON.stringify(config));
    prometheus = await Child.start({
      command: findOnPath("prometheus"),
      args: [
        `--config.file=${join(folder, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      env: process.env,
    });
    await loadUntilScraped();
  });
  after(async () => {
    await prometheus?.kill();
    await product?.kill();
    await upstream?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const headers = { authorization: `Bearer ${TOKEN}` };
  const call = (method: string) => product.request({ jsonrpc: "2.0", id: 1, method, params: [] }, { headers });

  /** Keeps some load up until there are enough scrapes for a rate of everything. */
  async function loadUntilScraped(): Promise<void> {
    await until(
      async () => {
        await (await call("echo")).body?.cancel();
        await (await call("no_such_method")).body?.cancel();
        if (prometheus.exit !== undefined) throw new Error(prometheus.output());
        const scrapes = await query("count_over_time(up[1m])").catch(() => []);
        return Number(scrapes[0]?.value[1]) >= 6;
      },
      { every: 100, within: 20_000, what: () => `six scrapes ${prometheus.output()}` },
    );
  }

  async function query(expr: string): Promise<readonly { readonly value: readonly [number, string] }[]> {
    const response = await fetch(`${api}?${new URLSearchParams({ query: expr })}`);
    const { status, error, data } = (await response.json()) as {
      readonly status: string;
      readonly error?: string;
      readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] };
    };
    assert.equal(status, "success", `${expr}: ${error}`);
    return data.result;
  }

  test("every query of the dashboard is answered, and the main ones with data", async () => {
    const { uid, schemaVersion, panels } = JSON.parse(await readFile(DASHBOARD, "utf8")) as Dashboard;
    assert.equal(uid, "sidesocket");
    assert.ok(schemaVersion >= 39);
    const texts = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));
    assert.ok(texts.length > 30, String(texts.length));
    const results = await Promise.all(
      texts.map(async ({ title, expr }) => {
        const asked = expr.replaceAll("$__rate_interval", "3s").replaceAll("$upstream", ".*");
        return { title, expr, count: (await query(asked)).length };
      }),
    );
    const empty = results.filter(({ expr, count }) => count === 0 && !MAY_BE_EMPTY.test(expr));
    assert.deepEqual(empty, []);
  });

  test("every expression of the alerts is answered, and none fires in a healthy run", async () => {
    const rules = await alertRules();
    assert.ok(rules.length > 10);
    for (const { alert, expr } of rules) assert.deepEqual(await query(expr), [], alert);
    assert.deepEqual(await query("ALERTS"), []);
  });

  test("an upstream that is gone is what its alert finds", async () => {
    const down = (await alertRules()).find(({ alert }) => alert === "SidesocketUpstreamDown")?.expr ?? "";
    await upstream.stop();
    await until(async () => (await query(down)).length === 1, { every: 100 });
  });

  test("promtool has nothing against the metrics and the rules", async () => {
    const text = await (await product.fetch("/metrics", { headers })).text();
    const promtool = (args: readonly string[], input?: string) => {
      const { status, stdout, stderr } = spawnSync(findOnPath("promtool"), args, { input, encoding: "utf8" });
      return { status, said: stdout + stderr };
    };
    assert.deepEqual(promtool(["check", "metrics"], text), { status: 0, said: "" });
    const rules = promtool(["check", "rules", ALERTS]);
    assert.equal(rules.status, 0, rules.said);
  });
});
