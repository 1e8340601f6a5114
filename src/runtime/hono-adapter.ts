/** The adapter from Node's requests to the standard ones of the app. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { getRequestListener, RequestError } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { Serve } from "./pipeline.ts";
import type { ListenOptions } from "./runtime.ts";

interface Adapted extends Pick<ListenOptions, "fetch" | "refusal"> {
  /** Requests whose body comes only after `100 Continue`. */
  readonly expecting: WeakSet<IncomingMessage>;
  /** Lets the body of a request arrive for so long from now on, in milliseconds. */
  grantBody(request: IncomingMessage, ms: number): void;
}

export function adapt({ fetch, refusal, expecting, grantBody }: Adapted): Serve {
  return getRequestListener(
    (request, { incoming, outgoing }) => {
      const awaited = incoming as IncomingMessage;
      const proceed =
        awaited.headers.expect === undefined
          ? undefined
          : () => {
              if (expecting.delete(awaited)) (outgoing as ServerResponse).writeContinue();
            };
      const grant = (ms: number) => grantBody(awaited, ms);
      const unlessSent = (response: Response) => (outgoing.headersSent ? RESPONSE_ALREADY_SENT : response);
      const response = fetch(request, { incoming, outgoing, exclusive: true, proceed, grant });
      return response instanceof Promise ? response.then(unlessSent) : unlessSent(response);
    },
    {
      errorHandler(error) {
        if (!(error instanceof RequestError)) return new Response(null, { status: 500 });
        const { status, headers, body } = refusal(400, `the request target is invalid: ${error.message}`);
        return new Response(body, { status, headers });
      },
    },
  );
}
