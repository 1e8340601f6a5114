/** Spans for the OpenTelemetry SDK that a program has registered; without one, nothing is loaded or done. */

import type { AttributeValue, Context, Tracer, TracerProvider } from "@opentelemetry/api";
import pTimeout from "p-timeout";
import { type TraceContext, traceparentOf } from "../../core/util/traceparent.ts";
import { version } from "../../version.ts";

type Attributes = Readonly<Record<string, AttributeValue>>;

export interface ClientSpan {
  /** The header that makes what a receiver does a part of this span. */
  readonly traceparent: string;
  /** Does what belongs to the span: an SDK that watches outgoing requests puts its own spans below it. */
  run<Result>(work: () => Result): Result;
  /** @param error the code of the failure, if it is one */
  end(attributes: Attributes, error?: string): void;
}

/** The place that all copies of the API share for what an SDK registers: it shows an SDK without loading the API. */
const REGISTERED = Symbol.for("opentelemetry.js.api.1");

type Api = typeof import("@opentelemetry/api");

/** The global provider stands in for the SDK's own, most of which can be told to export what they hold. */
interface FlushableProvider extends TracerProvider {
  getDelegate?(): FlushableProvider;
  forceFlush?(): Promise<void>;
}

type StartSpan = (name: string, attributes: Attributes, caller?: TraceContext) => ClientSpan;

let start: StartSpan | undefined;
let flush: (() => Promise<void>) | undefined;
let isLoading = false;

// An SDK that is there before us (`--import`, `OTEL_DENO`) has spans of the first request, too.
if (REGISTERED in globalThis) load();

/**
 * Returns the function that begins a span of a request to another service; undefined without an SDK. The span's parent
 * is the one that is active here, that of the program's HTTP server perhaps; without one, the caller's own.
 */
export function spanStarter(): StartSpan | undefined {
  if (start === undefined && REGISTERED in globalThis) load();
  return start;
}

/**
 * Lets an SDK export the spans that it holds, some seconds of them, before the process ends. An SDK that cannot export
 * says so itself.
 */
export async function flushSpans(withinMs: number): Promise<void> {
  if (!flush) return;
  await pTimeout(flush(), { milliseconds: withinMs, fallback: () => {} }).catch(() => {});
}

function load(): void {
  if (isLoading) return;
  isLoading = true;
  import("@opentelemetry/api").then(
    (api) => {
      const tracer = api.trace.getTracer("sidesocket", version);
      start = (name, attributes, caller) => spanOf(api, tracer, name, attributes, caller);
      flush = async () => {
        const provider: FlushableProvider = api.trace.getTracerProvider();
        await (provider.getDelegate?.() ?? provider).forceFlush?.();
      };
    },
    // An SDK was registered through the API, which may be installed where we cannot find it.
    () => {},
  );
}

function spanOf(
  { SpanKind, SpanStatusCode, context, trace, ROOT_CONTEXT }: Api,
  from: Tracer,
  name: string,
  attributes: Attributes,
  caller: TraceContext | undefined,
): ClientSpan {
  let parent: Context = context.active();
  if (caller && trace.getSpan(parent) === undefined) {
    const { traceId, spanId, flags: traceFlags } = caller;
    parent = trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
  }
  const span = from.startSpan(name, { kind: SpanKind.CLIENT, attributes }, parent);
  return {
    get traceparent() {
      const { traceId, spanId, traceFlags } = span.spanContext();
      return traceparentOf({ traceId, spanId, flags: traceFlags });
    },
    run(work) {
      return context.with(trace.setSpan(parent, span), work);
    },
    end(more, error) {
      span.setAttributes(more);
      if (error !== undefined) {
        span.setAttribute("error.type", error);
        span.setStatus({ code: SpanStatusCode.ERROR });
      }
      span.end();
    },
  };
}
