/** Routes of probes, of the state of upstreams, and of the version. */

import type { Context } from "hono";
import { accepts } from "hono/accepts";
import { redactUrl } from "../../config/wire.ts";
import { ACCOUNTS, type Account, type Budget, REFUSALS } from "../../core/util/budget.ts";
import type { OwnerState, UpstreamDetails } from "../../sidecar/contract.ts";
import type { Latency } from "../../telemetry/latency-windows.ts";
import { upstreamOf, withUpstream } from "../call/find-upstream.ts";
import type { Env } from "../env.ts";
import { mayLookInside } from "../guard.ts";
import type { AppParts, UpstreamPort } from "../ports.ts";
import { commonHeaders } from "../problem.ts";
import { createRoute, type JsonOf, type RoutedApp, type Schemas } from "../routing.ts";
import type { EventStreams } from "../streaming/event-stream.ts";
import { changeJson } from "./history.ts";
import { instanceJson } from "./instances.ts";
import { shownReload } from "./reload.ts";

/** Milliseconds that the thread has to report its counters; after that they are null in the response. */
const INSPECT_WITHIN_MS = 500;
/** Milliseconds between two events with the state of all upstreams. */
const REPEAT_MS = 1_000;

const JSON_TYPE = "application/json";
const EVENTS_TYPE = "text/event-stream";

// Probes have no `query`: what a prober adds to their URL must not turn them unhealthy.
const livezRoute = createRoute(
  { method: "get", path: "/livez" },
  ({ jsonResponse, livenessSchema, probeFailures }) => ({
    operationId: "getLiveness",
    tags: ["State"],
    summary: "Liveness of the process",
    responses: { 200: jsonResponse("Alive", livenessSchema), ...probeFailures() },
  }),
);
const readiness = (operationId: string) =>
  function describe({ jsonResponse, probeFailures, readinessSchema }: Schemas) {
    const tags: ["State"] = ["State"];
    return {
      operationId,
      tags,
      summary: "Readiness: every required upstream is connected and greeted, and no exit has begun",
      responses: {
        200: jsonResponse("Ready", readinessSchema),
        503: jsonResponse("Not ready", readinessSchema),
        ...probeFailures(),
      },
    };
  };
const readyzRoute = createRoute({ method: "get", path: "/readyz" }, readiness("getReadiness"));
const healthzRoute = createRoute({ method: "get", path: "/healthz" }, readiness("getHealth"));
const versionRoute = createRoute(
  { method: "get", path: "/version", query: [] },
  ({ failures, jsonResponse, versionSchema }) => ({
    operationId: "getVersion",
    tags: ["State"],
    summary: "Version and runtime",
    responses: { 200: jsonResponse("The version", versionSchema), ...failures() },
  }),
);
const listRoute = createRoute(
  { method: "get", path: "/v1/upstreams", query: ["ticket"] },
  ({ eventContent, failures, jsonResponse, ticketParameter, upstreamListSchema }) => {
    const listed = jsonResponse(
      "All upstreams, in the order of the configuration; as events `upstreams`, at once and then every second",
      upstreamListSchema,
    );
    return {
      operationId: "listUpstreams",
      tags: ["State"],
      summary: "The state of all upstreams",
      parameters: [ticketParameter],
      responses: { 200: { ...listed, content: { ...listed.content, ...eventContent } }, ...failures() },
    };
  },
);
const oneRoute = createRoute(
  { method: "get", path: "/v1/upstreams/{upstream}", query: [] },
  ({ failures, jsonResponse, upstreamParameter, upstreamDetailsSchema }) => ({
    operationId: "getUpstream",
    tags: ["State"],
    summary: "The state of one upstream, with the last changes of it",
    parameters: [upstreamParameter],
    responses: { 200: jsonResponse("The state", upstreamDetailsSchema), ...failures("not_found") },
  }),
);

/** The routes of probes, which the listener of the metrics serves, too. */
export function probeRoutes(app: RoutedApp, parts: AppParts): void {
  const { upstreams, lifecycle, budget } = parts;

  app.openapi(livezRoute, (c) => c.json<JsonOf<"livenessSchema">>({ status: "alive" }, 200, commonHeaders(c)));

  const ready = (c: Context<Env>) => {
    const isMissing = [...upstreams.values()].some(
      ({ settings, state }) => settings.required && !(state.owner?.serving ?? state.phase === "ready"),
    );
    const status = !lifecycle.ready
      ? "shutting_down"
      : isMissing
        ? "not_ready"
        : budget.refuses("ready")
          ? "congested"
          : "ready";
    const phases = Object.fromEntries([...upstreams.values()].map(({ name, state }) => [name, state.phase]));
    const errors = Object.fromEntries(
      [...upstreams.values()].flatMap(({ name, state: { phase, lastError } }) =>
        phase === "ready" || lastError === undefined ? [] : [[name, lastError]],
      ),
    );
    const body: JsonOf<"readinessSchema"> = mayLookInside(c, parts.access)
      ? { status, upstreams: phases, errors }
      : { status };
    return c.json(body, status === "ready" ? 200 : 503, commonHeaders(c));
  };
  app.openapi(readyzRoute, ready);
  app.openapi(healthzRoute, ready);
}

