// Fills an empty database with the products of a CSV file, by Vendure's own importer.
const { bootstrap } = require("@vendure/core");
const { populate } = require("@vendure/core/cli");
const { config, initialData } = require("./config.cjs");

populate(() => bootstrap(config), initialData, process.argv[2])
  .then((app) => app.close())
  .then(() => process.exit(0));
