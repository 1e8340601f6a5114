/** The families of metrics, each with the samples that it has at a scrape. */

import { ACCOUNTS, REFUSALS } from "../../core/util/budget.ts";
import { BUCKET_BOUNDS, type Histogram } from "../../core/util/histogram.ts";
import type { OwnerState, UpstreamDetails } from "../../sidecar/contract.ts";
import { PHASES } from "../../sidecar/reports.ts";
import type { AppParts, InstanceCounts, ReloadState, UpstreamPort, WebhookState } from "../ports.ts";
import type { RequestMetrics } from "./request-metrics.ts";

/** An upstream at a scrape; without details if its thread did not respond. */
export interface ScrapedUpstream {
  readonly port: UpstreamPort;
  readonly details: UpstreamDetails | undefined;
}

/** Everything that a scrape reads. */
export interface Scrape extends Pick<AppParts, "lifecycle" | "webhooks" | "instances" | "budget" | "keeper" | "about"> {
  /** The last reload of the configuration; undefined before the first. */
  readonly reloads: ReloadState | undefined;
  readonly requests: RequestMetrics;
  /** How many requests the listener has refused, by status. */
  readonly refusals: ReadonlyMap<number, number>;
  /** The lag of the host's event loop. */
  readonly lag: Histogram;
  readonly upstreams: readonly ScrapedUpstream[];
  /** The wall clock, in milliseconds since 1970. */
  readonly at: number;
}

type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
  /** The name of a part of a histogram. */
  readonly metricName?: string;
}

export interface MetricFamily {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  /** Made one by one: there may be many. */
  samples(scrape: Scrape): Iterable<Sample>;
}

type Measured = number | undefined;

function family(
  type: "counter" | "gauge",
  name: string,
  help: string,
  samples: (scrape: Scrape) => readonly (readonly [Measured | boolean, Labels?])[],
): MetricFamily {
  function* known(scrape: Scrape): Generator<Sample> {
    for (const [value, labels = {}] of samples(scrape)) if (value !== undefined) yield { labels, value: Number(value) };
  }
  return { name, type, help, samples: known };
}

function histogram(
  name: string,
  help: string,
  series: (scrape: Scrape) => readonly (readonly [Histogram, Labels])[],
): MetricFamily {
  function* samples(scrape: Scrape): Generator<Sample> {
    for (const [each, labels] of series(scrape)) yield* partsOf(name, each, labels);
  }
  return { name, type: "histogram", help, samples };
}

function partsOf(name: string, { upTo, count, sum }: Histogram, labels: Labels): Sample[] {
  const bucket = (le: string, value: number) => ({ metricName: `${name}_bucket`, labels: { ...labels, le }, value });
  return [
    ...BUCKET_BOUNDS.map((bound, index) => bucket(String(bound), upTo[index] ?? 0)),
    bucket("+Inf", count),
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ];
}

/** A family with one sample for each upstream of which the value is known. */
function ofUpstream(
  type: "counter" | "gauge",
  name: string,
  help: string,
  value: (upstream: ScrapedUpstream, scrape: Scrape) => Measured,
): MetricFamily {
  return family(type, name, help, (scrape) =>
    scrape.upstreams.map((each) => [value(each, scrape), { upstream: each.port.name }]),
  );
}

/** A counter with one sample for each upstream and name of a table that its thread keeps. */
function byName(
  name: string,
  help: string,
  label: string,
  table: (details: UpstreamDetails) => Readonly<Record<string, number>>,
): MetricFamily {
  return family("counter", name, help, ({ upstreams }) =>
    upstreams.flatMap(({ port, details }) =>
      Object.entries(details ? table(details) : {}).map(
        ([key, value]) => [value, { upstream: port.name, [label]: key }] as const,
      ),
    ),
  );
}

function counted(name: string, help: string, value: (details: UpstreamDetails) => number): MetricFamily {
  return ofUpstream("counter", name, help, ({ details }) => details && value(details));
}

const seconds = (ms: Measured): Measured => (ms === undefined ? undefined : ms / 1_000);

