/** The dialogues with proxies: what is sent, and what each answer comes to. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  ANSWER_MAX,
  beginDialogue,
  type Dialogue,
  type ProxyAnswer,
  type ProxyFailure,
  type ProxyLogin,
  type TunnelTarget,
} from "../../../src/core/connection/proxy-dialogue.ts";

const named: TunnelTarget = { hostname: "up.example", port: 443, family: 0 };
const login = { username: "anna", password: "p:w" };

const text = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);
const bytesOf = (written: string | readonly number[]) =>
  typeof written === "string" ? Uint8Array.from(written, (char) => char.charCodeAt(0)) : Uint8Array.from(written);

/** Carries on the dialogue with these answers, each after what it answers. @returns all that was sent, and the end */
function talk(proxy: ProxyLogin, answers: readonly (string | readonly number[])[], target = named) {
  let state: ProxyAnswer = beginDialogue(proxy, target);
  const sent: Uint8Array[] = [];
  for (const answer of answers) {
    assert.equal(state.type, "say");
    sent.push((state as Dialogue).send);
    state = (state as Dialogue).read(bytesOf(answer));
  }
  return { sent, end: state };
}

const short = (answer: ProxyAnswer) =>
  answer.type === "failed" ? `${answer.fault}, ${answer.class}: ${answer.detail}` : answer.type;

describe("CONNECT", () => {
  test("asks for host and port, and brings the credentials", () => {
    const ask = (proxy: ProxyLogin, target: TunnelTarget) => text((beginDialogue(proxy, target) as Dialogue).send);
    assert.equal(ask({ scheme: "http" }, named), "CONNECT up.example:443 HTTP/1.1\r\nHost: up.example:443\r\n\r\n");
    assert.match(ask({ scheme: "https" }, { hostname: "::1", port: 80, family: 6 }), /^CONNECT \[::1\]:80 HTTP/);
    assert.match(ask({ scheme: "http", ...login }, named), /\r\nProxy-Authorization: Basic YW5uYTpwOnc=\r\n\r\n$/);
    assert.match(ask({ scheme: "http", username: "é" }, named), /Basic w6k6\r\n/);
  });

  const head = (status: string, more = "") => `HTTP/1.1 ${status}\r\n${more}\r\n`;
  const rows: readonly (readonly [answer: string, end: string, proxy?: Partial<ProxyLogin>])[] = [
    ["", "more"],
    ["HT", "more"],
    ["HTTP/1.1 200", "more"],
    ["HTTP/1.1 200 OK\r\n", "more"],
    [head("200 OK"), "agreed"],
    ["HTTP/1.0 200 Connection established\r\nProxy-agent: tinyproxy\r\n\r\n", "agreed"],
    [head("204"), "agreed"],
    [`${head("200 OK")}SSH-2.0`, "garbled, retry: sent more than its answer"],
    [head("407 X"), "credentials, refuse: asks for credentials (HTTP 407)"],
    [head("407 X"), "credentials, refuse: refused the credentials (HTTP 407)", login],
    [
      head("407 X", "Proxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n"),
      "credentials, refuse: refused the credentials (HTTP 407, it accepts only Negotiate, NTLM)",
      login,
    ],
    [
      head("407 X", 'proxy-authenticate: NTLM\r\nproxy-authenticate: Basic realm="x"\r\n'),
      "credentials, refuse: asks for credentials (HTTP 407)",
    ],
    [head("401 X"), "credentials, refuse: refused the credentials (HTTP 401)", login],
    [head("403 Filtered"), "refused, refuse: does not allow this connection (HTTP 403)"],
    [head("405 No"), "refused, refuse: does not allow this connection (HTTP 405)"],
    [head("429 Slow"), "refused, retry: does not allow this connection (HTTP 429)"],
    [head("502 Bad"), "target, retry: could not reach the upstream (HTTP 502)"],
    [head("500 Unable to connect"), "target, retry: could not reach the upstream (HTTP 500)"],
    [head("101 Switching"), "refused, refuse: does not allow this connection (HTTP 101)"],
    ["SSH-2.0-x\r\n", "garbled, retry: answered CONNECT with something else than HTTP: is it an HTTP proxy?"],
    ["\x05\x00", "garbled, retry: answered CONNECT with something else than HTTP: is it an HTTP proxy?"],
    ["HTTP/2 200 OK\r\n\r\n", "garbled, retry: answered CONNECT with something else than HTTP: is it an HTTP proxy?"],
  ];
  for (const [answer, end, proxy] of rows) {
    test(`${JSON.stringify(answer)} is: ${end}`, () => {
      assert.equal(short(talk({ scheme: "http", ...proxy }, [answer]).end), end);
    });
  }
});

