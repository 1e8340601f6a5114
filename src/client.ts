/** The client: an upstream behind the HTTP API of a service, with the interface of a sidecar in this program. */

export type { InstanceOptions, RemoteInstance } from "./client/remote-instance.ts";
export { type ClientOptions, connect, type RemoteSidecar } from "./client/remote-sidecar.ts";
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
export type { MessageSubscription, UnsubscribeOptions } from "./library/message-subscription.ts";
export type { PendingReply } from "./library/pending-reply.ts";
export type { ByteStream, Sendable } from "./library/sendable.ts";
export type { Body } from "./protocols/protocol.ts";
export type { ExitReport, StepReport } from "./sidecar/exit-report.ts";
export type { UpstreamMessage } from "./sidecar/upstream-message.ts";