const HTTP: readonly MetricFamily[] = [
  histogram(
    "http_server_request_duration_seconds",
    "Time from the arrival of an HTTP request until its response was made; error_type is the code of a failure.",
    ({ requests }) =>
      requests.series.map(({ route, method, status, error, histogram: each }) => [
        each,
        {
          http_request_method: method,
          http_route: route,
          http_response_status_code: String(status),
          ...(error && { error_type: error }),
        },
      ]),
  ),
  family(
    "gauge",
    "http_server_active_requests",
    "HTTP requests that wait for their response; a stream until it begins.",
    ({ requests }) => [...requests.active].map(([method, count]) => [count, { http_request_method: method }]),
  ),
  family(
    "counter",
    "sidesocket_http_refused_total",
    "Requests that the listener refused before they reached the app: not HTTP, too slow or too large.",
    ({ refusals }) => [...refusals].map(([status, count]) => [count, { http_response_status_code: String(status) }]),
  ),
];

const CALLS: readonly MetricFamily[] = [
  histogram(
    "rpc_client_call_duration_seconds",
    "Time from handing a message to the socket until its reply; with error_type, from the request until its failure.",
    ({ upstreams }) =>
      upstreams.flatMap(({ port }) =>
        port.calls.durations.map(
          ([code, each]) => [each, { upstream: port.name, ...(code && { error_type: code }) }] as const,
        ),
      ),
  ),
  family(
    "counter",
    "sidesocket_upstream_failures_total",
    "Calls that failed, by code and by whether the message was sent; items of a batch count one by one.",
    ({ upstreams }) =>
      upstreams.flatMap(({ port }) =>
        port.calls.failures.map(({ code, sent, count }) => [count, { upstream: port.name, code, sent }] as const),
      ),
  ),
];

const CONNECTION: readonly MetricFamily[] = [
  family(
    "gauge",
    "sidesocket_upstream_info",
    "Always 1; the labels hold the protocol of the upstream, whether readiness needs it, and its thread.",
    ({ upstreams }) =>
      upstreams.map(({ port: { name, protocol, settings, thread } }) => [
        1,
        {
          upstream: name,
          protocol: protocol?.name ?? "",
          required: String(settings.required),
          thread: thread.name,
        },
      ]),
  ),
  family(
    "gauge",
    "sidesocket_upstream_state",
    "1 for the present phase of the upstream, 0 for every other.",
    (scrape) =>
      scrape.upstreams.flatMap(({ port: { name, state } }) =>
        PHASES.map((phase) => [phase === state.phase, { upstream: name, phase }] as const),
      ),
  ),
  ofUpstream(
    "gauge",
    "sidesocket_upstream_state_since_seconds",
    "Unix time at which the present phase began.",
    ({ port }) => port.state.since.getTime() / 1_000,
  ),
  ofUpstream(
    "gauge",
    "sidesocket_upstream_attempts",
    "Failed attempts to connect since the last success.",
    ({ port }) => port.state.attempts,
  ),
  ofUpstream(
    "gauge",
    "sidesocket_upstream_retry_in_seconds",
    "Time until the next attempt, while one is due.",
    (each) => seconds(each.port.state.retryInMs),
  ),
  counted(
    "sidesocket_upstream_connects_total",
    "Connections that became ready for requests.",
    ({ counters }) => counters.connects,
  ),
  byName(
    "sidesocket_upstream_disconnects_total",
    "Open connections that ended, by close code, or by what ended them without one.",
    "code",
    ({ ends }) => ends.disconnects,
  ),
  byName(
    "sidesocket_upstream_failed_attempts_total",
    "Attempts that led to no open connection, by reason; http_503 is a refused upgrade.",
    "reason",
    ({ ends }) => ends.failedAttempts,
  ),
  ofUpstream("gauge", "sidesocket_upstream_round_trip_seconds", "Time from the last ping to its pong.", ({ details }) =>
    seconds(details?.roundTripMs),
  ),
  ofUpstream(
    "gauge",
    "sidesocket_upstream_last_frame_timestamp_seconds",
    "Unix time at which the last frame arrived.",
    ({ details }, { at }) =>
      details?.lastFrameAgeMs === undefined ? undefined : (at - details.lastFrameAgeMs) / 1_000,
  ),
  ofUpstream(
    "gauge",
    "sidesocket_upstream_buffered_bytes",
    "Bytes handed to the socket that the operating system has not taken.",
    ({ details }) => details?.bufferedBytes,
  ),
];

