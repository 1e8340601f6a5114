/** The engine over NATS where it is set up wrongly: every mistake is named, with its cure; and where it is set up well. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { nkeys } from "@nats-io/transport-node";
import { type EngineSettings, Mistake } from "../../src/cluster/engine.ts";
import { natsEngine } from "../../src/cluster/nats.ts";
import { logConfig, memberRights } from "../../src/cluster/nats-streams.ts";
import { authority, good, wrongHost } from "../faults/certificates.ts";
import { JetStream, type JetStreamOptions, lacksNats } from "../support/jetstream.ts";
import { sideBySide } from "../support/side-by-side.ts";
import { bounded, type Cleanup, until } from "../support/until.ts";
import { ask, bytes, connected, listens, settingsOf } from "./engine-expectations.ts";

const skip = { skip: lacksNats };
const test = sideBySide("the engine over NATS, as it is set up");

/** A member whose settings differ from the usual ones. */
function member(server: JetStream, change: Partial<EngineSettings> = {}) {
  return natsEngine({ ...settingsOf([server.url], "one"), ...change });
}

async function refuses(t: Cleanup, options: Omit<JetStreamOptions, "t">, change: Partial<EngineSettings>, why: RegExp) {
  const server = await JetStream.start({ t, ...options });
  await isRefused(member(server, change), why, t);
}

async function isRefused(engine: ReturnType<typeof natsEngine>, why: RegExp, t: Cleanup) {
  t.after(() => engine.end(0));
  const contacts: boolean[] = [];
  const contact = engine.connect({ contact: (isThere) => contacts.push(isThere), fault: () => {} });
  await assert.rejects(bounded(contact, { what: "a refusal" }), why);
  assert.deepEqual(contacts, []);
}

test("a server without JetStream is refused", skip, (t) =>
  refuses(t, { isJetStream: false }, {}, /no JetStream here: start nats-server with -js/),
);

test("three replicas are refused on a server before 2.10", skip, async (t) => {
  const server = await JetStream.start({ t });
  const engine = member(server, { replicas: 3 });
  // A later server that stands alone refuses them by itself.
  await isRefused(engine, /use 2\.10 or later, or 1 replica|replicas > 1 not supported/, t);
});

test("a small max_payload is refused", skip, (t) =>
  refuses(t, { lines: ["max_payload: 65536"] }, {}, /max_payload 65536: raise it to 1048576 or more/),
);

test("names that NATS cannot have are refused", skip, async (t) => {
  const server = await JetStream.start({ t });
  assert.throws(() => member(server, { cluster: "a.b" }), RangeError);
  assert.throws(() => member(server, { member: "*" }), RangeError);
  const { engine } = await connected(member(server), t);
  await assert.rejects(engine.look("meta", "a b", 1_000), /"a b" cannot be a name/);
  await assert.rejects(engine.openLog(">", { bytes: 1024 }, 1_000), /">" cannot be a name/);
});

test("a stream with other subjects is refused, and other bounds are reported", skip, async (t) => {
  const server = await JetStream.start({ t });
  const one = await connected(member(server), t);
  await one.engine.openLog("a_log_x", { bytes: 1024 * 1024 }, 1_000);
  await one.engine.openLog("a_log_x", { bytes: 2 * 1024 * 1024 }, 1_000);
  assert.match(String(one.faults), /ss_c_1_log_a_log_x in NATS has max_bytes 1048576 instead of 2097152/);
  // Its stream has the name that the other cluster's log would have.
  const other = await connected(member(server, { cluster: "c-1-log-a" }), t);
  const opened = other.engine.openLog("x", { bytes: 1024 * 1024 }, 1_000);
  await assert.rejects(opened, /the stream ss_c_1_log_a_log_x in NATS has subjects .*: delete it/);
});

test("a log for which the server has no room is a mistake that names both cures", skip, async (t) => {
  const server = await JetStream.start({ t, lines: ["jetstream { max_file_store: 1GB }"] });
  const early = member(server).openLog("a", { bytes: 1024 }, 1_000);
  await assert.rejects(early, (error: Error) => !(error instanceof Mistake) && /NATS is not there/.test(error.message));
  const { engine } = await connected(member(server), t);
  const tooLarge = engine.openLog("a", { bytes: 2 ** 31 }, 5_000);
  await assert.rejects(tooLarge, (error: Error) => {
    assert.ok(error instanceof Mistake);
    assert.match(
      error.message,
      /no room to set aside the 2147483648 bytes of .*_a: raise max_file_store .*messages\.bytes/,
    );
    return true;
  });
});

