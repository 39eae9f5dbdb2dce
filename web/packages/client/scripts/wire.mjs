// Writes src/wire.ts from src/wire.schema.json, which `python -m greenroom.wire.schema` prints.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { compile } from 'json-schema-to-typescript';

const schemaFile = new URL('../src/wire.schema.json', import.meta.url);
const typesFile = new URL('../src/wire.ts', import.meta.url);

/** The TypeScript text for a schema: a type for each definition, a constant for each number. */
export async function generate() {
  const { 'x-constants': constants, ...schema } = JSON.parse(await readFile(schemaFile, 'utf8'));
  const types = await compile(schema, 'Wire', {
    additionalProperties: false,
    bannerComment: '// The types of the wire. Generated from wire.schema.json by `make wire`. Do not edit.',
    declareExternallyReferenced: true,
    unreachableDefinitions: true,
    style: { singleQuote: true, printWidth: 100 },
  });
  const numbers = Object.entries(constants).map(([name, value]) => `export const ${name} = ${value};\n`);
  return `${tidy(types)}\n${numbers.join('')}`;
}

/** Without the empty root type and without the remarks on where a definition stood. */
function tidy(types) {
  return types
    .replace(/\/\*\*\n \* Generated from .*\n \*\/\nexport interface Wire \{\n.*\n\}\n/, '')
    .replace(/ \*\n \* This interface was referenced by `Wire`'s JSON-Schema\n \* via the `definition` ".*"\.\n/g, '')
    .replace(/\/\*\*\n \* This interface was referenced by `Wire`'s JSON-Schema\n \* via the `definition` ".*"\.\n \*\/\n/g, '')
    .trimEnd();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeFile(typesFile, await generate());
