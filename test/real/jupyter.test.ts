/** With `JUPYTER=1`: the preset jupyter in front of Debian's `jupyter-server` with its Python kernel. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { Child } from "../support/child.ts";
import { freePort } from "../support/free-port.ts";
import { startProduct } from "../support/product.ts";
import { findOnPath } from "../support/root.ts";
import { until } from "../support/until.ts";
import { lacks } from "./programs.ts";

interface Message {
  readonly header: { readonly msg_type: string };
  readonly content: Readonly<Record<string, unknown>>;
}

const authorization = "token secret";

test("code runs, asks for input and is completed, before and after a restart of the kernel", {
  skip:
    process.env["JUPYTER"] === undefined ? "JUPYTER=1 runs it: a kernel takes long to start" : lacks("jupyter-server"),
}, async (t) => {
  const port = await freePort();
  const options = ["--no-browser", "--ip=127.0.0.1", `--port=${port}`, "--ServerApp.token=secret", "--allow-root"];
  const server = await Child.start({ command: findOnPath("jupyter-server"), args: options, env: process.env });
  t.after(() => server.stop("SIGTERM"));
  await server.until(() => /is running at/.test(server.output()), { within: 30_000, what: "the server" });
  const post = (path: string) =>
    fetch(`http://127.0.0.1:${port}/api/kernels${path}`, { method: "POST", headers: { authorization } });
  const { id } = (await (await post("")).json()) as { id: string };

  const at = (headers: object, more: object = {}) => ({
    url: `ws://127.0.0.1:${port}/api/kernels/${id}/channels`,
    protocol: "jupyter",
    headers,
    reconnect: { from: "20ms", to: "200ms", refused: "1h" },
    ...more,
  });
  const upstreams = { default: at({ authorization }), stranger: at({}, { required: false }) };
  const product = await startProduct({ config: { upstreams }, t });
  await product.ready();
  const run = async (code: string, more: object = {}) => {
    const response = await product.request({ header: { msg_type: "execute_request" }, content: { code, ...more } });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    return JSON.parse(text) as readonly Message[];
  };
  const contentOf = (messages: readonly Message[], type: string) =>
    messages.find(({ header }) => header.msg_type === type)?.content;

  const printed = await run("print('hello'); 6 * 7");
  assert.deepEqual(contentOf(printed, "stream"), { name: "stdout", text: "hello\n" });
  assert.deepEqual(contentOf(printed, "execute_result")?.data, { "text/plain": "42" });
  assert.equal(printed.at(-1)?.content.execution_state, "idle");
  assert.equal(contentOf(await run("1 / 0"), "error")?.ename, "ZeroDivisionError");

  const completion = await product.request({
    header: { msg_type: "complete_request" },
    content: { code: "prin", cursor_pos: 4 },
  });
  const { header, content } = (await completion.json()) as Message;
  assert.equal(header.msg_type, "complete_reply");
  assert.ok((content.matches as string[]).includes("print"));

  const asked = run("input('who? ')", { allow_stdin: true });
  await until(
    async () => {
      const page = await product.fetch("/v1/upstreams/default/messages?after=earliest");
      return (await page.text()).includes("input_request");
    },
    { what: "the question" },
  );
  const answer = { header: { msg_type: "input_reply" }, content: { value: "me" } };
  assert.equal((await product.post("/v1/upstreams/default/send", answer)).status, 204);
  assert.deepEqual(contentOf(await asked, "execute_result")?.data, { "text/plain": "'me'" });

  assert.equal((await post(`/${id}/restart`)).status, 200);
  await until(async () => contentOf(await run("6 * 7"), "execute_result") !== undefined, { what: "the new kernel" });
  assert.equal((await product.state("stranger")).phase, "refused");
});
