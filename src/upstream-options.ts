/** Options of an upstream, and of its exit, written by scripts/options.mjs from the schema of the configuration. */

import type { CapturedDuration, Duration, Size } from "./config/unit-table.ts";

/** An upstream: its address, its login and its limits. */
export interface UpstreamOptions {
  /**
   * The address: a ws:// or wss:// URL without a fragment, its host written out; or ws+unix: and a socket's
   * path.
   */
  readonly url: string;
  /** Allows credentials over ws:// to a host that is not loopback. Default: `false`. */
  readonly allow_plaintext?: boolean | undefined;
  /**
   * The proxy to the upstream: an http://, https://, socks5:// or socks5h:// URL, env, or one with
   * exceptions.
   */
  readonly proxy?:
    | string
    | {
        /** The proxy. */
        readonly url: string;
        /** The hosts that are connected to without it, as in NO_PROXY. */
        readonly except?: readonly string[] | undefined;
      }
    | undefined;
  /** Makes readiness depend on this upstream. Default: `true`. */
  readonly required?: boolean | undefined;
  /** Equivalent upstreams, tried in order with requests that were certainly not sent to this one. */
  readonly failover?: readonly string[] | undefined;
  /** The path of a PEM file with the certificates to trust instead of the default ones. */
  readonly ca?: string | undefined;
  /** TLS with the upstream. Its files are read again for each attempt. */
  readonly tls?:
    | {
        /** The path of a PEM file with the certificates to trust instead of the default ones. */
        readonly ca?: string | undefined;
        /** The path of a PEM file with our certificate, and those between it and its root. */
        readonly cert?: string | undefined;
        /** The path of a PEM file with the key of our certificate. */
        readonly key?: string | undefined;
        /** The path of a PFX (PKCS #12) file with our certificate and its key. */
        readonly pfx?: string | undefined;
        /** Opens the key or the PFX file. */
        readonly passphrase?: string | undefined;
        /** The name to ask for, and to find in the upstream's certificate, instead of the host of the url. */
        readonly servername?: string | undefined;
        /** The oldest version of TLS that is agreed to. Default: `"1.2"`. */
        readonly min_version?: "1.2" | "1.3" | undefined;
      }
    | undefined;
  /** Headers of the handshake, by name. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /**
   * The path of a module whose function returns the values of ${credentials:NAME} for each connection
   * attempt.
   */
  readonly credentials?: string | undefined;
  /** Offered in the handshake. By default those of the protocol. */
  readonly subprotocols?: readonly string[] | undefined;
  /**
   * A preset (json-rpc, json, text, cdp, graphql-transport-ws, home-assistant, obs, aria2, binance, deribit,
   * discord-gateway, gemini-live, graphql-ws, janus, jupyter, kraken, lsp, mcp, mopidy, nats, nostr, ocpp,
   * openai-realtime, phoenix, signalr, slack-socket-mode, socket.io, stomp, wamp, webdriver-bidi, xrpl,
   * zwave-js), a preset with its options, or the path of a module. Default: `"json-rpc"`.
   */
  readonly protocol?: string | ProtocolOptions | undefined;
  /** The time for DNS, TCP, TLS and upgrade together; past it, the attempt has failed. Default: `"10s"`. */
  readonly connect_within?: Duration | undefined;
  /** The delays of a host with several addresses (RFC 8305), shorter with a short connect_within. */
  readonly addresses?:
    | {
        /** The time to wait for the addresses of IPv6 once those of IPv4 are known. Default: `"50ms"`. */
        readonly ipv6_wait?: Duration | undefined;
        /** The time after which the next address is tried as well. Default: `"250ms"`. */
        readonly next_after?: Duration | undefined;
      }
    | undefined;
  /**
   * Offers permessage-deflate (RFC 7692). A compressed message may have reply_bytes once it is inflated.
   * Default: `false`.
   */
  readonly compression?: boolean | undefined;
  /** The hosts to which redirects of the upgrade are followed, with all headers; by default none. */
  readonly redirects?: readonly string[] | undefined;
  /**
   * Sends the cookies that responses to the upgrade have set with the next one to the same host. Default:
   * `false`.
   */
  readonly cookies?: boolean | undefined;
  /** Steps to run on every connection before it counts as ready. By default those of the protocol. */
  readonly greeting?: readonly GreetingStepOptions[] | undefined;
  /** Steps to run before a connection is closed in order. By default those of the protocol. */
  readonly farewell?: readonly FarewellStepOptions[] | undefined;
  /** Values to take out of frames. By default those of the protocol. */
  readonly capture?: readonly CaptureOptions[] | undefined;
  /**
   * Values that are put into every message of a caller, by JSON pointer, as by `add` of JSON Patch (RFC
   * 6902).
   */
  readonly add?: Readonly<Record<string, JsonValue>> | undefined;
  /** Bounds of what callers may ask of this upstream, and of what it may send. */
  readonly limits?:
    | {
        /**
         * The most requests at a time; more fail with too_many_in_flight. From 1 to 1,000,000. Default: `1024`.
         */
        readonly in_flight?: number | undefined;
        /**
         * The most messages in one batch; a larger batch fails with invalid_request. From 1 to 100,000. Default:
         * `1024`.
         */
        readonly batch_items?: number | undefined;
        /** The largest message of a caller; a larger one fails with payload_too_large. Default: `"1MiB"`. */
        readonly request_bytes?: Size | undefined;
        /**
         * The largest message of the upstream; a larger one ends the connection with connection_lost. Default:
         * `"16MiB"`.
         */
        readonly reply_bytes?: Size | undefined;
        /**
         * The longest pause between two frames of one reply; after a longer one it fails with reply_timeout.
         * Default: `"60s"`.
         */
        readonly reply_pause?: Duration | undefined;
        /**
         * The most bytes that wait for the upstream; more fail with congested. At least request_bytes. Default:
         * `"16MiB"`.
         */
        readonly buffered_bytes?: Size | undefined;
        /**
         * The most subscriptions at a time; more fail with too_many_in_flight. From 0 to 10,000. Default: `100`.
         */
        readonly subscriptions?: number | undefined;
        /** The rate limit of the upstream; null for none. Default: `null`. */
        readonly pace?:
          | {
              /** The most messages in any span of per plus jitter. From 1 to 100,000. */
              readonly messages: number;
              /** The span in which messages are counted. Default: `"1s"`. */
              readonly per?: Duration | undefined;
              /**
               * The most messages that wait for their turn; more fail with paced. From 0 to 1,000,000. Default: `100`.
               */
              readonly queue?: number | undefined;
              /** The most by which one message may be delayed on its way more than another. Default: `"100ms"`. */
              readonly jitter?: Duration | undefined;
              /**
               * The frames that count: those of callers and subscriptions, or all that go out. Default: `"messages"`.
               */
              readonly counts?: "messages" | "all" | undefined;
            }
          | null
          | undefined;
      }
    | undefined;
  /** Checks that detect a dead peer. */
  readonly keepalive?:
    | {
        /** The time between pings; off sends none. Default: `"15s"`. */
        readonly ping?: Duration | "off" | undefined;
        /** The time within which a pong must come; without one the connection is given up. Default: `"5s"`. */
        readonly pong_within?: Duration | undefined;
        /** A message that asks the upstream for a sign of life; null for none. By default the protocol's. */
        readonly heartbeat?:
          | {
              /** The message: a text, sent as it is, or a value, sent as JSON. */
              readonly send: JsonValue;
              /** The time between heartbeats; or ${conn:NAME} and a unit. Default: `"30s"`. */
              readonly every?: CapturedDuration | Duration | undefined;
              /** The reply; without it the heartbeat is only sent. */
              readonly expect?: ConditionOptions | undefined;
              /** The time within which the reply must come. Default: `"10s"`. */
              readonly within?: Duration | undefined;
            }
          | null
          | undefined;
        /** The longest time without a message or ping from the peer; null for any. Default: `null`. */
        readonly silence?: Duration | null | undefined;
      }
    | undefined;
  /** When the next connection is attempted, and where. */
  readonly reconnect?:
    | {
        /** The ceiling of the random delay before the first attempt. Default: `"200ms"`. */
        readonly from?: Duration | undefined;
        /** The ceiling of the delays, which double. At least from. Default: `"30s"`. */
        readonly to?: Duration | undefined;
        /** The time between attempts after a refusal: a rotated token needs no restart. Default: `"60s"`. */
        readonly refused?: Duration | undefined;
        /** The class of a close code, where it is not that of docs/configuration.md or of the preset. */
        readonly codes?: Readonly<Record<string, "retry" | "slow" | "refuse">> | undefined;
        /** The class of a status in response to the upgrade, where it is not that of docs/configuration.md. */
        readonly statuses?: Readonly<Record<string, "retry" | "slow" | "refuse">> | undefined;
        /**
         * Replaces the connection at an age, or on a matching message: the next one is opened first. By default as
         * the protocol wants.
         */
        readonly rotate?:
          | {
              /** The age at which a connection is replaced, up to a quarter sooner. */
              readonly every?: Duration | undefined;
              /** The messages after which it is replaced. */
              readonly on?: ConditionOptions | undefined;
              /** The time for the old connection to deliver its outstanding replies. Default: `"30s"`. */
              readonly drain?: Duration | undefined;
            }
          | null
          | undefined;
        /**
         * Connects next to the address that a message names, if its host is listed; later to url again. By default
         * as the protocol wants.
         */
        readonly to_address?:
          | {
              /** The messages that name an address. */
              readonly when: ConditionOptions;
              /** The place of the address in them: a JSON pointer, or a group ($GROUP). */
              readonly at: string;
              /** The hosts that may be named; *.example.org stands for any below it. */
              readonly hosts: readonly string[];
            }
          | null
          | undefined;
      }
    | undefined;
  /** Bounds of each journal of unsolicited messages, and of its readers. */
  readonly messages?:
    | {
        /**
         * The most messages that are kept; older ones make way, and readers get a gap. From 1 to 10,000,000.
         * Default: `10000`.
         */
        readonly count?: number | undefined;
        /** The most bytes that are kept. Default: `"16MiB"`. */
        readonly bytes?: Size | undefined;
        /**
         * The most concurrent streams and long polls; more fail with too_many_in_flight. From 1 to 1,000,000.
         * Default: `10000`.
         */
        readonly readers?: number | undefined;
      }
    | undefined;
  /** Subscriptions by name, renewed on every connection; each has its own journal. */
  readonly subscriptions?: Readonly<Record<string, SubscriptionOptions>> | undefined;
  /**
   * The close code that is sent: 1000, 1001, or from 3000 to 4999 (RFC 6455, section 7.4). By default that
   * of the protocol, or 1001. From 1,000 to 4,999.
   */
  readonly close_code?: number | undefined;
}

