/** Bad requests: each is refused at once with a clear reason, nothing goes up, and the service goes on serving. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { RawConnection, type RawRequest, rawRequest } from "../support/http.ts";
import { type Product, startProduct } from "../support/product.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { type Expected, problem, refusedOn, rpcProblem } from "./expect.ts";

const REQUEST = "/v1/upstreams/default/request";
const SEND = "/v1/upstreams/default/send";
const MIB = 1024 * 1024;

const refusal = (status: number, code: string, detail?: RegExp, more: Partial<Expected> = {}): Expected => ({
  status,
  code,
  sent: "no",
  ...(detail === undefined ? {} : { detail }),
  ...more,
});
const invalid = (detail: RegExp, rpcCode = -32600, id: unknown = null): Expected =>
  refusal(400, "invalid_request", detail, { rpcCode, id });
const PARSE = -32700;

const call = (id: unknown) => ({ jsonrpc: "2.0", id, method: "echo", params: [] });
const good = JSON.stringify(call(1));
const deep = `{"jsonrpc":"2.0","id":1,"method":"echo","params":${"[".repeat(500_000)}${"]".repeat(500_000)}}`;

/** Request bodies by their defect, and the refusal expected on every route that takes a body. */
const bodies: ReadonlyMap<string, readonly [body: string | Uint8Array, Expected]> = new Map([
  ["no bytes at all", ["", invalid(/empty/)]],
  ["only white space", [" \n ", invalid(/position 3/, PARSE)]],
  ["a word", ["hello", invalid(/position 0/, PARSE)]],
  ["an unfinished object", ['{"jsonrpc":"2.0","id":1,', invalid(/position 24/, PARSE)]],
  [
    "a syntax error in the second line",
    ['{"jsonrpc":"2.0",\n  oops}', invalid(/position 20 \(line 2, column 3\)/, PARSE)],
  ],
  ["two values", [`${good} ${good}`, invalid(/position \d+/, PARSE)]],
  ["a byte order mark", [`\ufeff${good}`, invalid(/byte order mark/, PARSE)]],
  ["NaN", [good.replace("[]", "NaN"), invalid(/position \d+/, PARSE)]],
  ["half a million levels of nesting", [deep, invalid(/nested deeper than \d+ levels/, PARSE)]],
  ["bytes that are not UTF-8", [new Uint8Array([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x7d]), invalid(/UTF-8/)]],
  ["a number", ["42", invalid(/object/)]],
  ["null", ["null", invalid(/object/)]],
  ["an empty batch", ["[]", invalid(/batch is empty/)]],
  ["an id that is true", [JSON.stringify(call(true)), invalid(/"id"/)]],
  ["an id that is a list", [JSON.stringify(call([1])), invalid(/"id"/)]],
  ["an id that is an object", [JSON.stringify(call({ a: 1 })), invalid(/"id"/)]],
  ["two ids", ['{"jsonrpc":"2.0","id":1,"id":2,"method":"echo"}', invalid(/"id" occurs twice/)]],
  ["two ids, one of them escaped", [`{"jsonrpc":"2.0","id":1,"\\u0069d":2,"method":"echo"}`, invalid(/"id" occurs/)]],
  ["no version", ['{"id":"mine","method":"echo"}', invalid(/"jsonrpc"/, -32600, "mine")]],
  ["another version", ['{"jsonrpc":"1.0","id":7,"method":"echo"}', invalid(/"jsonrpc"/, -32600, 7)]],
  ["no method", ['{"jsonrpc":"2.0","id":7}', invalid(/"method"/, -32600, 7)]],
  ["a method that is a number", ['{"jsonrpc":"2.0","id":7,"method":1}', invalid(/"method"/, -32600, 7)]],
  ["more than limits.request_bytes", [" ".repeat(MIB + 1), refusal(413, "payload_too_large", /1048576/)]],
  ["ten megabytes", [" ".repeat(10 * MIB), refusal(413, "payload_too_large", /request_bytes/)]],
]);

/** Headers of callers that must be refused, by name. */
const strangers: ReadonlyMap<string, readonly [headers: RawRequest["headers"] & object, Expected]> = new Map([
  ["the Host of another site", [{ Host: "evil.example" }, refusal(421, "misdirected")]],
  ["the Host of another site with our port", [{ Host: "evil.example:8787" }, refusal(421, "misdirected")]],
  ["a loopback Host with another port", [{ Host: "127.0.0.1:1" }, refusal(421, "misdirected")]],
  ["the Origin of another site", [{ Origin: "https://evil.example" }, refusal(403, "forbidden")]],
  ["the Origin null of a sandboxed page", [{ Origin: "null" }, refusal(403, "forbidden")]],
  ["Sec-Fetch-Site: cross-site", [{ "Sec-Fetch-Site": "cross-site" }, refusal(403, "forbidden")]],
]);

