/** The entry of the sidecar's thread on Node. */

import { serveThread } from "../sidecar/thread/worker.ts";
import { network } from "./node.network.ts";

serveThread({ network });