/** The time limit of each step of the exit. */
export interface ShutdownOptions {
  /** The time for which new requests are still served while readiness is 503. Default: `"0s"`. */
  readonly delay?: Duration | undefined;
  /** The time for outstanding replies to come. Default: `"3s"`. */
  readonly drain?: Duration | undefined;
  /** The time for the upstream to answer the close frame. Default: `"2s"`. */
  readonly close?: Duration | undefined;
  /** The time for responses to be written. Default: `"1s"`. */
  readonly flush?: Duration | undefined;
  /** The time for the thread to end by itself. Default: `"2s"`. */
  readonly join?: Duration | undefined;
  /** The time for the thread to end after it was terminated. Default: `"500ms"`. */
  readonly kill?: Duration | undefined;
  /** The time for the report to be written to callers of /shutdown. Default: `"500ms"`. */
  readonly answer?: Duration | undefined;
}

/** A preset with its options. */
export type ProtocolOptions =
  | (OptionsOfPresets & {
      readonly preset: "json-rpc";
      /** The way to treat an error that names no request. */
      readonly errors?:
        | {
            /** The errors that name no request. */
            readonly when: ConditionOptions;
            /** The fate of the requests in flight. */
            readonly do: "fail_oldest" | "message" | "fail_all";
          }
        | undefined;
    })
  | (OptionsOfPresets & {
      readonly preset: "json";
      /** How a reply finds its request: by an id, or by order, with one request at a time. Default: `"id"`. */
      readonly correlation?: "id" | "order" | undefined;
      /** The places of ids, and their kind. */
      readonly id?:
        | {
            /**
             * The place of the id in requests: a JSON pointer, or several, of which the first that is there counts.
             * Default: `"/id"`.
             */
            readonly out?: string | IdPlaceOptions | readonly (string | IdPlaceOptions)[] | undefined;
            /**
             * The place of the id in replies: a JSON pointer, or several, of which the first that is there counts.
             * Default: `"/id"`.
             */
            readonly in?: string | IdPlaceOptions | readonly (string | IdPlaceOptions)[] | undefined;
            /** More places in requests that get the id: a JSON pointer, or several. */
            readonly repeat?: string | IdPlaceOptions | readonly (string | IdPlaceOptions)[] | undefined;
            /**
             * The place of the upstream's own id of a reply, which a frame with our id teaches, and under which it
             * goes on.
             */
            readonly alias?: string | IdPlaceOptions | readonly (string | IdPlaceOptions)[] | undefined;
            /** The kind of ids. Default: `"int"`. */
            readonly kind?: "int" | "int32" | "string" | "uuid" | "increasing" | "keep" | undefined;
            /** The beginning of ids of kind string. */
            readonly prefix?: string | undefined;
            /** More places in a reply that repeat the id, such as that of an echoed request: JSON pointers. */
            readonly echo?: readonly string[] | undefined;
          }
        | undefined;
      /** A frame with our id that does not meet this is a message, not a reply. */
      readonly reply?: ConditionOptions | undefined;
      /** Frames with our id that precede the reply; they are messages. */
      readonly skip?: readonly ConditionOptions[] | undefined;
      /** The frames that end a request: one that meets one of these, or with all_of all that must come. */
      readonly final?:
        | readonly ConditionOptions[]
        | {
            /** All must have been met, in any order, by any frames. */
            readonly all_of: readonly ConditionOptions[];
          }
        | undefined;
      /** Makes the reply an array of all frames with the id. Needs final. */
      readonly collect?:
        | {
            /** The most frames of a reply; more fail with invalid_reply. From 1 to 1,000,000. Default: `1000`. */
            readonly frames?: number | undefined;
          }
        | undefined;
      /** The message that ends a request which nobody reads any more; $id is its id, $alias the upstream's. */
      readonly cancel?: JsonValue | undefined;
      /** The way to treat an error that names no request. */
      readonly errors?:
        | {
            /** The errors that name no request. */
            readonly when: ConditionOptions;
            /** The fate of the requests in flight. */
            readonly do: "fail_oldest" | "message" | "fail_all";
          }
        | undefined;
    })
  | (OptionsOfPresets & {
      readonly preset: "text";
      /** The places of ids, and their kind; without it, replies are correlated by order. */
      readonly id?:
        | {
            /** A pattern that finds the caller's id, or a template with $id and $message. */
            readonly out: string;
            /** A pattern that finds the id in replies. */
            readonly in: string;
            /** The kind of ids. Default: `"int"`. */
            readonly kind?: "int" | "int32" | "increasing" | "keep" | undefined;
          }
        | undefined;
      /** The frames that are replies: others are messages. */
      readonly reply?: ConditionOptions | undefined;
      /** Frames that precede the reply; they are messages. */
      readonly skip?: readonly ConditionOptions[] | undefined;
      /** The frames that end a request: one that meets one of these, or with all_of all that must come. */
      readonly final?:
        | readonly ConditionOptions[]
        | {
            /** All must have been met, in any order, by any frames. */
            readonly all_of: readonly ConditionOptions[];
          }
        | undefined;
      /** Makes the reply all frames up to the final one. Needs final. */
      readonly collect?:
        | {
            /** The most frames of a reply; more fail with invalid_reply. From 1 to 1,000,000. Default: `1000`. */
            readonly frames?: number | undefined;
          }
        | undefined;
      /** The line that ends a request which nobody reads any more; with id, $id is its id. */
      readonly cancel?: string | undefined;
      /** The way to treat an error that names no request. Needs id. */
      readonly errors?:
        | {
            /** The errors that name no request. */
            readonly when: ConditionOptions;
            /** The fate of the requests in flight. */
            readonly do: "fail_oldest" | "message" | "fail_all";
          }
        | undefined;
    })
  | (OptionsOfPresets & {
      readonly preset: "cdp";
    })
  | (OptionsOfPresets & {
      readonly preset: "graphql-transport-ws";
      /** The payload of connection_init. */
      readonly payload?: Readonly<Record<string, JsonValue>> | undefined;
    })
  | (OptionsOfPresets & {
      readonly preset: "home-assistant";
      /** The access token; without it, give a greeting. */
      readonly token?: string | undefined;
    })
  | (OptionsOfPresets & {
      readonly preset: "obs";
      /** The kinds of events to subscribe to, as a bit mask (EventSubscription). From 0 to 2,147,483,647. */
      readonly events?: number | undefined;
      /** The password of obs-websocket. */
      readonly password?: string | undefined;
    })
  | (OptionsOfPresets & {
      readonly preset: "aria2";
      /** The secret of aria2's --rpc-secret, which goes into every call. */
      readonly token?: string | undefined;
    })
  | (OptionsOfPresets & {
      readonly preset: "binance";
    })
  | (OptionsOfPresets & {
      readonly preset: "deribit";
      /** The id of an API key; without it, the connection does not log in. */
      readonly client_id?: string | undefined;
      /** The secret of the API key. */
      readonly client_secret?: string | undefined;
    })
  | (OptionsOfPresets & {
      readonly preset: "discord-gateway";
      /** The token of the bot; without it, give a greeting. */
      readonly token?: string | undefined;
      /** The kinds of events, as the sum of their bits; by default 0. */
      readonly intents?: string | undefined;
    })
  | (OptionsOfPresets & {
      readonly preset: "gemini-live";
      /** The model, as models/…; without it, give a greeting. */
      readonly model?: string | undefined;
      /** The form of the model's answers: AUDIO, by default, or TEXT. */
      readonly modality?: string | undefined;
      /** The name of the voice. */
      readonly voice?: string | undefined;
      /** The instructions for the model. */
      readonly instructions?: string | undefined;
    })
  | (OptionsOfPresets & {
      readonly preset: "graphql-ws";
    })
  | (OptionsOfPresets & {
      readonly preset: "janus";
      /** The token of Janus' token_auth, which goes into every message. */
      readonly token?: string | undefined;
      /** The api_secret of Janus, which goes into every message. */
      readonly password?: string | undefined;
    })
  | (OptionsOfPresets & {
      readonly preset: "jupyter";
    })
  | (OptionsOfPresets & {
      readonly preset: "kraken";
    })
  | (OptionsOfPresets & {
      readonly preset: "lsp";
      /** The URI of the folder of the workspace; by default there is none. */
      readonly root?: string | undefined;
      /** The capabilities of the client, as a JSON object, in the place of the preset's. */
      readonly capabilities?: string | undefined;
      /** The initializationOptions, as a JSON object. */
      readonly options?: string | undefined;
      /** The settings, as a JSON object: the server gets the parts that it asks for. */
      readonly settings?: string | undefined;
    })
  | (OptionsOfPresets & {
      readonly preset: "mcp";
      /** The version of the protocol that is asked for; by default "2025-06-18". */
      readonly version?: string | undefined;
      /** The capabilities of the client, as a JSON object; by default none. */
      readonly capabilities?: string | undefined;
    })
  | (OptionsOfPresets & {
      readonly preset: "mopidy";
    })
  | (OptionsOfPresets & {
      readonly preset: "nats";
      /** The token with which the connection logs in. */
      readonly token?: string | undefined;
      /** The user as which the connection logs in. */
      readonly user?: string | undefined;
      /** The password of the user. */
      readonly password?: string | undefined;
      /** The text of a credentials file (JWT and nkey), or the seed of a user's nkey, which signs the login. */
      readonly credentials?: string | undefined;
      /** The beginning of the subjects at which replies come; by default "_INBOX". */
      readonly inbox?: string | undefined;
    })
  | (OptionsOfPresets & {
      readonly preset: "nostr";
    })
  | (OptionsOfPresets & {
      readonly preset: "ocpp";
      /** The version of OCPP, such as "1.6"; by default "2.0.1". */
      readonly version?: string | undefined;
      /** The vendor of the station; with the model, a BootNotification is sent. */
      readonly vendor?: string | undefined;
      /** The model of the station. */
      readonly model?: string | undefined;
    })
  | (OptionsOfPresets & {
      readonly preset: "openai-realtime";
    })
  | (OptionsOfPresets & {
      readonly preset: "phoenix";
      /** The version of the messages, "1" or "2", which is that of vsn in the address; by default "2". */
      readonly version?: string | undefined;
    })
  | (OptionsOfPresets & {
      readonly preset: "signalr";
    })
  | (OptionsOfPresets & {
      readonly preset: "slack-socket-mode";
    })
  | (OptionsOfPresets & {
      readonly preset: "socket.io";
      /** The payload with which the connection logs in, as JSON. */
      readonly auth?: string | undefined;
    })
  | (OptionsOfPresets & {
      readonly preset: "stomp";
      /** The name with which the connection logs in. */
      readonly login?: string | undefined;
      /** The password, which goes out as the passcode. */
      readonly password?: string | undefined;
      /** The virtual host; by default "/". */
      readonly host?: string | undefined;
    })
  | (OptionsOfPresets & {
      readonly preset: "wamp";
      /** The realm to join; by default "realm1". */
      readonly realm?: string | undefined;
      /** The authid; by default the router chooses one. */
      readonly user?: string | undefined;
      /** The ticket with which the connection logs in. */
      readonly password?: string | undefined;
    })
  | (OptionsOfPresets & {
      readonly preset: "webdriver-bidi";
    })
  | (OptionsOfPresets & {
      readonly preset: "xrpl";
    })
  | (OptionsOfPresets & {
      readonly preset: "zwave-js";
      /** The version of the messages; by default the smallest, 0. */
      readonly schema?: string | undefined;
    });

