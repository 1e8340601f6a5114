import { serveThread } from "../sidecar/worker.ts";

serveThread({});