describe("bad input", () => {
  let upstream: Upstream;
  let product: Product;
  before(async () => {
    upstream = await startUpstream();
    product = await startProduct({ upstream });
    await product.ready();
  });
  after(async () => {
    await product?.kill();
    await upstream?.stop();
  });

  /**
   * Runs `act`, then sends a harmless request: its message must be the only one that goes up, on the same connection.
   */
  const harmless = async (act: () => Promise<unknown>): Promise<void> => {
    const before = upstream.messages.length;
    await act();
    const response = await product.request(good);
    assert.deepEqual(await response.json(), { jsonrpc: "2.0", id: 1, result: [] });
    assert.equal(upstream.messages.length, before + 1, "nothing else went up");
    assert.equal(upstream.connections.length, 1);
  };
  const post = (path: string, body: string | Uint8Array, type = "application/json"): Promise<Response> =>
    product.post(path, body, { headers: { "content-type": type } });

  for (const [name, [body, expected]] of bodies) {
    test(`a body of ${name} is refused with ${expected.code}`, () =>
      harmless(async () => {
        await problem(await post(REQUEST, body), expected);
        await problem(await post(SEND, body), expected);
        await rpcProblem(await post("/rpc", body), expected);
      }));
  }

  test("a body without a length is counted and refused once it is too long", () =>
    harmless(async () => {
      for (const path of [REQUEST, "/rpc"]) {
        const connection = await RawConnection.open(product);
        const headers = { "Content-Type": "application/json", "Transfer-Encoding": "chunked" };
        connection.send({ method: "POST", path, headers });
        for (let sent = 0; sent <= MIB; sent += 0x10000) connection.write(`10000\r\n${" ".repeat(0x10000)}\r\n`);
        const check = path === "/rpc" ? rpcProblem : problem;
        await check(await connection.response(), refusal(413, "payload_too_large", /1048576/));
        connection.destroy();
      }
    }));

  test("a chunked body within the limit is served", async () => {
    const headers = { "Content-Type": "application/json", "Transfer-Encoding": "chunked", Connection: "close" };
    const connection = await RawConnection.open(product);
    connection.send({ method: "POST", path: REQUEST, headers });
    connection.write(`${good.length.toString(16)}\r\n${good}\r\n0\r\n\r\n`);
    assert.equal((await connection.response()).status, 200);
    connection.destroy();
  });

  test("a content type other than JSON is refused with a hint at the likely cure", () =>
    harmless(async () => {
      const wanted = refusal(415, "unsupported_media_type", /application\/json/);
      for (const type of ["text/plain", "application/octet-stream", "multipart/form-data; boundary=x"]) {
        await problem(await post(REQUEST, good, type), wanted);
        await rpcProblem(await post("/rpc", good, type), wanted);
      }
      const form = refusal(415, "unsupported_media_type", /--json/);
      await problem(await post(REQUEST, good, "application/x-www-form-urlencoded"), form);
      await rpcProblem(await post("/rpc", good, "application/x-www-form-urlencoded"), form);
    }));

  test("an unknown query parameter is refused with the known ones, and so is a repeated one; probes take any", () =>
    harmless(async () => {
      const unknown = invalid(/unknown query parameter "timout" \(known here: timeout, idle, pick\)/);
      await problem(await post(`${REQUEST}?timout=5`, good), unknown);
      await rpcProblem(await post("/rpc?timout=5", good), invalid(/"timout" \(known here: timeout\)/));
      await problem(await post("/shutdown?now=1", ""), invalid(/"now" \(known here: force\)/));
      await problem(await product.fetch("/v1/upstreams/default?wait=1"), invalid(/"wait" \(this route has none\)/));
      for (const path of ["/v1/upstreams/default/messages?afer=1", "/v1/requests/1?after=1"]) {
        await problem(await product.fetch(path), invalid(/unknown query parameter/));
      }
      await problem(await post(`${REQUEST}?timeout=1&timeout=2`, good), invalid(/"timeout" is given 2 times/));
      assert.equal((await product.fetch("/livez?probe=1")).status, 200);
    }));

  test("a Content-Encoding other than identity is refused", () =>
    harmless(async () => {
      const coded = refusal(415, "unsupported_media_type", /Content-Encoding "gzip".*uncompressed/);
      const headers = { "Content-Encoding": "GZIP" };
      await problem(await product.post(REQUEST, good, { headers }), coded);
      await rpcProblem(await product.post("/rpc", good, { headers }), coded);
    }));

  test("identity is no coding, and the media types of JSON-RPC are JSON", async () => {
    for (const type of ["application/json-rpc", "application/jsonrequest; charset=utf-8"]) {
      for (const path of [REQUEST, "/rpc"]) {
        const headers = { "content-type": type, "Content-Encoding": "identity" };
        assert.equal((await product.post(path, good, { headers })).status, 200, type);
      }
    }
  });

  test("a body without a content type is refused", () =>
    harmless(async () => {
      const answer = await rawRequest(product, { method: "POST", path: REQUEST, body: good });
      await problem(answer, refusal(415, "unsupported_media_type", /no Content-Type/));
    }));

  test("an unknown upstream and an unknown route are 404", () =>
    harmless(async () => {
      const unknown = refusal(404, "not_found", /"other".*default/);
      await problem(await post("/v1/upstreams/other/request", good), unknown);
      await problem(await post("/v1/upstreams/other/send", good), unknown);
      await problem(await product.fetch("/v1/upstreams/other"), unknown);
      await rpcProblem(await post("/rpc/other", good), unknown);
      for (const path of ["/nothing", "/v1", "/v1/upstreams/default/nothing", "/rpc/default/more", "/RPC"]) {
        await problem(await post(path, good), refusal(404, "not_found"));
      }
    }));

  test("a wrong method is 405 and lists the allowed ones", () =>
    harmless(async () => {
      for (const [method, path, allow] of [
        ["GET", REQUEST, "POST"],
        ["PUT", SEND, "POST"],
        ["GET", "/rpc", "POST"],
        ["DELETE", "/rpc/default", "POST"],
        ["GET", "/shutdown", "POST"],
        ["POST", "/livez", "GET, HEAD"],
        ["POST", "/v1/upstreams", "GET, HEAD"],
      ] as const) {
        const response = await product.fetch(path, { method });
        assert.equal(response.headers.get("allow"), allow, path);
        await refusedOn(path, response, refusal(405, "method_not_allowed"));
      }
    }));

  for (const timeout of ["0", "-1", "1e12", "1000000000000", "121", "121s", "soon", "", "1 s", "NaN", "0ms", "5d"]) {
    test(`timeout=${timeout} is refused`, () =>
      harmless(async () => {
        const query = `?timeout=${encodeURIComponent(timeout)}`;
        await problem(await post(REQUEST + query, good), invalid(/timeout/));
        await problem(await post(SEND + query, good), invalid(/timeout/));
        await rpcProblem(await post(`/rpc${query}`, good), invalid(/timeout/));
      }));
  }

  for (const [name, [headers, expected]] of strangers) {
    test(`${name} is refused with ${expected.status} on every route except the bare probes`, () =>
      harmless(async () => {
        const all = { "Content-Type": "application/json", ...headers };
        for (const path of [REQUEST, SEND, "/rpc", "/shutdown"]) {
          await refusedOn(
            path,
            await rawRequest(product, { method: "POST", path, headers: all, body: good }),
            expected,
          );
        }
        for (const path of ["/version", "/v1/upstreams", "/openapi.json", "/nothing"]) {
          await problem(await rawRequest(product, { path, headers }), expected);
        }
        for (const path of ["/livez", "/readyz", "/healthz"]) {
          assert.equal((await rawRequest(product, { path, headers })).status, 200, path);
        }
      }));
  }

  test("every loopback name with our port is served", async () => {
    for (const host of ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"]) {
      const answer = await rawRequest(product, { path: "/version", headers: { Host: `${host}:${product.port}` } });
      assert.equal(answer.status, 200, host);
    }
  });

  test("a request without a Host is 400 in every version of HTTP", () =>
    harmless(async () => {
      for (const version of ["1.1", "1.0"]) {
        const connection = await RawConnection.open(product);
        connection.write(`POST ${REQUEST} HTTP/${version}\r\nContent-Type: application/json\r\n`);
        connection.write(`Content-Length: ${good.length}\r\nConnection: close\r\n\r\n${good}`);
        assert.equal((await connection.response()).status, 400, version);
        connection.destroy();
      }
    }));

  test("nothing in a request changes where its message goes", async () => {
    const before = upstream.connections.length;
    const url = "ws://127.0.0.1:1/";
    const headers = { "X-Upstream": url, "X-Forwarded-Host": "evil.example", Upstream: url };
    const response = await product.post(REQUEST, good, { headers });
    assert.equal(response.status, 200);
    await response.body?.cancel();
    assert.equal(upstream.connections.length, before);
  });

  test("a body that stops half-way holds nobody up", () =>
    harmless(async () => {
      const connection = await RawConnection.open(product);
      const headers = { "Content-Type": "application/json", "Content-Length": "1000" };
      connection.send({ method: "POST", path: REQUEST, headers, body: '{"jsonrpc"' });
      connection.destroy();
    }));
});
