import { serveThread } from "../sidecar/thread/worker.ts";
import { createLookup, systemSources } from "./lookup.ts";

serveThread({ lookup: createLookup(systemSources) });