/** The options of every preset. */
export interface OptionsOfPresets {
  /** How messages lie in frames, where it is not one in each. */
  readonly frames?: FramesOptions | undefined;
  /** Requests of the upstream's own, with our answers. */
  readonly answers?: readonly AnswerOptions[] | undefined;
  /** Frames that are neither messages nor replies: they are only counted. */
  readonly ignore?: readonly ConditionOptions[] | undefined;
  /** Messages of callers that nothing answers: they are done once written. */
  readonly sends?: readonly ConditionOptions[] | undefined;
}

/** A step of the greeting, which sends, expects, or both. */
export type GreetingStepOptions =
  | {
      /** True: only on a connection that begins anew. False: only on one that resumes. */
      readonly first?: boolean | undefined;
      /** The frame to wait for. */
      readonly expect:
        | string
        | (ConditionParts & {
            /** As in a condition; an empty mapping, and nothing else, takes any frame. */
            readonly match?: Readonly<Record<string, string | number | boolean | null>> | undefined;
            /** Short for a reject with this match beside expect. */
            readonly reject?: Readonly<Record<string, string | number | boolean | null>> | undefined;
            /** The time within which the frame must come. Default: `"5s"`. */
            readonly within?: Duration | undefined;
          });
      /** A frame that refuses; looked at before expect. */
      readonly reject?:
        | string
        | (ConditionParts & {
            /** When the next attempt is made. By default refuse. */
            readonly class?: "retry" | "slow" | "refuse" | undefined;
          })
        | undefined;
    }
  | {
      /** The message to send: a text, sent as it is, or a value, sent as JSON. */
      readonly send: JsonValue;
      /** True: only on a connection that begins anew. False: only on one that resumes. */
      readonly first?: boolean | undefined;
      /** The frame to wait for after it. */
      readonly expect?:
        | string
        | (ConditionParts & {
            /** As in a condition; an empty mapping, and nothing else, takes any frame. */
            readonly match?: Readonly<Record<string, string | number | boolean | null>> | undefined;
            /** Short for a reject with this match beside expect. */
            readonly reject?: Readonly<Record<string, string | number | boolean | null>> | undefined;
            /** The time within which the frame must come. Default: `"5s"`. */
            readonly within?: Duration | undefined;
          })
        | undefined;
      /** A frame that refuses; looked at before expect. */
      readonly reject?:
        | string
        | (ConditionParts & {
            /** When the next attempt is made. By default refuse. */
            readonly class?: "retry" | "slow" | "refuse" | undefined;
          })
        | undefined;
    };

