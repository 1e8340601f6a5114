/** Requests that fail below the app: they get a problem document and our headers, too. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { RawConnection, type RawResponse } from "../support/http.ts";
import { type Product, startProduct } from "../support/product.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";

const REQUEST = "/v1/upstreams/default/request";
const echo = '{"jsonrpc":"2.0","id":1,"method":"echo","params":[]}';

describe("below the app", () => {
  let upstream: Upstream;
  let product: Product;
  let host: string;
  before(async () => {
    upstream = await startUpstream();
    product = await startProduct({ upstream });
    await product.ready();
    host = new URL(product.url).host;
  });
  after(async () => {
    await product?.kill();
    await upstream?.stop();
  });

  const post = (...headers: string[]) =>
    `POST ${REQUEST} HTTP/1.1\r\n${[`Host: ${host}`, "Content-Type: application/json", ...headers].join("\r\n")}\r\n\r\n`;

  function assertProblem({ status, headers, body }: RawResponse, wanted: number, detail: RegExp): void {
    assert.equal(status, wanted, body);
    assert.equal(headers.get("content-type"), "application/problem+json");
    assert.equal(headers.get("cache-control"), "no-store");
    assert.equal(headers.get("sidesocket-sent"), "no");
    assert.equal(headers.get("connection"), "close");
    const problem = JSON.parse(body) as Record<string, unknown>;
    assert.deepEqual([problem.status, problem.sent, problem.code], [wanted, "no", headers.get("sidesocket-code")]);
    assert.equal(problem.request_id, headers.get("x-request-id"));
    assert.match(String(problem.detail), detail);
  }

  const cases: readonly (readonly [name: string, text: () => string, status: number, detail: RegExp])[] = [
    ["a line that is not HTTP", () => "HELLO\r\n\r\n", 400, /not valid HTTP/],
    ["a header that is too large", () => post(`X-Large: ${"x".repeat(20_000)}`), 431, /larger than 16 KiB/],
    ["a request without a Host", () => "GET /livez HTTP/1.1\r\n\r\n", 400, /Host header is missing/],
    ["an expectation that nobody knows", () => post("Expect: a-miracle", "Content-Length: 2"), 417, /100-continue/],
    ["both lengths of a body", () => post("Content-Length: 2", "Transfer-Encoding: chunked"), 400, /not valid HTTP/],
    ["a chunk that has no length", () => `${post("Transfer-Encoding: chunked")}xyz\r\n`, 400, /not valid HTTP/],
    ["a target that is no path", () => `GET //\\ HTTP/1.1\r\nHost: ${host}\r\n\r\n`, 400, /target|not valid/],
  ];
  for (const [name, text, status, detail] of cases) {
    test(`${name} gets a problem document with status ${status}`, async (t) => {
      const connection = await RawConnection.open(product, t);
      connection.write(text());
      assertProblem(await connection.response(), status, detail);
    });
  }

  test("a header that stops half-way gets a problem document with status 408", async (t) => {
    const connection = await RawConnection.open(product, t);
    connection.write(`GET /livez HTTP/1.1\r\nHost: ${host}\r\n`);
    assertProblem(await connection.response(15_000), 408, /within 10 s/);
  });

  test("a body that is too large is refused before it is asked for", async (t) => {
    const connection = await RawConnection.open(product, t);
    connection.write(post("Expect: 100-continue", `Content-Length: ${2 * 1024 * 1024}`));
    const { status, headers } = await connection.response();
    assert.deepEqual([status, headers.get("sidesocket-code")], [413, "payload_too_large"]);
    assert.equal(headers.get("connection"), "close");
    assert.doesNotMatch(connection.received, /100 Continue/);
  });

  test("a body that fits is asked for, and served", async (t) => {
    const connection = await RawConnection.open(product, t);
    connection.write(post("Expect: 100-continue", `Content-Length: ${echo.length}`));
    await connection.until(() => connection.received.includes("100 Continue"), { what: "100 Continue" });
    connection.write(echo);
    await connection.until(() => /HTTP\/1\.1 200/.test(connection.received), { what: "the reply" });
  });

  test("a fault behind a request that is being served is not taken for its response", async (t) => {
    const connection = await RawConnection.open(product, t);
    const wait = `GET /v1/upstreams/default/messages?after=latest&wait=5s HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
    connection.write(`${wait}HELLO\r\n\r\n`);
    await connection.until(() => connection.ended !== undefined, { what: "the end" });
    assert.equal(connection.received, "");
  });
});
