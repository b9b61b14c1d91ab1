// The audit suite of graphql-http (GraphQL over HTTP) against a server: node audit.mjs ADDRESS
// Each result is a line of JSON on stdout.
import { argv } from "node:process";

import { auditServer } from "graphql-http";

for (const { id, name, status, reason } of await auditServer({ url: argv[2] })) {
  console.log(JSON.stringify({ id, name, status, reason }));
}