/** A step of the farewell, which sends, expects, or both. */
export interface FarewellStepOptions {
  /** The message to send: a text, sent as it is, or a value, sent as JSON. */
  readonly send?: JsonValue | undefined;
  /** The frame to wait for after it; without it in its time, the farewell goes on. */
  readonly expect?:
    | string
    | (ConditionParts & {
        /** The time within which the frame must come. Default: `"1s"`. */
        readonly within?: Duration | undefined;
      })
    | undefined;
}

/** Values that frames of the upstream bring. */
export interface CaptureOptions {
  /** The frames that bring the values. */
  readonly when: ConditionOptions;
  /** The places of the values, by name: JSON pointers, or groups ($GROUP); null forgets the value. */
  readonly values: Readonly<Record<string, string | null>>;
  /** True if the next connection begins with them. */
  readonly keep?: boolean | undefined;
  /** True if they must not be shown. */
  readonly secret?: boolean | undefined;
}

/** Any JSON value. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** A test of a frame: a mapping, all of whose parts must hold; or a pattern, short for its text alone. */
export type ConditionOptions = string | ConditionParts;

/** A standing request for messages, and the condition for them; or a preset that has both. */
export type SubscriptionOptions = ConditionParts & {
  /** Subscriptions of Ethereum, which differ only in their parameters. */
  readonly preset?: "eth_subscribe" | undefined;
  /** The parameters of a preset, such as [newHeads]. Only with a preset, which needs them. */
  readonly params?: readonly JsonValue[] | undefined;
  /** The message that subscribes: a text, sent as it is, or a value, sent as JSON. Not with a preset. */
  readonly request?: JsonValue | undefined;
  /**
   * The place of the upstream's own id for the subscription in the frame with which it agrees: a JSON
   * pointer, or a group ($GROUP) of a pattern in agreed.
   */
  readonly id?: string | undefined;
  /** The message that unsubscribes; $id stands for the upstream's id. */
  readonly unsubscribe?: JsonValue | undefined;
  /**
   * The confirmations, as replies or as messages; all of them must come. By default the reply, unless it
   * refuses.
   */
  readonly agreed?: ConditionOptions | readonly ConditionOptions[] | undefined;
  /** A reply or a message that refuses the request, beside the known forms. */
  readonly refused?: ConditionOptions | undefined;
  /** The message with which the upstream ends the subscription. */
  readonly ended?: ConditionOptions | undefined;
  /** False for a request that does something: what may have been sent is never sent again. */
  readonly renew?: boolean | undefined;
  /** The longest time without a message of the subscription: after it, the request is repeated. */
  readonly silence?: Duration | undefined;
};

