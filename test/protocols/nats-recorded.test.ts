/** Tests of NATS in recordings: masked frames that are frames still, and names that are of one run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { textOf } from "../../src/protocols/json-message.ts";
import { readOperations } from "../../src/protocols/nats-frame.ts";
import { natsRecorded } from "../../src/protocols/nats-recorded.ts";

const recorded = natsRecorded("_INBOX");
const SECRET = "the-secret-of-this";

const formOf = (frame: string) => JSON.parse(String(recorded.asSent(frame).form));

test("a masked frame has neither secrets nor tokens, in its lines, headers and JSON, and lengths that fit", () => {
  const head = `NATS/1.0\r\nAuth: ${SECRET}\r\n\r\n`;
  const json = '{"token":"issued","n":1.50}';
  for (const [frame, expected] of [
    [
      `CONNECT {"user":"me","auth_token":"short"}\r\nPING\r\n`,
      'CONNECT {"user":"me","auth_token":"(redacted)"}\r\nPING\r\n',
    ],
    [`PUB a.${SECRET} ${json.length}\r\n${json}\r\n`, 'PUB a.(redacted) 31\r\n{"token":"(redacted)","n":1.50}\r\n'],
    [
      `HMSG s 1 ${head.length} ${head.length + 2}\r\n${head}hi\r\nMSG s 1 0\r\n\r\n`,
      "HMSG s 1 30 32\r\nNATS/1.0\r\nAuth: (redacted)\r\n\r\nhi\r\nMSG s 1 0\r\n\r\n",
    ],
    [
      "HPUB s 34 34\r\nNATS/1.0\r\nAuthorization: other\r\n\r\n\r\n",
      "HPUB s 39 39\r\nNATS/1.0\r\nAuthorization: (redacted)\r\n\r\n\r\n",
    ],
    [`no operation ${SECRET}`, "no operation (redacted)"],
  ] as const) {
    const masked = recorded.mask(new TextEncoder().encode(frame), [SECRET]);
    assert.equal(textOf(masked), expected);
    if (expected.includes("MSG")) assert.ok(!("why" in readOperations(masked)));
  }
});

test("headers that are no UTF-8 are masked, and their other bytes stay", () => {
  const latin1 = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
  const frame = latin1("HPUB s 40 40\r\nNATS/1.0\r\nAuthorization: other\r\nX: \xe9\r\n\r\n\r\n");
  const masked = recorded.mask(frame, [SECRET]) as Uint8Array;
  const expected = latin1("HPUB s 45 45\r\nNATS/1.0\r\nAuthorization: (redacted)\r\nX: \xe9\r\n\r\n\r\n");
  assert.deepEqual([...masked], [...expected]);
});

test("a client's frame is the same in each run, whatever its inbox, its sids and the lengths of what is masked", () => {
  const inbox = (run: string, id: number) => `_INBOX.${run}.1.${id}`;
  const asked = (run: string, id: number) => `PUB svc.echo ${inbox(run, id)} 7\r\n{"n":1}\r\n`;
  assert.deepEqual(formOf(asked("one", 4)), formOf(asked("other", 17)));
  assert.deepEqual(recorded.asSent(asked("one", 4)).names, [inbox("one", 4)]);
  assert.deepEqual(formOf(asked("one", 4)).data, { n: 1 });

  const subscribed = (sid: number, run: string) => `SUB orders.> ${sid}\r\nPUB ${inbox(run, sid)} 0\r\n\r\n`;
  assert.deepEqual(formOf(subscribed(3, "one")), formOf(subscribed(8, "other")));
  assert.deepEqual(recorded.asSent(subscribed(3, "one")).names, ["3", inbox("one", 3)]);
  assert.deepEqual(recorded.asSent("SUB orders.> workers 3\r\n").names, ["3"]);
  assert.deepEqual(formOf("UNSUB 3\r\n"), formOf("UNSUB 8\r\n"));
  const login = (run: string) => `CONNECT {"user":"me"}\r\nSUB _INBOX.${run}.1.* 0\r\nPING\r\n`;
  assert.deepEqual(formOf(login("one")), formOf(login("other")));

  for (const [one, other] of [
    ["PUB a 1\r\n1\r\n", "PUB b 1\r\n1\r\n"],
    ["PUB a 1\r\n1\r\n", "PUB a 1\r\n2\r\n"],
    ["PUB a my.inbox 1\r\n1\r\n", "PUB a your.inbox 1\r\n1\r\n"],
    ["SUB a 3\r\n", "SUB b 3\r\n"],
    ["SUB a one 3\r\n", "SUB a other 3\r\n"],
  ] as const) {
    assert.notDeepEqual(formOf(one), formOf(other), `${one} is not ${other}`);
  }
});

test("a message of the upstream gets the names of another run in the places of names alone", () => {
  const names = new Map([
    ["_INBOX.one.1.4", "_INBOX.other.1.9"],
    ["3", "8"],
  ]);
  const renamed = (frame: string) => textOf(recorded.renamed(frame, names));
  assert.equal(renamed("MSG _INBOX.one.1.4 0 1\r\n3\r\n"), "MSG _INBOX.other.1.9 0 1\r\n3\r\n");
  assert.equal(renamed("MSG 3 3 _INBOX.one.1.4 1\r\n3\r\n"), "MSG 3 8 _INBOX.one.1.4 1\r\n3\r\n");
  assert.equal(renamed("MSG _INBOX.one.1.5 0 1\r\n3\r\n"), "MSG _INBOX.one.1.5 0 1\r\n3\r\n");
  assert.equal(renamed("-ERR '3'\r\n"), "-ERR '3'\r\n");
  assert.equal(recorded.addressee("MSG _INBOX.one.1.4 0 1\r\n3\r\n"), "_INBOX.one.1.4");
  assert.equal(recorded.addressee("MSG orders.new 3 1\r\n3\r\n"), undefined);
  const both = recorded.split("MSG a 1 1\r\n3\r\nPING\r\n").map(textOf);
  assert.deepEqual(both, ["MSG a 1 1\r\n3\r\n", "PING\r\n"]);
  assert.deepEqual(recorded.split("cut MSG"), ["cut MSG"]);
});
