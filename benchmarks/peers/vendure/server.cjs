// Vendure's server, without a worker beside it: products are read, and nothing is indexed.
const { bootstrap } = require("@vendure/core");
const { config } = require("./config.cjs");

bootstrap(config).then((app) => console.log(`http://127.0.0.1:${app.getHttpServer().address().port}`));
