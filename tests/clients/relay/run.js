// Compiles shop.js as a bundler would, and runs it: node run.js ADDRESS TOKEN
const { writeFileSync } = require("node:fs");
const { join } = require("node:path");

const { transformFileSync } = require("@babel/core");
const relay = require("babel-plugin-relay");

const { code } = transformFileSync(join(__dirname, "shop.js"), { cwd: __dirname, plugins: [[relay, { eagerEsModules: false }]] });
const compiled = join(__dirname, "compiled.js");
writeFileSync(compiled, code);
require(compiled);
