/** What every failure must look like, whatever the route. Checked here, so that each test names only its own facts. */
import assert from "node:assert/strict";
import type { RawResponse } from "../support/http.ts";

export type Sent = "no" | "maybe" | "yes";

export interface Expected {
  readonly status: number;
  readonly code: string;
  readonly sent: Sent;
  /** Of the text for people, where the contract says what it must name. */
  readonly detail?: RegExp;
  /** The JSON-RPC error's own code; -32000 unless given. */
  readonly rpcCode?: number;
  /** The id of the JSON-RPC error; null unless given. */
  readonly id?: unknown;
}

/** The members of a problem document, and of the `data` of a JSON-RPC error. */
export interface Facts {
  readonly code: string;
  readonly sent: Sent;
  readonly retry_safe: boolean;
  readonly detail: string;
  readonly request_id: string;
  readonly upstream?: string;
  readonly upstream_state?: string;
}

export interface RpcAnswer {
  readonly jsonrpc: string;
  readonly id: unknown;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: Facts };
}

/** An answer that has been read whole, from `fetch` or by hand. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  header(name: string): string | undefined;
}

export async function read(response: Response | RawResponse): Promise<Answer> {
  const { status, headers } = response;
  const text = typeof response.body === "string" ? response.body : await (response as Response).text();
  return { status, text, header: (name) => headers.get(name.toLowerCase()) ?? undefined };
}

/** Where trying again is safe and may help. Bad input is never sent, but stays bad however often it comes. */
function mayRetry(status: number, sent: Sent): boolean {
  return sent === "no" && [429, 502, 503, 504].includes(status);
}

/** The headers of every failure, with which a shell needs no JSON parser. */
function checkHeaders(answer: Answer, expected: Expected, retries: boolean): void {
  assert.equal(answer.status, expected.status, answer.text);
  assert.equal(answer.header("sidesocket-code"), expected.code, answer.text);
  assert.equal(answer.header("sidesocket-sent"), expected.sent);
  assert.equal(answer.header("cache-control"), "no-store");
  assert.match(answer.header("x-request-id") ?? "", /^[A-Za-z0-9_.:-]{1,128}$/);
  const retryAfter = answer.header("retry-after");
  if (retries) assert.match(retryAfter ?? "(missing)", /^[1-9]\d*$/, "Retry-After in whole seconds");
  else assert.equal(retryAfter, undefined, "Retry-After only where retrying is safe");
}

function checkFacts(facts: Facts, answer: Answer, expected: Expected): void {
  assert.equal(facts.code, expected.code);
  assert.equal(facts.sent, expected.sent);
  assert.equal(facts.retry_safe, expected.sent === "no");
  assert.equal(typeof facts.detail, "string");
  if (expected.detail !== undefined) assert.match(facts.detail, expected.detail);
  assert.equal(facts.request_id, answer.header("x-request-id"));
}

/** Demands a whole RFC 9457 document. */
export async function problem(response: Response | RawResponse, expected: Expected): Promise<Facts> {
  const answer = await read(response);
  checkHeaders(answer, expected, mayRetry(expected.status, expected.sent));
  assert.match(answer.header("content-type") ?? "", /^application\/problem\+json/);
  const document = JSON.parse(answer.text) as Facts & Record<string, unknown>;
  assert.equal(document.status, expected.status);
  assert.match(String(document.type), new RegExp(`\\b${expected.code}$`));
  assert.ok(typeof document.title === "string" && document.title !== "");
  checkFacts(document, answer, expected);
  return document;
}

/** Demands the same facts as a JSON-RPC error. `status` 200 unless nothing was sent. */
export async function rpcProblem(response: Response | RawResponse, expected: Expected): Promise<Facts> {
  const answer = await read(response);
  if (answer.status < 200 || answer.status > 299) assert.equal(expected.sent, "no", "not 2xx always means not sent");
  checkHeaders(answer, expected, mayRetry(expected.status, expected.sent));
  assert.match(answer.header("content-type") ?? "", /^application\/json/);
  const { id, error, jsonrpc } = JSON.parse(answer.text) as RpcAnswer;
  assert.equal(jsonrpc, "2.0");
  assert.deepEqual(id, expected.id ?? null);
  assert.equal(error?.code, expected.rpcCode ?? -32000);
  assert.ok(error?.message);
  assert.ok(error.data, answer.text);
  checkFacts(error.data, answer, expected);
  return error.data;
}

/** Demands a refusal in the language of its path: JSON-RPC on /rpc, else a problem document. */
export function refusedOn(path: string, response: Response | RawResponse, expected: Expected): Promise<Facts> {
  return path.startsWith("/rpc") ? rpcProblem(response, expected) : problem(response, expected);
}

/**
 * On a starved machine the sidecar's thread can miss a deadline by more than its grace; then the host answers, and knows
 * less of what was sent. That is right, too, but not what the check is about: it may be tried again.
 */
export async function unstarved(check: () => Promise<void>, times = 3): Promise<void> {
  for (let left = times; left > 1; left -= 1) {
    try {
      return await check();
    } catch {}
  }
  await check();
}

/** What work gave, and how many milliseconds it took. */
export async function timed<Value>(work: Promise<Value>): Promise<readonly [Value, number]> {
  const begin = performance.now();
  return [await work, performance.now() - begin];
}
