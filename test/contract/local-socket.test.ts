/** Upstreams behind a Unix socket of this machine. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { WebSocketServer } from "ws";
import { check } from "../../src/config/problems.ts";
import { upstreamSchema } from "../../src/config/upstream-settings.ts";
import { needsOf } from "../../src/permissions/permissions.ts";
import { runProduct, startProduct } from "../support/product.ts";
import { runtime } from "../support/root.ts";
import type { Cleanup } from "../support/until.ts";
import { until } from "../support/until.ts";

/** An echo of JSON over a Unix socket. */
async function startAt(path: string, requests: IncomingMessage[]): Promise<() => void> {
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket, request) => {
    requests.push(request);
    socket.on("message", (data) => socket.send(String(data)));
  });
  server.listen(path);
  await once(server, "listening");
  return () => {
    server.close();
    for (const socket of sockets.clients) socket.terminate();
  };
}

async function folder(t: Cleanup): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "sidesocket-socket-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

describe("ws+unix", () => {
  test("an upstream behind a Unix socket is called, found again after its restart, and checked by doctor", async (t) => {
    const path = join(await folder(t), "app.sock");
    const requests: IncomingMessage[] = [];
    let stop = await startAt(path, requests);
    t.after(() => stop());
    const url = `ws+unix:${path}:/socket/a:b?key=k3y-in-the-query`;
    const denoPermissions = ["--allow-net", "--allow-env", "--allow-sys", "--allow-read", `--allow-write=${path}`];
    const upstreams = {
      default: { url, protocol: "json", headers: { "x-a": "b" }, reconnect: { from: "20ms", to: "50ms" } },
    };
    const product = await startProduct({ config: { upstreams }, denoPermissions, t });
    await product.ready();
    const call = async () => (await product.post("/v1/upstreams/default/request", { a: 1 })).json();
    assert.deepEqual(await call(), { a: 1 });
    const [first] = requests;
    assert.deepEqual(
      [first?.url, first?.headers.host, first?.headers["x-a"]],
      ["/socket/a:b?key=k3y-in-the-query", "localhost", "b"],
    );

    stop();
    await until(async () => (await product.state()).phase !== "ready");
    await until(async () => String((await product.state()).last_error).includes("ENOENT"));
    stop = await startAt(path, requests);
    await product.ready();
    assert.deepEqual(await call(), { a: 1 });

    const doctor = await runProduct(["doctor", "--upstream", url, "--port", "0", "--protocol", "json"], {
      denoPermissions,
      t,
    });
    assert.match(doctor.stdout, new RegExp(`^ok .*default: ${path} accepts connections$`, "m"));
    assert.doesNotMatch(doctor.stdout + doctor.stderr + product.stderr(), /k3y-in-the-query/);
  });

  test("Deno is asked for the one socket, and a start without the permissions names the command", async (t) => {
    const url = "ws+unix:/run/app.sock:/a";
    const settings = upstreamSchema.parse({ url, proxy: "http://127.0.0.1:3128" });
    const needs = needsOf({ upstreams: new Map([["default", settings]]), sources: { files: [], variables: [] } });
    assert.deepEqual(needs, { net: ["unix:/run/app.sock"], read: ["/run/app.sock"], write: ["/run/app.sock"] });
    if (runtime !== "deno") return;
    const denoPermissions = ["--allow-net=127.0.0.1", "--allow-env", "--allow-sys", "--allow-read"];
    const { code, stderr } = await runProduct(["--upstream", url, "--port", "0"], { denoPermissions, t });
    assert.equal(code, 2, stderr);
    assert.match(stderr, /--allow-net=\S*,unix:\/run\/app\.sock .* --allow-write=\/run\/app\.sock/);
  });

  test("an address that names no socket by its whole path is refused", () => {
    const problem = (url: string) => {
      const checked = check(upstreamSchema, { url });
      return "problems" in checked ? checked.problems.map(({ what }) => what).join() : "";
    };
    for (const url of ["ws+unix:app.sock", "ws+unix://run/app.sock", "ws+unix:/run/app.sock:path", "ws+unix:/a#b"])
      assert.match(problem(url), /must name a socket by its whole path: ws\+unix:/, url);
    assert.match(problem("ws+unix:/run/${file:/run/name}"), /written out, without/);
    for (const url of ["ws+unix:/run/app.sock", "ws+unix:///run/app.sock:/a?b=c", "ws+unix:/a.sock:/?t=${file:/run/t}"])
      assert.equal(problem(url), "", url);
    assert.match(problem("http+unix:/run/app.sock"), /must start with ws:\/\/, wss:\/\/ or ws\+unix:/);
  });
});
