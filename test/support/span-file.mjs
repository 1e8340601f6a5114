/**
 * A tracing SDK of the smallest kind, for Node's `--import`: writes each ended span as a line to the file SPAN_FILE. With
 * SPANS=held only once it is told to flush; with SPANS=stuck it never has done that.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { randomBytes } from "node:crypto";
import { appendFileSync } from "node:fs";
import process from "node:process";
import { context, ROOT_CONTEXT, trace } from "@opentelemetry/api";

const store = new AsyncLocalStorage();
const hex = (bytes) => randomBytes(bytes).toString("hex");

context.setGlobalContextManager({
  active: () => store.getStore() ?? ROOT_CONTEXT,
  with: (active, run, self, ...values) => store.run(active, () => run.apply(self, values)),
  bind: (_context, target) => target,
  enable() {},
  disable() {},
});

const held = [];
const write = (span) => appendFileSync(process.env.SPAN_FILE, `${JSON.stringify(span)}\n`);

trace.setGlobalTracerProvider({
  async forceFlush() {
    if (process.env.SPANS === "stuck") await new Promise(() => {});
    for (const span of held.splice(0)) write(span);
  },
  getTracer: (scope, version) => ({
    startSpan(name, { kind, attributes }, parent) {
      const above = trace.getSpanContext(parent);
      const own = { traceId: above?.traceId ?? hex(16), spanId: hex(8), traceFlags: 1 };
      const span = { scope, version, name, kind, attributes: { ...attributes }, ...own, parentSpanId: above?.spanId };
      return {
        spanContext: () => own,
        setAttribute: (key, value) => Object.assign(span.attributes, { [key]: value }),
        setAttributes: (more) => Object.assign(span.attributes, more),
        setStatus: ({ code }) => Object.assign(span, { failed: code === 2 }),
        end: () => (process.env.SPANS === undefined ? write(span) : held.push(span)),
      };
    },
  }),
});
