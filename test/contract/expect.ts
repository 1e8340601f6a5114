/** Assertions on the shape of every failure, whatever the route, so that each test states only its own facts. */
import assert from "node:assert/strict";
import type { RawResponse } from "../support/http.ts";

export type Sent = "no" | "maybe" | "yes";

export interface Expected {
  readonly status: number;
  readonly code: string;
  readonly sent: Sent;
  /** The text for people, where the contract requires it to name something. */
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
  readonly retry: string;
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

/** A response that has been read whole, from `fetch` or from a raw connection. */
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

/** Use of repeating a request, by the code of its failure; `never` for all others. */
const RETRY: ReadonlyMap<string, "later" | "now"> = new Map([
  ...(["too_many_in_flight", "paced", "congested", "upstream_down", "shutting_down"] as const).map(later),
  ...(["cancelled", "login_refused", "internal_error"] as const).map(later),
  ["connection_lost", "now"],
  ["sidecar_crashed", "now"],
  ["reply_timeout", "now"],
]);

function later(code: string): [string, "later"] {
  return [code, "later"];
}

/** Reports whether a retry is both safe and useful. Bad input is never sent, but repeating it cannot help. */
function mayRetry({ code, sent }: Expected): boolean {
  return sent === "no" && RETRY.has(code);
}

/** Asserts the headers of every failure, which spare a shell the JSON parser. */
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
  assert.equal(facts.retry, RETRY.get(expected.code) ?? "never", expected.code);
  assert.equal(typeof facts.detail, "string");
  if (expected.detail !== undefined) assert.match(facts.detail, expected.detail);
  assert.equal(facts.request_id, answer.header("x-request-id"));
}

/** Asserts a complete RFC 9457 document. */
export async function problem(response: Response | RawResponse, expected: Expected): Promise<Facts> {
  const answer = await read(response);
  checkHeaders(answer, expected, mayRetry(expected));
  assert.match(answer.header("content-type") ?? "", /^application\/problem\+json/);
  const document = JSON.parse(answer.text) as Facts & Record<string, unknown>;
  assert.equal(document.status, expected.status);
  assert.match(String(document.type), new RegExp(`\\b${expected.code}$`));
  assert.ok(typeof document.title === "string" && document.title !== "");
  checkFacts(document, answer, expected);
  return document;
}

/** Asserts the same facts as a JSON-RPC error. `status` is 200 unless nothing was sent. */
export async function rpcProblem(response: Response | RawResponse, expected: Expected): Promise<Facts> {
  const answer = await read(response);
  if (answer.status < 200 || answer.status > 299)
    assert.equal(expected.sent, "no", "a status other than 2xx always means not sent");
  checkHeaders(answer, expected, mayRetry(expected));
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

/** Asserts a refusal in the format of its path: JSON-RPC on /rpc, otherwise a problem document. */
export function refusedOn(path: string, response: Response | RawResponse, expected: Expected): Promise<Facts> {
  return path.startsWith("/rpc") ? rpcProblem(response, expected) : problem(response, expected);
}

/**
 * Repeats a check that a starved machine can spoil: the sidecar's thread may miss a deadline by more than its grace;
 * then the host settles the request and knows less of what was sent. That is correct, but not the subject of the check.
 */
export async function unstarved(check: () => Promise<void>, times = 3): Promise<void> {
  for (let left = times; left > 1; left -= 1) {
    try {
      return await check();
    } catch {}
  }
  await check();
}

/** Measures work: resolves with its result and the milliseconds it took. */
export async function timed<Value>(work: Promise<Value>): Promise<readonly [Value, number]> {
  const begin = performance.now();
  return [await work, performance.now() - begin];
}
