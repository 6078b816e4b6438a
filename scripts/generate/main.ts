/** Writes what is generated from the code's own tables: `npm run generate`. A test fails where a file is another. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { modelsDocument } from './models.ts';
import { schemaFiles } from './schemas.ts';

const root = new URL('../../', import.meta.url);
const schemas = new URL('schemas/', root);

// What no task type has any more goes.
await rm(schemas, { recursive: true, force: true });
await mkdir(schemas, { recursive: true });
for (const [name, text] of schemaFiles()) await writeFile(new URL(name, schemas), text);
await writeFile(new URL('docs/models.md', root), modelsDocument());
process.stdout.write(`Written: ${fileURLToPath(schemas)} and docs/models.md\n`);