export function statusRoutes(app: RoutedApp, parts: AppParts, streams: EventStreams): void {
  const { upstreams, about, budget, telemetry } = parts;

  app.openapi(versionRoute, (c) =>
    c.json<JsonOf<"versionSchema">>({ name: "sidesocket", ...about }, 200, commonHeaders(c)),
  );

  const list = async (): Promise<JsonOf<"upstreamListSchema">> => {
    const states = await Promise.all([...upstreams.values()].map((upstream) => stateOf(upstream, parts)));
    return { upstreams: states, memory: memoryOf(budget), reload: shownReload(parts.reload?.state) };
  };
  const lists = new Repeated(list);
  app.openapi(listRoute, async (c) => {
    const type = accepts(c, { header: "Accept", supports: [JSON_TYPE, EVENTS_TYPE], default: JSON_TYPE });
    if (type === EVENTS_TYPE) {
      return streams.respond(c, (emit) => lists.subscribe((state) => emit("upstreams", state)));
    }
    return c.json(await list(), 200, commonHeaders(c));
  });

  app.openapi(oneRoute, withUpstream(parts, false), async (c) => {
    const upstream = upstreamOf(c);
    const state = await stateOf(upstream, parts);
    const { instance } = upstream;
    const history = telemetry.changesOf(instance?.id ?? upstream.name).map(changeJson);
    const body = { ...state, ...(instance && { instance: instanceJson(upstream, instance) }), history };
    return c.json<JsonOf<"upstreamDetailsSchema">>(body, 200, commonHeaders(c));
  });
}

function memoryOf(budget: Budget): JsonOf<"upstreamListSchema">["memory"] {
  const { limit, held } = budget;
  const accounts = Object.fromEntries(ACCOUNTS.map((account) => [account, budget.heldBy(account)]));
  return {
    limit_bytes: limit,
    held_bytes: held,
    accounts: accounts as Record<Account, number>,
    refuses: REFUSALS.findLast((step) => budget.refuses(step)) ?? "nothing",
  };
}

/** Repeats a question every second for as long as somebody wants its answers: each is the same for all. */
class Repeated<Answer> {
  readonly #ask: () => Promise<Answer>;
  readonly #listeners = new Set<(answer: Answer) => void>();
  #timer: NodeJS.Timeout | undefined;

  constructor(ask: () => Promise<Answer>) {
    this.#ask = ask;
  }

  /** Calls `listener` at once and then every second. @returns a function that stops it */
  subscribe(listener: (answer: Answer) => void): () => void {
    this.#listeners.add(listener);
    this.#ask().then((answer) => this.#listeners.has(listener) && listener(answer));
    this.#timer ??= setInterval(async () => {
      const answer = await this.#ask();
      for (const each of this.#listeners) each(answer);
    }, REPEAT_MS).unref();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }
}

async function stateOf(
  upstream: UpstreamPort,
  { webhooks, telemetry, instances }: AppParts,
): Promise<JsonOf<"upstreamStateSchema">> {
  const details = await upstream.inspect(INSPECT_WITHIN_MS);
  const { windows, ...latency } = telemetry.latencyOf(upstream.instance?.id ?? upstream.name);
  const { phase, since, readyUntil, attempts, lastError, lastCause, foundDeadBy, retryInMs, owner } = upstream.state;
  return {
    name: upstream.name,
    url: redactUrl(upstream.settings.url),
    protocol: upstream.protocol?.name ?? "",
    required: upstream.settings.required,
    phase,
    since: since.toISOString(),
    ready_until: readyUntil?.toISOString() ?? null,
    attempts,
    last_error: lastError ?? null,
    last_cause: lastCause ?? null,
    found_dead_by: foundDeadBy ?? null,
    retry_in_ms: retryInMs ?? null,
    in_flight: details?.inFlight ?? upstream.inFlight,
    in_flight_max: details?.inFlightMax ?? null,
    first_in_flight_age_ms: details?.firstInFlightAgeMs ?? null,
    last_frame_age_ms: details?.lastFrameAgeMs ?? null,
    last_pong_age_ms: details?.lastPongAgeMs ?? null,
    round_trip_ms: details?.roundTripMs === undefined ? null : Number(details.roundTripMs.toFixed(2)),
    buffered_bytes: details?.bufferedBytes ?? null,
    captured: details ? capturedJson(details.captured) : null,
    readers: upstream.journals.readers,
    kept: details ? { ...details.kept } : null,
    instances: upstream.settings.instances && instances ? instances.counts(upstream.name).open : null,
    ...(owner && { owner: ownerJson(owner, details?.cluster) }),
    webhooks: (upstream.instance ? [] : (webhooks.get(upstream.name) ?? [])).map(
      ({ state: { lastError: last_error, givenUp: given_up, ...state } }) => ({
        ...state,
        last_error,
        given_up,
      }),
    ),
    counters: details ? { ...details.counters } : null,
    latency: {
      ...latencyJson(latency),
      windows: windows.map(({ at, ...window }) => ({ at: new Date(at).toISOString(), ...latencyJson(window) })),
    },
  };
}

function ownerJson({ member, self, term }: OwnerState, ages: UpstreamDetails["cluster"]) {
  return {
    member: member ?? null,
    self,
    term: term ?? null,
    heard_ms: ages?.heardMs ?? null,
    contact_age_ms: ages?.contactAgeMs ?? null,
    log_lag: ages?.logLag ?? null,
  };
}

function capturedJson(captured: UpstreamDetails["captured"]) {
  return Object.fromEntries(
    Object.entries(captured).map(([name, { json, fault, ...marks }]) => {
      return [name, { ...marks, value: json === undefined ? null : shownScalar(json), fault: fault ?? null }];
    }),
  );
}

/** A number that a parser would change is shown as text. */
function shownScalar(json: string): string | number | boolean {
  const value: string | number | boolean = JSON.parse(json);
  return typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value) ? json : value;
}

function latencyJson({ count, failed, p50Ms, p99Ms }: Latency) {
  return { count, failed, p50_ms: p50Ms, p99_ms: p99Ms };
}