const REQUESTS: readonly MetricFamily[] = [
  ofUpstream(
    "gauge",
    "sidesocket_upstream_in_flight",
    "Requests whose outcome is awaited.",
    ({ port, details }) => details?.inFlight ?? port.inFlight,
  ),
  counted(
    "sidesocket_upstream_requests_total",
    "Requests that the thread was handed, those of subscriptions and of blocking callers included.",
    ({ counters }) => counters.requests,
  ),
  counted("sidesocket_upstream_replies_total", "Requests that got their reply.", ({ counters }) => counters.replies),
  counted(
    "sidesocket_upstream_abandoned_total",
    "Requests whose caller left before their end.",
    ({ counters }) => counters.abandoned,
  ),
  counted(
    "sidesocket_upstream_late_replies_total",
    "Replies to requests that had already ended.",
    ({ counters }) => counters.late,
  ),
  counted(
    "sidesocket_upstream_unclaimed_replies_total",
    "Replies that match no request.",
    ({ counters }) => counters.unclaimed,
  ),
];

/** Of an upstream that the replicas of a cluster share; others have no samples of it. */
function shared(
  type: "counter" | "gauge",
  name: string,
  help: string,
  value: (upstream: ScrapedUpstream, owner: OwnerState) => Measured,
): MetricFamily {
  return ofUpstream(type, name, help, (each) => each.port.state.owner && value(each, each.port.state.owner));
}

const CLUSTER: readonly MetricFamily[] = [
  shared("gauge", "sidesocket_cluster_owner", "1 if this replica owns the upstream, else 0.", (_, { self }) =>
    Number(self),
  ),
  shared("gauge", "sidesocket_cluster_term", "The owner's term, which grows with each owner.", (_, { term }) => term),
  shared(
    "gauge",
    "sidesocket_cluster_contact_age_seconds",
    "Time since this replica was certainly heard by the others, or since its start if it never was.",
    ({ details }) => seconds(details?.cluster?.contactAgeMs),
  ),
  shared(
    "counter",
    "sidesocket_cluster_takeovers_total",
    "Terms of ownership that this replica began.",
    ({ details }) => details?.shared.takeovers,
  ),
  shared(
    "counter",
    "sidesocket_cluster_fenced_writes_total",
    "Writes that did not go out, because another replica might own the upstream.",
    ({ details }) => details?.shared.fenced,
  ),
  shared(
    "counter",
    "sidesocket_cluster_forwarded_total",
    "Requests that were passed on to the owner of the upstream, or to the replica that keeps their reply.",
    ({ details }) => details?.shared.forwarded,
  ),
  shared(
    "gauge",
    "sidesocket_cluster_log_lag",
    "Entries of the cluster's log of messages that this replica knows of and has not read yet.",
    ({ details }) => details?.cluster?.logLag,
  ),
  shared(
    "counter",
    "sidesocket_cluster_log_holes_total",
    "Places where entries of the cluster's log of messages were missing.",
    ({ details }) => details?.shared.holes,
  ),
];