describe("SOCKS 5", () => {
  const granted = [5, 0, 0, 1, 127, 0, 0, 1, 1, 187];
  const plain = { scheme: "socks5h" } as const;
  const withLogin = { ...plain, ...login };

  test("sends the name or the address, and credentials where the proxy chooses them", () => {
    const name = [5, 1, 0, 3, 10, ...bytesOf("up.example"), 1, 187];
    assert.deepEqual(
      talk(plain, [[5, 0], granted]).sent.map((bytes) => [...bytes]),
      [[5, 1, 0], name],
    );
    const sent = talk(withLogin, [[5, 2], [1, 0], granted]).sent.map((bytes) => [...bytes]);
    assert.deepEqual(sent, [[5, 2, 0, 2], [1, 4, ...bytesOf("anna"), 3, ...bytesOf("p:w")], name]);
    assert.deepEqual([...(talk(withLogin, [[5, 0], granted]).sent[1] ?? [])], name);
    const address = (hostname: string, family: 4 | 6) =>
      [...(talk(plain, [[5, 0], granted], { hostname, port: 80, family }).sent[1] ?? [])].slice(3, -2);
    assert.deepEqual(address("192.0.2.7", 4), [1, 192, 0, 2, 7]);
    assert.deepEqual(address("2001:db8::1", 6), [4, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert.deepEqual(address("::ffff:192.0.2.7", 6), [4, ...Array(10).fill(0), 255, 255, 192, 0, 2, 7]);
    assert.deepEqual(address("1:2:3:4:5:6:7:8", 6), [4, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]);
  });

  const rows: readonly (readonly [
    answers: readonly (string | readonly number[])[],
    end: string,
    proxy?: ProxyLogin,
  ])[] = [
    [[[5]], "more"],
    [[[5, 0], granted], "agreed"],
    [
      [
        [5, 0],
        [5, 0, 0, 3, 2, 97, 98, 0, 1],
      ],
      "agreed",
    ],
    [
      [
        [5, 0],
        [5, 0, 0, 4, ...Array(18).fill(0)],
      ],
      "agreed",
    ],
    [[[5, 0], granted.slice(0, -1)], "more"],
    [
      [
        [5, 0],
        [...granted, 72],
      ],
      "garbled, retry: sent more than its answer",
    ],
    [[[5, 0, 0]], "garbled, retry: sent more than its answer"],
    [["HTTP/1.1 400"], "garbled, retry: does not answer as SOCKS 5 does: is it a socks5 proxy?"],
    [[[5, 1]], "garbled, retry: does not answer as SOCKS 5 does: is it a socks5 proxy?"],
    [[[5, 2]], "garbled, retry: does not answer as SOCKS 5 does: is it a socks5 proxy?"],
    [[[5, 255]], "credentials, refuse: asks for credentials"],
    [[[5, 255]], "credentials, refuse: takes no user and password", withLogin],
    [[[5, 2], [1]], "more", withLogin],
    [
      [
        [5, 2],
        [1, 1],
      ],
      "credentials, refuse: refused the credentials",
      withLogin,
    ],
    [
      [
        [5, 0],
        [5, 1],
      ],
      "target, retry: could not reach the upstream (general failure)",
    ],
    [
      [
        [5, 0],
        [5, 2],
      ],
      "refused, refuse: does not allow this connection (its rules)",
    ],
    [
      [
        [5, 0],
        [5, 5],
      ],
      "target, retry: could not reach the upstream (connection refused)",
    ],
    [
      [
        [5, 0],
        [5, 99],
      ],
      "target, retry: could not reach the upstream (SOCKS reply 99)",
    ],
    [
      [
        [5, 0],
        [5, 0, 0, 9, 0],
      ],
      "garbled, retry: does not answer as SOCKS 5 does: is it a socks5 proxy?",
    ],
    [
      [
        [5, 0],
        [4, 0],
      ],
      "garbled, retry: does not answer as SOCKS 5 does: is it a socks5 proxy?",
    ],
  ];
  for (const [answers, end, proxy = plain] of rows) {
    test(`${JSON.stringify(answers)} is: ${end}`, () => {
      assert.equal(short(talk(proxy, answers).end), end);
    });
  }

  test("credentials and names that have no room in it are refused before anything is sent", () => {
    const begun = (proxy: ProxyLogin, target = named) => short(beginDialogue(proxy, target) as ProxyFailure);
    assert.match(begun({ ...plain, username: "a", password: "é".repeat(128) }), /^credentials, refuse: .*255 bytes$/);
    const long = { ...named, hostname: "a".repeat(256) };
    assert.equal(short(talk(plain, [[5, 0]], long).end), "refused, refuse: cannot be given so long a name");
  });
});

test("random answers, byte by byte, throw nothing", () => {
  const proxies = fc.constantFrom<ProxyLogin>(
    { scheme: "http" },
    { scheme: "socks5h" },
    { scheme: "socks5", ...login },
  );
  const bytes = fc.uint8Array({ maxLength: 64 });
  const likely = fc.constantFrom(bytesOf([5, 0]), bytesOf([5, 2]), bytesOf("HTTP/1.1 200 OK\r\n\r\n"));
  fc.assert(
    fc.property(proxies, fc.array(fc.oneof(bytes, likely), { maxLength: 6 }), (proxy, pieces) => {
      let state: ProxyAnswer = beginDialogue(proxy, named);
      let heard: number[] = [];
      for (const piece of pieces) {
        if (state.type !== "say") break;
        for (const byte of piece) {
          heard.push(byte);
          const next: ProxyAnswer = state.read(Uint8Array.from(heard));
          if (next.type === "more") continue;
          if (next.type !== "say") return;
          state = next;
          heard = [];
        }
      }
      assert.ok(heard.length < ANSWER_MAX);
    }),
  );
});
