// Vendure as its documentation configures it for production: PostgreSQL, no playground, only errors in its log.
const path = require("node:path");
const { DefaultLogger, LogLevel, LanguageCode, defaultConfig } = require("@vendure/core");

exports.config = {
  apiOptions: { port: Number(process.env.PORT ?? 0), hostname: "127.0.0.1", shopApiPath: "graphql", adminApiPath: "admin" },
  authOptions: {
    tokenMethod: "bearer",
    superadminCredentials: { identifier: "superadmin", password: process.env.PASSWORD },
    cookieOptions: { secret: process.env.PASSWORD },
  },
  dbConnectionOptions: { type: "postgres", url: process.env.DATABASE_URL, synchronize: true, logging: false },
  importExportOptions: { importAssetsDir: path.join(__dirname, "assets") },
  logger: new DefaultLogger({ level: LogLevel.Error }),
  plugins: [],
};

exports.initialData = {
  defaultLanguage: LanguageCode.en,
  defaultZone: "Americas",
  countries: [{ name: "United States of America", code: "US", zone: "Americas" }],
  taxRates: [{ name: "Standard", percentage: 0 }],
  shippingMethods: [],
  paymentMethods: [],
  collections: [],
};