const MESSAGES: readonly MetricFamily[] = [
  counted(
    "sidesocket_upstream_messages_total",
    "Messages that the upstream sent unsolicited.",
    ({ counters }) => counters.messages,
  ),
  counted(
    "sidesocket_upstream_noise_total",
    "Frames that are no message of the protocol; they count as messages, too.",
    ({ counters }) => counters.noise,
  ),
  counted(
    "sidesocket_upstream_ignored_total",
    "Frames that are neither messages nor replies, by a rule.",
    ({ counters }) => counters.ignored,
  ),
  counted(
    "sidesocket_upstream_answered_total",
    "Requests of the upstream that got an answer by a rule, or a reply of a caller or a webhook.",
    ({ counters }) => counters.answered,
  ),
  counted(
    "sidesocket_upstream_unanswered_total",
    "Requests of the upstream that got no answer, because their message was not delivered in time.",
    ({ counters }) => counters.unanswered,
  ),
  ofUpstream(
    "gauge",
    "sidesocket_upstream_messages_kept",
    "Messages that are kept to be read.",
    ({ details }) => details?.kept.messages,
  ),
  ofUpstream(
    "gauge",
    "sidesocket_upstream_messages_kept_bytes",
    "Bytes of the messages that are kept to be read.",
    ({ details }) => details?.kept.bytes,
  ),
  counted(
    "sidesocket_upstream_messages_evicted_total",
    "Kept messages that made room for newer ones, whether or not they had been read.",
    ({ losses }) => losses.evicted,
  ),
  counted(
    "sidesocket_upstream_messages_missed_total",
    "Messages that readers missed because they were evicted before, as far as their number is known.",
    ({ losses }) => losses.missed,
  ),
  byName(
    "sidesocket_upstream_gaps_total",
    "Gaps that readers were shown, by reason; readers that share a page count as one.",
    "reason",
    ({ losses }) => losses.gaps,
  ),
  ofUpstream(
    "gauge",
    "sidesocket_upstream_readers",
    "Streams, long polls and webhooks that read messages now.",
    ({ port }) => port.journals.readers,
  ),
  family(
    "gauge",
    "sidesocket_upstream_subscriptions",
    "Standing subscriptions by phase; a phase that none is in has no sample.",
    ({ upstreams }) =>
      upstreams.flatMap(({ port }) => {
        const phases = port.subscriptions.list().map(({ phase }) => phase);
        return [...new Set(phases)].map(
          (phase) => [phases.filter((each) => each === phase).length, { upstream: port.name, phase }] as const,
        );
      }),
  ),
];

function ofInstances(
  type: "counter" | "gauge",
  name: string,
  help: string,
  samples: (counts: InstanceCounts) => readonly (readonly [number, Labels?])[],
): MetricFamily {
  return family(type, name, help, ({ upstreams, instances }) =>
    upstreams.flatMap(({ port: { name: upstream, settings } }) => {
      const counts = settings.instances ? instances?.counts(upstream) : undefined;
      return counts ? samples(counts).map(([value, labels]) => [value, { upstream, ...labels }] as const) : [];
    }),
  );
}

const INSTANCES: readonly MetricFamily[] = [
  ofInstances(
    "gauge",
    "sidesocket_upstream_instances",
    "Instances of the upstream that are open, those that are closing included.",
    ({ open }) => [[open]],
  ),
  ofInstances("counter", "sidesocket_upstream_instances_opened_total", "Instances that were opened.", ({ opened }) => [
    [opened],
  ]),
  ofInstances(
    "counter",
    "sidesocket_upstream_instances_ended_total",
    "Instances that have ended, by reason.",
    ({ ended }) => Object.entries(ended).map(([reason, count]) => [count, { reason }]),
  ),
];

function ofWebhook(
  type: "counter" | "gauge",
  name: string,
  help: string,
  value: (webhook: WebhookState) => number | boolean | undefined,
): MetricFamily {
  return family(type, name, help, ({ webhooks }) =>
    [...webhooks].flatMap(([upstream, all]) =>
      all.map(({ state }, index) => [value(state), { upstream, webhook: String(index) }] as const),
    ),
  );
}

const WEBHOOKS: readonly MetricFamily[] = [
  ofWebhook(
    "gauge",
    "sidesocket_webhook_failures",
    "Failed attempts to deliver since the last acknowledgement; webhook is its place in the configuration, from 0.",
    ({ failures }) => failures,
  ),
  ofWebhook(
    "counter",
    "sidesocket_webhook_delivered_total",
    "Messages and gaps that the receiver has acknowledged.",
    ({ delivered }) => delivered,
  ),
  ofWebhook(
    "counter",
    "sidesocket_webhook_given_up_total",
    "Messages that the receiver refused, and got as gaps.",
    ({ givenUp }) => givenUp,
  ),
  ofWebhook(
    "gauge",
    "sidesocket_webhook_stopped",
    "1 if nothing more is sent to the receiver.",
    (state) => state.stopped,
  ),
  ofWebhook(
    "gauge",
    "sidesocket_webhook_elsewhere",
    "1 if another replica of the cluster pushes, which owns the upstream.",
    (state) => state.elsewhere,
  ),
];

