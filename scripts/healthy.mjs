/**
 * The container's health check, for images without a shell and curl: of /livez, or of the path that it is given. Finds
 * the service on its port or its socket, as the environment names them, and with TLS if it has that.
 */
import { Agent, get } from "node:http";
import process from "node:process";
import { connect } from "node:tls";

const { PORT, SIDESOCKET_LISTEN_PATH } = process.env;
const place = SIDESOCKET_LISTEN_PATH ? { path: SIDESOCKET_LISTEN_PATH } : { host: "127.0.0.1", port: PORT || 8787 };
const path = process.argv[2] ?? "/livez";
const answered = ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1);
// A listener with TLS ends a plain connection, or answers with an alert. Its certificate is for its callers, who know it by another name.
const secured = { path, createConnection: () => connect({ ...place, rejectUnauthorized: false }) };
const trySecurely = () => get(secured, answered).once("error", () => process.exit(1));
// A proxy named by the environment has another 127.0.0.1, and fetch would use it.
const agent = new Agent({ proxyEnv: {} });
const plain = SIDESOCKET_LISTEN_PATH ? { agent, socketPath: SIDESOCKET_LISTEN_PATH, path } : { agent, ...place, path };
get(plain, answered).once("error", trySecurely);
