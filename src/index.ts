/** The library: the sidecar inside your own program, and the HTTP API as a fetch handler. */

export type { Duration, Size } from "./config/unit-table.ts";
export type { ErrorCode, Failure, Retry, RpcErrorObject, Sent } from "./errors.ts";
export { SidesocketError } from "./errors.ts";
export type {
  AsyncSidecar,
  AsyncUpstream,
  ConnectionState,
  MessagesOptions,
  RequestOptions,
  RpcParams,
  SendOptions,
  SubscribeOptions,
  SubscriptionOrder,
} from "./library/async-upstream.ts";
export type { BlockingSidecar } from "./library/blocking-sidecar.ts";
export { type App, type AppOptions, createApp } from "./library/create-app.ts";
export { createSidecars, type NamedSidecar, type SidecarGroup } from "./library/create-sidecars.ts";
export type { SidecarExitOptions } from "./library/ending.ts";
export type { LaunchOptions } from "./library/launch.ts";
export type { MessageSubscription, UnsubscribeOptions } from "./library/message-subscription.ts";
export type { PendingReply } from "./library/pending-reply.ts";
export type { ByteStream, Sendable } from "./library/sendable.ts";
export { Sidecar } from "./library/sidecar.ts";
export type { KeptOptions, SidecarOptions } from "./library/sidecar-options.ts";
export type {
  ConnectionProtocol,
  ModuleConnection,
  ProtocolFactory,
  ProtocolModule,
} from "./protocols/module-types.ts";
export type { Body, Decoded, Encoded, Mode, Protocol } from "./protocols/protocol.ts";
export { InvalidMessage } from "./protocols/protocol.ts";
export type { ExitReport, StepReport } from "./sidecar/exit-report.ts";
export type { Line } from "./sidecar/line.ts";
export type { ThreadReport, UpstreamState } from "./sidecar/reports.ts";
export type { UpstreamMessage } from "./sidecar/upstream-message.ts";
export type * from "./upstream-options.ts";
