/** The preset nats logs in by nkey and by JWT in front of Debian's `nats-server`, which wants its nonce signed. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { nkeys } from "@nats-io/transport-node";
import { startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startNats } from "./nats-server.ts";
import { lacks } from "./programs.ts";

type KeyPair = ReturnType<typeof nkeys.createUser>;

const decoder = new TextDecoder();
const seedOf = (key: KeyPair) => decoder.decode(key.getSeed());

/** What a key says of another one, signed. */
function token(by: KeyPair, about: KeyPair, name: string, nats: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { jti: name, iat: 1, iss: by.getPublicKey(), name, sub: about.getPublicKey() };
  const text = `${part({ typ: "JWT", alg: "ed25519-nkey" })}.${part({ ...claims, nats: { version: 2, ...nats } })}`;
  return `${text}.${Buffer.from(by.sign(Buffer.from(text))).toString("base64url")}`;
}

const unlimited = { subs: -1, data: -1, payload: -1 };
const account = {
  type: "account",
  limits: { ...unlimited, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 },
};

/** The configuration of a server with an operator, and the credentials file of a user of its account. */
function operated(user: KeyPair) {
  const [operator, owner, system] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createAccount()];
  const lines = [
    `operator: ${token(operator, operator, "operator", { type: "operator" })}`,
    "resolver: MEMORY",
    `system_account: ${system.getPublicKey()}`,
    `resolver_preload: {`,
    `  ${owner.getPublicKey()}: ${token(operator, owner, "owner", account)}`,
    `  ${system.getPublicKey()}: ${token(operator, system, "system", account)}`,
    `}`,
  ];
  const jwt = token(owner, user, "user", { type: "user", pub: {}, sub: {}, ...unlimited });
  const file = `-----BEGIN NATS USER JWT-----\n${jwt}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n`;
  return { lines, jwt, credentials: `${file}${seedOf(user)}\n------END USER NKEY SEED------\n` };
}

test("a login by nkey and one by a credentials file are taken, those of others refused, and nothing of them is shown", {
  skip: lacks("nats-server"),
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "sidesocket-nkey-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const [user, stranger] = [nkeys.createUser(), nkeys.createUser()];
  const { lines, jwt, credentials } = operated(user);
  const [byKey, byToken] = await Promise.all([
    startNats({ t, lines: [`authorization { users: [ { nkey: ${user.getPublicKey()} } ] }`] }),
    startNats({ t, lines }),
  ]);
  const file = async (name: string, text: string) => {
    await writeFile(join(folder, name), text);
    return `\${file:${join(folder, name)}}`;
  };
  const reconnect = { from: "50ms", to: "500ms", refused: "1h" };
  const at = async ({ url }: { readonly url: string }, name: string, text: string, required = true) => ({
    url,
    protocol: { preset: "nats", credentials: await file(name, text) },
    reconnect,
    required,
  });
  const upstreams = {
    default: await at(byKey, "seed", `${seedOf(user)}\n`),
    token: await at(byToken, "user.creds", credentials),
    stranger: await at(byKey, "stranger", seedOf(stranger), false),
    mixed: await at(byToken, "mixed.creds", credentials.replace(seedOf(user), seedOf(stranger)), false),
    broken: await at(byKey, "broken", seedOf(user).slice(1), false),
  };
  const product = await startProduct({ config: { upstreams }, args: ["--log-level", "trace"], t });
  await product.ready();
  const group = { subscribe: "orders.>" };
  for (const name of ["default", "token"]) {
    const response = await product.post(`/v1/upstreams/${name}/request`, group);
    assert.equal(((await response.json()) as typeof group).subscribe, "orders.>", name);
  }
  const lastError = async (name: string) => String((await product.state(name))["last_error"]);
  for (const name of ["stranger", "mixed"]) {
    await until(async () => (await product.state(name)).phase === "refused", { what: `the refusal of ${name}` });
    assert.match(await lastError(name), /Authorization Violation/);
  }
  await until(async () => /neither a credentials file of NATS nor the seed/.test(await lastError("broken")), {
    what: "the reason of broken",
  });
  await product.stop();
  const output = product.child.output();
  assert.match(output, /default: sent CONNECT/);
  for (const secret of [jwt, seedOf(user), seedOf(user).slice(1), seedOf(stranger)])
    assert.ok(!output.includes(secret), "a secret is in the log");
});
