/** Variables that people set in the place of ours. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ENVIRONMENT_NAMES } from "../../src/config/commandline.ts";
import type { Environment } from "../../src/config/environment.ts";
import { loadConfig } from "../../src/config/load.ts";
import { refuseMistaken } from "../../src/config/mistaken-variables.ts";

function refusalOf(env: Environment, named: readonly string[] = []): string | undefined {
  try {
    refuseMistaken(env, named);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

test("a variable that is nearly one of ours is refused, with the one that was meant", async () => {
  const message = "SIDESOCKET_UPSTREAM: is not a variable of sidesocket (did you mean SIDESOCKET_UPSTREAM_URL?)";
  await assert.rejects(loadConfig({ env: { SIDESOCKET_UPSTREAM: "ws://a.example" } }), {
    name: "ConfigError",
    message,
  });
  assert.equal(
    refusalOf({ SIDESOCKET_PORT: "8080", SIDESOCKET_TOKENS: "a" }),
    "SIDESOCKET_PORT: is not a variable of sidesocket (did you mean PORT?)\n" +
      "SIDESOCKET_TOKENS: is not a variable of sidesocket (did you mean SIDESOCKET_TOKEN?)",
  );
});

test("an address that Kubernetes puts into every pod beside a service of our name is none", () => {
  assert.equal(refusalOf({ SIDESOCKET_PORT: "tcp://10.0.0.1:8787", SIDESOCKET_SERVICE_HOST: "10.0.0.1" }), undefined);
});

test("a variable that the configuration names is the user's own", async () => {
  assert.equal(refusalOf({ SIDESOCKET_API_TOKEN: "a" }, ["SIDESOCKET_API_TOKEN"]), undefined);
  const env = { SIDESOCKET_UPSTREAM: "a.example", SIDESOCKET_CONFIG: "c.yaml" };
  const readFile = async () => "upstreams: { a: { url: 'wss://${SIDESOCKET_UPSTREAM}' } }";
  const { upstreams } = await loadConfig({ env, readFile });
  assert.equal(upstreams.get("a")?.url, "wss://a.example");
});

test("what is meant is a variable of ours, and what is mistaken is none", () => {
  const mistaken = ["SIDESOCKET_UPSTREAM", "SIDESOCKET_URL", "SIDESOCKET_PORT", "SIDESOCKET_LOG", "SIDESOCKET_HEADERS"];
  for (const name of mistaken) {
    const [, meant = ""] = /did you mean (\w+)\?/.exec(refusalOf({ [name]: "a" }) ?? "") ?? [];
    assert.ok(ENVIRONMENT_NAMES.includes(meant), name);
    assert.ok(!ENVIRONMENT_NAMES.includes(name), name);
  }
});