/** How messages lie in frames. */
export interface FramesOptions {
  /** The separator of the messages in a frame, which also ends what is sent; or array. */
  readonly split?: string | undefined;
  /** The compression of binary frames. */
  readonly inflate?: "auto" | "gzip" | "deflate" | undefined;
  /** Binary frames are bytes: messages, or parts of the reply that is due, which needs collect. */
  readonly binary?: "messages" | "parts" | undefined;
  /** The size of the frames that a long binary body is sent as, while it arrives. */
  readonly size?: Size | undefined;
}

/** A rule that answers requests of the upstream's own. */
export interface AnswerOptions {
  /** The requests of the upstream that are answered. */
  readonly when: ConditionOptions;
  /**
   * The answer: a text, sent as it is, or a value, sent as JSON; $NAME is a group (?<NAME>…) of the pattern.
   */
  readonly send: JsonValue;
  /** JSON pointers: place in the answer → source in the request. */
  readonly copy?: Readonly<Record<string, string>> | undefined;
  /** True if what is answered is a message, too. */
  readonly keep?: boolean | undefined;
  /**
   * Makes the answer wait, at most for within, until a webhook or a reader has acknowledged what it answers.
   */
  readonly after?: "delivered" | undefined;
  /** The longest wait for the delivery. */
  readonly within?: Duration | undefined;
}

/** A place of ids in some messages. */
export interface IdPlaceOptions {
  /** The JSON pointer of the id. */
  readonly at: string;
  /** The messages that have an id there. By default all. */
  readonly when?: ConditionOptions | undefined;
}

/** The parts of a condition, which must all hold. */
export interface ConditionParts {
  /** Values by place, exact in their JSON type: 7 is also 7.0, but never "7". */
  readonly match?: Readonly<Record<string, string | number | boolean | null>> | undefined;
  /** Places at which there must be a value; null is one. JSON pointers, or $GROUP. */
  readonly has?: readonly string[] | undefined;
  /** Places at which there must be none. */
  readonly lacks?: readonly string[] | undefined;
  /** An RE2 pattern that the frame's text matches, whether or not it is JSON. */
  readonly text?: string | undefined;
  /** Conditions of which one must hold. */
  readonly any?: readonly ConditionOptions[] | undefined;
  /** Conditions that must all hold. */
  readonly all?: readonly ConditionOptions[] | undefined;
  /** A condition that must not hold. */
  readonly not?: ConditionOptions | undefined;
}
