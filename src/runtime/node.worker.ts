/** The entry of the sidecar's thread on Node. */

import { serveThread } from "../sidecar/thread/worker.ts";
import { createLookup, systemSources } from "./lookup.ts";

serveThread({ lookup: createLookup(systemSources) });
