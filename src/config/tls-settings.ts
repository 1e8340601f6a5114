/** Schema of TLS with an upstream. */

import * as z from "zod";

const path = z.string().min(1, "must be the path of a file");

export const tls = z
  .strictObject({
    ca: path.optional().describe("The path of a PEM file with the certificates to trust instead of the default ones."),
    cert: path.optional().describe("The path of a PEM file with our certificate, and those between it and its root."),
    key: path.optional().describe("The path of a PEM file with the key of our certificate."),
    pfx: path.optional().describe("The path of a PFX (PKCS #12) file with our certificate and its key."),
    passphrase: z.string().min(1).optional().describe("Opens the key or the PFX file."),
    servername: z
      .string()
      .regex(/^[A-Za-z0-9_.-]{1,253}$/, "must be a name such as example.org")
      .optional()
      .describe("The name to ask for, and to find in the upstream's certificate, instead of the host of the url."),
    min_version: z
      .enum(["1.2", "1.3"], 'must be "1.2" or "1.3"')
      .prefault("1.2")
      .describe("The oldest version of TLS that is agreed to."),
  })
  .superRefine(({ cert, key, pfx, passphrase }, context) => {
    const wrong = (setting: string, message: string) => context.addIssue({ code: "custom", path: [setting], message });
    if (cert !== undefined && key === undefined) wrong("cert", "needs key beside it");
    if (key !== undefined && cert === undefined) wrong("key", "needs cert beside it");
    if (pfx !== undefined && cert !== undefined) wrong("pfx", "has a certificate, as cert does: leave one out");
    if (passphrase !== undefined && (key ?? pfx) === undefined) wrong("passphrase", "needs key or pfx, which it opens");
  })
  .prefault({});
