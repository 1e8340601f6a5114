/** The network on Node. */

import { connect } from "node:net";
import type { Network } from "../net/connect.ts";
import { createResolve, systemSources } from "./lookup.ts";

export const network: Network = {
  resolve: createResolve(systemSources),
  connect: ({ port }, { address }) => connect({ host: address, port, autoSelectFamily: false }),
};