test("rights that are missing are named at the start", skip, async (t) => {
  const { publish, subscribe } = memberRights({ cluster: "c-1" }, ["log"]);
  const user = (name: string, { publish, subscribe }: { publish: readonly string[]; subscribe: readonly string[] }) =>
    `{ user: ${name}, password: p, permissions: ${JSON.stringify({ publish, subscribe })} }`;
  const without = (part: string) => ({ publish: publish.filter((each) => !each.includes(part)), subscribe });
  const lines = [
    "authorization { users: [",
    "  { user: admin, password: p }",
    user("member", { publish, subscribe }),
    user("mute", without("ss.c-1.>")),
    user("blind", without("STREAM.INFO.KV_ss_c_1_owner")),
    user("deaf", { publish, subscribe: ["_INBOX.>"] }),
    user("poor", without("$KV.ss_c_1_claims")),
    user("other", memberRights({ cluster: "c-2" }, ["log"])),
    "] }",
  ];
  const server = await JetStream.start({ t, lines });
  const as = (name: string) => natsEngine(settingsOf([server.url.replace("//", `//${name}:p@`)], name));
  await isRefused(
    as("member"),
    /a right: .*Publish to "\$JS.API.STREAM.CREATE.KV_ss_c_1_\w+"; see sidesocket cluster-setup/,
    t,
  );
  const admin = await connected(as("admin"), t);
  await admin.engine.openLog("log", { bytes: 1024 * 1024 }, 1_000);
  await isRefused(as("mute"), /Publish to "ss\.c-1\.(alive|req)\.mute"/, t);
  await isRefused(as("blind"), /Publish to "\$JS\.API\.STREAM\.INFO\.KV_ss_c_1_owner"/, t);
  const deaf = as("deaf");
  deaf.onBeat(() => {});
  await isRefused(deaf, /Subscription to "ss\.c-1\.alive\.\*"/, t);
  await isRefused(as("other"), /"_INBOX\.ss\.c-1\.other\.>"/, t);
  const poor = await connected(as("poor"), t);
  const claim = { bucket: "claims", key: "k", value: bytes("1"), after: 0 } as const;
  await assert.rejects(poor.engine.claim(claim, 1_000), /NATS refuses a right: .*\$KV\.ss_c_1_claims\.k/);

  const one = await connected(as("member"), t);
  assert.equal(typeof (await one.engine.claim(claim, 1_000)), "number");
  await one.engine.keep("kept", "k", new Uint8Array(1024 * 1024), 1_000);
  assert.equal((await one.engine.look("kept", "k", 1_000))?.value.length, 1024 * 1024);
  assert.deepEqual(await one.engine.keys("claims", "", 1_000), ["k"]);
  const grown: number[] = [];
  one.engine.onGrown("log", (seq) => grown.push(seq));
  await one.engine.openLog("log", { bytes: 1024 * 1024 }, 1_000);
  assert.equal(await one.engine.append("log", "1", bytes("entry"), 1_000), 1);
  assert.equal((await one.engine.next("log", 0, 1_000))?.seq, 1);
  await until(() => grown.length === 1, { what: "a hint" });
  admin.engine.answer("a", (request, send) => {
    send(request, false);
    send(request, true);
    return { more: () => {}, end: () => {} };
  });
  await listens(admin);
  const asked = ask(one.engine, "a", new Uint8Array(1024 * 1024));
  assert.equal(await asked.over(), "last");
  assert.deepEqual(asked.heard, ["1048576 bytes", "1048576 bytes"]);
  assert.deepEqual(one.faults, []);
});

