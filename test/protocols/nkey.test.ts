/** Tests of the keys of NATS users: seeds, public keys, and credentials files, as the library of NATS writes them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { nkeys } from "@nats-io/transport-node";
import { Unanswerable, withResponse } from "../../src/protocols/challenge.ts";
import { readCredentials } from "../../src/protocols/nkey.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();
const connect = '{"connect":{}}';
const info = (more: object) => `INFO ${JSON.stringify({ server_id: "S", ...more })}\r\n`;

function credentialsFile(jwt: string, seed: string): string {
  return [
    "-----BEGIN NATS USER JWT-----",
    jwt,
    "------END NATS USER JWT------",
    "",
    "************************* IMPORTANT *************************",
    "NKEY Seed printed below can be used to sign and prove identity.",
    "",
    "-----BEGIN USER NKEY SEED-----",
    seed,
    "------END USER NKEY SEED------",
  ].join("\n");
}

test("the nonce is signed as the library of NATS verifies it, by the key that the login names", () => {
  for (let round = 0; round < 20; round++) {
    const user = nkeys.createUser();
    const seed = decoder.decode(user.getSeed());
    for (const [credentials, jwt] of [
      [seed, undefined],
      [`${seed}\n`, undefined],
      [credentialsFile("a.b.c", seed), "a.b.c"],
      [credentialsFile("a.b.c", seed).replaceAll("\n", "\r\n"), "a.b.c"],
    ]) {
      const nonce = `nonce-${round}`;
      const sent = withResponse(connect, { at: "/connect", credentials: credentials ?? "" }, info({ nonce }));
      const login = JSON.parse(sent).connect;
      assert.equal(login.nkey, user.getPublicKey());
      assert.equal(login.jwt, jwt);
      assert.match(login.sig, /^[\w-]{86}$/);
      assert.ok(user.verify(encoder.encode(nonce), Buffer.from(login.sig, "base64url")));
      assert.ok(!sent.includes(seed));
      assert.ok(sent.startsWith('{"connect":'));
    }
  }
});

test("a server without a nonce gets the message as it is, whatever else it says", () => {
  const credentials = decoder.decode(nkeys.createUser().getSeed());
  for (const frame of [info({}), info({ nonce: 7 }), "INFO x\r\n", "-ERR 'x'\r\n", "PING\r\n", "", "{}"])
    assert.equal(withResponse(connect, { at: "/connect", credentials }, frame), connect, frame);
  const bytes = encoder.encode(info({ nonce: "n" }));
  assert.match(withResponse(connect, { at: "/connect", credentials }, bytes), /"sig"/);
});

test("anything but the seed of a user cannot sign, and the reason does not have it", () => {
  const seed = decoder.decode(nkeys.createUser().getSeed());
  const last = seed.at(-1) === "A" ? "B" : "A";
  const mistyped = `${seed.slice(0, 20)}${seed[20] === "A" ? "B" : "A"}${seed.slice(21)}`;
  const wrong = {
    empty: "",
    short: seed.slice(0, -1),
    long: `${seed}A`,
    mistyped,
    "with another sum": `${seed.slice(0, -2)}${last}${seed.at(-1)}`,
    "of an account": decoder.decode(nkeys.createAccount().getSeed()),
    public: nkeys.createUser().getPublicKey(),
    "in small letters": seed.toLowerCase(),
    "a file without a seed": credentialsFile("a.b.c", ""),
    "a file with a mistyped seed": credentialsFile("a.b.c", mistyped),
  };
  for (const [what, credentials] of Object.entries(wrong)) {
    assert.equal(readCredentials(credentials), undefined, what);
    assert.throws(
      () => withResponse(connect, { at: "/connect", credentials }, info({ nonce: "n" })),
      (error: Error) => error instanceof Unanswerable && !error.message.includes(seed.slice(2, 12)),
      what,
    );
  }
});