/** The threads of the upstreams, each once. */
function threadsOf({ upstreams }: Scrape) {
  const byThread = new Map<UpstreamPort["thread"], ScrapedUpstream[]>();
  for (const each of upstreams) byThread.set(each.port.thread, [...(byThread.get(each.port.thread) ?? []), each]);
  return [...byThread].map(([thread, all]) => ({
    name: thread.name,
    crashes: thread.crashes,
    lag: thread.lag,
    responds: all.some(({ details }) => details !== undefined),
  }));
}

const PROCESS: readonly MetricFamily[] = [
  family("gauge", "sidesocket_build_info", "Always 1; the labels hold the version and the runtime.", ({ about }) => [
    [1, { version: about.version, runtime: about.runtime }],
  ]),
  family("gauge", "sidesocket_exiting", "1 once the exit has begun.", ({ lifecycle }) => [[!lifecycle.ready]]),
  family("gauge", "sidesocket_thread_up", "1 if the sidecar's thread responded to this scrape.", (scrape) =>
    threadsOf(scrape).map(({ name, responds }) => [responds, { thread: name }]),
  ),
  family(
    "counter",
    "sidesocket_thread_crashes_total",
    "How often the thread died, or hung and was given up.",
    (scrape) => threadsOf(scrape).map(({ name, crashes }) => [crashes, { thread: name }]),
  ),
  histogram(
    "sidesocket_event_loop_lag_seconds",
    "How late timers ran, measured four times a second on the host and on each thread.",
    (scrape) => [
      [scrape.lag, { thread: "host" }],
      ...threadsOf(scrape).map(({ name, lag }) => [lag, { thread: name }] as const),
    ],
  ),
  family("gauge", "sidesocket_memory_held_bytes", "Bytes that the budget of memory counts, by account.", ({ budget }) =>
    ACCOUNTS.map((account) => [budget.heldBy(account), { account }]),
  ),
  family("gauge", "sidesocket_memory_limit_bytes", "The limit of the budget of memory.", ({ budget }) => [
    [budget.limit],
  ]),
  family("gauge", "sidesocket_memory_refusing", "1 for what is refused for lack of memory.", ({ budget }) =>
    REFUSALS.map((what) => [budget.refuses(what), { what }]),
  ),
  family(
    "gauge",
    "sidesocket_kept_replies",
    "Replies that are kept to be fetched, and keys that are known.",
    ({ keeper }) => [[keeper.size]],
  ),
  family(
    "gauge",
    "sidesocket_kept_replies_bytes",
    "Bytes of the replies that are kept to be fetched.",
    ({ keeper }) => [[keeper.bytes]],
  ),
  family(
    "gauge",
    "sidesocket_config_last_reload_successful",
    "1 if the last reload of the configuration was carried out, 0 if something was wrong; none before the first.",
    ({ reloads }) => (reloads ? [[reloads.lastSuccess]] : []),
  ),
  family(
    "gauge",
    "sidesocket_config_last_reload_success_timestamp_seconds",
    "When the configuration was last reloaded with success.",
    ({ reloads }) => (reloads?.lastSuccessAt ? [[reloads.lastSuccessAt.getTime() / 1_000]] : []),
  ),
  family("counter", "sidesocket_config_reloads_total", "Reloads of the configuration.", ({ reloads }) => [
    [reloads?.successes ?? 0, { outcome: "success" }],
    [reloads?.failures ?? 0, { outcome: "failure" }],
  ]),
];

/** All families, in the order of the text. */
export const FAMILIES: readonly MetricFamily[] = [
  ...HTTP,
  ...CALLS,
  ...CONNECTION,
  ...REQUESTS,
  ...CLUSTER,
  ...MESSAGES,
  ...INSTANCES,
  ...WEBHOOKS,
  ...PROCESS,
];