test("user, password, token, nkey and credentials open the door, and nothing else does", skip, async (t) => {
  const user = nkeys.createUser();
  const seed = new TextDecoder().decode(user.getSeed());
  const lines = [`authorization { users: [ { user: "a@b", password: "p:w" }, { nkey: ${user.getPublicKey()} } ] }`];
  const server = await JetStream.start({ t, lines });
  const withUser = (name: string) => ({ servers: [server.url.replace("//", `//${name}@`)] });
  await connected(member(server, withUser("a%40b:p%3Aw")), t);
  await connected(member(server, { credentials: () => `${seed}\n` }), t);
  await isRefused(member(server), /Authorization Violation.*; check user, password or credentials/, t);
  await isRefused(member(server, withUser("a:secret")), /^(?!.*secret).*Authorization Violation/, t);
  await isRefused(member(server, { credentials: () => "SUnonsense" }), /credentials are neither/, t);
  await isRefused(member(server, { credentials: () => "nonsense" }), /credentials are neither/, t);
  const guarded = await JetStream.start({ t, lines: ["authorization { token: t1 }"] });
  await connected(member(guarded, { servers: [guarded.url.replace("//", "//t1@")] }), t);
});

test("a credentials file opens the door of servers with accounts", skip, async (t) => {
  const { lines, creds } = accounts();
  const server = await JetStream.start({ t, lines });
  await connected(member(server, { credentials: () => creds }), t);
  await isRefused(member(server), /Authorization Violation/, t);
});

test("TLS is used with the given authority, and a certificate that does not fit is named", skip, async (t) => {
  const server = await JetStream.start({ t, tls: good });
  await connected(member(server, { ca: authority }), t);
  await isRefused(member(server), /check the scheme \(tls or nats\) and the ca/, t);
  const wrong = await JetStream.start({ t, tls: wrongHost });
  await isRefused(member(wrong, { ca: authority }), /check the scheme .* and the ca/, t);
  const plain = await JetStream.start({ t });
  await isRefused(member(plain, { servers: [plain.url.replace("nats:", "tls:")] }), /check the scheme/, t);
});

test("a log whose stream has no republish, as servers may leave it out, is refused", skip, async (t) => {
  const server = await JetStream.start({ t });
  const { republish, ...config } = logConfig(settingsOf([], "one"), "log", { bytes: 1024 * 1024 });
  assert.ok(republish);
  const { connect } = await import("@nats-io/transport-node");
  const connection = await connect({ servers: server.url });
  t.after(() => connection.close());
  await connection.request(`$JS.API.STREAM.CREATE.${config.name}`, JSON.stringify(config));
  const { engine } = await connected(member(server), t);
  await assert.rejects(engine.openLog("log", { bytes: 1024 * 1024 }, 1_000), /has republish null instead of/);
});

/** The configuration of a server with an operator, and the credentials of a user in one of its accounts. */
function accounts(): { lines: readonly string[]; creds: string } {
  const operator = nkeys.createOperator();
  const account = nkeys.createAccount();
  const system = nkeys.createAccount();
  const user = nkeys.createUser();
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const sign = (by: typeof operator, name: string, of: typeof operator, nats: object) => {
    const claims = { jti: name, iat: 1_700_000_000, iss: by.getPublicKey(), sub: of.getPublicKey(), name, nats };
    const text = `${encode({ typ: "JWT", alg: "ed25519-nkey" })}.${encode(claims)}`;
    return `${text}.${Buffer.from(by.sign(bytes(text))).toString("base64url")}`;
  };
  const unlimited = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
  const stored = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
  const accountOf = (limits: object) => ({ type: "account", version: 2, limits: { ...unlimited, ...limits } });
  const lines = [
    `operator: ${sign(operator, "O", operator, { type: "operator", version: 2 })}`,
    `system_account: ${system.getPublicKey()}`,
    "resolver: MEMORY",
    "resolver_preload: {",
    `  ${account.getPublicKey()}: ${sign(operator, "A", account, accountOf(stored))}`,
    `  ${system.getPublicKey()}: ${sign(operator, "SYS", system, accountOf({}))}`,
    "}",
  ];
  const jwt = sign(account, "U", user, { type: "user", version: 2, subs: -1, data: -1, payload: -1 });
  const seed = new TextDecoder().decode(user.getSeed());
  const part = (name: string, text: string) => `-----BEGIN ${name}-----\n${text}\n------END ${name}------\n`;
  return { lines, creds: `${part("NATS USER JWT", jwt)}\n${part("USER NKEY SEED", seed)}` };
}
